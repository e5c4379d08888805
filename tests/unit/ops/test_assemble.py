import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from manifest_action.errors import AssembleError
from manifest_action.model import mediatype
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.index import Index
from manifest_action.model.manifest import Manifest
from manifest_action.model.platform import Platform
from manifest_action.model.reference import parse_reference
from manifest_action.ops.assemble import assemble
from manifest_action.ops.instance import Instance, ResolvedIndex
from manifest_action.plan.spec import Annotations, Existing, Format, IndexSpec

MAIN = parse_reference("registry.test/acme/app:1")


def entry(
    name: str, platform: str = "linux/amd64", media_type: str = mediatype.OCI_MANIFEST, **more: Any
) -> Descriptor:
    return Descriptor(media_type, Digest.of(name.encode()), 100, Platform.parse(platform), **more)


def attestation(name: str, about: Descriptor) -> Descriptor:
    marks = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": str(about.digest)}
    return entry(name, "unknown/unknown", annotations=marks)


def instances(*entries: Descriptor, source: str = "registry.test/acme/app:build") -> tuple[Instance, ...]:
    reference = parse_reference(source).pinned(Digest.of(source.encode()))
    return tuple(Instance(found, reference.repository, reference) for found in entries)


def resolved(*entries: Descriptor, base: Manifest | None = None, **spec: Any) -> ResolvedIndex:
    current = spec.pop("current", {})
    found = instances(*entries)
    if base is not None:
        pinned = MAIN.pinned(base.digest)
        found = tuple(Instance(e, MAIN.repository, pinned, is_existing=True) for e in base.entries) + found
    return ResolvedIndex(IndexSpec((MAIN,), (), **spec), found, base=base, current=current)


def document(index: ResolvedIndex) -> Mapping[str, Any]:
    parsed: Mapping[str, Any] = json.loads(assemble(index).manifest.raw)
    return parsed


def digests(index: ResolvedIndex) -> list[str]:
    return [found["digest"] for found in document(index)["manifests"]]


AMD64 = entry("amd64")
ARM64 = entry("arm64", "linux/arm64")
DOCKER_AMD64 = entry("docker-amd64", media_type=mediatype.DOCKER_MANIFEST)
DOCKER_ARM64 = entry("docker-arm64", "linux/arm64", mediatype.DOCKER_MANIFEST)


def test_an_oci_index_has_its_members_in_a_fixed_order_and_form() -> None:
    raw = assemble(resolved(AMD64, ARM64, annotations=Annotations({"b": "2", "a": "1"}))).manifest.raw
    assert list(json.loads(raw)) == ["schemaVersion", "mediaType", "manifests", "annotations"]
    assert json.loads(raw)["mediaType"] == mediatype.OCI_INDEX
    assert list(json.loads(raw)["annotations"]) == ["a", "b"]
    assert raw == assemble(resolved(AMD64, ARM64, annotations=Annotations({"a": "1", "b": "2"}))).manifest.raw


def test_entries_keep_the_order_of_the_sources() -> None:
    assert digests(resolved(ARM64, AMD64)) == [str(ARM64.digest), str(AMD64.digest)]


@pytest.mark.parametrize(
    ("entries", "format_", "media_type"),
    [
        ((AMD64, ARM64), Format.AUTO, mediatype.OCI_INDEX),
        ((DOCKER_AMD64, DOCKER_ARM64), Format.AUTO, mediatype.DOCKER_LIST),
        ((DOCKER_AMD64, DOCKER_ARM64), Format.OCI, mediatype.OCI_INDEX),
        ((DOCKER_AMD64, DOCKER_ARM64), Format.DOCKER, mediatype.DOCKER_LIST),
        ((DOCKER_AMD64, ARM64), Format.OCI, mediatype.OCI_INDEX),
    ],
)
def test_the_media_type_follows_the_format_and_the_entries(
    entries: tuple[Descriptor, ...], format_: Format, media_type: str
) -> None:
    assert document(resolved(*entries, format=format_))["mediaType"] == media_type


