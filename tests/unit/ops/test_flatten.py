import pytest

from manifest_action.errors import ContentError
from manifest_action.model import mediatype
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.index import Index
from manifest_action.model.manifest import Manifest
from manifest_action.model.platform import Platform
from manifest_action.ops.flatten import DEPTH_LIMIT, check_agrees, open_up, with_their_attestations


def image(name: str, platform: str = "linux/amd64") -> Descriptor:
    return Descriptor(mediatype.OCI_MANIFEST, Digest.of(name.encode()), 10, Platform.parse(platform))


def nest(depth: int) -> tuple[Manifest, dict[Digest, Manifest]]:
    """An image under `depth` indexes, and the indexes by digest."""
    known: dict[Digest, Manifest] = {}
    index = Index((image("leaf"),)).manifest()
    for _ in range(depth - 1):
        known[index.digest] = index
        index = Index((index.descriptor,)).manifest()
    return index, known


def test_nested_indexes_are_opened_in_place() -> None:
    inner = Index((image("b"), image("c"))).manifest()
    outer = Index((image("a"), inner.descriptor, image("d"))).manifest()
    leaves = open_up(outer, lambda digest: inner if digest == inner.digest else None)
    assert leaves.entries == (image("a"), image("b"), image("c"), image("d"))
    assert leaves.unread == ()


def test_a_nested_index_that_was_not_read_is_asked_for() -> None:
    inner = Index((image("b"),)).manifest()
    leaves = open_up(Index((image("a"), inner.descriptor)).manifest(), lambda _: None)
    assert leaves.entries == (image("a"),)
    assert leaves.unread == (inner.descriptor,)


def test_nesting_ends_at_a_limit() -> None:
    index, known = nest(DEPTH_LIMIT)
    assert open_up(index, known.get).entries == (image("leaf"),)
    index, known = nest(DEPTH_LIMIT + 1)
    with pytest.raises(ContentError, match="more than 3 deep"):
        open_up(index, known.get)


def test_an_entry_that_lies_about_its_manifest_is_refused() -> None:
    manifest = Index((image("a"),)).manifest()
    check_agrees(manifest.descriptor, manifest)
    for lie in (
        Descriptor(manifest.media_type, manifest.digest, len(manifest.raw) + 1),
        Descriptor(mediatype.OCI_MANIFEST, manifest.digest, len(manifest.raw)),
    ):
        with pytest.raises(ContentError, match="but the manifest is"):
            check_agrees(lie, manifest)


def attestation(name: str, about: Descriptor) -> Descriptor:
    marks = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": str(about.digest)}
    return Descriptor(mediatype.OCI_MANIFEST, Digest.of(name.encode()), 10, Platform("unknown", "unknown"), marks)


def test_attestations_stay_only_with_their_image() -> None:
    a, b = image("a"), image("b", "linux/arm64")
    about_a, about_b, lost = attestation("1", a), attestation("2", b), attestation("3", image("gone"))
    entries = (a, b, about_a, about_b, lost)
    chosen = [(b, b.platform)]
    assert [e for e, _ in with_their_attestations(entries, chosen, attestations=True)] == [b, about_b]
    assert [e for e, _ in with_their_attestations(entries, chosen, attestations=False)] == [b]
