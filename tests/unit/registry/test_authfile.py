import base64
import json

import pytest

from manifest_action.model.reference import parse_repository
from manifest_action.transport.registry.authfile import AuthFile, candidate_keys, registry_key, server_name

ORIGIN = "config.json"


def pair(text: str) -> dict[str, object]:
    return {"auth": base64.b64encode(text.encode()).decode()}


def parse(document: object) -> AuthFile:
    return AuthFile.parse(json.dumps(document).encode())


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("ghcr.io", "ghcr.io"),
        ("GHCR.io", "ghcr.io"),
        ("https://ghcr.io", "ghcr.io"),
        ("https://ghcr.io/v2/", "ghcr.io"),
        ("http://localhost:5000/", "localhost:5000"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("index.docker.io", "docker.io"),
        ("registry-1.docker.io", "docker.io"),
        ("docker.io/Acme/app", "docker.io/Acme/app"),
        ("quay.io/acme/app/", "quay.io/acme/app"),
    ],
)
def test_keys_are_read_as_programs_write_them(text: str, key: str) -> None:
    assert registry_key(text) == key


def test_keys_are_tried_from_the_most_specific_on() -> None:
    assert list(candidate_keys(parse_repository("quay.io/acme/team/app"))) == [
        "quay.io/acme/team/app",
        "quay.io/acme/team",
        "quay.io/acme",
        "quay.io",
    ]


@pytest.mark.parametrize(
    ("repository", "user"),
    [
        ("quay.io/acme/app", "app"),
        ("quay.io/acme/other", "acme"),
        ("quay.io/acmeapp", "host"),
        ("quay.io:443/acme/app", None),
        ("evil-quay.io/acme/app", None),
        ("docker.io/library/alpine", "hub"),
    ],
)
def test_a_credential_is_found_for_exactly_its_host_and_path(repository: str, user: str | None) -> None:
    file = parse(
        {
            "auths": {
                "https://quay.io": pair("host:p"),
                "quay.io/acme": pair("acme:p"),
                "quay.io/acme/app": pair("app:p"),
                "https://index.docker.io/v1/": pair("hub:p"),
            }
        }
    )
    found = file.credential(parse_repository(repository), ORIGIN)
    assert (found.username if found else None) == user


def test_every_kind_of_entry_is_understood() -> None:
    file = parse(
        {
            "auths": {
                "a.example": pair("user:pass:word") | {"email": "ignored"},
                "b.example": {"username": "user", "password": "pass"},
                "c.example": pair("00000000-0000-0000-0000-000000000000:") | {"identitytoken": "identity"},
                "d.example": {"registrytoken": "bearer"},
                "e.example": pair("user:padded\0\0"),
                "f.example": {},
            }
        }
    )

    def found(host: str) -> tuple[str, str, str, str] | None:
        each = file.credential(parse_repository(f"{host}/app"), ORIGIN)
        return (each.username, each.password, each.identity_token, each.registry_token) if each else None

    assert found("a.example") == ("user", "pass:word", "", "")
    assert found("b.example") == ("user", "pass", "", "")
    assert found("c.example") == ("00000000-0000-0000-0000-000000000000", "", "identity", "")
    assert found("d.example") == ("", "", "", "bearer")
    assert found("e.example") == ("user", "padded", "", "")
    assert found("f.example") is None


def test_programs_of_single_hosts_go_before_the_one_for_all() -> None:
    file = parse({"credHelpers": {"https://123.dkr.ecr.eu-west-1.amazonaws.com": "ecr-login"}, "credsStore": "desktop"})
    assert file.program_for(parse_repository("123.dkr.ecr.eu-west-1.amazonaws.com/app")) == "ecr-login"
    assert file.program_for(parse_repository("ghcr.io/acme/app")) == "desktop"
    assert parse({}).program_for(parse_repository("ghcr.io/acme/app")) == ""


def test_docker_hub_has_a_name_of_its_own_for_programs() -> None:
    assert server_name("docker.io") == "https://index.docker.io/v1/"
    assert server_name("ghcr.io") == "ghcr.io"


@pytest.mark.parametrize(
    "text",
    [
        "canary",
        '["canary"]',
        '{"auths": ["canary"]}',
        '{"auths": "canary"}',
        '{"credHelpers": {"a": 5, "canary": "x"}}',
        '{"credsStore": ["canary"]}',
        '{"auths": {}, "auths": {"canary": {}}}',
        '\ufeff{"auths": "canary"}',
    ],
)
def test_a_broken_file_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        AuthFile.parse(text.encode())
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "entry", ["canary", {"auth": "canary!"}, {"auth": "Y2FuYXJ5"}, {"auth": "/////w=="}, {"password": ["canary"]}]
)
def test_a_broken_entry_matters_only_to_its_host(entry: object) -> None:
    file = parse({"auths": {"bad.example": entry, "good.example": pair("user:pass")}})
    assert file.credential(parse_repository("good.example/app"), ORIGIN)
    with pytest.raises(ValueError) as caught:
        file.credential(parse_repository("bad.example/app"), ORIGIN)
    assert "canary" not in str(caught.value)
