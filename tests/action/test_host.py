"""`host/action.yml`: the same inputs and outputs as the container's, on the runner's own Python."""

import base64
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.write_host_action import host_action
from tests.action.runner import Runner, StepResult, read_outputs
from tests.action.test_step_registry import pushed_sources
from tests.support.images import image, write_layout
from tests.support.servers import ROOT, Registry

HOST = ROOT / "host"


@pytest.fixture(scope="module")
def host() -> dict[str, Any]:
    """The declaration of the action on the host."""
    document: dict[str, Any] = yaml.safe_load((HOST / "action.yml").read_text())
    return document


def test_it_is_what_the_script_writes() -> None:
    written = (HOST / "action.yml").read_text()
    assert written == host_action((ROOT / "action.yml").read_text()), "run scripts/write_host_action.py"


def test_inputs_and_outputs_are_those_of_the_container(host: dict[str, Any]) -> None:
    container = yaml.safe_load((ROOT / "action.yml").read_text())
    assert host["inputs"] == container["inputs"]
    assert [*host["outputs"]] == [*container["outputs"]]
    for name, output in host["outputs"].items():
        assert output.pop("value") == f"${{{{ steps.run.outputs.{name} }}}}"
        assert output == container["outputs"][name]


def test_every_input_is_handed_on_under_a_name_that_shells_keep(host: dict[str, Any]) -> None:
    variables = host["runs"]["steps"][0]["env"]
    assert list(variables.values()) == [f"${{{{ inputs.{name} }}}}" for name in host["inputs"]]
    assert all(re.fullmatch(r"INPUT_[A-Z0-9_]+", name) for name in variables)


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """RUNNER_TEMP, shared by the steps of a job, so that what is installed once serves all of them."""
    return tmp_path_factory.mktemp("runner-temp")


def step(host: Mapping[str, Any], runner: Runner, temporary: Path, **inputs: str) -> StepResult:
    """The composite action's one step, as a runner does it: inputs put into `env`, and the command into bash."""
    given = {name: declared.get("default", "") for name, declared in host["inputs"].items()}
    given |= {"github-token": "ghs_canary_job_token"} | {name.replace("_", "-"): text for name, text in inputs.items()}
    (only,) = host["runs"]["steps"]
    variables = {name: given[value.split()[1].partition(".")[2]] for name, value in only["env"].items()}
    for name in ("output", "summary"):
        (runner.folder / name).write_text("")
    result = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", only["run"]],
        cwd=runner.workspace,
        env={
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(runner.folder),
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION": "__self",
            "GITHUB_ACTION_PATH": str(HOST),
            "GITHUB_WORKSPACE": str(runner.workspace),
            "GITHUB_OUTPUT": str(runner.folder / "output"),
            "GITHUB_STEP_SUMMARY": str(runner.folder / "summary"),
            "RUNNER_TEMP": str(temporary),
            **variables,
            **runner.environment,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    outputs = read_outputs((runner.folder / "output").read_text())
    summary = (runner.folder / "summary").read_text()
    return StepResult(result.returncode, result.stdout, result.stderr, outputs, summary)


@pytest.mark.slow
def test_it_installs_once_and_runs(host: Mapping[str, Any], temporary: Path, tmp_path: Path) -> None:
    runner = Runner(tmp_path)
    for name in ("json.py", "requests.py", "manifest_action.py"):
        (runner.workspace / name).write_text("raise SystemExit('imported from the workspace')\n")
    write_layout(runner.workspace / "amd64", {"": image("linux/amd64")})
    write_layout(runner.workspace / "arm64", {"": image("linux/arm64")})
    first = step(host, runner, temporary, image="oci:out:1", sources="oci:amd64\noci:arm64", index_annotations="a=b")
    assert first.code == 0, first.log + first.errors
    assert first.log.count("::group::Install what the action needs") == 1
    assert first.outputs["digest"].startswith("sha256:")
    assert first.json("index")["annotations"] == {"a": "b"}
    assert first.summary.startswith("### `oci:out:1`\n")
    again = step(host, runner, temporary, image="oci:out:1", sources="oci:amd64\noci:arm64", index_annotations="a=b")
    assert (again.code, again.outputs["changed"]) == (0, "false")
    assert "Install" not in again.log
    failed = step(host, runner, temporary, image="oci:out:1", sources="oci:amd64", format="zip")
    assert (failed.code, failed.outputs["error-code"]) == (2, "config")


@pytest.mark.slow
@pytest.mark.parametrize("way", ["auths", "credential helper"])
def test_logins_of_earlier_steps_are_seen(
    host: Mapping[str, Any],
    temporary: Path,
    tmp_path: Path,
    registry_tls: Registry,
    repository: str,
    way: str,
) -> None:
    runner = Runner(tmp_path)
    assert registry_tls.ca_file is not None
    (runner.workspace / "ca.pem").write_bytes(registry_tls.ca_file.read_bytes())
    (tmp_path / ".docker").mkdir()
    config = registry_tls.write_login(tmp_path / ".docker")
    if way == "credential helper":
        config.write_text(f'{{"credHelpers": {{"{registry_tls.host}": "test-of-manifest-action"}}}}')
        program = Path("/usr/local/bin/docker-credential-test-of-manifest-action")
        answer = f'{{"Username": "{registry_tls.username}", "Secret": "{registry_tls.password}"}}'
        program.write_text(f"#!/bin/sh\necho {shlex.quote(answer)}\n")
        program.chmod(0o755)
    try:
        sources = pushed_sources(registry_tls, repository)
        name = f"{registry_tls.host}/{repository}:1"
        result = step(host, runner, temporary, image=name, sources=sources, ca_certificates="ca.pem")
    finally:
        Path("/usr/local/bin/docker-credential-test-of-manifest-action").unlink(missing_ok=True)
    assert result.code == 0, result.log + result.errors
    assert registry_tls.tags(repository) == ["1"]
    secret = registry_tls.password
    visible = "\n".join(line for line in result.log.splitlines() if not line.startswith("::add-mask::"))
    assert secret not in visible
    assert base64.b64encode(secret.encode()).decode() not in visible


def test_without_its_packages_the_step_fails_before_it_begins(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "RUNNER_TEMP": str(tmp_path), "PIP_NO_INDEX": "1"}
    command = [sys.executable, "-I", str(HOST / "run.py")]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
    assert result.returncode == 1
    *_, last = result.stdout.splitlines()
    assert last == "::error title=Manifest Action::the environment could not be made; what failed is above"
    assert "Traceback" not in result.stderr


def test_an_old_python_is_told_what_to_do(tmp_path: Path) -> None:
    program = (
        "import sys, runpy\n"
        "sys.version_info = (3, 9, 0, 'final', 0)\n"
        f"runpy.run_path({str(HOST / 'run.py')!r}, run_name='__main__')\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert result.returncode == 1
    assert result.stdout.startswith("::error title=Manifest Action::Python 3.11 or newer is needed")
    assert "actions/setup-python" in result.stdout
