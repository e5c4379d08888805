"""Finding what a list shall take in: the instances behind a reference, with their platforms, pinned by digest."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from manifest_action.errors import ConfigError, Problem, ResolveError
from manifest_action.model import mediatype
from manifest_action.model.access import Access
from manifest_action.model.attestation import is_attestation
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.index import Index
from manifest_action.model.instances import Change
from manifest_action.model.manifest import Manifest
from manifest_action.model.platform import Platform
from manifest_action.model.reference import DIRECTORY, DOCKER_ARCHIVE, OCI, OCI_ARCHIVE, Reference
from manifest_action.model.selection import choose
from manifest_action.ops.flatten import check_agrees
from manifest_action.ops.lists.machine import machine_platform
from manifest_action.ops.reading import Reading
from manifest_action.ops.waves import Waves
from manifest_action.transport.base import Transport

_FILES = frozenset({OCI, OCI_ARCHIVE, DIRECTORY, DOCKER_ARCHIVE})


@dataclass(frozen=True, slots=True)
class Addition:
    """What to take from a reference, and what to record about it.

    all_instances: take everything an index lists; otherwise only the instance for one system
    change:        what to record instead of what the manifest and the config say. For an index, its os,
                   architecture and variant say which system is meant; what they leave open is this machine's
    """

    reference: Reference
    all_instances: bool = False
    change: Change = field(default_factory=Change)


Found = tuple[Descriptor, Reference]
"""An instance as the list will record it, and where it lives."""


def find_instances(additions: Iterable[Addition], transport: Transport, jobs: int) -> list[Found]:
    """Everything the additions lead to, in their order. Paths in the locations are absolute.

    jobs: how many requests are under way at once

    Raises ResolveError when nothing fits or nobody knows a platform, and what the transport raises.
    """
    wanted = [replace(each, reference=_lasting(each.reference)) for each in additions]
    transport.prepare(Access(each.reference.repository) for each in wanted)
    with Waves(jobs) as waves:
        reading = Reading(transport, waves)
        reading.fetch(each.reference for each in wanted)
        return [found for each in wanted for found in _found(each, reading)]


def system_for(stated: Platform) -> Platform:
    """The system that is meant: what is not stated is this machine's, the variant only with its architecture."""
    machine = machine_platform()
    variant = stated.variant or ("" if stated.architecture else machine.variant)
    return Platform(stated.os or machine.os, stated.architecture or machine.architecture, variant)


def _lasting(reference: Reference) -> Reference:
    """The reference as it is understood from every directory."""
    repository = reference.repository
    if repository.transport not in _FILES:
        return reference
    return replace(reference, repository=replace(repository, name=os.path.abspath(repository.name)))  # noqa: PTH100 - keeps links


def _found(addition: Addition, reading: Reading) -> list[Found]:
    reference = addition.reference
    manifest = _read(reading, reference, reference.selector)
    entries, change = _entries(manifest, addition)
    known = _with_platforms(entries, reference, reading)
    return [(_recorded(entry, change, reference), reference) for entry in known]


def _entries(manifest: Manifest, addition: Addition) -> tuple[Sequence[Descriptor], Change]:
    """What is taken of a manifest, and what is to be recorded about it."""
    if manifest.is_schema1:
        raise ResolveError(
            "an image of Docker's schema 1 cannot be in a list",
            where=str(addition.reference),
            hint="convert it first: `manifest-action push` with `--format docker` or `oci`",
        )
    if not manifest.is_index:
        return (manifest.descriptor,), addition.change
    if addition.all_instances:
        return manifest.entries, _for_all(addition)
    return (_chosen(manifest, addition),), _without_system(addition.change)


def _read(reading: Reading, reference: Reference, selector: str) -> Manifest:
    manifest = reading.manifest(reference.repository, selector)
    if manifest is None:
        raise LookupError(f"{reference} was read, but is not remembered")
    return manifest


def _for_all(addition: Addition) -> Change:
    if addition.change.platform != Platform():
        raise ConfigError(
            [
                Problem(
                    "a platform cannot be stated for all instances of an index at once",
                    path=str(addition.reference),
                    hint="leave it out, and change single instances with `list annotate`",
                )
            ]
        )
    return addition.change


def _without_system(change: Change) -> Change:
    return replace(change, platform=replace(change.platform, os="", architecture="", variant=""))


def _chosen(manifest: Manifest, addition: Addition) -> Descriptor:
    system = system_for(addition.change.platform)
    try:
        return choose(Index.of(manifest), system)
    except LookupError:
        offered = ", ".join(dict.fromkeys(str(entry.platform) for entry in manifest.entries if entry.platform))
        raise ResolveError(
            f"the index has no image for {system}",
            where=str(addition.reference),
            why=f"its platforms are {offered}" if offered else "",
            hint="take all with --all, or say which with --os, --arch and --variant",
        ) from None


def _with_platforms(entries: Sequence[Descriptor], reference: Reference, reading: Reading) -> list[Descriptor]:
    """The entries with os and architecture from the images' configs where nothing else says them."""
    repository = reference.repository
    nested = [entry for entry in entries if entry.media_type in mediatype.INDEXES]
    if nested:
        raise ResolveError(
            f"the index lists another index, {nested[0].digest}",
            where=str(reference),
            hint=f"a list holds images only; add {repository}@{nested[0].digest} itself",
        )
    unknown = [entry for entry in entries if not _is_known(entry)]
    reading.fetch_manifests((repository, str(entry.digest)) for entry in unknown)
    images = {entry: _read(reading, reference, str(entry.digest)) for entry in unknown}
    configs = {entry: image.config for entry, image in images.items() if image.is_image and image.config}
    reading.fetch_platforms((repository, config) for config in configs.values())
    for entry, image in images.items():
        check_agrees(entry, image)
    said = {entry: reading.platform(repository, config) for entry, config in configs.items()}
    return [_filled(entry, said.get(entry)) for entry in entries]


def _is_known(entry: Descriptor) -> bool:
    platform = entry.platform
    return is_attestation(entry) or (platform is not None and bool(platform.os and platform.architecture))


def _filled(entry: Descriptor, said: Platform | None) -> Descriptor:
    return entry if said is None else replace(entry, platform=(entry.platform or Platform()).filled_from(said))


def _recorded(entry: Descriptor, change: Change, reference: Reference) -> Descriptor:
    recorded = entry if is_attestation(entry) else change.of(entry)
    platform = recorded.platform
    if platform is not None and not (platform.os and platform.architecture):
        raise ResolveError(
            "neither the image nor its config states os and architecture",
            where=f"{reference.repository}@{entry.digest}",
            hint="state them with --os and --arch",
        )
    return recorded
