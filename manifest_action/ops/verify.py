"""Checking what a reference leads to: whether it and every instance is signed with a key, in every form asked for."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from manifest_action.errors import ContentError, ResolveError, SigningError
from manifest_action.model.digest import Digest
from manifest_action.model.platform import Platform
from manifest_action.model.reference import Reference, Repository
from manifest_action.ops.outcome import SignatureReport
from manifest_action.ops.waves import Waves
from manifest_action.signing.attachment import CONTENT_LIMIT, attachment_tag
from manifest_action.signing.base import Kind, PublicKey
from manifest_action.signing.keys import load_public_key
from manifest_action.signing.payload import BUNDLE
from manifest_action.signing.verification import attachment_fault, bundle_fault
from manifest_action.transport.base import ReferrerLister, Source, Transport
from manifest_action.transport.verify import read_blob

_SIGNATURES_READ = 100
_FAULTS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was checked. platform: None for the index itself; fault: why it failed, empty when it is good."""

    digest: Digest
    platform: Platform | None
    kind: Kind
    fault: str


def verify(
    reference: Reference, transport: Transport, jobs: int, key: PublicKey, kinds: Sequence[Kind], *, recursive: bool
) -> tuple[Check, ...]:
    """The checks of what is under a reference and (recursive) of its instances, in their order.

    A signature is good when it was made with `key` over the digest and, where it names a repository, over this one;
    one good signature of each kind is enough. Raises what the transport raises.
    """
    source = transport.source(reference.repository)
    manifest = source.resolve(reference.selector)
    subjects = [(manifest.digest, None), *((entry.digest, entry.platform) for entry in manifest.entries if recursive)]

    def check(wanted: tuple[tuple[Digest, Platform | None], Kind]) -> Check:
        (digest, platform), kind = wanted
        faults = _FAULTS[kind](source, reference.repository, digest, key)
        return Check(digest, platform, kind, _verdict(faults))

    with Waves(jobs) as waves:
        checks = waves.map(check, [(subject, kind) for subject in dict.fromkeys(subjects) for kind in kinds])
    return tuple(checks)


def verify_signed(signatures: Sequence[SignatureReport], transport: Transport, waves: Waves) -> None:
    """Read back what a run has signed, as a reader would. Raises SigningError for the first that is not good."""

    def check(wanted: tuple[Repository, Digest, str, str]) -> None:
        repository, digest, kind, pem = wanted
        key = load_public_key(pem.encode(), "public key")
        fault = _verdict(_FAULTS[Kind(kind)](transport.source(repository), repository, digest, key))
        if fault:
            raise SigningError(
                f"the signature that was stored cannot be verified ({kind})",
                where=f"{repository}@{digest}",
                why=fault,
                hint="the registry, or another job, changes what is stored there; run it again",
            )

    waves.map(check, dict.fromkeys((s.location.repository, s.subject, s.kind, s.public_key) for s in signatures))


def _verdict(faults: Iterator[str]) -> str:
    """Nothing when one signature is good, else what is wrong with those that there are."""
    found: dict[str, None] = {}
    for fault in faults:
        if not fault:
            return ""
        found[fault] = None
    return "; ".join(list(found)[:_FAULTS_SHOWN]) or "there is no signature"


def _attachment_faults(source: Source, repository: Repository, digest: Digest, key: PublicKey) -> Iterator[str]:
    try:
        layers = source.resolve(attachment_tag(digest)).layers[:_SIGNATURES_READ]
    except ResolveError:
        return
    for layer in layers:
        try:
            content = read_blob(source, layer, CONTENT_LIMIT, f"{repository}@{layer.digest}")
        except (ResolveError, ContentError) as error:
            yield error.what
        else:
            yield attachment_fault(layer, content, digest, str(repository), key)


def _bundle_faults(source: Source, repository: Repository, digest: Digest, key: PublicKey) -> Iterator[str]:
    listed = source.referrers(digest, BUNDLE) if isinstance(source, ReferrerLister) else ()
    for entry in listed[:_SIGNATURES_READ]:
        try:
            layers = source.resolve(str(entry.digest)).layers
            contents = [
                read_blob(source, layer, CONTENT_LIMIT, f"{repository}@{layer.digest}")
                for layer in layers
                if layer.media_type == BUNDLE
            ]
        except (ResolveError, ContentError) as error:
            yield error.what
        else:
            yield from (bundle_fault(content, digest, key) for content in contents)


_FAULTS: dict[Kind, Callable[[Source, Repository, Digest, PublicKey], Iterator[str]]] = {
    Kind.COSIGN_BUNDLE: _bundle_faults,
    Kind.COSIGN_TAG: _attachment_faults,
}
