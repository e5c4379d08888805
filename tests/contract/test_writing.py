"""What every destination promises, whatever transport it is of."""

from contextlib import closing

import pytest

from manifest_action.errors import ContentError, ManifestActionError, NetworkError
from manifest_action.events import Transfer
from manifest_action.transport.base import Content, Destination, Source
from tests.contract.places import (
    NAMED_PLACES,
    BreakingContent,
    BytesContent,
    Place,
    blob_of,
    manifest_of,
    push_all,
    read_all,
)
from tests.support.images import Synthetic, artifact, buildx_index, image, index

CONTENT = b"a layer, more or less" * 5000
KINDS: dict[str, Synthetic] = {
    "image": image(),
    "docker-image": image("linux/arm64", docker=True),
    "index": buildx_index([image(), image("linux/arm64")]),
    "docker-list": index([image(docker=True), image("linux/arm/v7", docker=True)], docker=True),
    "artifact": artifact(subject=image()),
}


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> Synthetic:
    return KINDS[request.param]


def test_a_blob_is_copied_once_and_then_present(place: Place, destination: Destination, source: Source) -> None:
    blob = blob_of(CONTENT)
    assert destination.push_blob(blob, BytesContent(CONTENT), None) is Transfer.COPIED
    assert destination.push_blob(blob, BytesContent(CONTENT), None) is Transfer.PRESENT
    assert place.stored(str(blob.digest)) == CONTENT
    assert read_all(source, blob) == CONTENT


def test_an_empty_blob_is_a_blob(place: Place, destination: Destination) -> None:
    blob = blob_of(b"")
    destination.push_blob(blob, BytesContent(b""), None)
    assert place.stored(str(blob.digest)) == b""


DISHONEST: dict[str, Content] = {
    "other": BytesContent(CONTENT[:-1] + b"!"),
    "truncated": BytesContent(CONTENT[:-1]),
    "empty": BytesContent(b""),
    "longer": BytesContent(CONTENT + b"!"),
}


@pytest.mark.parametrize("how", list(DISHONEST))
def test_content_that_is_not_what_it_should_be_is_never_completed(
    place: Place, destination: Destination, how: str
) -> None:
    blob = blob_of(CONTENT)
    with pytest.raises(ContentError) as raised:
        destination.push_blob(blob, DISHONEST[how], None)
    assert str(blob.digest) in str(raised.value)
    assert place.stored(str(blob.digest)) is None
    assert destination.push_blob(blob, BytesContent(CONTENT), None) is Transfer.COPIED


def test_an_empty_blob_with_content_is_refused(place: Place, destination: Destination) -> None:
    with pytest.raises(ContentError):
        destination.push_blob(blob_of(b""), BytesContent(b"something"), None)
    assert place.stored(str(blob_of(b"").digest)) is None


def test_the_error_of_a_source_passes_through(place: Place, destination: Destination) -> None:
    blob = blob_of(CONTENT)
    with pytest.raises(ManifestActionError, match="the source is on fire"):
        destination.push_blob(blob, BreakingContent(CONTENT[:100], NetworkError("the source is on fire")), None)
    assert place.stored(str(blob.digest)) is None


def test_a_manifest_is_stored_byte_for_byte_and_without_a_tag(
    place: Place, destination: Destination, source: Source, kind: Synthetic
) -> None:
    manifest = manifest_of(kind)
    assert not destination.has_manifest(manifest.descriptor)
    push_all(destination, kind)
    assert destination.has_manifest(manifest.descriptor)
    assert place.stored(kind.digest) == kind.manifest_bytes
    assert source.resolve(kind.digest) == manifest
    assert destination.tagged(place.tag) is None


def test_pushing_again_changes_nothing(place: Place, destination: Destination, source: Source, kind: Synthetic) -> None:
    manifest = push_all(destination, kind)
    destination.tag(manifest, place.tag)
    assert push_all(destination, kind) == manifest
    destination.tag(manifest, place.tag)
    assert destination.tagged(place.tag) == manifest.digest
    assert source.resolve(place.tag).raw == kind.manifest_bytes


@pytest.mark.parametrize("name", ["image", "docker-image"])
def test_a_manifest_without_its_blobs_is_refused(place: Place, destination: Destination, name: str) -> None:
    manifest = manifest_of(KINDS[name])
    with pytest.raises(place.failure):
        destination.push_manifest(manifest)
    assert not destination.has_manifest(manifest.descriptor)


@pytest.mark.parametrize("name", ["index", "docker-list"])
def test_an_index_without_its_children_is_refused(place: Place, destination: Destination, name: str) -> None:
    what = KINDS[name]
    push_all(destination, getattr(what, "children")[0])  # noqa: B009 - the union has no such attribute
    with pytest.raises(place.failure):
        destination.push_manifest(manifest_of(what))
    assert not destination.has_manifest(manifest_of(what).descriptor)


@pytest.mark.parametrize("place", NAMED_PLACES, indirect=True)
def test_tags_move_and_are_read_afresh(place: Place, destination: Destination, source: Source) -> None:
    first = push_all(destination, image())
    second = push_all(destination, image("linux/arm64"))
    again = place.transport.destination(place.repository)
    assert destination.tagged("latest") is None
    destination.tag(first, "latest")
    destination.tag(first, "1.0")
    assert again.tagged("latest") == first.digest
    again.tag(second, "latest")
    assert destination.tagged("latest") == second.digest
    assert destination.tagged("1.0") == first.digest
    assert source.resolve("latest") == second
    assert source.resolve("1.0") == first


def test_an_index_can_replace_an_image_under_a_tag(place: Place, destination: Destination, source: Source) -> None:
    destination.tag(push_all(destination, image()), place.tag)
    whole = push_all(destination, KINDS["index"])
    destination.tag(whole, place.tag)
    assert source.resolve(place.tag) == whole


def test_a_tag_cannot_lead_to_what_is_not_there(place: Place, destination: Destination) -> None:
    push_all(destination, image())
    with pytest.raises(ManifestActionError):
        destination.tag(manifest_of(image("linux/riscv64")), place.tag)
    assert destination.tagged(place.tag) is None


def test_a_place_that_cannot_be_written_says_so(place: Place) -> None:
    destination = place.transport.destination(place.unwritable)
    with pytest.raises(place.failure) as raised:
        destination.push_blob(blob_of(CONTENT), BytesContent(CONTENT), None)
    assert raised.value.where
    assert raised.value.hint


def test_a_fresh_transport_sees_what_another_has_written(place: Place, destination: Destination) -> None:
    manifest = push_all(destination, KINDS["index"])
    destination.tag(manifest, place.tag)
    place.transport.close()
    with closing(place.fresh_transport()) as fresh:
        assert fresh.source(place.repository).resolve(place.tag) == manifest