@pytest.mark.parametrize(
    ("index", "what"),
    [
        (resolved(DOCKER_AMD64, ARM64), "mix Docker and OCI"),
        (resolved(DOCKER_AMD64, ARM64, format=Format.DOCKER), "cannot hold application/vnd.oci"),
        (resolved(DOCKER_AMD64, annotations=Annotations({"a": "1"})), "cannot hold annotations"),
        (resolved(DOCKER_AMD64, annotations=Annotations(entries=((None, "a", "1"),))), "cannot hold annotations"),
        (resolved(DOCKER_AMD64, artifact_type="application/x"), "cannot hold annotations, an artifact type"),
        (resolved(AMD64, entry("other")), "platform linux/amd64 comes from two sources"),
        (resolved(AMD64, AMD64), "both are the same image"),
        (resolved(ARM64, entry("v8", "linux/arm64/v8")), "comes from two sources"),
        (resolved(), "no image is left"),
        (resolved(attestation("a", AMD64)), "no image is left"),
        (resolved(AMD64, annotations=Annotations({"big": "x" * 4 * 1024 * 1024})), "over the limit"),
        (resolved(AMD64, expect=(Platform("linux", "amd64"), Platform("linux", "arm64"))), "missing linux/arm64"),
        (resolved(AMD64, ARM64, expect=(Platform("linux", "amd64"),)), "not expected linux/arm64"),
        (
            resolved(AMD64, annotations=Annotations(entries=((Platform("linux", "arm"), "a", "1"),))),
            "meant for linux/arm, which is not in the index",
        ),
        (
            resolved(AMD64, existing=Existing.KEEP_EQUAL, current={MAIN: Digest.of(b"other")}),
            "must stay",
        ),
    ],
)
def test_an_index_that_is_not_acceptable_is_refused(index: ResolvedIndex, what: str) -> None:
    with pytest.raises(AssembleError) as caught:
        assemble(index)
    assert what in caught.value.what
    assert caught.value.hint
    assert caught.value.where


def test_windows_versions_are_platforms_of_their_own() -> None:
    ltsc2019 = entry("ltsc2019", "windows(10.0.17763.1)/amd64")
    ltsc2022 = entry("ltsc2022", "windows(10.0.20348.1)/amd64")
    listed = document(resolved(ltsc2019, ltsc2022, expect=(Platform("windows", "amd64"),)))["manifests"]
    assert [found["platform"]["os.version"] for found in listed] == ["10.0.17763.1", "10.0.20348.1"]


def test_descriptor_annotations_reach_the_images_meant_and_no_attestation() -> None:
    spec = Annotations(entries=((None, "all", "1"), (Platform("linux", "arm64"), "arm", "2")))
    listed = document(resolved(AMD64, attestation("a", AMD64), ARM64, annotations=spec))["manifests"]
    assert listed[0]["annotations"] == {"all": "1"}
    assert "all" not in listed[1]["annotations"]
    assert listed[2]["annotations"] == {"all": "1", "arm": "2"}


def test_expected_platforms_do_not_count_attestations() -> None:
    index = resolved(AMD64, attestation("a", AMD64), expect=(Platform("linux", "amd64"),))
    assert len(document(index)["manifests"]) == 2


def test_a_tag_that_must_stay_may_be_equal() -> None:
    digest = assemble(resolved(AMD64)).manifest.digest
    again = resolved(AMD64, existing=Existing.KEEP_EQUAL, current={MAIN: digest})
    assert assemble(again).manifest.digest == digest


def test_a_source_index_taken_over_whole_keeps_its_bytes() -> None:
    raw = json.dumps(
        {"manifests": [AMD64.to_document()], "schemaVersion": 2, "mediaType": mediatype.OCI_INDEX, "x": 1}
    ).encode()
    whole = Manifest.parse(raw)
    spec = IndexSpec((MAIN,), ())
    taken = ResolvedIndex(spec, instances(AMD64), whole=whole)
    assert assemble(taken).manifest.raw == raw
    annotated = ResolvedIndex(IndexSpec((MAIN,), (), annotations=Annotations({"a": "1"})), instances(AMD64), whole)
    assert assemble(annotated).manifest.raw != raw


