"""Checking what a reference leads to: whether it and every instance is signed, in every form asked for."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from manifest_action.errors import ContentError, ResolveError, SigningError
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.platform import Platform
from manifest_action.model.reference import Reference, Repository
from manifest_action.ops.instance import AssembledIndex
from manifest_action.ops.signatures import Signers, requests
from manifest_action.ops.simple import SimpleStore, store_to_read, store_to_write
from manifest_action.ops.waves import Waves
from manifest_action.signing.attachment import CONTENT_LIMIT, attachment_tag
from manifest_action.signing.base import Held, Kind, Verifier
from manifest_action.signing.envelope import ARTIFACT_TYPE
from manifest_action.signing.gpg_signer import GpgVerifier
from manifest_action.signing.payload import BUNDLE
from manifest_action.signing.registriesd import NOWHERE, Registries
from manifest_action.transport.base import ReferrerLister, Source, Transport
from manifest_action.transport.verify import read_blob

_SIGNATURES_READ = 100
_FAULTS_SHOWN = 3


class _Look(Protocol):
    """Finds where the simple signatures of an image are, for readers or for writers."""

    def __call__(self, image: Reference, digest: Digest, /, *, lookaside: str) -> SimpleStore | None:
        """See `ops.simple`."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was checked. platform: None for the index itself; fault: why it failed, empty when it is good."""

    digest: Digest
    platform: Platform | None
    kind: Kind
    fault: str


def verify(
    reference: Reference,
    transport: Transport,
    jobs: int,
    verifiers: Sequence[Verifier],
    *,
    recursive: bool,
    registries: Registries = NOWHERE,
) -> tuple[Check, ...]:
    """The checks of what is under a reference and (recursive) of its instances, in their order.

    For each verifier one signature that it finds good is enough. Raises what the transport raises.
    """
    source = transport.source(reference.repository)
    manifest = source.resolve(reference.selector)
    subjects = [(manifest.digest, None), *((entry.digest, entry.platform) for entry in manifest.entries if recursive)]

    look = partial(store_to_read, transport, registries=registries)

    def check(wanted: tuple[tuple[Digest, Platform | None], Verifier]) -> Check:
        (digest, platform), verifier = wanted
        fault = _verdict(verifier, digest, reference.repository, transport, look)
        return Check(digest, platform, verifier.kind, fault)

    with Waves(jobs) as waves:
        checks = waves.map(check, [(subject, each) for subject in dict.fromkeys(subjects) for each in verifiers])
    return tuple(checks)


def verify_signed(
    indexes: Sequence[AssembledIndex],
    signers: Signers,
    transport: Transport,
    waves: Waves,
    registries: Registries = NOWHERE,
) -> None:
    """Read back what a run has signed, as a reader would. Raises SigningError for the first that is not good."""
    look = partial(store_to_write, transport, registries=registries)

    def check(wanted: tuple[Repository, Digest, Verifier]) -> None:
        repository, digest, verifier = wanted
        fault = _verdict(verifier, digest, repository, transport, look)
        if fault:
            raise SigningError(
                f"the signature that was stored cannot be verified ({verifier.kind})",
                where=f"{repository}@{digest}",
                why=fault,
                hint="the registry, or another job, changes what is stored there; run it again",
            )

    wanted = [
        (request.repository, request.subject.digest, verifier)
        for signer, request in requests(indexes, signers)
        for verifier in signer.verifiers()
    ]
    waves.map(check, wanted)


def _verdict(verifier: Verifier, digest: Digest, repository: Repository, transport: Transport, look: _Look) -> str:
    """Nothing when one signature is good, else what is wrong with those that there are.

    look: finds where simple signatures are
    """
    found: dict[str, None] = {}
    if isinstance(verifier, GpgVerifier):
        kept = _simple(look(Reference(repository, digest=digest), digest, lookaside=verifier.lookaside))
    else:
        kept = _HELD[verifier.kind](transport.source(repository), repository, digest)
    for held in kept:
        fault = held if isinstance(held, str) else verifier.fault(held, digest, repository)
        if not fault:
            return ""
        found[fault] = None
    return "; ".join(list(found)[:_FAULTS_SHOWN]) or "there is no signature"


def _simple(store: SimpleStore | None) -> Iterator[Held | str]:
    """The simple signatures of an image."""
    return (Held(content) for content in (store.read() if store else ()))


def _attachments(source: Source, repository: Repository, digest: Digest) -> Iterator[Held | str]:
    """The layers under the `.sig` tag; a text where one cannot be read, which says why."""
    try:
        layers = source.resolve(attachment_tag(digest)).layers[:_SIGNATURES_READ]
    except ResolveError:
        return
    for layer in layers:
        yield _read(source, repository, layer)


def _bundles(source: Source, repository: Repository, digest: Digest) -> Iterator[Held | str]:
    """The bundles among the referrers, as `_attachments`."""
    listed = source.referrers(digest, BUNDLE) if isinstance(source, ReferrerLister) else ()
    for entry in listed[:_SIGNATURES_READ]:
        try:
            layers = source.resolve(str(entry.digest)).layers
        except (ResolveError, ContentError) as error:
            yield error.what
        else:
            yield from (_read(source, repository, layer) for layer in layers if layer.media_type == BUNDLE)


def _envelopes(source: Source, repository: Repository, digest: Digest) -> Iterator[Held | str]:
    """The Notary Project's envelopes among the referrers, as `_attachments`."""
    listed = source.referrers(digest, ARTIFACT_TYPE) if isinstance(source, ReferrerLister) else ()
    for entry in listed[:_SIGNATURES_READ]:
        try:
            manifest = source.resolve(str(entry.digest))
        except (ResolveError, ContentError) as error:
            yield error.what
        else:
            config = manifest.config.media_type if manifest.config else ""
            if ARTIFACT_TYPE in (manifest.artifact_type, config):
                yield from (_read(source, repository, layer) for layer in manifest.layers)


def _read(source: Source, repository: Repository, layer: Descriptor) -> Held | str:
    try:
        return Held(read_blob(source, layer, CONTENT_LIMIT, f"{repository}@{layer.digest}"), layer)
    except (ResolveError, ContentError) as error:
        return error.what


_HELD: dict[Kind, Callable[[Source, Repository, Digest], Iterator[Held | str]]] = {
    Kind.COSIGN_BUNDLE: _bundles,
    Kind.COSIGN_TAG: _attachments,
    Kind.KEYLESS: _bundles,
    Kind.NOTATION: _envelopes,
}
