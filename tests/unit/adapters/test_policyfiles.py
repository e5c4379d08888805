"""Which policy is in effect."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from manifest_action.adapters.policyfiles import read_rules
from manifest_action.errors import ConfigError
from manifest_action.model.reference import parse_reference
from manifest_action.ops.rules import Rules
from manifest_action.signing.registriesd import Registries

IMAGE = parse_reference("ghcr.io/acme/app:1")
POLICY = '{"default": [{"type": "reject"}]}'


class Places:
    """A home, a system folder and one of the workspace."""

    def __init__(self, root: Path) -> None:
        self.home, self.system, self.work = root / "home", root / "etc", root / "work"
        self.user = self.home / ".config/containers"
        for folder in (self.user, self.system, self.work):
            folder.mkdir(parents=True)

    def fill(self, folder: Path, *, registries: bool = False) -> Path:
        (folder / "policy.json").write_text(POLICY)
        if registries:
            (folder / "registries.d").mkdir()
            text = f"default-docker:\n  lookaside: {folder.as_uri()}\n"
            (folder / "registries.d" / "a.yaml").write_text(text)
            (folder / "registries.d" / "ignored.txt").write_text("]")
        return folder / "policy.json"

    def rules(self, given: str = "", environment: Mapping[str, str] | None = None) -> Rules:
        rules = read_rules(given, {"HOME": str(self.home)} if environment is None else environment, self.system)
        assert rules is not None
        return rules

    def registries(self, given: str = "") -> Registries:
        found = self.rules(given).registries
        assert found is not None
        return found


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


def test_without_any_file_there_is_no_policy(places: Places) -> None:
    assert read_rules("", {"HOME": str(places.home)}, places.system) is None


def test_given_before_users_before_systems(places: Places) -> None:
    assert places.rules(str(places.fill(places.work))).origin == str(places.work / "policy.json")
    places.fill(places.system)
    assert places.rules().origin == str(places.system / "policy.json")
    places.fill(places.user)
    assert places.rules().origin == str(places.user / "policy.json")
    assert places.rules(environment={}).origin == str(places.system / "policy.json")


def test_a_policy_as_packages_ship_it_leaves_nothing_to_read(places: Places) -> None:
    places.fill(places.system, registries=True).write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    assert places.rules() == Rules(None, str(places.system / "policy.json"))


def test_registries_d_beside_what_was_given_comes_first(places: Places) -> None:
    given = places.fill(places.work)
    places.fill(places.system, registries=True)
    assert places.registries(str(given)).lookaside(IMAGE) == places.system.as_uri()
    places.fill(places.user, registries=True)
    assert places.registries(str(given)).lookaside(IMAGE) == places.user.as_uri()
    places.fill(places.work, registries=True)
    assert places.registries(str(given)).lookaside(IMAGE) == places.work.as_uri()
    assert places.registries().lookaside(IMAGE) == places.user.as_uri()


@pytest.mark.parametrize("user", [0, 1000])
def test_the_store_of_signatures_is_the_users(user: int, places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    places.fill(places.user)
    expected = (
        (places.home / ".local/share/containers/sigstore").as_uri() if user else "file:///var/lib/containers/sigstore"
    )
    assert places.registries().lookaside(IMAGE) == expected


@pytest.mark.parametrize(
    ("content", "what"),
    [(None, "does not exist"), ("{}", "'default' is missing"), (" " * 300_000, "over 256 KiB")],
)
def test_a_policy_that_was_given_must_be_one(content: str | None, what: str, places: Places) -> None:
    file = places.work / "p.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigError, match=what) as caught:
        places.rules(str(file))
    assert str(file) in str(caught.value)


def test_a_policy_that_cannot_be_read_is_not_passed_over(places: Places) -> None:
    (places.user / "policy.json").mkdir()
    places.fill(places.system)
    with pytest.raises(ConfigError, match="cannot be read"):
        places.rules()


def test_what_is_wrong_in_registries_d_is_told(places: Places) -> None:
    places.fill(places.user, registries=True)
    (places.user / "registries.d" / "b.yaml").write_text("default-docker: {}\n")
    with pytest.raises(ConfigError, match=r"b\.yaml:1:1: default-docker: another file"):
        places.rules()
    (places.user / "registries.d" / "b.yaml").write_text("docker: [")
    with pytest.raises(ConfigError, match=r"b\.yaml:1"):
        places.rules()
