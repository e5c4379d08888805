"""Which entries are meant, and the index without them, with them alone, or with them changed."""

import pytest

from manifest_action.model import mediatype
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.index import Index
from manifest_action.model.instances import Change
from manifest_action.model.manifest import Manifest
from manifest_action.model.platform import Platform
from manifest_action.ops.index.choose import changed, only, parse_choice, without
from tests.support.images import artifact, buildx_index, image, index

AMD64, ARM64, ARMV7 = image("linux/amd64"), image("linux/arm64"), image("linux/arm/v7")
WINDOWS = [image(f"windows/amd64:10.0.{build}.1") for build in (17763, 20348)]
BUILDX = buildx_index([AMD64, ARM64])


def content(raw: bytes) -> Index:
    return Index.of(Manifest.parse(raw))


BOTH = content(BUILDX.manifest_bytes)
FIVE = content(index([AMD64, ARM64, ARMV7, *WINDOWS]).manifest_bytes)


def names(found: Index) -> list[str]:
    return [str(entry.platform) for entry in found.entries]


def digests(found: Index) -> list[str]:
    return [str(entry.digest) for entry in found.entries]


def test_choices_are_digests_or_platforms() -> None:
    assert parse_choice(AMD64.digest) == Digest.parse(AMD64.digest)
    assert parse_choice("linux/aarch64") == Platform("linux", "arm64")
    assert parse_choice("windows/amd64:10.0.1") == Platform("windows", "amd64", os_version="10.0.1")
    for wrong in ("amd64", "sha256:12", "", "linux/a b", "latest"):
        with pytest.raises(ValueError, match="digest"):
            parse_choice(wrong)


@pytest.mark.parametrize("choice", ["linux/arm64", ARM64.digest])
def test_attestations_leave_with_their_image(choice: str) -> None:
    left = without(BOTH, [parse_choice(choice)])
    listed = digests(BOTH)
    assert digests(left) == [listed[0], listed[2]]
    assert digests(only(BOTH, [parse_choice(choice)])) == [listed[1], listed[3]]


def test_an_attestation_can_go_alone_but_not_stay_alone() -> None:
    about_amd64 = BOTH.entries[2].digest
    assert digests(without(BOTH, [about_amd64])) == [digests(BOTH)[place] for place in (0, 1, 3)]
    with pytest.raises(ValueError, match="no image would be left"):
        only(BOTH, [about_amd64])


def test_a_platform_stands_for_all_its_images() -> None:
    assert names(without(FIVE, [Platform("windows", "amd64")])) == ["linux/amd64", "linux/arm64", "linux/arm/v7"]
    assert names(only(FIVE, [Platform.parse("windows/amd64:10.0.20348.1"), Platform("linux", "arm")])) == [
        "linux/arm/v7",
        "windows(10.0.20348.1)/amd64",
    ]


def test_one_image_that_is_listed_for_two_platforms_can_lose_one_of_them() -> None:
    first = FIVE.entries[2]
    twice = Index((first, Descriptor(first.media_type, first.digest, first.size, Platform("linux", "arm", "v6"))))
    assert names(without(twice, [Platform("linux", "arm", "v6")])) == ["linux/arm/v7"]
    restated = changed(twice, [Platform("linux", "arm", "v6")], Change(Platform(variant="v5")))
    assert names(restated) == ["linux/arm/v7", "linux/arm/v5"]


def test_attestations_of_an_image_that_stays_for_another_platform_stay() -> None:
    first = BOTH.entries[0]
    twice = Index(
        (*BOTH.entries, Descriptor(first.media_type, first.digest, first.size, Platform("linux", "amd64", "v3")))
    )
    assert len(without(twice, [Platform("linux", "amd64", "v3")]).entries) == 4
    assert len(without(twice, [Platform("linux", "amd64")]).entries) == 4


def test_all_that_was_kept_changes_nothing() -> None:
    assert only(BOTH, [Platform("linux", "arm64"), Platform("linux", "amd64")]) == BOTH


def test_what_is_not_listed_is_an_error() -> None:
    for edit in (without, only):
        with pytest.raises(LookupError, match="does not list linux/s390x"):
            edit(BOTH, [Platform("linux", "amd64"), Platform("linux", "s390x")])
        with pytest.raises(LookupError, match="does not list unknown/unknown"):
            edit(BOTH, [Platform("unknown", "unknown")])
    with pytest.raises(LookupError, match="does not list sha256"):
        changed(BOTH, [Digest.of(b"")], Change(Platform(variant="v8")))
    with pytest.raises(ValueError, match="no image would be left"):
        without(BOTH, [Platform("linux", "amd64"), Platform("linux", "arm64")])


def test_changed_images_stay_in_their_places() -> None:
    change = Change(Platform(os_version="6.1", os_features=("a",)), {"k": "v"}, ("https://example.test/x",))
    after = changed(BOTH, [Platform("linux", "arm64")], change)
    assert digests(after) == digests(BOTH)
    assert after.entries[1].platform == Platform("linux", "arm64", "", "6.1", ("a",))
    assert (after.entries[1].annotations, after.entries[1].urls) == ({"k": "v"}, ("https://example.test/x",))
    assert [after.entries[place] for place in (0, 2, 3)] == [BOTH.entries[place] for place in (0, 2, 3)]


def test_what_an_index_cannot_say_is_refused() -> None:
    features = Change(Platform(features=("sse4",)))
    with pytest.raises(ValueError, match="features of the processor"):
        changed(BOTH, [Platform("linux", "arm64")], features)
    docker = Index((BOTH.entries[0],), mediatype.DOCKER_LIST)
    assert changed(docker, [Platform("linux", "amd64")], features).entries[0].platform == Platform(
        "linux", "amd64", features=("sse4",)
    )
    with pytest.raises(ValueError, match="is an attestation"):
        changed(BOTH, [BOTH.entries[2].digest], Change(annotations={"k": "v"}))
    bare = content(index([artifact()]).manifest_bytes)
    with pytest.raises(ValueError, match="without os or architecture"):
        changed(bare, [bare.entries[0].digest], Change(Platform(os="linux")))
    assert changed(bare, [bare.entries[0].digest], Change(annotations={"k": "v"})).entries[0].platform is None