def test_a_whole_index_keeps_what_it_says_of_itself_when_it_is_filtered() -> None:
    whole = Index((AMD64, ARM64), annotations={"a": "1"}, artifact_type="application/x").manifest()
    left = json.loads(assemble(ResolvedIndex(IndexSpec((MAIN,), ()), instances(ARM64), whole)).manifest.raw)
    assert (left["annotations"], left["artifactType"]) == ({"a": "1"}, "application/x")


class TestAppend:
    def base(self, *entries: Descriptor, **more: Any) -> Manifest:
        return Index(entries, **more).manifest()

    def append(self, base: Manifest, *entries: Descriptor, **spec: Any) -> ResolvedIndex:
        return resolved(*entries, base=base, existing=Existing.APPEND, **spec)

    def test_new_platforms_come_last(self) -> None:
        assert digests(self.append(self.base(AMD64), ARM64)) == [str(AMD64.digest), str(ARM64.digest)]

    def test_same_platforms_are_replaced_in_place(self) -> None:
        newer = entry("amd64 newer")
        assert digests(self.append(self.base(AMD64, ARM64), newer)) == [str(newer.digest), str(ARM64.digest)]

    def test_attestations_of_a_replaced_image_leave_with_it(self) -> None:
        base = self.base(AMD64, attestation("old", AMD64), ARM64, attestation("stays", ARM64))
        newer = entry("amd64 newer")
        new_attestation = attestation("new", newer)
        result = digests(self.append(base, newer, new_attestation))
        assert result == [
            str(digest) for digest in (newer.digest, new_attestation.digest, ARM64.digest, Digest.of(b"stays"))
        ]

    def test_doing_it_again_changes_nothing(self) -> None:
        once = assemble(self.append(self.base(AMD64), ARM64)).manifest
        assert assemble(self.append(once, ARM64)).manifest.digest == once.digest

    def test_annotations_of_the_existing_index_stay_unless_said_anew(self) -> None:
        base = self.base(AMD64, annotations={"a": "old", "b": "old"})
        spec = Annotations({"b": "new"})
        assert document(self.append(base, ARM64, annotations=spec))["annotations"] == {"a": "old", "b": "new"}

    def test_an_oci_index_stays_one_though_all_its_images_are_dockers(self) -> None:
        base = self.base(DOCKER_AMD64)
        assert document(self.append(base, DOCKER_ARM64))["mediaType"] == mediatype.OCI_INDEX

    def test_a_single_image_cannot_be_extended(self) -> None:
        raw = {"schemaVersion": 2, "config": AMD64.to_document(), "layers": []}
        image = Manifest.parse(json.dumps(raw).encode())
        with pytest.raises(AssembleError, match="single image"):
            assemble(self.append(image, ARM64))

    def test_attestations_stay_once_when_a_digest_stands_for_two_platforms(self) -> None:
        other = replace(AMD64, platform=Platform("linux", "386"))
        base = self.base(AMD64, other, attestation("about", AMD64))
        once = assemble(self.append(base, ARM64)).manifest
        assert [str(entry.digest) for entry in once.entries].count(str(Digest.of(b"about"))) == 1
        assert assemble(self.append(once, ARM64)).manifest.digest == once.digest

    def test_attestations_stay_while_another_platform_has_their_image(self) -> None:
        other = replace(AMD64, platform=Platform("linux", "386"))
        newer = entry("386 newer", "linux/386")
        base = self.base(AMD64, other, attestation("about", AMD64))
        assert digests(self.append(base, newer)) == [
            str(AMD64.digest),
            str(newer.digest),
            str(Digest.of(b"about")),
        ]

    def test_an_image_that_is_named_again_keeps_its_attestations(self) -> None:
        base = self.base(AMD64, ARM64, attestation("about", AMD64))
        assert digests(self.append(base, AMD64)) == [
            str(AMD64.digest),
            str(ARM64.digest),
            str(Digest.of(b"about")),
        ]
