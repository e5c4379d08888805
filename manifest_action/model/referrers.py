"""How artifacts are listed by their subjects (OCI distribution-spec 1.1, "Referrers Tag Schema"). Pure."""

import re
from collections.abc import Iterable
from dataclasses import replace

from manifest_action.model import mediatype
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.index import Index
from manifest_action.model.manifest import Manifest

_TAG = re.compile(r"sha(?:256-[0-9a-f]{64}|512-[0-9a-f]{64})(?:\.(?:sig|att|sbom))?")


def fallback_tag(subject: Digest) -> str:
    """The tag that lists a subject's referrers where there is no API: `sha256-<hex>`, at most 97 characters."""
    return f"{subject.algorithm[:32]}-{subject.encoded[:64]}"


def is_attached_tag(tag: str) -> bool:
    """Whether a tag is made of a digest and leads to what is attached to that, rather than to an image of its own."""
    return _TAG.fullmatch(tag) is not None


def referrer(manifest: Manifest) -> Descriptor:
    """How a manifest is listed with its subject: its type (or its config's), and its annotations."""
    kind = manifest.artifact_type or (manifest.config.media_type if manifest.config else "")
    return replace(manifest.descriptor, artifact_type=kind, annotations=manifest.annotations)


def with_referrers(current: Manifest | None, manifests: Iterable[Manifest]) -> Manifest:
    """The list of a subject's referrers with further ones at its end, each once; those that are there stay.

    ValueError when `current` is no OCI index, or the list would be too long for a manifest.
    """
    if current is not None and current.media_type != mediatype.OCI_INDEX:
        raise ValueError(f"it is a {current.media_type}")
    listed = {entry.digest: entry for entry in (current.entries if current else ())}
    new = {each.digest: referrer(each) for each in manifests if each.digest not in listed}
    if current is not None and not new:
        return current
    annotations = current.annotations if current else {}
    return Index((*listed.values(), *new.values()), annotations=annotations).manifest()
