"""Signing what was pushed, before any tag moves: referrers, layers under `.sig` tags, and simple signatures.

Signatures that are there already are left alone, whoever wrote them. No registry offers to replace a tag only if it
has not changed, so a `.sig` tag is read again after it was written, and written again when others were faster.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from manifest_action.errors import ContentError, RegistryError, ResolveError, SigningError
from manifest_action.events import Reporter, SignatureStored
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import Reference, Repository
from manifest_action.ops.copy import MadeContent
from manifest_action.ops.instance import AssembledIndex
from manifest_action.ops.merging import replace as replace_tag
from manifest_action.ops.merging import settle, write_until_kept
from manifest_action.ops.outcome import SignatureReport
from manifest_action.ops.simple import SimpleStore, store_to_write
from manifest_action.ops.waves import Waves
from manifest_action.plan.plan import Plan
from manifest_action.plan.spec import IndexSpec, SignerSpec
from manifest_action.signing.attachment import CONTENT_LIMIT, with_attachments
from manifest_action.signing.base import (
    Attachment,
    Recogniser,
    Referrer,
    Signature,
    Signer,
    SignRequest,
    SimpleSignature,
)
from manifest_action.signing.payload import BUNDLE
from manifest_action.signing.registriesd import Registries
from manifest_action.transport.base import ReferrerLister, TagReplacer, Transport, Uploader
from manifest_action.transport.verify import read_blob

Signers = Mapping[SignerSpec, Signer]
_Kept = tuple[Repository, Manifest, Mapping[Digest, bytes]]
"""A manifest for a repository, and those of its blobs that are new."""
Form = TypeVar("Form", Attachment, Referrer, SimpleSignature)

_BUNDLES_READ = 100
_BYTES = "application/octet-stream"
NOWHERE = Registries()
"""No lookaside is known."""


@dataclass(frozen=True, slots=True)
class _Made(Generic[Form]):
    """A signature in the form in which a repository keeps it, and who made it."""

    repository: Repository
    signer: Signer
    signature: Signature
    artefact: Form


@dataclass(frozen=True, slots=True)
class _Attached:
    """All layers for one `.sig` tag."""

    repository: Repository
    tag: str
    made: tuple[_Made[Attachment], ...]


@dataclass(frozen=True, slots=True)
class _Sorted:
    """Signatures by their form."""

    referrers: Sequence[_Made[Referrer]]
    attached: Sequence[_Attached]
    simple: Sequence[Sequence[_Made[SimpleSignature]]]
    """Those over one image together, so that no two threads look for a free place at once."""


@dataclass(frozen=True, slots=True)
class _Addition:
    """What is missing under a `.sig` tag that pointed to `current`, and the image (with its new blobs) that has it."""

    place: _Attached
    current: Digest | None
    missing: tuple[_Made[Attachment], ...]
    manifest: Manifest
    blobs: Mapping[Digest, bytes]

    @property
    def kept(self) -> _Kept:
        """What is sent for it."""
        return self.place.repository, self.manifest, self.blobs


def open_signers(plan: Plan, opening: Callable[[SignerSpec], Signer]) -> Signers:
    """The signers that a plan needs, each once. Raises SigningError with the place in the spec."""
    signers: dict[SignerSpec, Signer] = {}
    for wanted in dict.fromkeys(signer for spec in plan.indexes for signer in spec.sign):
        try:
            signers[wanted] = opening(wanted)
        except SigningError as error:
            error.mark = error.mark or wanted.mark
            raise
    return signers


def sign(
    indexes: Sequence[AssembledIndex],
    signers: Signers,
    transport: Transport,
    waves: Waves,
    reporter: Reporter,
    *,
    record: Callable[[SignatureReport], None],
    registries: Registries = NOWHERE,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """See that every repository holds a signature for everything that is to be signed there.

    record: is told of every signature that is in place, so that a run that fails later can say so
    registries: where lookasides are

    Raises SigningError when a key refuses, or others overwrite a tag again and again, and what the transports raise.
    """

    def stored(signature: Signature, location: Reference, address: str = "", *, added: bool) -> None:
        digest, kind = signature.subject.digest, signature.kind.value
        record(SignatureReport(digest, kind, location, signature.identity, signature.author, added, address))
        reporter.emit(SignatureStored(digest, kind, location, present=not added, address=address))

    def refer(item: tuple[_Made[Referrer], Digest | None]) -> None:
        made, found = item
        if found is None:
            transport.destination(made.repository).push_manifest(made.artefact.manifest)
        location = Reference(made.repository, digest=found or made.artefact.manifest.digest)
        stored(made.signature, location, added=found is None)

    def lay_aside(several: Sequence[_Made[SimpleSignature]]) -> None:
        for made in several:
            digest = made.signature.subject.digest
            location = Reference(made.repository, digest=digest)
            given = made.artefact.lookaside
            store = store_to_write(transport, location, digest, registries=registries, lookaside=given)
            address = _lay_aside(made, store)
            stored(made.signature, location, address or "", added=address is not None)

    forms = _by_form(waves.map(lambda wanted: _made_or_known(*wanted, transport), requests(indexes, signers)))
    pairs, additions = _looked(forms, transport, waves)
    bundles = [(made.repository, made.artefact.manifest, made.artefact.blobs) for made, found in pairs if not found]
    _send([*bundles, *(addition.kept for addition in additions)], transport, waves)
    _, took = waves.both(refer, pairs, lambda addition: _write(addition, transport), additions)
    waves.map(lay_aside, forms.simple)
    added = _settle(additions, max(took, default=0.0), transport, waves, sleep)
    for place in forms.attached:
        for each in place.made:
            stored(each.signature, Reference(place.repository, place.tag), added=each.signature in added)


def _made_or_known(
    signer: Signer, request: SignRequest, transport: Transport
) -> tuple[Signer, SignRequest, Sequence[Signature]]:
    """Every signature over a subject, new ones only where those that are there are not as good."""
    known = _recognised(signer, request, transport) if isinstance(signer, Recogniser) else None
    return signer, request, [known] if known else signer.sign(request)


def _looked(
    forms: _Sorted, transport: Transport, waves: Waves
) -> tuple[list[tuple[_Made[Referrer], Digest | None]], list[_Addition]]:
    """Every referrer with an equal one that is there already, and what is missing under `.sig` tags; in one wave."""
    found, looked = waves.both(
        lambda made: _equal_referrer(made, transport),
        forms.referrers,
        lambda place: _look(place, transport),
        forms.attached,
    )
    additions = [addition for addition in looked if addition is not None]
    return list(zip(forms.referrers, found, strict=True)), additions


def signed_digests(index: AssembledIndex) -> frozenset[Digest]:
    """What is signed of an index: itself, and its instances if any of its signers is recursive."""
    return frozenset(subject.digest for signer in index.spec.sign for subject in _subjects(index, signer))


def requests(indexes: Iterable[AssembledIndex], signers: Signers) -> list[tuple[Signer, SignRequest]]:
    """One for each signer, repository and digest, with all the names that the digest has there through its tags."""
    found: dict[tuple[SignerSpec, Repository, Digest], SignRequest] = {}
    for index in indexes:
        for signer in index.spec.sign:
            for repository in index.spec.repositories:
                for subject in _subjects(index, signer):
                    new = SignRequest(repository, subject, _identities(index.spec, repository, subject.digest))
                    old = found.get((signer, repository, subject.digest), new)
                    names = tuple(dict.fromkeys((*old.identities, *new.identities)))
                    found[signer, repository, subject.digest] = replace(old, identities=names)
    return [(signers[signer], request) for (signer, _, _), request in found.items()]


def _subjects(index: AssembledIndex, signer: SignerSpec) -> Iterator[Descriptor]:
    yield index.manifest.descriptor
    for instance in index.instances if signer.recursive else ():
        found = instance.descriptor
        yield Descriptor(found.media_type, found.digest, found.size)


def _identities(spec: IndexSpec, repository: Repository, digest: Digest) -> tuple[str, ...]:
    """`repository:tag` for every tag; without one the digest, since readers accept no bare repository."""
    names = tuple(f"{repository}:{tag.tag}" for tag in spec.tags if tag.repository == repository)
    return names or (f"{repository}@{digest}",)


def _by_form(made: Iterable[tuple[Signer, SignRequest, Sequence[Signature]]]) -> _Sorted:
    """The signatures by their form; attachments by the tag they go under, so that no two threads write the same."""
    referrers: list[_Made[Referrer]] = []
    places: dict[tuple[Repository, str], list[_Made[Attachment]]] = {}
    simple: dict[tuple[Repository, Digest], list[_Made[SimpleSignature]]] = {}
    for signer, request, signatures in made:
        for signature in signatures:
            artefact = signature.artefact
            if isinstance(artefact, Referrer):
                referrers.append(_Made(request.repository, signer, signature, artefact))
            elif isinstance(artefact, SimpleSignature):
                aside = _Made(request.repository, signer, signature, artefact)
                simple.setdefault((request.repository, request.subject.digest), []).append(aside)
            else:
                new = _Made(request.repository, signer, signature, artefact)
                places.setdefault((request.repository, artefact.tag), []).append(new)
    attached = [_Attached(*place, tuple(layers)) for place, layers in places.items()]
    return _Sorted(referrers, attached, list(simple.values()))


def _lay_aside(made: _Made[SimpleSignature], store: SimpleStore) -> str | None:
    """Keep a signature unless an equal one is kept already; its address, None when nothing was to be done."""
    if any(made.signer.repeats(made.signature, _described(content), content) for content in store.read()):
        return None
    content = made.artefact.content
    address = store.add(content)
    if content not in store.read():
        raise SigningError(
            "the signature that was stored is not there",
            where=address or f"{made.repository}@{made.signature.subject.digest}",
            hint="something else deletes or overwrites signatures there; run it again",
        )
    return address


def _described(content: bytes) -> Descriptor:
    """A simple signature as `Signer.repeats` wants it: nothing but the bytes says anything about it."""
    return Descriptor(_BYTES, Digest.of(content), len(content))


def _equal_referrer(made: _Made[Referrer], transport: Transport) -> Digest | None:
    """The manifest of an equal signature that the repository lists already."""
    manifest, subject = made.artefact.manifest, made.signature.subject.digest
    listed = listed_referrers(made.repository, subject, manifest.artifact_type, transport)
    if any(entry.digest == manifest.digest for entry in listed):
        return manifest.digest
    for kept, layer, content in read_bundles(made.repository, listed, transport):
        if made.signer.repeats(made.signature, layer, content):
            return kept.digest
    return None


def _recognised(signer: Recogniser, request: SignRequest, transport: Transport) -> Signature | None:
    listed = listed_referrers(request.repository, request.subject.digest, BUNDLE, transport)
    for manifest, _, content in read_bundles(request.repository, listed, transport):
        if known := signer.recognised(request, manifest, content):
            return known
    return None


def listed_referrers(
    repository: Repository, subject: Digest, artifact_type: str, transport: Transport
) -> Sequence[Descriptor]:
    """As `ReferrerLister.referrers`; nothing where there is no list."""
    source = transport.source(repository)
    return source.referrers(subject, artifact_type) if isinstance(source, ReferrerLister) else ()


def read_bundles(
    repository: Repository, listed: Sequence[Descriptor], transport: Transport
) -> Iterator[tuple[Manifest, Descriptor, bytes]]:
    """The referrers that have one layer, with that layer and what is in it; those that cannot be read are left out.

    listed: as of `listed_referrers`; the first 100 are looked at
    """
    source = transport.source(repository)
    for entry in listed[:_BUNDLES_READ]:
        try:
            manifest = source.resolve(str(entry.digest))
            (layer,) = manifest.layers
            content = read_blob(source, layer, CONTENT_LIMIT, f"{repository}@{entry.digest}")
        except (ValueError, ResolveError, ContentError):
            continue
        yield manifest, layer, content


def _send(kept: Iterable[_Kept], transport: Transport, waves: Waves) -> None:
    """Send the new blobs of all manifests at once, each once to each repository."""
    wanted = {
        (repository, blob.digest): (repository, blob, content)
        for repository, manifest, blobs in kept
        for blob, content in _new(manifest, blobs)
    }
    waves.map(lambda item: _send_blob(*item, transport), wanted.values())


def _new(manifest: Manifest, blobs: Mapping[Digest, bytes]) -> Iterator[tuple[Descriptor, bytes]]:
    return ((blob, blobs[blob.digest]) for blob in manifest.blobs if blob.digest in blobs)


def _send_blob(repository: Repository, blob: Descriptor, content: bytes, transport: Transport) -> None:
    destination = transport.destination(repository)
    if isinstance(destination, Uploader):
        destination.upload(blob, MadeContent(content))
    else:
        destination.push_blob(blob, MadeContent(content), None)


def _settle(
    additions: Sequence[_Addition], took: float, transport: Transport, waves: Waves, sleep: Callable[[float], None]
) -> frozenset[Signature]:
    """Look at all tags again a moment after they were written, and repeat that for those that others have changed.

    took: seconds that the slowest of them took

    Gives the signatures that were missing.
    """
    if not additions:
        return frozenset()
    settle(1, took, sleep)

    def add(place: _Attached) -> tuple[Sequence[_Made[Attachment]], float]:
        addition = _look(place, transport)
        if addition is None:
            return (), 0.0
        for blob, content in _new(addition.manifest, addition.blobs):
            _send_blob(place.repository, blob, content, transport)
        return addition.missing, _write(addition, transport)

    places = [addition.place for addition in additions]
    again = write_until_kept(places, add, lambda place: Reference(place.repository, place.tag), waves, sleep)
    missing = [each for addition in additions for each in addition.missing]
    return frozenset(each.signature for each in (*missing, *again))


def _look(place: _Attached, transport: Transport) -> _Addition | None:
    """What is missing under a tag; None when all of it is there."""
    current = _current(place, transport)
    missing = tuple(each for each in place.made if not _is_there(each, current))
    if not missing:
        return None
    manifest, blobs = _extended(place, current, [each.artefact for each in missing])
    return _Addition(place, current.digest if current else None, missing, manifest, blobs)


def _write(addition: _Addition, transport: Transport) -> float:
    """Move a tag to the image with the additions; gives what `merging.replace` gives."""
    destination = transport.destination(addition.place.repository)
    if not isinstance(destination, TagReplacer):
        destination.push_manifest(addition.manifest)
    return replace_tag(destination, addition.manifest, addition.place.tag, addition.current)


def _current(place: _Attached, transport: Transport) -> Manifest | None:
    try:
        return transport.source(place.repository).resolve(place.tag)
    except ResolveError:
        return None


def _is_there(made: _Made[Attachment], current: Manifest | None) -> bool:
    content, digest = made.artefact.content, made.artefact.layer.digest
    layers = current.layers if current else ()
    return any(layer.digest == digest and made.signer.repeats(made.signature, layer, content) for layer in layers)


def _extended(
    place: _Attached, current: Manifest | None, attachments: Sequence[Attachment]
) -> tuple[Manifest, Mapping[Digest, bytes]]:
    try:
        return with_attachments(current, attachments)
    except ValueError as error:
        raise RegistryError(
            "the signatures cannot be added to those that are there",
            where=str(Reference(place.repository, place.tag)),
            why=str(error),
            hint="delete that tag, if nothing needs it",
        ) from None
