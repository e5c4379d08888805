"""Which entries of an index are meant, and the index without them, with them alone, or with them changed (pure).

OCI image-spec 1.1, image-index.md. An entry is chosen by its digest, or as an image for a platform.
"""

from collections.abc import Sequence
from dataclasses import replace

from manifest_action.model import mediatype
from manifest_action.model.attestation import is_attestation
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.index import Index
from manifest_action.model.instances import Change
from manifest_action.model.platform import Platform
from manifest_action.ops.flatten import with_their_attestations

Choice = Digest | Platform
"""Every entry of that digest, or every image that the platform selects (see `Platform.selects`)."""


def parse_choice(text: str) -> Choice:
    """Read a digest or a platform such as `linux/arm/v7`; ValueError says what is wrong."""
    if text.startswith(("sha256:", "sha512:")):
        return Digest.parse(text)
    try:
        return Platform.parse(text)
    except ValueError as error:
        raise ValueError(f"{error}; a digest looks like sha256:<64 hex digits>") from None


def without(index: Index, choices: Sequence[Choice]) -> Index:
    """The index without the chosen entries, and without the attestations about images that are gone.

    LookupError when a choice fits no entry, ValueError when no image would be left.
    """
    gone = _chosen(index, choices)
    return _reduced(index, [entry for place, entry in enumerate(index.entries) if place not in gone])


def only(index: Index, choices: Sequence[Choice]) -> Index:
    """The index with the chosen entries and the attestations about them, in their order. Errors as `without`."""
    kept = _chosen(index, choices)
    return _reduced(index, [e for place, e in enumerate(index.entries) if place in kept or is_attestation(e)])


def changed(index: Index, choices: Sequence[Choice], change: Change) -> Index:
    """The index with the chosen images changed in their places.

    LookupError when a choice fits no entry. ValueError when one is an attestation, which says nothing but what it
    is about, when an image would have half a platform, and when the index cannot hold what is stated.
    """
    if change.platform.features and index.media_type == mediatype.OCI_INDEX:
        raise ValueError("an OCI index cannot hold features of the processor, only a Docker manifest list can")
    chosen = _chosen(index, choices)
    entries = tuple(_restated(entry, change) if place in chosen else entry for place, entry in enumerate(index.entries))
    return replace(index, entries=entries)


def _chosen(index: Index, choices: Sequence[Choice]) -> set[int]:
    """The places of the entries that are meant."""
    chosen: set[int] = set()
    for choice in choices:
        found = {place for place, entry in enumerate(index.entries) if _is_meant(entry, choice)}
        if not found:
            raise LookupError(f"the index does not list {choice}")
        chosen |= found
    return chosen


def _is_meant(entry: Descriptor, choice: Choice) -> bool:
    if isinstance(choice, Digest):
        return entry.digest == choice
    return not is_attestation(entry) and entry.platform is not None and choice.selects(entry.platform)


def _reduced(index: Index, entries: Sequence[Descriptor]) -> Index:
    """The index with these of its entries, but for attestations about images that are not among them."""
    images = [(entry, entry.platform) for entry in entries if not is_attestation(entry)]
    if not images:
        raise ValueError("no image would be left in the index")
    taken = with_their_attestations(entries, images, attestations=True)
    return replace(index, entries=tuple(entry for entry, _ in taken))


def _restated(entry: Descriptor, change: Change) -> Descriptor:
    if is_attestation(entry):
        raise ValueError(f"{entry.digest} is an attestation; what it states belongs to its image")
    restated = change.of(entry)
    platform = restated.platform
    if platform is not None and not (platform.os and platform.architecture):
        raise ValueError(f"{entry.digest} would have a platform without os or architecture; state both")
    return restated
