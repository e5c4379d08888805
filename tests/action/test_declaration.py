"""`action.yml` declares what the code reads and writes, and nothing else."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from manifest_action.adapters.github.inputs import INPUTS
from manifest_action.adapters.github.outputs import OUTPUTS
from manifest_action.adapters.request import read_request
from tests.support.servers import ROOT


@pytest.fixture(scope="module")
def action() -> dict[str, Any]:
    """The declaration."""
    document: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
    return document


def test_inputs_and_outputs_are_those_of_the_code(action: dict[str, Any]) -> None:
    assert tuple(action["inputs"]) == INPUTS
    assert tuple(action["outputs"]) == OUTPUTS


def test_everything_is_described_and_nothing_is_required(action: dict[str, Any]) -> None:
    for declared in (*action["inputs"].values(), *action["outputs"].values()):
        assert len(declared["description"]) > 15
        assert declared["description"].endswith(".")
        assert "required" not in declared


def test_defaults_say_what_the_code_does_without_them(action: dict[str, Any], tmp_path: Path) -> None:
    defaults = {name: declared["default"] for name, declared in action["inputs"].items() if "default" in declared}
    assert defaults.pop("github-token") == "${{ github.token }}"
    spec = {"image": "ghcr.io/acme/app:1", "sources": "ghcr.io/acme/app:build"}
    assert defaults
    assert read_request(spec | defaults, tmp_path) == read_request(spec, tmp_path)


def test_inputs_that_a_spec_may_hold_have_no_default_that_would_win_over_it(action: dict[str, Any]) -> None:
    settings = {"push", "retry-budget", "github-token"}
    assert {name for name, declared in action["inputs"].items() if "default" in declared} == settings


def test_the_step_is_a_container_built_from_the_checkout(action: dict[str, Any]) -> None:
    assert action["runs"] == {"using": "docker", "image": "Dockerfile"}
    assert action["branding"].keys() == {"icon", "color"}


def test_the_container_starts_isolated_and_has_all_it_runs() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert 'ENTRYPOINT ["/usr/local/bin/python3", "-I", "/app/entrypoint.py"]' in dockerfile
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    copied = [word for line in dockerfile.splitlines() if line.startswith("COPY") for word in line.split()[1:-1]]
    for source in copied:
        if not source.startswith(("--from", "/")):
            assert (ROOT / source).exists(), source
            assert f"!{source}" in ignore
