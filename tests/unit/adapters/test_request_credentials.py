"""Who we are to which registry, and that nobody else learns it."""

from pathlib import Path

import pytest

from manifest_action.adapters.request import read_request
from manifest_action.errors import ConfigError
from manifest_action.model.credential import Credential

SPEC = {"tags": "ghcr.io/acme/app:1, quay.io/acme/app:1", "sources": "docker.io/acme/app:amd64"}
SECRET = "hunter2"


def credentials(directory: Path, **values: str) -> dict[str, Credential]:
    return dict(read_request(SPEC | values, directory).settings.credentials)


def problems(directory: Path, **values: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read_request(SPEC | values, directory)
    return "\n".join(str(problem) for problem in caught.value.problems)


def test_registries(tmp_path: Path) -> None:
    found = credentials(
        tmp_path,
        registries=(
            "ghcr.io:\n  username: me\n  password: 0123\n"
            "index.docker.io: {username: hub, password: 'p: q'}\n"
            "quay.io/acme: {token: t}\n"
            "REGISTRY.local:5000: {username: u, password: x}\n"
        ),
    )
    origin = "input registries"
    assert found == {
        "ghcr.io": Credential("me", "0123", origin=origin),
        "docker.io": Credential("hub", "p: q", origin=origin),
        "quay.io/acme": Credential(registry_token="t", origin=origin),
        "registry.local:5000": Credential("u", "x", origin=origin),
    }


def test_json(tmp_path: Path) -> None:
    assert credentials(tmp_path, registries='{"ghcr.io": {"username": "a", "password": "b"}}').keys() == {"ghcr.io"}


def test_username_and_password_are_for_the_main_destination(tmp_path: Path) -> None:
    assert credentials(tmp_path, username=" me\n", password=f"{SECRET}\n") == {
        "ghcr.io": Credential("me", SECRET, origin="input username")
    }


def test_registries_win(tmp_path: Path) -> None:
    found = credentials(tmp_path, username="me", password="a", registries="ghcr.io: {token: t}")
    assert found == {"ghcr.io": Credential(registry_token="t", origin="input registries")}


def test_a_layout_needs_no_login_but_its_sources_do(tmp_path: Path) -> None:
    values = {"tags": "oci:out:1", "sources": "quay.io/a/b:1\nquay.io/a/b:2", "username": "me", "password": "pw"}
    assert read_request(values, tmp_path).settings.credentials.keys() == {"quay.io"}
    assert not read_request(values | {"sources": "oci:in"}, tmp_path).settings.credentials


def test_one_login_is_for_one_registry(tmp_path: Path) -> None:
    spec = "image: a.io/b:1\nsources: [c]\n---\nimage: b.io/b:1\nsources: [c]\n"
    with pytest.raises(ConfigError) as caught:
        read_request({"spec": spec, "username": "me", "password": SECRET}, tmp_path)
    assert str(caught.value) == (
        "input username:1:1: username: one username is for one registry, not for a.io and b.io "
        "(use the input registries)"
    )


@pytest.mark.parametrize(("given", "missing"), [("username", "password"), ("password", "username")])
def test_one_does_not_go_without_the_other(tmp_path: Path, given: str, missing: str) -> None:
    found = problems(tmp_path, **{given: SECRET})
    assert found == f"input {given}:1:1: {given}: {missing} is missing (give both or neither)"


@pytest.mark.parametrize(
    ("registries", "expected"),
    [
        (SECRET, "1:1: registries: must be a mapping from registry hosts"),
        (f"- {SECRET}", "1:1: registries: must be a mapping from registry hosts"),
        (f"ghcr.io: {SECRET}", "1:10: registries: must be a mapping of keys to values, not text"),
        (f"ghcr.io: [{SECRET}]", "1:10: registries: must be a mapping of keys to values, not a list"),
        (f"{{{SECRET}}}", "1:2: registries: this is no registry host"),
        (f"{SECRET}: {{token: {SECRET}}}", "1:1: registries: this is no registry host"),
        (f"https://ghcr.io: {{token: {SECRET}}}", "1:1: registries: this is no registry host"),
        (f"ghcr.io: {{password: {SECRET}}}", "1:10: registries: needs username and password, or token alone"),
        (f"ghcr.io: {{username: a, token: {SECRET}}}", "1:10: registries: needs username and password, or token alone"),
        (f"ghcr.io: {{username: a, password: [{SECRET}]}}", "1:34: registries.password: must be text, not a list"),
        ("ghcr.io: {}", "1:10: registries: needs username and password, or token alone"),
        (f"ghcr.io: {{token: a, {SECRET}: b}}", "1:21: registries: unknown key (known are username"),
        (f"ghcr.io: {{token: a, {SECRET}: b, {SECRET}: c}}", "1:21: registries: unknown key"),
        (
            f"ghcr.io: {{token: a}}\nGHCR.io: {{token: {SECRET}}}",
            "2:1: registries: this registry has credentials already",
        ),
        (f"ghcr.io: {{token: &{SECRET} a}}", "1:18: anchors and aliases are not accepted"),
        (f"ghcr.io: {{token: !{SECRET} a}}", "1:18: tags are not accepted"),
        (f"ghcr.io: {{token: @{SECRET}}}", "1:18: a value cannot begin with this character"),
        (f"ghcr.io: {{token: {SECRET}", "1:10: this mapping does not end well"),
        (f"ghcr.io: {{token: a: {SECRET}}}", "1:10: this mapping does not end well"),
        (f"ghcr.io: {{token: '{SECRET}\0'}}", "1:26: the control character U+0000 is not allowed"),
    ],
)
def test_a_mistake_is_told_without_the_secret(tmp_path: Path, registries: str, expected: str) -> None:
    found = problems(tmp_path, registries=registries)
    assert f"input registries:{expected}" in found
    assert SECRET not in found


def test_nothing_that_is_read_shows_its_secrets(tmp_path: Path) -> None:
    values = SPEC | {
        "registries": f"ghcr.io: {{username: a, password: {SECRET}}}\nquay.io: {{token: {SECRET}}}",
        "username": "me",
        "password": SECRET,
        "github-token": SECRET,
    }
    assert SECRET not in repr(read_request(values, tmp_path))
