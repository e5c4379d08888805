"""What every source promises, whatever transport it is of."""

import pytest

from manifest_action.errors import ContentError, ResolveError
from manifest_action.model.digest import Digest
from manifest_action.transport.base import Source
from tests.contract.places import Place, blob_of, manifest_of, read_all
from tests.support.images import Synthetic, artifact, buildx_index, digest_of, image, index

ABSENT = f"sha256:{'0' * 64}"
KINDS: dict[str, Synthetic] = {
    "image": image(),
    "docker-image": image("linux/arm64", docker=True),
    "index": buildx_index([image(), image("linux/arm64")]),
    "docker-list": index([image(docker=True), image("linux/arm/v7", docker=True)], docker=True),
    "artifact": artifact(),
}


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> Synthetic:
    return KINDS[request.param]


def test_a_manifest_is_found_by_tag_and_by_digest_with_its_bytes_unchanged(
    place: Place, source: Source, kind: Synthetic
) -> None:
    place.fill(place.tag, kind)
    for selector in (place.tag, kind.digest):
        found = source.resolve(selector)
        assert found.raw == kind.manifest_bytes
        assert str(found.digest) == kind.digest
        assert found.media_type == kind.media_type


def test_children_are_found_by_digest(place: Place, source: Source) -> None:
    children = [image(), image("linux/arm64"), image("linux/arm/v7")]
    place.fill(place.tag, index(children))
    for child in children:
        assert source.resolve(child.digest).raw == child.manifest_bytes


def test_what_is_not_there_is_a_resolve_error(place: Place, source: Source) -> None:
    place.fill(place.tag, image())
    for selector in ("1.1", ABSENT):
        with pytest.raises(ResolveError) as raised:
            source.resolve(selector)
        assert raised.value.where
        assert raised.value.hint


def test_a_repository_that_does_not_exist_is_a_resolve_error(source: Source) -> None:
    for selector in ("1.0", ABSENT):
        with pytest.raises(ResolveError):
            source.resolve(selector)


def test_blobs_are_read_from_any_offset(place: Place, source: Source) -> None:
    what = image(layers=1, layer_size=100_000)
    place.fill(place.tag, what)
    for layer in manifest_of(what).blobs:
        whole = what.blobs[str(layer.digest)]
        assert isinstance(whole, bytes)
        for offset in (0, 1, layer.size // 2, layer.size - 1):
            assert read_all(source, layer, offset) == whole[offset:]


def test_the_same_blob_can_be_open_twice(place: Place, source: Source) -> None:
    what = image(layers=1, layer_size=100_000)
    place.fill(place.tag, what)
    layer = manifest_of(what).layers[0]
    whole = what.blobs[str(layer.digest)]
    assert isinstance(whole, bytes)
    with source.open(layer) as first, source.open(layer, 50_000) as second:
        assert (first.read(10), second.read(10)) == (whole[:10], whole[50_000:50_010])


def test_a_blob_that_is_missing_is_an_error(place: Place, source: Source) -> None:
    place.fill(place.tag, image())
    with pytest.raises((ResolveError, place.failure)):
        read_all(source, blob_of(b"nobody has stored this"))


def test_a_lost_blob_is_an_error(place: Place, source: Source) -> None:
    what = image()
    place.fill(place.tag, what)
    layer = manifest_of(what).layers[0]
    place.damage(str(layer.digest), None)
    with pytest.raises((ResolveError, place.failure)):
        read_all(source, layer)


@pytest.mark.parametrize("how", ["flipped", "truncated", "longer", "replaced"])
@pytest.mark.parametrize("by", ["tag", "digest"])
def test_a_manifest_with_other_bytes_is_never_used(place: Place, source: Source, how: str, by: str) -> None:
    what = image(annotations={"note": "genuine"})
    place.fill(place.tag, what)
    genuine = what.manifest_bytes
    forged = {
        "flipped": genuine.replace(b"genuine", b"genuinE"),
        "truncated": genuine[:-20],
        "longer": genuine + b" ",
        "replaced": image("linux/arm64").manifest_bytes,
    }[how]
    place.damage(what.digest, forged)
    with pytest.raises((ContentError, ResolveError, place.failure)) as raised:
        source.resolve(place.tag if by == "tag" and place.tag else what.digest)
    assert str(place.repository) in raised.value.where


@pytest.mark.parametrize("size", [4 * 1024 * 1024, 4 * 1024 * 1024 + 1])
def test_manifests_end_at_four_mebibytes(place: Place, source: Source, size: int) -> None:
    small = image(annotations={"padding": ""})
    padding = "x" * (size - len(small.manifest_bytes))
    large = image(annotations={"padding": padding})
    assert len(large.manifest_bytes) == size
    place.fill(place.tag, small)
    place.damage(small.digest, large.manifest_bytes)
    with pytest.raises((ContentError, ResolveError, place.failure)):
        source.resolve(small.digest)
    if size <= 4 * 1024 * 1024:
        place.fill(place.tag, large)
        assert source.resolve(place.tag).raw == large.manifest_bytes


def test_the_digest_algorithm_of_a_selector_is_the_one_that_is_checked(place: Place, source: Source) -> None:
    what = image()
    place.fill(place.tag, what)
    assert source.resolve(what.digest).digest == Digest.parse(digest_of(what.manifest_bytes))
