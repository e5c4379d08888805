"""Where signatures are, by what registries.d says."""

import pytest

from manifest_action.errors import ConfigError
from manifest_action.model.reference import parse_reference
from manifest_action.signing.registriesd import Registries, read_registries

IMAGE = parse_reference("ghcr.io/acme/app:1")
STORE = "file:///store"


def registries(*documents: object) -> Registries:
    return read_registries(((f"{place}.yaml", document) for place, document in enumerate(documents)), STORE)


@pytest.mark.parametrize(
    ("documents", "lookaside"),
    [
        ([], STORE),
        ([{}], STORE),
        ([{"default-docker": {"lookaside": "https://a.example"}}], "https://a.example"),
        ([{"default-docker": {"sigstore": "https://a.example"}}], "https://a.example"),
        (
            [{"default-docker": {"sigstore": "https://a.example", "lookaside": "https://b.example"}}],
            "https://b.example",
        ),
        ([{"default-docker": {"lookaside-staging": "file:///a"}}], STORE),
        (
            [
                {"docker": {"ghcr.io/acme": {"lookaside": "file:///a"}}},
                {"docker": {"ghcr.io": {"lookaside": "file:///b"}}},
            ],
            "file:///a",
        ),
        ([{"docker": {"ghcr.io/acme": {}, "ghcr.io": {"lookaside": "file:///b"}}}], "file:///b"),
        ([{"docker": {"quay.io": {"lookaside": "file:///b"}}}], STORE),
        ([{"docker": {"*.io": {"lookaside": "file:///b"}}}], "file:///b"),
        ([{"what-a-newer-version-has": [], "default-docker": {"as-here": "x"}}], STORE),
    ],
)
def test_the_narrowest_lookaside_is_taken(documents: list[object], lookaside: str) -> None:
    assert registries(*documents).lookaside(IMAGE) == lookaside


@pytest.mark.parametrize(
    ("document", "reads"),
    [
        ({}, True),
        ({"default-docker": {"use-sigstore-attachments": "true"}}, True),
        ({"default-docker": {"use-sigstore-attachments": "False"}}, False),
        (
            {
                "docker": {"ghcr.io": {"use-sigstore-attachments": "true"}},
                "default-docker": {"use-sigstore-attachments": "no"},
            },
            True,
        ),
        ({"docker": {"ghcr.io/acme/app": {"use-sigstore-attachments": "off"}}}, False),
        ({"docker": {"ghcr.io/acme/other": {"use-sigstore-attachments": "off"}}}, True),
    ],
)
def test_attachments_are_read_unless_turned_off(document: object, *, reads: bool) -> None:
    assert registries(document).reads_attachments(IMAGE) is reads


@pytest.mark.parametrize(
    ("documents", "place", "what"),
    [
        ([[]], "0.yaml:1:1: ", "must be a mapping"),
        ([{"docker": "x"}], "0.yaml:1:1: docker: ", "must be a mapping"),
        ([{}, {"docker": {"a": []}}], "1.yaml:1:1: a: ", "must be a mapping"),
        ([{"default-docker": {"lookaside": []}}], "0.yaml:1:1: default-docker: ", "must be an address"),
        ([{"default-docker": {"lookaside": "ftp://a"}}], "0.yaml:1:1: default-docker: ", "must be an address"),
        ([{"default-docker": {"lookaside": "file://a"}}], "0.yaml:1:1: default-docker: ", "must be an address"),
        (
            [{"default-docker": {"use-sigstore-attachments": "maybe"}}],
            "0.yaml:1:1: default-docker: ",
            "must be true or false",
        ),
        ([{"docker": {"a": {}}}, {"docker": {"a": {}}}], "1.yaml:1:1: a: ", "another file"),
        ([{"default-docker": {}}, {"default-docker": {}}], "1.yaml:1:1: default-docker: ", "another file"),
    ],
)
def test_what_is_wrong_is_found_in_its_file(documents: list[object], place: str, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        registries(*documents)
    assert str(caught.value).startswith(place)
    assert what in str(caught.value)
