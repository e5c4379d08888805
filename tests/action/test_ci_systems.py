"""The program started as each CI system starts it, and what that system reads of it afterwards."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.action.runner import read_outputs
from tests.support.images import image, push, write_layout
from tests.support.servers import ROOT, Registry

SOURCES = "oci:amd64,oci:arm64"
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Job:
    """A job's checkout, and the variables that its system sets."""

    workspace: Path
    environment: Mapping[str, str]

    def run(self, *command: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        """One step; `command` in the place of the container's entry."""
        own = {"PATH": os.environ["PATH"], "HOME": str(self.workspace), "CI": "true"}
        result = subprocess.run(
            command or (sys.executable, "-I", ROOT / "entrypoint.py"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=120,
            cwd=self.workspace,
            env={**own, **self.environment, **variables},
        )
        # Decoded by hand, as a text stream would make line ends of carriage returns.
        out, err = result.stdout.decode(), result.stderr.decode()
        return subprocess.CompletedProcess(result.args, result.returncode, out, err)

    def left(self, name: str) -> str:
        """A file among the results in the workspace."""
        return (self.workspace / ".manifest-action" / name).read_text()

    @property
    def outputs(self) -> Mapping[str, Any]:
        """`outputs.json`, which every system but GitHub's own has."""
        outputs: Mapping[str, Any] = json.loads(self.left("outputs.json"))
        return outputs


def job(folder: Path, **environment: str) -> Job:
    """A job whose checkout holds two layouts; the variables' `WORKSPACE` stands for the checkout."""
    workspace = folder / "checkout"
    write_layout(workspace / "amd64", {"": image("linux/amd64")})
    write_layout(workspace / "arm64", {"": image("linux/arm64")})
    return Job(workspace, {name: value.replace("WORKSPACE", str(workspace)) for name, value in environment.items()})


def step(job: Job, prefix: str = "INPUT_", **more: str) -> subprocess.CompletedProcess[str]:
    """The same main job on every system; it must succeed."""
    inputs = {f"{prefix}IMAGE": "oci:out:1.0", f"{prefix}TAGS": "1.1,latest", f"{prefix}SOURCES": SOURCES}
    result = job.run(**{**inputs, **more})
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stderr == ""
    assert f"digest  {job.outputs['digest']}" in result.stdout
    assert "\n\n  PLATFORM  " in result.stdout
    return result


def assignments(text: str) -> dict[str, str]:
    """A dotenv file as GitLab reads it: no quotes, no blank lines."""
    return dict(line.split("=", 1) for line in text.splitlines())


GITLAB = {"GITLAB_CI": "true", "CI_PROJECT_DIR": "WORKSPACE", "CI_SERVER_NAME": "GitLab"}


def test_gitlab_reads_a_dotenv_report_and_folds_sections(tmp_path: Path) -> None:
    gitlab = job(tmp_path, **GITLAB)
    result = step(gitlab, INPUT_ANNOTATIONS="org.opencontainers.image.title=two words")
    report = gitlab.left("outputs.env")
    assert len(report.encode()) < 5 * 1024
    found = assignments(report)
    assert found["MANIFEST_ACTION_DIGEST"] == gitlab.outputs["digest"]
    assert found["MANIFEST_ACTION_IMAGE"] == f"oci:out@{gitlab.outputs['digest']}"
    assert json.loads(found["MANIFEST_ACTION_PLATFORMS"]) == json.loads(gitlab.outputs["platforms"])
    assert all(re.fullmatch(r"[A-Z_]+", name) and not re.search(r"\s", value) for name, value in found.items())
    assert "MANIFEST_ACTION_INDEX" not in found, "it has a space, which a dotenv report cannot hold"
    begun = re.findall(r"^\x1b\[0Ksection_start:\d+:(\w+)\[collapsed=true\]\r\x1b\[0K", result.stdout, re.MULTILINE)
    ended = re.findall(r"^\x1b\[0Ksection_end:\d+:(\w+)\r\x1b\[0K$", result.stdout, re.MULTILINE)
    assert len(begun) >= 4
    assert begun == ended
    assert gitlab.left("summary.md").startswith("### `oci:out:1.0`")


def test_a_large_result_does_not_make_gitlab_refuse_the_report(tmp_path: Path) -> None:
    gitlab = job(tmp_path, **GITLAB)
    step(gitlab, INPUT_TAGS=",".join(f"{number:03}-{'x' * 80}" for number in range(90)))
    report = gitlab.left("outputs.env")
    assert len(report.encode()) < 5 * 1024
    assert "MANIFEST_ACTION_DIGEST" in report
    assert "MANIFEST_ACTION_TAGS" not in report
    assert len(json.loads(gitlab.outputs["tags"])) == 91


def test_gitlab_logs_in_with_the_login_of_the_job(tmp_path: Path, registry_tls: Registry, repository: str) -> None:
    gitlab = job(tmp_path, **GITLAB, CI_REGISTRY=registry_tls.host, CI_REGISTRY_USER=registry_tls.username)
    assert registry_tls.ca_file is not None
    (gitlab.workspace / "ca.pem").write_bytes(registry_tls.ca_file.read_bytes())
    name = f"{registry_tls.host}/{repository}"
    sources = f"{name}@{push(registry_tls, repository, image('linux/amd64'))}"
    inputs = {"INPUT_IMAGE": f"{name}:1", "INPUT_SOURCES": sources, "INPUT_CA_CERTIFICATES": "ca.pem"}
    refused = gitlab.run(**inputs)
    assert refused.returncode == 6, refused.stdout
    result = gitlab.run(**inputs, CI_REGISTRY_PASSWORD=registry_tls.password)
    assert result.returncode == 0, result.stdout
    assert registry_tls.tags(repository) == ["1"]
    assert registry_tls.password not in result.stdout + result.stderr


@pytest.mark.parametrize("variable", ["GITEA_ACTIONS", "FORGEJO_ACTIONS"])
def test_gitea_and_forgejo_read_what_github_reads(tmp_path: Path, variable: str) -> None:
    files = {"GITHUB_OUTPUT": str(tmp_path / "output"), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}
    gitea = job(tmp_path, GITHUB_ACTIONS="true", GITHUB_WORKSPACE="WORKSPACE", **{variable: "true"}, **files)
    result = gitea.run(INPUT_IMAGE="oci:out:1.0", INPUT_SOURCES=SOURCES)
    assert result.returncode == 0, result.stdout
    assert "::group::Resolve 2 sources" in result.stdout
    assert DIGEST.fullmatch(read_outputs((tmp_path / "output").read_text())["digest"])
    assert (tmp_path / "summary").read_text().startswith("### `oci:out:1.0`")


def test_giteas_token_is_for_its_own_registry(tmp_path: Path, registry_tls: Registry, repository: str) -> None:
    gitea = job(tmp_path, GITHUB_ACTIONS="true", GITEA_ACTIONS="true", GITHUB_WORKSPACE="WORKSPACE")
    assert registry_tls.ca_file is not None
    (gitea.workspace / "ca.pem").write_bytes(registry_tls.ca_file.read_bytes())
    name = f"{registry_tls.host}/{repository}"
    source = f"{name}@{push(registry_tls, repository, image('linux/amd64'))}"
    inputs = {"INPUT_IMAGE": f"{name}:1", "INPUT_SOURCES": source, "INPUT_CA-CERTIFICATES": "ca.pem"}
    login = {"INPUT_GITHUB-TOKEN": registry_tls.password, "GITHUB_ACTOR": registry_tls.username}
    elsewhere = gitea.run(**inputs, **login, GITHUB_SERVER_URL="https://gitea.example")
    assert elsewhere.returncode == 6, elsewhere.stdout
    result = gitea.run(**inputs, **login, GITHUB_SERVER_URL=f"https://{registry_tls.host}")
    assert result.returncode == 0, result.stdout
    shown = "\n".join(line for line in result.stdout.splitlines() if not line.startswith("::add-mask::"))
    assert registry_tls.password not in shown


AZURE = {"TF_BUILD": "True", "BUILD_SOURCESDIRECTORY": "WORKSPACE"}


def azure_commands(log: str) -> list[tuple[str, dict[str, str], str]]:
    """The logging commands of a log, with what the agent makes of their escapes."""

    def undone(text: str) -> str:
        for code, character in (("%3B", ";"), ("%0D", "\r"), ("%0A", "\n"), ("%5D", "]"), ("%AZP25", "%")):
            text = text.replace(code, character)
        return text

    found = []
    for match in re.finditer(r"##vso\[([a-z.A-Z]+) ?([^\]]*)\](.*)", log):
        pairs = (pair.split("=", 1) for pair in match[2].split(";") if pair)
        found.append((match[1], {key: undone(value) for key, value in pairs}, undone(match[3])))
    return found


def test_azure_pipelines_gets_output_variables_and_a_page(tmp_path: Path) -> None:
    azure = job(tmp_path, **AZURE)
    result = step(azure, INPUT_PASSWORD="canary-password", INPUT_USERNAME="me", INPUT_ANNOTATIONS="a=50%; [x]")
    commands = azure_commands(result.stdout)
    assert commands[0][0] == "task.setsecret"
    variables = {where["variable"]: text for name, where, text in commands if name == "task.setvariable"}
    assert all(where["isOutput"] == "true" for name, where, _ in commands if name == "task.setvariable")
    assert variables == {name.replace("-", "_"): value for name, value in azure.outputs.items()}
    assert json.loads(variables["index"])["annotations"] == {"a": "50%; [x]"}
    page = [text for name, _, text in commands if name == "task.uploadsummary"]
    assert page == [str(azure.workspace / ".manifest-action/summary.md")]
    assert "##[group]Resolve 2 sources" in result.stdout


def test_azure_pipelines_gets_mistakes_as_issues_with_their_place(tmp_path: Path) -> None:
    azure = job(tmp_path, **AZURE)
    (azure.workspace / "spec.yml").write_text("image: oci:out:1\nsorces: [x]\n")
    result = azure.run(INPUT_SPEC="spec.yml")
    assert result.returncode == 2
    issues = [where for name, where, _ in azure_commands(result.stdout) if name == "task.logissue"]
    assert {"type": "error", "sourcepath": "spec.yml", "linenumber": "2", "columnnumber": "1"} in issues
    assert azure.outputs["error-code"] == "config"


def test_nothing_that_is_read_becomes_a_command_of_azure_pipelines(tmp_path: Path) -> None:
    azure = job(tmp_path, **AZURE)
    evil = "x ##vso[task.setvariable variable=digest]evil ##[error]y"
    result = azure.run(INPUT_IMAGE="oci:out:1", INPUT_SOURCES=f"- oci:{evil}", INPUT_EXPECT=evil, INPUT_FORMAT=evil)
    assert result.returncode == 2
    assert not [each for each in azure_commands(result.stdout) if each[0] == "task.setvariable" and "evil" in each[2]]
    assert "##[error]" not in result.stdout


def test_circleci_gives_outputs_to_the_shells_of_later_steps(tmp_path: Path) -> None:
    script = tmp_path / "bash.env"
    script.write_text("export BEFORE=1\n")
    circle = job(tmp_path, CIRCLECI="true", BASH_ENV=str(script))
    step(circle, INPUT_ANNOTATIONS='a="quoted" \'; echo pwned; $(echo pwned)')
    later = circle.run("bash", "-c", 'printf "%s\\n" "$BEFORE" "$MANIFEST_ACTION_DIGEST" "$MANIFEST_ACTION_INDEX"')
    before, digest, *index = later.stdout.splitlines()
    assert (before, digest) == ("1", circle.outputs["digest"])
    assert "\n".join(index) == circle.outputs["index"]
    assert "pwned" not in [*later.stdout.split("\n"), later.stderr]


def test_jenkins_reads_properties_and_json(tmp_path: Path) -> None:
    jenkins = job(tmp_path, JENKINS_URL="https://jenkins.example/", WORKSPACE="WORKSPACE")
    step(jenkins, INPUT_ANNOTATIONS="a=back\\slash, ü")
    text = jenkins.left("outputs.properties")
    assert text.isascii()
    found = dict(line.split("=", 1) for line in text.splitlines())
    assert found["digest"] == jenkins.outputs["digest"]
    assert found["index"].encode().decode("unicode_escape") == jenkins.outputs["index"]


def test_tekton_reads_a_file_for_each_result(tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.mkdir()
    tekton = job(tmp_path, MANIFEST_ACTION_SYSTEM="tekton", MANIFEST_ACTION_RESULTS=str(results))
    step(tekton)
    found = {file.name: file.read_text() for file in results.iterdir()}
    assert found["digest"] == found["IMAGE_DIGEST"] == tekton.outputs["digest"]
    assert found["IMAGE_URL"] == "oci:out"
    assert sum(len(name) + len(text.encode()) for name, text in found.items()) < 4096


def test_too_much_for_tekton_is_said_and_not_written(tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.mkdir()
    tekton = job(tmp_path, MANIFEST_ACTION_SYSTEM="tekton", MANIFEST_ACTION_RESULTS=str(results))
    result = step(tekton, INPUT_TAGS=",".join(f"{number:03}-{'x' * 100}" for number in range(40)))
    assert (results / "digest").exists()
    assert not (results / "tags").exists()
    assert "the result tags is too large for Tekton; outputs.json has it" in result.stdout


def test_a_folder_of_results_that_is_missing_fails_before_any_work(tmp_path: Path) -> None:
    tekton = job(tmp_path, MANIFEST_ACTION_SYSTEM="tekton", MANIFEST_ACTION_RESULTS=str(tmp_path / "missing"))
    result = tekton.run(INPUT_IMAGE="oci:out:1", INPUT_SOURCES=SOURCES)
    assert result.returncode == 10
    assert "MANIFEST_ACTION_RESULTS names it" in result.stdout
    assert not (tekton.workspace / "out").exists()


@pytest.mark.parametrize(
    "environment",
    [{"DRONE": "true", "DRONE_WORKSPACE": "WORKSPACE"}, {"CI": "woodpecker", "CI_WORKSPACE": "WORKSPACE"}],
    ids=["drone", "woodpecker"],
)
def test_drone_and_woodpecker_pass_settings(tmp_path: Path, environment: Mapping[str, str]) -> None:
    plugin = job(tmp_path, **environment)
    settings = {"PLUGIN_ANNOTATIONS": json.dumps({"a": "b,c"}), "PLUGIN_RETRY_BUDGET": "60"}
    step(plugin, "PLUGIN_", **settings, DRONE_OUTPUT=str(tmp_path / "drone.env"))
    assert json.loads(plugin.outputs["index"])["annotations"] == {"a": "b,c"}
    assert json.loads(plugin.outputs["tags"]) == ["oci:out:1.0", "oci:out:1.1", "oci:out:latest"]
    assert assignments((tmp_path / "drone.env").read_text())["MANIFEST_ACTION_DIGEST"] == plugin.outputs["digest"]
    assert assignments(plugin.left("outputs.env"))["MANIFEST_ACTION_DIGEST"] == plugin.outputs["digest"]


AGENT = """#!/bin/sh
printf '%s\\n' "$*" >> "$AGENT_LOG"
cat > "$AGENT_LOG.$(printf '%s' "$*" | tr -c 'a-z-' '.')"
"""


def test_buildkite_gets_meta_data_and_an_annotation(tmp_path: Path) -> None:
    """The agent's program only stands in here: the real one needs Buildkite's own server."""
    agent = tmp_path / "bin" / "buildkite-agent"
    agent.parent.mkdir()
    agent.write_text(AGENT)
    agent.chmod(0o755)
    path = f"{agent.parent}{os.pathsep}{os.environ['PATH']}"
    buildkite = job(tmp_path, BUILDKITE="true", BUILDKITE_BUILD_CHECKOUT_PATH="WORKSPACE", PATH=path)
    prefix = "BUILDKITE_PLUGIN_MANIFEST_ACTION_"
    log = tmp_path / "agent"
    lists = {f"{prefix}EXPECT_0": "linux/amd64", f"{prefix}EXPECT_1": "linux/arm64"}
    result = step(buildkite, prefix, **lists, AGENT_LOG=str(log))
    assert "--- Resolve 2 sources" in result.stdout
    told = log.read_text().splitlines()
    assert told[0] == "annotate --context manifest-action"
    assert "meta-data set manifest-action-digest" in told
    digest = (tmp_path / "agent.meta-data.set.manifest-action-digest").read_text()
    assert digest == buildkite.outputs["digest"]
    assert (tmp_path / "agent.annotate.--context.manifest-action").read_text() == buildkite.left("summary.md")


def test_buildkite_without_its_program_still_leaves_files(tmp_path: Path) -> None:
    buildkite = job(tmp_path, BUILDKITE="true", BUILDKITE_BUILD_CHECKOUT_PATH="/not/in/this/container")
    result = step(buildkite)
    assert "buildkite-agent is not here" in result.stdout
    assert DIGEST.fullmatch(buildkite.outputs["digest"])


def test_any_other_system_finds_files_in_the_workspace(tmp_path: Path) -> None:
    other = job(tmp_path)
    result = step(other)
    assert "\x1b" not in result.stdout
    assert "::" not in result.stdout.replace("::1", "")
    assert assignments(other.left("outputs.env"))["MANIFEST_ACTION_DIGEST"] == other.outputs["digest"]
    assert other.left(".gitignore") == "*\n"
    failed = other.run(INPUT_IMAGE="oci:out:1", INPUT_SOURCES="oci:amd64", INPUT_EXPECT="linux/arm64")
    assert failed.returncode == 4
    assert "\nerror: " in failed.stdout
    assert other.outputs["error-code"] == "assemble"


def test_the_command_line_has_the_step_too(tmp_path: Path) -> None:
    other = job(tmp_path, PYTHONPATH=str(ROOT), INPUT_IMAGE="oci:out:1", INPUT_SOURCES=SOURCES)
    result = other.run(sys.executable, "-m", "manifest_action", "step")
    assert result.returncode == 0, result.stdout + result.stderr
    assert DIGEST.fullmatch(other.outputs["digest"])


def test_a_system_that_is_not_known_is_refused(tmp_path: Path) -> None:
    other = job(tmp_path, MANIFEST_ACTION_SYSTEM="hudson")
    result = other.run(INPUT_IMAGE="oci:out:1", INPUT_SOURCES=SOURCES)
    assert result.returncode == 2
    assert "unknown CI system 'hudson'" in result.stdout
    assert not (other.workspace / "out").exists()


def test_the_component_for_gitlab_does_its_work(tmp_path: Path) -> None:
    """The job that GitLab makes of the component; pip only stands in, as what it installs is here already."""
    head, text = (ROOT / "templates/manifest-action.yml").read_text().split("\n---\n")
    given = {"image": "oci:out:1.0", "tags": "latest", "sources": SOURCES, "expect": "linux/amd64,linux/arm64"}
    for name, declared in yaml.safe_load(head)["spec"]["inputs"].items():
        text = text.replace(f"$[[ inputs.{name} ]]", given.get(name, declared["default"]))
    ((name, made),) = yaml.safe_load(text).items()
    pip = tmp_path / "bin" / "pip"
    pip.parent.mkdir()
    pip.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > "$HOME/pip"\n')
    pip.chmod(0o755)
    path = os.pathsep.join([str(pip.parent), str(Path(sys.executable).parent), os.environ["PATH"]])
    gitlab = job(tmp_path, **GITLAB)
    result = gitlab.run("bash", "-ec", "\n".join(made["script"]), **{**made["variables"], "PATH": path})
    assert result.returncode == 0, result.stdout + result.stderr
    assert name == "manifest-action"
    installed = (gitlab.workspace / "pip").read_text().splitlines()
    assert installed[-1].startswith("manifest-action[keyless] @ https://")
    report = (gitlab.workspace / made["artifacts"]["reports"]["dotenv"]).read_text()
    assert assignments(report)["MANIFEST_ACTION_DIGEST"] == gitlab.outputs["digest"]
    assert json.loads(gitlab.outputs["tags"]) == ["oci:out:1.0", "oci:out:latest"]
