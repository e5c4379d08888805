"""The lock files agree with what the project says it needs, pin everything, and come from no particular machine."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.servers import ROOT

REQUIREMENTS = ROOT / "requirements"
LOCKS = ("run.txt", "image.txt", "build.txt", "dev.txt", "go.txt")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[a-z,]+\])?==([^\s;\\]+)", re.MULTILINE)


def _pins(name: str) -> dict[str, str]:
    return {canonicalize_name(name): version for name, version in _PIN.findall((REQUIREMENTS / name).read_text())}


def _asked(name: str) -> list[str]:
    if name == "run.txt":
        asked: list[str] = PROJECT["project"]["dependencies"]
        return asked
    if name == "image.txt":
        keyless: list[str] = PROJECT["project"]["optional-dependencies"]["keyless"]
        return _asked("run.txt") + keyless
    if name == "build.txt":
        return _lines("build.in")
    if name == "dev.txt":
        return _asked("image.txt") + _lines("build.in") + _lines("dev.in")
    return _lines("go.in")


def _lines(name: str) -> list[str]:
    return (REQUIREMENTS / name).read_text().split("\n")[:-1]


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_what_is_asked_for(name: str) -> None:
    pins = _pins(name)
    for line in _asked(name):
        requirement = Requirement(line)
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), line


@pytest.mark.parametrize("name", LOCKS)
def test_every_pin_has_hashes_and_nothing_points_elsewhere(name: str) -> None:
    text = (REQUIREMENTS / name).read_text()
    statements = re.sub(r"#.*", "", text).replace("\\\n", " ").split("\n")
    pinned = [line for line in statements if line.strip()]
    assert len(pinned) == len(_pins(name))
    assert all(re.search(r" --hash=sha256:[0-9a-f]{64}\b", line) for line in pinned)
    assert not any("/" in line or "--index" in line or "--find" in line for line in pinned)


def test_the_environments_agree() -> None:
    wider = _pins("dev.txt")
    for name in ("run.txt", "image.txt", "build.txt"):
        assert _pins(name).items() <= wider.items()


def test_the_build_backend_is_the_locked_one() -> None:
    assert PROJECT["build-system"]["requires"] == _lines("build.in")
