"""Media types: the sets do not contradict each other, and parameters do not matter."""

import pytest

from manifest_action.model import mediatype


def test_a_manifest_is_an_index_or_an_image() -> None:
    assert not mediatype.INDEXES & mediatype.IMAGES
    assert not (mediatype.MANIFESTS | mediatype.SCHEMA1) & mediatype.CONFIGS
    assert mediatype.DOCKER_LIST in mediatype.DOCKER
    assert mediatype.OCI_INDEX not in mediatype.DOCKER


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", ""),
        ("Text/HTML; charset=x", "text/html"),
        (" application/json ;a=b;c=d", "application/json"),
        (mediatype.OCI_INDEX, mediatype.OCI_INDEX),
    ],
)
def test_the_essence_is_the_type_alone(header: str, expected: str) -> None:
    assert mediatype.essence(header) == expected
