"""Signing what is pushed, before any tag moves: referrers, layers under `.sig` tags, and simple signatures.

Signatures are made, and their blobs sent, while what they are about is on its way; they are put in place after it.
Signatures that are there already are left alone, whoever wrote them. No registry offers to replace a tag only if it
has not changed, so a `.sig` tag is read again after it was written, and written again when others were faster.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from manifest_action.errors import SigningError
from manifest_action.events import Reporter, SignatureStored
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.reference import Reference, Repository
from manifest_action.ops.bundles import equal_referrer, recognised
from manifest_action.ops.instance import AssembledIndex
from manifest_action.ops.listing import list_referrers
from manifest_action.ops.outcome import SignatureReport
from manifest_action.ops.sendings import Kept, send, wanted_blobs
from manifest_action.ops.signatures import Attached, Made, Signers, by_form, new_subjects, requests
from manifest_action.ops.sigtags import Addition, addition, keep, look, write
from manifest_action.ops.simple import SimpleStore, store_to_write
from manifest_action.ops.waves import Waves
from manifest_action.plan.plan import Plan
from manifest_action.plan.spec import SignerSpec
from manifest_action.signing.base import Recogniser, Referrer, Signature, Signer, SignRequest, SimpleSignature
from manifest_action.signing.registriesd import Registries
from manifest_action.transport.base import Transport

_BYTES = "application/octet-stream"
Wanted = tuple[Signer, SignRequest]


@dataclass(frozen=True, slots=True)
class Prepared:
    """Signatures that were made, and what is to be written for them; both wait until that is known and the blobs sent.

    referrers: every bundle and its like, with the manifest of an equal one that is listed already
    additions: what is missing under the tags of `attached`
    """

    referrers: Callable[[], Sequence[tuple[Made[Referrer], Digest | None]]]
    attached: Sequence[Attached]
    additions: Callable[[], Sequence[Addition]]
    simple: Sequence[Sequence[Made[SimpleSignature]]]


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


def prepare(
    wanted: Sequence[Wanted], new: frozenset[tuple[Repository, Digest]], transport: Transport, waves: Waves
) -> Prepared:
    """Sign, look for what is signed already, and send the blobs of the rest; nothing refers to them yet.

    So this can be done while the subjects are on their way.

    new: subjects that are probably not signed yet; their blobs are sent while that is looked at

    Raises SigningError when a key refuses, and what the transports raise.
    """
    forms = by_form(waves.map(lambda each: _made_or_known(*each, transport), wanted))
    place = (new, transport, waves)
    referrers = waves.aside(lambda: _prepared_referrers(forms.referrers, *place))
    return Prepared(referrers, forms.attached, waves.aside(lambda: _additions(forms.attached, *place)), forms.simple)


class Preparation:
    """Signing as early as can be. A signer that leaves a trace elsewhere waits until its subjects are in place."""

    def __init__(self, indexes: Sequence[AssembledIndex], signers: Signers, transport: Transport, waves: Waves) -> None:
        self._transport = transport
        self._waves = waves
        self._new = new_subjects(indexes)
        wanted = requests(indexes, signers)
        self._early = [each for each in wanted if not isinstance(each[0], Recogniser)]
        self._late = [each for each in wanted if isinstance(each[0], Recogniser)]
        self._begun: Callable[[], Prepared | None] = lambda: None

    def begin(self, travelling: Callable[[], Sequence[object]]) -> None:
        """Begin beside what is going on.

        travelling: what comes along from elsewhere; if that is anything, the signatures looked for may be among it
        """
        self._begun = self._waves.aside(lambda: None if travelling() else self._prepare(self._early))

    def finish(self) -> Prepared:
        """What was prepared, now that everything is in place. Errors as `prepare`."""
        early = self._begun() or self._prepare(self._early)
        return _together(early, self._prepare(self._late)) if self._late else early

    def _prepare(self, wanted: Sequence[Wanted]) -> Prepared:
        return prepare(wanted, self._new, self._transport, self._waves)


def sign(
    prepared: Prepared,
    transport: Transport,
    waves: Waves,
    reporter: Reporter,
    *,
    record: Callable[[SignatureReport], None],
    registries: Registries,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """See that every repository keeps the signatures that were prepared; their subjects are there.

    record: is told of every signature that is in place, so that a run that fails later can say so
    registries: where lookasides are

    Raises RegistryError when others overwrite a tag again and again, and what the transports raise.
    """

    def stored(signature: Signature, location: Reference, address: str = "", *, added: bool) -> None:
        digest, kind = signature.subject.digest, signature.kind.value
        record(SignatureReport(digest, kind, location, signature.identity, signature.author, added, address))
        reporter.emit(SignatureStored(digest, kind, location, present=not added, address=address))

    def refer(pairs: Sequence[tuple[Made[Referrer], Digest | None]]) -> None:
        new = [(made.repository, made.artefact.manifest) for made, found in pairs if found is None]
        waves.map(lambda each: transport.destination(each[0]).push_manifest(each[1]), new)
        list_referrers(new, transport, waves, sleep=sleep)
        for made, found in pairs:
            location = Reference(made.repository, digest=found or made.artefact.manifest.digest)
            stored(made.signature, location, added=found is None)

    def lay_aside(several: Sequence[Made[SimpleSignature]]) -> None:
        for made in several:
            digest = made.signature.subject.digest
            location = Reference(made.repository, digest=digest)
            given = made.artefact.lookaside
            store = store_to_write(transport, location, digest, registries=registries, lookaside=given)
            address = _lay_aside(made, store)
            stored(made.signature, location, address or "", added=address is not None)

    # Both wait a moment for others who may write the same tags; they do it at the same time.
    referred = waves.aside(lambda: refer(prepared.referrers()))
    additions = prepared.additions()
    took = waves.map(lambda each: write(each, transport), additions)
    waves.map(lay_aside, prepared.simple)
    added = keep(additions, max(took, default=0.0), transport, waves, sleep)
    for place in prepared.attached:
        for each in place.made:
            stored(each.signature, Reference(place.repository, place.tag), added=each.signature in added)
    referred()


def _together(one: Prepared, other: Prepared) -> Prepared:
    return Prepared(
        lambda: (*one.referrers(), *other.referrers()),
        (*one.attached, *other.attached),
        lambda: (*one.additions(), *other.additions()),
        (*one.simple, *other.simple),
    )


def _made_or_known(
    signer: Signer, request: SignRequest, transport: Transport
) -> tuple[Signer, SignRequest, Sequence[Signature]]:
    """Every signature over a subject, new ones only where those that are there are not as good."""
    known = recognised(signer, request, transport) if isinstance(signer, Recogniser) else None
    return signer, request, [known] if known else signer.sign(request)


def _prepared_referrers(
    made: Sequence[Made[Referrer]], new: frozenset[tuple[Repository, Digest]], transport: Transport, waves: Waves
) -> list[tuple[Made[Referrer], Digest | None]]:
    likely = [_kept(each) for each in made if (each.repository, each.signature.subject.digest) in new]
    with _sending(likely, transport, waves) as needed:
        found = waves.map(lambda each: equal_referrer(each, transport), made)
        needed.extend(_kept(each) for each, equal in zip(made, found, strict=True) if equal is None)
    return list(zip(made, found, strict=True))


def _additions(
    places: Sequence[Attached], new: frozenset[tuple[Repository, Digest]], transport: Transport, waves: Waves
) -> list[Addition]:
    likely = [addition(each, None, each.made).kept for each in places if (each.repository, each.subject) in new]
    with _sending(likely, transport, waves) as needed:
        found = [each for each in waves.map(lambda place: look(place, transport), places) if each is not None]
        needed.extend(each.kept for each in found)
    return found


@contextmanager
def _sending(likely: Iterable[Kept], transport: Transport, waves: Waves) -> Iterator[list[Kept]]:
    """Send the blobs of what is likely to be needed while it is found out what is, and then the others.

    Gives the list that is to be filled with that.
    """
    ahead = wanted_blobs(likely)
    sent = waves.aside(lambda: waves.map(lambda blob: send(*blob, transport), ahead.values()))
    needed: list[Kept] = []
    yield needed
    sent()
    rest = [blob for key, blob in wanted_blobs(needed).items() if key not in ahead]
    waves.map(lambda blob: send(*blob, transport), rest)


def _kept(made: Made[Referrer]) -> Kept:
    return made.repository, made.artefact.manifest, made.artefact.blobs


def _lay_aside(made: Made[SimpleSignature], store: SimpleStore) -> str | None:
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
