"""Looking at an image or index without writing anything."""

from manifest_action.model.attestation import is_attestation
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.manifest import Manifest
from manifest_action.model.platform import Platform
from manifest_action.model.reference import Reference
from manifest_action.ops.outcome import EntryReport
from manifest_action.ops.reading import Reading
from manifest_action.ops.waves import Waves
from manifest_action.transport.base import Transport


def inspect(reference: Reference, transport: Transport, jobs: int) -> tuple[Manifest, tuple[EntryReport, ...]]:
    """The manifest under a reference and what it lists, with sizes; a single image lists itself.

    Nested indexes are listed, not opened. Raises ResolveError, ContentError, and what the transport raises.
    """
    with Waves(jobs) as waves:
        reading = Reading(transport, waves)
        key = (reference.repository, reference.selector)
        reading.fetch_manifests([key])
        manifest = reading.manifest(*key)
        if manifest is None:
            raise LookupError(f"{reference} was read, but is not remembered")
        entries = manifest.entries if manifest.is_index else (manifest.descriptor,)
        reading.fetch_manifests((reference.repository, str(entry.digest)) for entry in entries)
        pinned = reference.pinned(manifest.digest)
        platforms = _config_platforms(reference, entries, reading)
        return manifest, tuple(_report(pinned, entry, platforms, reading) for entry in entries)


def _config_platforms(
    reference: Reference, entries: tuple[Descriptor, ...], reading: Reading
) -> dict[Descriptor, Platform | None]:
    configs = {}
    for entry in entries:
        child = reading.manifest(reference.repository, str(entry.digest))
        if entry.platform is None and child is not None and child.is_image and child.config:
            configs[entry] = child.config
    reading.fetch_platforms((reference.repository, config) for config in configs.values())
    return {entry: reading.platform(reference.repository, config) for entry, config in configs.items()}


def _report(
    pinned: Reference, entry: Descriptor, platforms: dict[Descriptor, Platform | None], reading: Reading
) -> EntryReport:
    child = reading.manifest(pinned.repository, str(entry.digest))
    size = None if child is None else len(child.raw) + sum(blob.size for blob in child.blobs)
    return EntryReport(
        entry.digest, entry.media_type, entry.platform or platforms.get(entry), pinned, size, is_attestation(entry)
    )
