"""The scripts say what is wrong and leave an exit code; that they set up a machine is shown by CI itself."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import lint
from tests.support.servers import ROOT


def _script(name: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / name), *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=60
    )


def test_programs_that_are_there_need_no_package() -> None:
    result = _script("debian.py", "sh", "env")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_packages_that_cannot_be_installed_are_named(tmp_path: Path) -> None:
    result = _script("debian.py", "sh", "no-such-program", PATH=str(tmp_path))
    assert result.returncode == 1
    assert (
        result.stdout.strip()
        == "!!! missing: sh no-such-program; as root on Debian: apt-get install sh no-such-program"
    )


@pytest.mark.parametrize("arguments", [(), ("everything",), ("run", "dev")])
def test_the_environment_has_two_levels(arguments: tuple[str, ...]) -> None:
    result = _script("environment.py", *arguments)
    assert (result.returncode, result.stderr) == (1, "usage: environment.py run|dev\n")


def test_checks_run_for_what_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lint, "ROOT", tmp_path)
    always = [["ruff", "check"], ["ruff", "format"], ["mypy"], ["lint-imports"]]
    assert [command[:2] for command in lint.checks()] == always
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci" / "run").write_text("#!/usr/bin/env bash\n")
    (tmp_path / ".ci" / "notes").write_text("no shell\n")
    (tmp_path / ".github" / "workflows").mkdir(parents=True)
    (tmp_path / ".github" / "workflows" / "test.yml").touch()
    for name in ("Dockerfile", "action.yml"):
        (tmp_path / name).touch()
    assert [command[0] for command in lint.checks()][4:] == [
        "check-jsonschema",
        "check-jsonschema",
        "actionlint",
        "zizmor",
        "hadolint",
        "shellcheck",
    ]
    assert list(lint.checks())[-1] == ["shellcheck", ".ci/run"]


def test_a_failed_check_fails_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lint, "BIN", Path("/bin"))
    monkeypatch.setattr(lint, "checks", lambda: iter([["true"], ["sh", "-c", "echo found this; exit 3"]]))
    assert lint.main() == 1
    output = capsys.readouterr().out.splitlines()
    assert output[0].startswith("ok      true (")
    assert output[1].startswith("FAILED  sh -c")
    assert output[2] == "found this"


def test_untried_branches_fail_a_run_that_passes(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "tests/unit/model/test_digest.py"]
    gate = ["--cov", "--cov-report=", "-p", "tests.support.coverage_gate"]
    environment = os.environ | {"COVERAGE_FILE": str(tmp_path / "data"), "NO_COLOR": "1"}
    result = subprocess.run(
        [*command, *gate], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    lines = result.stdout.strip().splitlines()
    assert any(line.startswith("TOO LOW manifest_action/plan/: 0.0 % of branches") for line in lines)
    assert lines[-1].split()[1] == "passed"
    assert result.returncode == 1
