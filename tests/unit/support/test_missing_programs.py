"""A program that is missing is said loudly: tests are skipped on a developer's machine and fail in CI."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.servers import ROOT

TESTS = """
import pytest
from tests.support.servers import find_program

@pytest.fixture
def server(): return find_program("no-such-server")

def test_fixture(server): raise AssertionError("unreachable")
def test_itself(): find_program("no-such-peer")
def test_other(): find_program("sh")
def test_again(server): raise AssertionError("unreachable")
"""


def _pytest(folder: Path, *, ci: str) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text("from tests.conftest import *\n")
    (folder / "test_it.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", "pyproject.toml", str(folder)]
    environment = os.environ | {"CI": ci, "COLUMNS": "200", "NO_COLOR": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("ci", ["", "false"])
def test_one_line_names_all_that_was_not_tested(tmp_path: Path, ci: str) -> None:
    result = _pytest(tmp_path, ci=ci)
    loud = [line for line in result.stdout.splitlines() if line.startswith("!!!")]
    expected = "no-such-peer (1 tests), no-such-server (2 tests)"
    assert loud == [f"!!! NOT TESTED, programs are missing: {expected}; see CONTRIBUTING.md"]
    assert "1 passed, 3 skipped" in result.stdout
    assert result.returncode == 0


def test_in_ci_it_is_a_failure(tmp_path: Path) -> None:
    result = _pytest(tmp_path, ci="true")
    assert "not on this machine: no-such-server" in result.stdout
    assert "skipped" not in result.stdout
    assert result.returncode == 1
