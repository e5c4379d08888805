"""Whether an image meets what a policy requires of it. The decisions are pure; reading is done by `Evidence`."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, assert_never

from manifest_action.model.digest import Digest
from manifest_action.model.reference import Reference
from manifest_action.signing.policy.requirements import (
    AcceptAnything,
    Certifier,
    Keys,
    Reject,
    Requirement,
    SignedBy,
    SigstoreSigned,
)
from manifest_action.signing.simplesigning import Statement, read_gpg_payload, read_sigstore_payload

_REASONS = 3
_NO_SIGNATURE = "a signature is required, and there is none"

Claim = Callable[[], Statement]
"""Gives what a signature says, after it was verified; ValueError when it is no good."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An image that is to be used: its digest, and the name it goes by (see `identity.image_identity`)."""

    digest: Digest
    name: Reference | None


@dataclass(frozen=True, slots=True)
class SigstoreSignature:
    """A payload, and a signature that is said to be over it; what is not there is empty.

    certificate: of the signer, PEM
    chain:       the certificates from there up to an authority, PEM
    promise:     of a transparency log, JSON
    """

    payload: bytes
    signature: bytes
    certificate: str = ""
    chain: str = ""
    promise: str = ""


class Evidence(Protocol):
    """The signatures of one image, read when they are asked for, and the means to verify them."""

    def simple_signatures(self) -> Iterable[bytes]:
        """GPG signatures, as they are stored."""

    def sigstore_signatures(self) -> Iterable[SigstoreSignature]:
        """Sigstore signatures."""

    def opened(self, keys: Keys, signed: bytes, /) -> bytes:
        """The payload of a GPG signature by one of the keys; ValueError when it is no such thing."""

    def verified(self, keys: Keys, logs: Keys, signature: SigstoreSignature, /) -> bytes:
        """The payload of a sigstore signature by one of the keys; ValueError when it is no such thing.

        logs: where there are any, one of them must have it
        """

    def certified(self, certifier: Certifier, logs: Keys, signature: SigstoreSignature, /) -> bytes:
        """The same of one by a key that was certified, when a log has it that it was."""


def shortfall(requirement: Requirement, image: Candidate, evidence: Evidence) -> str:
    """Why an image does not meet a requirement; empty when it does. One good signature is enough."""
    match requirement:
        case AcceptAnything():
            return ""
        case Reject():
            return "images of this scope are rejected"
        case SignedBy():
            return _unsigned(requirement, image, _gpg_claims(requirement.keys, evidence))
        case SigstoreSigned(unchecked=()):
            return _unsigned(requirement, image, _sigstore_claims(requirement, evidence))
        case SigstoreSigned():
            return f"{' and '.join(requirement.unchecked)} cannot be checked by this version"
    assert_never(requirement)


def _gpg_claims(keys: Keys, evidence: Evidence) -> Iterator[Claim]:
    def claim(signed: bytes) -> Statement:
        return read_gpg_payload(evidence.opened(keys, signed))

    return (partial(claim, signed) for signed in evidence.simple_signatures())


def _sigstore_claims(requirement: SigstoreSigned, evidence: Evidence) -> Iterator[Claim]:
    def claim(signature: SigstoreSignature) -> Statement:
        if requirement.certifier:
            return read_sigstore_payload(evidence.certified(requirement.certifier, requirement.logs, signature))
        return read_sigstore_payload(evidence.verified(requirement.keys, requirement.logs, signature))

    return (partial(claim, signature) for signature in evidence.sigstore_signatures())


def _unsigned(requirement: SignedBy | SigstoreSigned, image: Candidate, claims: Iterator[Claim]) -> str:
    """Why none of the signatures is good enough; empty when one is."""
    reasons: list[str] = []
    for claim in claims:
        try:
            reason = _objection(requirement, image, claim())
        except ValueError as error:
            reason = str(error)
        if not reason:
            return ""
        reasons.append(reason)
    return _joined(reasons) if reasons else _NO_SIGNATURE


def _objection(requirement: SignedBy | SigstoreSigned, image: Candidate, statement: Statement) -> str:
    if statement.digest != image.digest:
        return f"a good signature is about another image, {statement.digest}"
    if not requirement.identity.accepts(image.name, statement.identity):
        rule = type(requirement.identity).__name__
        rule = rule[0].lower() + rule[1:]
        return f"a good signature is for {statement.identity}, which {rule} does not accept for {image.name or 'it'}"
    return ""


def _joined(reasons: Sequence[str]) -> str:
    unique = list(dict.fromkeys(reasons))
    more = f"; and {len(unique) - _REASONS} more" if len(unique) > _REASONS else ""
    return "; ".join(unique[:_REASONS]) + more
