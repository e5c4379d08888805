"""Outcomes as a run gives them, for tests of how they are shown."""

import json

from manifest_action.errors import ManifestActionError
from manifest_action.events import TagState
from manifest_action.model import mediatype
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.index import Index
from manifest_action.model.manifest import Manifest
from manifest_action.model.platform import Platform
from manifest_action.model.reference import parse_reference
from manifest_action.ops.outcome import EntryReport, IndexReport, Outcome, TagReport, Totals
from manifest_action.plan.spec import IndexSpec, SourceSpec

AMD64 = Digest.of(b"amd64")
ARM64 = Digest.of(b"arm64")
NOTE = Digest.of(b"attestation")
OLD = Digest.of(b"old")


def an_index() -> Manifest:
    """An index of two images and an attestation."""
    return Index(
        (
            Descriptor(mediatype.OCI_MANIFEST, AMD64, 100, Platform("linux", "amd64")),
            Descriptor(mediatype.OCI_MANIFEST, ARM64, 100, Platform("linux", "arm64")),
            Descriptor(mediatype.OCI_MANIFEST, NOTE, 100, Platform("unknown", "unknown")),
        )
    ).manifest()


def a_spec(*destinations: str) -> IndexSpec:
    """A spec with these destinations and one source."""
    references = tuple(map(parse_reference, destinations or ("ghcr.io/acme/app:1.4", "docker.io/acme/app:1.4")))
    return IndexSpec(references, (SourceSpec(parse_reference("ghcr.io/acme/app:build")),))


def entries() -> tuple[EntryReport, ...]:
    """What `an_index` lists."""
    source = parse_reference("ghcr.io/acme/app:build")
    return (
        EntryReport(AMD64, mediatype.OCI_MANIFEST, Platform("linux", "amd64"), source.pinned(OLD), 5 * 1024 * 1024),
        EntryReport(ARM64, mediatype.OCI_MANIFEST, Platform("linux", "arm64"), source.pinned(OLD), None),
        EntryReport(NOTE, mediatype.OCI_MANIFEST, Platform("unknown", "unknown"), source, 7, is_attestation=True),
    )


def a_success() -> Outcome:
    """One index in two repositories, one tag new and one moved."""
    spec = a_spec()
    tags = (
        TagReport(spec.destinations[0], TagState.CREATED),
        TagReport(spec.destinations[1], TagState.MOVED, OLD),
    )
    totals = Totals(present_blobs=4, mounted_blobs=1, copied_blobs=2, present_bytes=4096, copied_bytes=2048)
    return Outcome((IndexReport(spec, an_index(), entries(), tags, totals, pushed=True, changed=True),))


def a_failure(error: ManifestActionError, *, tag_error: ManifestActionError | None = None) -> Outcome:
    """The same, but the run ended with an error, and perhaps one tag did not move."""
    report = a_success().reports[0]
    spec = report.spec
    tags = (
        TagReport(spec.destinations[0], TagState.CREATED),
        TagReport(spec.destinations[1], TagState.FAILED, OLD, tag_error),
    )
    return Outcome((IndexReport(spec, report.manifest, report.entries, tags, pushed=True, changed=True),), error)


def same(text: str) -> str:
    """Redacts nothing."""
    return text


def as_json(text: str) -> object:
    """What a JSON text says."""
    return json.loads(text)
