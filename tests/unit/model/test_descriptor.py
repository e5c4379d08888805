"""Descriptors: read from documents of others, written into ours."""

from collections.abc import Callable

import pytest
from hypothesis import given

from manifest_action.model.descriptor import MAX_SIZE, Descriptor, string, string_map
from manifest_action.model.digest import Digest
from manifest_action.model.platform import Platform
from tests.support.strategies import DESCRIPTORS

DIGEST = Digest.of(b"x")
DOCUMENT: dict[str, object] = {"mediaType": "application/x", "digest": str(DIGEST), "size": 1}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"size": None}, "size must be an integer"),
        ({"size": True}, "size must be an integer"),
        ({"size": 1.0}, "size must be an integer"),
        ({"size": "1"}, "size must be an integer"),
        ({"size": -1}, "size must be an integer"),
        ({"size": MAX_SIZE + 1}, "size must be an integer"),
        ({"mediaType": None}, "mediaType is missing"),
        ({"mediaType": ""}, "mediaType must be a non-empty string"),
        ({"mediaType": 1}, "mediaType must be a non-empty string"),
        ({"digest": None}, "digest is missing"),
        ({"digest": "sha256:0"}, "64 lower-case hex digits"),
        ({"platform": "linux/amd64"}, "platform must be an object"),
        ({"platform": {"os": 1}}, "os must be a string"),
        ({"annotations": ["a"]}, "annotations must map strings to strings"),
        ({"annotations": {"a": 1}}, "annotations must map strings to strings"),
        ({"artifactType": {}}, "artifactType must be a string"),
        ({"urls": "http://x"}, "urls must be a list of strings"),
        ({"urls": [1]}, "urls must be a list of strings"),
        ({"data": 1}, "data must be a string"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Descriptor.from_document(DOCUMENT | change)


@pytest.mark.parametrize("document", [None, [], "x", 1])
def test_a_descriptor_is_an_object(document: object) -> None:
    with pytest.raises(ValueError, match="must be an object"):
        Descriptor.from_document(document)


def test_null_and_empty_members_are_absent() -> None:
    nothing: dict[str, object] = dict.fromkeys(["platform", "annotations", "artifactType", "urls", "data"])
    assert Descriptor.from_document(DOCUMENT | nothing) == Descriptor("application/x", DIGEST, 1)
    assert Descriptor.from_document(DOCUMENT | {"platform": {}}).platform is None
    assert Descriptor.from_document(DOCUMENT | {"size": MAX_SIZE}).size == MAX_SIZE


def test_members_come_in_one_order() -> None:
    full = Descriptor(
        "application/x", DIGEST, 1, Platform("linux", "amd64"), {"b": "1", "a": "2"}, "application/y", ("u",), "e30="
    )
    expected = ["mediaType", "digest", "size", "urls", "annotations", "data", "artifactType", "platform"]
    assert list(full.to_document()) == expected
    assert Descriptor("application/x", DIGEST, 1).to_document() == DOCUMENT


@given(DESCRIPTORS)
def test_documents_and_values_are_the_same_thing(descriptor: Descriptor) -> None:
    assert Descriptor.from_document(descriptor.to_document()) == descriptor
    assert hash(Descriptor.from_document(descriptor.to_document())) == hash(descriptor)


@pytest.mark.parametrize("read", [string, string_map])
def test_absent_members_are_empty(read: Callable[[dict[str, object], str], object]) -> None:
    assert not read({}, "x")
    assert not read({"x": None}, "x")


@pytest.mark.parametrize(
    ("media_type", "urls", "elsewhere"),
    [
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", ("https://x.example/layer",), True),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", ("https://x.example/layer",), True),
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", (), False),
        ("application/vnd.oci.image.layer.v1.tar+gzip", ("https://x.example/layer",), False),
    ],
)
def test_layers_that_lie_elsewhere_by_licence(media_type: str, urls: tuple[str, ...], elsewhere: bool) -> None:
    assert Descriptor(media_type, DIGEST, 1, urls=urls).lies_elsewhere is elsewhere
