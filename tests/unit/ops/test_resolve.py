from dataclasses import replace

import pytest

from manifest_action.errors import AuthError, ContentError, Mark, ResolveError
from manifest_action.events import SourceResolved
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.index import Index
from manifest_action.model.manifest import Manifest
from manifest_action.model.platform import Platform
from manifest_action.model.reference import parse_reference
from manifest_action.ops.instance import ResolvedIndex
from manifest_action.ops.resolve import resolve
from manifest_action.ops.waves import Waves
from manifest_action.plan.spec import Attestations, Existing, IndexSpec, SourceSpec
from tests.support.images import artifact, buildx_index, image, index
from tests.unit.ops.memory import MemoryTransport, Recorder
from tests.unit.ops.world import HOME, place, spec

AMD64 = image("linux/amd64")
ARM64 = image("linux/arm64")
ARM_V7 = image("linux/arm/v7")
WINDOWS = image("windows/amd64:10.0.17763.1", os_features=["win32k"])


@pytest.fixture
def transport() -> MemoryTransport:
    return MemoryTransport()


def resolved(transport: MemoryTransport, *specs: IndexSpec) -> tuple[ResolvedIndex, ...]:
    with Waves(8) as waves:
        return resolve(specs, transport, waves, Recorder())


def platforms(index: ResolvedIndex) -> list[str]:
    return [str(instance.platform) for instance in index.instances]


def test_single_images_get_their_platform_from_their_config(transport: MemoryTransport) -> None:
    sources = [place(transport, f"{HOME}:{n}", each) for n, each in enumerate([AMD64, ARM_V7, WINDOWS])]
    (index,) = resolved(transport, spec(sources))
    assert platforms(index) == ["linux/amd64", "linux/arm/v7", "windows(10.0.17763.1)/amd64"]
    assert index.instances[2].platform == Platform(
        "windows", "amd64", os_version="10.0.17763.1", os_features=("win32k",)
    )
    assert [i.descriptor.size for i in index.instances] == [len(e.manifest_bytes) for e in (AMD64, ARM_V7, WINDOWS)]


def test_a_tag_is_read_once_and_pinned(transport: MemoryTransport) -> None:
    place(transport, f"{HOME}:amd64", AMD64)
    (one, two) = resolved(transport, spec([f"{HOME}:amd64"]), spec([f"{HOME}:amd64"], f"{HOME}:2"))
    assert [call for call in transport.calls if call[0] == "resolve"] == [("resolve", HOME, "amd64")]
    assert one.instances[0].source.digest == two.instances[0].source.digest == one.instances[0].descriptor.digest


def test_an_index_is_flattened_with_its_attestations(transport: MemoryTransport) -> None:
    place(transport, f"{HOME}:amd64", buildx_index([AMD64]))
    place(transport, f"{HOME}:arm64", buildx_index([ARM64]))
    (index,) = resolved(transport, spec([f"{HOME}:amd64", f"{HOME}:arm64"]))
    assert platforms(index) == ["linux/amd64", "unknown/unknown", "linux/arm64", "unknown/unknown"]
    marks = index.instances[1].descriptor.annotations
    assert marks["vnd.docker.reference.digest"] == str(index.instances[0].descriptor.digest)


def test_a_flattened_index_in_its_own_repository_is_one_read_per_source(transport: MemoryTransport) -> None:
    place(transport, f"{HOME}:amd64", buildx_index([AMD64]))
    resolved(transport, spec([f"{HOME}:amd64"]))
    assert (transport.count("resolve"), transport.count("open")) == (1, 0)


def test_attestations_are_dropped_when_asked(transport: MemoryTransport) -> None:
    place(transport, f"{HOME}:amd64", buildx_index([AMD64]))
    (index,) = resolved(transport, spec([f"{HOME}:amd64"], attestations=Attestations.DROP))
    assert platforms(index) == ["linux/amd64"]


def test_platforms_filter_an_index_and_take_the_attestations_along(transport: MemoryTransport) -> None:
    place(transport, f"{HOME}:all", buildx_index([AMD64, ARM64, ARM_V7]))
    source = SourceSpec(parse_reference(f"{HOME}:all"), platforms=(Platform("linux", "arm64", "v8"),))
    (index,) = resolved(transport, spec([source]))
    assert platforms(index) == ["linux/arm64", "unknown/unknown"]


