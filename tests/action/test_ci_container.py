"""The built image with the variables and folders of each CI system: its form of output is there, whoever owns it."""

import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts import image as images
from tests.action.container import RUNNER, ContainerRunner
from tests.action.runner import read_outputs
from tests.support.images import image, write_layout


@dataclass(frozen=True)
class Started:
    """What a step left: its log, the job's folder as it is on the host, and the digest by `outputs.json`."""

    log: str
    folder: Path

    @property
    def digest(self) -> str:
        """By the file that every system has but those that speak GitHub's language."""
        return str(json.loads((self.folder / "workspace/.manifest-action/outputs.json").read_text())["digest"])

    def file(self, name: str) -> str:
        """A file that was mounted or left."""
        return (self.folder / name).read_text()


@dataclass(frozen=True)
class Kind:
    """A system: its variables, the prefix of inputs, and where the digest has to be."""

    environment: Mapping[str, str]
    digest: Callable[[Started], bool]
    prefix: str = "INPUT_"


def _assigned(started: Started, name: str, begin: str = "") -> bool:
    return f"{begin}MANIFEST_ACTION_DIGEST={started.digest}" in started.file(name).splitlines()


KINDS = {
    "gitea": Kind(
        {"GITEA_ACTIONS": "true", "GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": "/job/workspace"}
        | {"GITHUB_OUTPUT": "/job/files/output", "GITHUB_STEP_SUMMARY": "/job/files/summary"},
        lambda started: read_outputs(started.file("files/output"))["digest"].startswith("sha256:"),
    ),
    "gitlab": Kind(
        {"GITLAB_CI": "true", "CI_PROJECT_DIR": "/job/workspace"},
        lambda started: _assigned(started, "workspace/.manifest-action/outputs.env"),
    ),
    "azure": Kind(
        {"TF_BUILD": "True", "BUILD_SOURCESDIRECTORY": "/job/workspace"},
        lambda started: f"##vso[task.setvariable variable=digest;isOutput=true;]{started.digest}" in started.log,
    ),
    "circleci": Kind(
        {"CIRCLECI": "true", "BASH_ENV": "/job/files/bash.env"},
        lambda started: _assigned(started, "files/bash.env", "export "),
    ),
    "jenkins": Kind(
        {"JENKINS_URL": "https://jenkins.example/", "WORKSPACE": "/job/workspace"},
        lambda started: f"digest={started.digest}" in started.file("workspace/.manifest-action/outputs.properties"),
    ),
    "tekton": Kind(
        {"MANIFEST_ACTION_SYSTEM": "tekton", "MANIFEST_ACTION_RESULTS": "/job/results"},
        lambda started: started.file("results/digest") == started.digest,
    ),
    "drone": Kind(
        {"DRONE": "true", "DRONE_WORKSPACE": "/job/workspace", "DRONE_OUTPUT": "/job/files/drone.env"},
        lambda started: _assigned(started, "files/drone.env"),
        "PLUGIN_",
    ),
    "woodpecker": Kind(
        {"CI": "woodpecker", "CI_WORKSPACE": "/job/workspace"},
        lambda started: _assigned(started, "workspace/.manifest-action/outputs.env"),
        "PLUGIN_",
    ),
    "buildkite": Kind(
        {"BUILDKITE": "true"},
        lambda started: "buildkite-agent is not here" in started.log and bool(started.digest),
    ),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_container_tells_the_system_what_it_did(container: ContainerRunner, name: str) -> None:
    kind, workspace, folder = KINDS[name], container.workspace, container.folder
    for architecture in ("amd64", "arm64"):
        write_layout(workspace / architecture, {"": image(f"linux/{architecture}")})
    for made in ("files", "results"):
        (folder / made).mkdir()
        (folder / made).chmod(0o777)
    container.give(workspace)
    inputs = {"IMAGE": "oci:out:1.0", "SOURCES": "oci:amd64,oci:arm64", "EXPECT": "linux/amd64,linux/arm64"}
    variables = {"CI": "true", **kind.environment, **{f"{kind.prefix}{key}": text for key, text in inputs.items()}}
    options = (f"--env={key}={text}" for key, text in variables.items())
    folders = (f"--volume={folder / each}:/job/{each}" for each in ("workspace", "files", "results"))
    mounted = (*folders, "--workdir", "/job/workspace")
    command = images.command("podman", "run", "--rm", "--network", "none", *mounted, *options, container.image)
    result = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, check=False, env=images.environment()
    )
    assert result.returncode == 0, (result.stdout, result.stderr)
    started = Started(result.stdout.decode(), folder)
    assert kind.digest(started), started.log
    assert container.owners() == {RUNNER}
