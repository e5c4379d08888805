"""Images under `.sig` tags, which gather the signatures of one subject and which others may extend at the same time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from manifest_action.errors import RegistryError, ResolveError
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import Reference
from manifest_action.ops.merging import replace, settle, write_until_kept
from manifest_action.ops.sendings import Kept, send, wanted_blobs
from manifest_action.ops.signatures import Attached, Made
from manifest_action.ops.waves import Waves
from manifest_action.signing.attachment import with_attachments
from manifest_action.signing.base import Attachment, Signature
from manifest_action.transport.base import TagReplacer, Transport


@dataclass(frozen=True, slots=True)
class Addition:
    """What is missing under a `.sig` tag that pointed to `current`, and the image (with its new blobs) that has it."""

    place: Attached
    current: Digest | None
    missing: tuple[Made[Attachment], ...]
    manifest: Manifest
    blobs: Mapping[Digest, bytes]

    @property
    def kept(self) -> Kept:
        """What is sent for it."""
        return self.place.repository, self.manifest, self.blobs


def look(place: Attached, transport: Transport) -> Addition | None:
    """What is missing under a tag; None when all of it is there."""
    current = _current(place, transport)
    missing = tuple(each for each in place.made if not _is_there(each, current))
    return addition(place, current, missing) if missing else None


def addition(place: Attached, current: Manifest | None, missing: tuple[Made[Attachment], ...]) -> Addition:
    """What has to be written so that a tag has what is missing. RegistryError when that cannot be."""
    try:
        manifest, blobs = with_attachments(current, [each.artefact for each in missing])
    except ValueError as error:
        raise RegistryError(
            "the signatures cannot be added to those that are there",
            where=str(Reference(place.repository, place.tag)),
            why=str(error),
            hint="delete that tag, if nothing needs it",
        ) from None
    return Addition(place, current.digest if current else None, missing, manifest, blobs)


def write(wanted: Addition, transport: Transport) -> float:
    """Move a tag to the image with the additions, whose blobs were sent; gives what `merging.replace` gives."""
    destination = transport.destination(wanted.place.repository)
    if not isinstance(destination, TagReplacer):
        destination.push_manifest(wanted.manifest)
    return replace(destination, wanted.manifest, wanted.place.tag, wanted.current)


def keep(
    additions: Sequence[Addition], took: float, transport: Transport, waves: Waves, sleep: Callable[[float], None]
) -> frozenset[Signature]:
    """Look at all tags again a moment after they were written, and repeat that for those that others have changed.

    took: the longest of what `write` gave

    Gives the signatures that were missing. RegistryError when others overwrite a tag again and again.
    """
    if not additions:
        return frozenset()
    settle(1, took, sleep)

    def add(place: Attached) -> tuple[Sequence[Made[Attachment]], float]:
        found = look(place, transport)
        if found is None:
            return (), 0.0
        for blob in wanted_blobs([found.kept]).values():
            send(*blob, transport)
        return found.missing, write(found, transport)

    places = [each.place for each in additions]
    again = write_until_kept(places, add, lambda place: Reference(place.repository, place.tag), waves, sleep)
    missing = [made for each in additions for made in each.missing]
    return frozenset(each.signature for each in (*missing, *again))


def _current(place: Attached, transport: Transport) -> Manifest | None:
    try:
        return transport.source(place.repository).resolve(place.tag)
    except ResolveError:
        return None


def _is_there(made: Made[Attachment], current: Manifest | None) -> bool:
    content, digest = made.artefact.content, made.artefact.layer.digest
    layers = current.layers if current else ()
    return any(layer.digest == digest and made.signer.repeats(made.signature, layer, content) for layer in layers)
