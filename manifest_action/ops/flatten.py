"""Opening indexes up into the instances they list (pure).

Nested indexes are opened too, at most three deep. Attestation entries stay with the image they describe.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from manifest_action.errors import ContentError
from manifest_action.model import mediatype
from manifest_action.model.attestation import attested_digest, is_attestation
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.platform import Platform

DEPTH_LIMIT = 3

Lookup = Callable[[Digest], Manifest | None]


@dataclass(frozen=True, slots=True)
class Leaves:
    """What an index comes down to: entries that are no indexes, and nested indexes that must be read first."""

    entries: tuple[Descriptor, ...]
    unread: tuple[Descriptor, ...]


def open_up(index: Manifest, lookup: Lookup) -> Leaves:
    """The leaves of `index` in order; `lookup` gives nested indexes that were read already.

    ContentError when indexes are nested more than three deep, or a nested one is not what its entry says.
    """
    entries: list[Descriptor] = []
    unread: list[Descriptor] = []
    for entry, nested in _walk(index, lookup, 1):
        (entries if nested else unread).append(entry)
    return Leaves(tuple(entries), tuple(unread))


def _walk(index: Manifest, lookup: Lookup, depth: int) -> Iterator[tuple[Descriptor, bool]]:
    for entry in index.entries:
        if entry.media_type not in mediatype.INDEXES:
            yield entry, True
            continue
        if depth == DEPTH_LIMIT:
            raise ContentError(
                f"indexes are nested more than {DEPTH_LIMIT} deep",
                where=str(index.digest),
                hint="name the images themselves as sources",
            )
        nested = lookup(entry.digest)
        if nested is None:
            yield entry, False
            continue
        check_agrees(entry, nested)
        yield from _walk(nested, lookup, depth + 1)


def check_agrees(entry: Descriptor, manifest: Manifest) -> None:
    """ContentError when an index's entry lies about the size or media type of the manifest it points to."""
    if (entry.media_type, entry.size) != (manifest.media_type, len(manifest.raw)):
        raise ContentError(
            f"the index says {entry.media_type} of {entry.size} bytes, "
            f"but the manifest is {manifest.media_type} of {len(manifest.raw)} bytes",
            where=str(entry.digest),
            hint="the source index is damaged; build and push it again",
        )


def with_their_attestations(
    entries: Sequence[Descriptor], images: Sequence[tuple[Descriptor, Platform | None]], *, attestations: bool
) -> list[tuple[Descriptor, Platform | None]]:
    """The chosen images with their platforms, in index order, and the attestations about them when wanted.

    entries: everything the index lists
    images:  those of its entries that were chosen, each with the platform it will have
    """
    chosen = {id(entry): platform for entry, platform in images}
    kept = {entry.digest for entry, _ in images}
    taken: list[tuple[Descriptor, Platform | None]] = []
    for entry in entries:
        if id(entry) in chosen:
            taken.append((entry, chosen[id(entry)]))
        elif attestations and is_attestation(entry) and attested_digest(entry) in kept:
            taken.append((entry, entry.platform))
    return taken