def test_the_platform_of_an_entry_picks_from_an_index_of_several(transport: MemoryTransport) -> None:
    place(transport, f"{HOME}:all", index([AMD64, ARM64]))
    source = SourceSpec(parse_reference(f"{HOME}:all"), platform=Platform("linux", "arm64"))
    (found,) = resolved(transport, spec([source]))
    assert platforms(found) == ["linux/arm64"]


def test_a_platform_that_no_source_has_is_an_error(transport: MemoryTransport) -> None:
    place(transport, f"{HOME}:all", index([AMD64, ARM64]))
    source = SourceSpec(parse_reference(f"{HOME}:all"), platforms=(Platform("linux", "s390x"),))
    with pytest.raises(ResolveError, match="no image for linux/s390x"):
        resolved(transport, spec([source]))


def test_entries_without_a_platform_are_asked_for_theirs_and_then_filtered(transport: MemoryTransport) -> None:
    bare = Index(tuple(Manifest.parse(each.manifest_bytes).descriptor for each in (AMD64, ARM64)))
    place(transport, HOME, AMD64)
    place(transport, HOME, ARM64)
    manifest = bare.manifest()
    repository = transport[parse_reference(HOME).repository]
    repository.manifests[str(manifest.digest)] = manifest
    reference = parse_reference(f"{HOME}@{manifest.digest}")
    assert platforms(resolved(transport, spec([reference]))[0]) == ["linux/amd64", "linux/arm64"]
    source = SourceSpec(reference, platforms=(Platform("linux", "arm64"),))
    assert platforms(resolved(transport, spec([source]))[0]) == ["linux/arm64"]


def test_nested_indexes_are_opened(transport: MemoryTransport) -> None:
    nested = index([index([AMD64]), index([ARM64])])
    place(transport, f"{HOME}:all", nested)
    assert platforms(resolved(transport, spec([f"{HOME}:all"]))[0]) == ["linux/amd64", "linux/arm64"]


def test_a_stated_platform_is_checked_against_the_config(transport: MemoryTransport) -> None:
    reference = place(transport, f"{HOME}:x", ARM64)
    wrong = SourceSpec(reference, platform=Platform("linux", "amd64"))
    with pytest.raises(ResolveError, match="the image's config says linux/arm64"):
        resolved(transport, spec([wrong]))
    (index,) = resolved(transport, spec([replace(wrong, override=True)]))
    assert platforms(index) == ["linux/amd64"]


def test_a_buildx_index_of_one_image_is_checked_against_the_config_too(transport: MemoryTransport) -> None:
    place(transport, f"{HOME}:x", buildx_index([ARM64]))
    wrong = SourceSpec(parse_reference(f"{HOME}:x"), platform=Platform("linux", "arm", "v7"))
    with pytest.raises(ResolveError, match="linux/arm/v7, but the source's index says linux/arm64"):
        resolved(transport, spec([wrong]))


def test_an_override_that_says_all_needs_no_config(transport: MemoryTransport) -> None:
    reference = place(transport, f"{HOME}:x", ARM64)
    resolved(transport, spec([SourceSpec(reference, platform=Platform("linux", "amd64"), override=True)]))
    assert transport.count("open") == 0


def test_an_artifact_has_no_platform(transport: MemoryTransport) -> None:
    reference = place(transport, f"{HOME}:x", artifact())
    (index,) = resolved(transport, spec([reference]))
    assert index.instances[0].platform is None
    assert index.instances[0].descriptor.artifact_type == "application/vnd.example.report+json"


def test_a_source_that_is_missing_is_reported_at_its_line(transport: MemoryTransport) -> None:
    mark = Mark("spec.yml", 3, 5)
    with pytest.raises(ResolveError) as caught:
        resolved(transport, spec([SourceSpec(parse_reference(f"{HOME}:no"), mark=mark)]))
    assert caught.value.mark == mark


