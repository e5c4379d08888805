"""Bringing attached things to their destinations, and joining them with what is there.

All of it keeps its bytes; a tag that exists at the destination gets further layers.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from manifest_action.errors import RegistryError
from manifest_action.events import ArtifactStored, Reporter
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import Reference, Repository
from manifest_action.ops.account import Account
from manifest_action.ops.attached import Delivery, under_tag
from manifest_action.ops.copy import Carrier, Child, MadeContent
from manifest_action.ops.listing import list_referrers
from manifest_action.ops.merging import replace, write_until_kept
from manifest_action.ops.outcome import ArtifactReport
from manifest_action.ops.waves import Waves
from manifest_action.signing.attachment import with_layers
from manifest_action.transport.base import ReferrerLister, Transport

Where = tuple[Repository, str, Digest]


@dataclass(frozen=True, slots=True)
class _Place:
    """All that comes to one tag of a destination."""

    repository: Repository
    tag: str
    manifests: tuple[Manifest, ...]


def deliver(
    deliveries: Sequence[Delivery], transport: Transport, waves: Waves, reporter: Reporter, account: Account
) -> None:
    """See that every destination has its artifacts, and tell of all of them; errors as `place`."""
    added = place(deliveries, transport, waves, reporter, account)
    for each in deliveries:
        _tell(each, account, reporter, added=each in added)


def place(
    deliveries: Sequence[Delivery],
    transport: Transport,
    waves: Waves,
    reporter: Reporter,
    account: Account,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> frozenset[Delivery]:
    """See that every destination has its artifacts and lists them, beside all that it lists already.

    Gives those that were not there. Raises RegistryError when a tag or a list cannot be joined, or others overwrite
    it again and again, and what the transports raise.
    """
    present = _present(deliveries, transport, waves)
    missing = [each for each in deliveries if each not in present]
    carrier = Carrier(transport, waves, reporter, account)
    carrier.send(child for each in missing for child in _children(each))
    stages = _stages(missing)
    for children in stages:
        waves.map(carrier.push, children)
    list_referrers(
        ((each.destination, each.manifest) for stage in stages for each in stage), transport, waves, sleep=sleep
    )
    added = _tag([each for each in missing if each.artifact.tag], transport, waves, sleep)
    return frozenset(each for each in missing if not each.artifact.tag or _key(each) in added)


def _key(delivery: Delivery) -> Where:
    return delivery.destination, delivery.artifact.tag, delivery.artifact.manifest.digest


def _tell(delivery: Delivery, account: Account, reporter: Reporter, *, added: bool) -> None:
    destination, artifact = delivery.destination, delivery.artifact
    digest = artifact.manifest.digest
    location = Reference(destination, artifact.tag) if artifact.tag else Reference(destination, digest=digest)
    source = None if artifact.made else Reference(artifact.origin, digest=digest)
    report = ArtifactReport(artifact.root, artifact.subject, artifact.type, location, source, added)
    blobs = frozenset(blob.digest for each in (artifact.manifest, *artifact.parts) for blob in each.blobs)
    account.attached(report, blobs)
    reporter.emit(ArtifactStored(artifact.subject, artifact.type, location, present=not added))


def _present(deliveries: Sequence[Delivery], transport: Transport, waves: Waves) -> set[Delivery]:
    """What is listed at its destination already, or is in the image under its tag there."""
    places = list(dict.fromkeys((each.destination, each.artifact.subject, each.artifact.tag) for each in deliveries))

    def look(place: tuple[Repository, Digest, str]) -> tuple[frozenset[Digest], Manifest | None]:
        repository, subject, tag = place
        if tag:
            return frozenset(), under_tag(repository, tag, transport)
        source = transport.source(repository)
        listed = source.referrers(subject, "") if isinstance(source, ReferrerLister) else ()
        return frozenset(entry.digest for entry in listed), None

    there = dict(zip(places, waves.map(look, places), strict=True))

    def is_there(delivery: Delivery) -> bool:
        artifact = delivery.artifact
        listed, tagged = there[delivery.destination, artifact.subject, artifact.tag]
        if artifact.tag:
            return tagged is not None and _layers(artifact.manifest) <= _layers(tagged)
        return artifact.manifest.digest in listed

    return {each for each in deliveries if is_there(each)}


def _children(delivery: Delivery) -> list[Child]:
    artifact = delivery.artifact
    manifests = (*artifact.parts, artifact.manifest)
    return [Child(delivery.destination, artifact.origin, each, artifact.made) for each in manifests]


def _stages(deliveries: Sequence[Delivery]) -> tuple[list[Child], list[Child]]:
    """What is pushed by digest: the parts of indexes, then everything else."""
    children = [(_children(each), each.artifact.tag) for each in deliveries]
    parts = [part for (*parts, _), _ in children for part in parts]
    whole = [child for (*_, child), tag in children if not tag]
    return list(_unique(parts)), list(_unique(whole))


def _unique(children: Iterable[Child]) -> Iterable[Child]:
    return {(each.destination, each.manifest.digest): each for each in children}.values()


def _tag(
    deliveries: Sequence[Delivery], transport: Transport, waves: Waves, sleep: Callable[[float], None]
) -> frozenset[Where]:
    """Write the tags; gives what was missing under which of them."""
    places: dict[tuple[Repository, str], list[Manifest]] = {}
    for each in deliveries:
        places.setdefault((each.destination, each.artifact.tag), []).append(each.artifact.manifest)

    def write(place: _Place) -> tuple[list[Where], float]:
        current = under_tag(place.repository, place.tag, transport)
        missing = [each for each in place.manifests if current is None or not _layers(each) <= _layers(current)]
        took = _write(place, current, missing, transport) if missing else 0.0
        return [(place.repository, place.tag, each.digest) for each in missing], took

    wanted = [_Place(*place, tuple(manifests)) for place, manifests in places.items()]
    return frozenset(
        write_until_kept(wanted, write, lambda place: Reference(place.repository, place.tag), waves, sleep)
    )


def _write(place: _Place, current: Manifest | None, missing: Sequence[Manifest], transport: Transport) -> float:
    """Move a tag to an image that has what is missing, too; gives what `replace` gives."""
    destination = transport.destination(place.repository)
    joined, config = current, b""
    for each in missing:
        if joined is None or _layers(joined) <= _layers(each):
            joined = each
            continue
        known = _layers(joined)
        try:
            joined, config = with_layers(joined, [layer for layer in each.layers if _identity(layer) not in known])
        except ValueError as error:
            raise RegistryError(
                "what is attached cannot be added to what is there",
                where=str(Reference(place.repository, place.tag)),
                why=str(error),
                hint="delete that tag, if nothing needs it, or leave what is attached behind with `referrers: skip`",
            ) from None
        destination.push_blob(joined.blobs[0], MadeContent(config), None)
    if joined is None:
        return 0.0
    destination.push_manifest(joined)
    return replace(destination, joined, place.tag, current.digest if current else None)


def _layers(manifest: Manifest) -> frozenset[tuple[Digest, tuple[tuple[str, str], ...]]]:
    return frozenset(map(_identity, manifest.layers))


def _identity(layer: Descriptor) -> tuple[Digest, tuple[tuple[str, str], ...]]:
    """What makes a layer another one; signatures of one payload differ in their annotations only."""
    return layer.digest, tuple(sorted(layer.annotations.items()))
