"""Adding, removing and changing what an index lists."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifest_action.model import mediatype
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.index import Index
from manifest_action.model.instances import (
    Change,
    add,
    annotate,
    change,
    find,
    preferred_media_type,
    remove,
    restated,
    typed,
)
from manifest_action.model.platform import Platform
from tests.support.strategies import DESCRIPTORS, DIGESTS, PLATFORMS

LISTS = st.lists(DESCRIPTORS, max_size=6, unique_by=lambda each: each.digest).map(lambda each: Index(tuple(each)))


def entry(word: str, platform: Platform | None = None, **members: object) -> Descriptor:
    digest = Digest.of(word.encode())
    return Descriptor(mediatype.OCI_MANIFEST, digest, len(word), platform, **members)  # type: ignore[arg-type]


AMD64, ARM = entry("amd64", Platform("linux", "amd64")), entry("arm", Platform("linux", "arm", "v7"))


def test_a_digest_that_is_added_again_is_replaced_and_moves_last() -> None:
    again = entry("amd64", Platform("linux", "386"))
    assert add(add(add(Index(()), AMD64), ARM), again).entries == (ARM, again)


def test_what_is_not_listed_is_an_error() -> None:
    index = Index((AMD64,))
    for act in (find, remove):
        with pytest.raises(LookupError, match=str(ARM.digest)):
            act(index, ARM.digest)
    with pytest.raises(LookupError, match=str(ARM.digest)):
        change(index, ARM.digest, Change())


@given(LISTS, DESCRIPTORS)
def test_adding_and_removing_restores_the_bytes(index: Index, new: Descriptor) -> None:
    before = typed(index)
    if any(each.digest == new.digest for each in index.entries):
        before = typed(remove(index, new.digest))
    assert typed(remove(add(before, new), new.digest)).serialise() == typed(before).serialise()


@given(LISTS, DESCRIPTORS)
def test_adding_twice_is_adding_once_and_keeps_the_order_of_the_others(index: Index, new: Descriptor) -> None:
    once = add(index, new)
    assert add(once, new) == once
    assert once.entries[:-1] == tuple(each for each in index.entries if each.digest != new.digest)
    assert find(once, new.digest) == new


@given(LISTS, st.permutations(range(6)))
def test_the_order_of_removals_does_not_matter(index: Index, order: list[int]) -> None:
    digests = [index.entries[number].digest for number in order if number < len(index.entries)][:2]
    forth, back = index, index
    for digest in digests:
        forth = remove(forth, digest)
    for digest in reversed(digests):
        back = remove(back, digest)
    assert forth.serialise() == back.serialise()


@given(LISTS, DIGESTS, PLATFORMS)
def test_a_change_touches_one_instance_in_its_place(index: Index, digest: Digest, platform: Platform) -> None:
    index = add(add(index, entry("amd64")), Descriptor(mediatype.OCI_MANIFEST, digest, 3))
    changed = change(index, digest, Change(platform))
    assert find(changed, digest).platform == (None if platform == Platform() else platform)
    assert [e for e in changed.entries if e.digest != digest] == [e for e in index.entries if e.digest != digest]
    assert [e.digest for e in changed.entries] == [e.digest for e in index.entries]


@pytest.mark.parametrize(
    ("stated", "result"),
    [
        (Platform(), Platform("linux", "arm", "v7", "1")),
        (Platform(architecture="arm64"), Platform("linux", "arm64", "", "1")),
        (Platform(architecture="arm", variant="v6"), Platform("linux", "arm", "v6", "1")),
        (Platform(variant="v5"), Platform("linux", "arm", "v5", "1")),
        (Platform(os="freebsd", os_version="14"), Platform("freebsd", "arm", "v7", "14")),
        (
            Platform(os_features=("a",), features=("b",)),
            Platform("linux", "arm", "v7", "1", ("a",), ("b",)),
        ),
    ],
)
def test_restating_a_platform(stated: Platform, result: Platform) -> None:
    assert restated(Platform("linux", "arm", "v7", "1"), stated) == result


def test_annotations_and_urls_are_replaced_when_given_and_stay_otherwise() -> None:
    index = Index((entry("x", annotations={"a": "1"}, urls=("https://a.test/x",)),))
    digest = index.entries[0].digest
    assert change(index, digest, Change()).entries == index.entries
    changed = find(change(index, digest, Change(annotations={"b": "2"}, urls=())), digest)
    assert (changed.annotations, changed.urls) == ({"b": "2"}, ())


def test_an_instance_without_any_platform_field_has_no_platform() -> None:
    assert Change().of(entry("x", Platform())).platform is None


@pytest.mark.parametrize(
    ("index", "media_type"),
    [
        (Index(()), mediatype.DOCKER_LIST),
        (Index((), annotations={"a": "b"}), mediatype.OCI_INDEX),
        (Index((), artifact_type="application/x"), mediatype.OCI_INDEX),
        (Index((), subject=AMD64), mediatype.OCI_INDEX),
        (Index((AMD64,), mediatype.DOCKER_LIST), mediatype.OCI_INDEX),
        (Index((entry("x", Platform("linux", "amd64", features=("sse4",))),)), mediatype.DOCKER_LIST),
        (
            Index((entry("x", Platform("linux", "amd64", features=("s",))), entry("y", data="e30="))),
            mediatype.OCI_INDEX,
        ),
        (Index((entry("x", artifact_type="application/x"),)), mediatype.OCI_INDEX),
        (Index((entry("x", annotations={"a": "b"}),)), mediatype.OCI_INDEX),
    ],
)
def test_the_type_that_can_say_everything_is_preferred(index: Index, media_type: str) -> None:
    assert preferred_media_type(index) == media_type
    assert json.loads(typed(index).serialise())["mediaType"] == media_type


def test_features_are_for_docker_lists() -> None:
    index = annotate(Index((entry("x", Platform("linux", "amd64", features=("sse4",))), AMD64)), {"a": "b"})
    assert [each.platform for each in typed(index).entries] == [Platform("linux", "amd64")] * 2
    assert typed(annotate(index, {}), mediatype.DOCKER_LIST).entries == index.entries
    with pytest.raises(ValueError, match="cannot hold annotations"):
        typed(index, mediatype.DOCKER_LIST).serialise()


@given(LISTS)
def test_what_is_typed_reads_back_as_it_was(index: Index) -> None:
    made = typed(index)
    assert typed(Index.of(made.manifest())).serialise() == made.serialise()