def test_an_index_that_lies_about_a_childs_size_is_refused(transport: MemoryTransport) -> None:
    reference = place(transport, f"{HOME}:amd64", AMD64)
    true = Manifest.parse(AMD64.manifest_bytes).descriptor
    lie = Index((Descriptor(true.media_type, true.digest, true.size + 1),)).manifest()
    repository = transport[reference.repository]
    repository.manifests[str(lie.digest)] = lie
    with pytest.raises(ContentError, match="but the manifest is"):
        resolved(transport, spec([f"{HOME}@{lie.digest}"]))


def test_a_config_with_other_bytes_is_refused(transport: MemoryTransport) -> None:
    reference = place(transport, f"{HOME}:amd64", AMD64)
    repository = transport[reference.repository]
    config = Manifest.parse(AMD64.manifest_bytes).config
    assert config is not None
    content = repository.blobs[str(config.digest)]
    repository.blobs[str(config.digest)] = content.replace(b"amd64", b"arm64")
    with pytest.raises(ContentError, match="digest"):
        resolved(transport, spec([reference]))


def test_children_that_must_travel_are_read(transport: MemoryTransport) -> None:
    place(transport, "other.test/build:all", buildx_index([AMD64]))
    (found,) = resolved(transport, spec(["other.test/build:all"]))
    assert all(instance.manifest is not None for instance in found.instances)
    assert all(instance.image_size for instance in found.instances)


def test_what_tags_point_to_is_read_in_the_same_wave(transport: MemoryTransport) -> None:
    old = place(transport, f"{HOME}:1", AMD64)
    (found,) = resolved(transport, spec([old], f"{HOME}:1", f"{HOME}:2"))
    assert found.current == {
        parse_reference(f"{HOME}:1"): old.digest,
        parse_reference(f"{HOME}:2"): None,
    }


def test_an_existing_index_is_read_by_digest_and_comes_first(transport: MemoryTransport) -> None:
    base = place(transport, f"{HOME}:1", index([AMD64]))
    new = place(transport, HOME, ARM64)
    (found,) = resolved(transport, spec([new], existing=Existing.APPEND))
    assert found.base is not None
    assert found.base.digest == base.digest
    assert platforms(found) == ["linux/amd64", "linux/arm64"]
    assert ("resolve", HOME, str(base.digest)) in transport.calls


def test_there_may_be_nothing_to_extend_yet(transport: MemoryTransport) -> None:
    new = place(transport, HOME, ARM64)
    (found,) = resolved(transport, spec([new], existing=Existing.APPEND))
    assert found.base is None


def test_a_subject_becomes_a_descriptor(transport: MemoryTransport) -> None:
    reference = place(transport, f"{HOME}:amd64", AMD64)
    (found,) = resolved(transport, spec([reference], subject=parse_reference(f"{HOME}:amd64")))
    assert found.subject is not None
    assert (found.subject.digest, found.subject.size) == (reference.digest, len(AMD64.manifest_bytes))


def test_every_source_is_announced_with_its_digest_and_platforms(transport: MemoryTransport) -> None:
    reference = place(transport, f"{HOME}:all", buildx_index([AMD64, ARM64]))
    listener = Recorder()
    with Waves(2) as waves:
        resolve([spec([f"{HOME}:all"])], transport, waves, listener)
    assert reference.digest is not None
    assert listener.events == [
        SourceResolved(
            parse_reference(f"{HOME}:all"), reference.digest, (Platform("linux", "amd64"), Platform("linux", "arm64"))
        )
    ]


def test_without_pushing_a_destination_may_be_closed(transport: MemoryTransport) -> None:
    source = place(transport, f"{HOME}:build", AMD64)
    closed = parse_reference("closed.test/app:1")
    transport[closed.repository].refuse["tagged", "1"] = AuthError("no login", status=401)
    index = spec([source], str(closed))
    with Waves(2) as waves:
        (found,) = resolve([index], transport, waves, Recorder(), pushing=False)
        assert found.current == {closed: None}
        with pytest.raises(AuthError):
            resolve([index], transport, waves, Recorder())
        with pytest.raises(AuthError):
            resolve([replace(index, existing=Existing.APPEND)], transport, waves, Recorder(), pushing=False)
