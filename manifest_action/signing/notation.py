"""Signing with a key and X.509 certificates as notation does it, and judging such signatures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import manifest_action
from manifest_action.errors import SigningError
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.reference import Repository
from manifest_action.signing.base import Author, Held, Kind, Signature, SignRequest, Verifier
from manifest_action.signing.certificates import Chain, algorithm_of, parse_chain
from manifest_action.signing.envelope import (
    JWS,
    Envelope,
    envelope_referrer,
    make_envelope,
    open_envelope,
    sign_with,
)
from manifest_action.signing.keys import open_private_key
from manifest_action.signing.material import Material, unset

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.x509 import Name

_AGENT = f"manifest-action/{manifest_action.__version__}"
_KEYS = "RSA keys of 2048, 3072 and 4096 bits, and ECDSA keys on P-256, P-384 and P-521 are accepted"
_RULES = "see the certificate requirements of the Notary Project's signature specification"


@dataclass(frozen=True, slots=True)
class NotationVerifier:
    """See `base.Verifier`: envelopes whose chain has one of the trusted certificates in it.

    trusted:    certificates in DER
    identities: subjects of which the signing certificate must have all parts of at least one; empty for any
    """

    trusted: frozenset[bytes]
    identities: "tuple[Name, ...]" = field(default=(), hash=False)

    @property
    def kind(self) -> Kind:
        """See `base.Verifier`."""
        return Kind.NOTATION

    def fault(self, held: Held, subject: Digest, repository: Repository, /) -> str:  # noqa: ARG002 - names nothing
        """See `base.Verifier`. Certificates must be valid now, as there is no timestamp that says when it was made."""
        if held.layer is not None and held.layer.media_type != JWS:
            return f"its envelope is a {held.layer.media_type[:100]}, which this version does not read"
        try:
            envelope = open_envelope(held.content)
        except ValueError as error:
            return f"it is not valid: {error}"
        return self._objection(envelope, subject, datetime.now(UTC))

    def _objection(self, envelope: Envelope, subject: Digest, now: datetime) -> str:
        if fault := envelope.chain.fault(now):
            return fault
        if self.trusted.isdisjoint(envelope.chain.der):
            return f"no certificate that is trusted is in its chain, {envelope.chain.subject}"
        if self.identities and not any(_has_all(envelope.chain, identity) for identity in self.identities):
            return f"it was made by somebody else, {envelope.chain.subject}"
        if envelope.expiry is not None and envelope.expiry < now:
            return "it has expired"
        found = str(envelope.target.get("digest"))
        return "" if found == str(subject) else f"it is about another digest, {found[:80]}"


class NotationSigner:
    """See `base.Signer`: one envelope for each subject. chain: good, and that of `key`."""

    def __init__(self, key: "EllipticCurvePrivateKey | RSAPrivateKey", chain: Chain) -> None:
        self._sign = sign_with(key, chain.algorithm)
        self._chain = chain
        self._verifier = NotationVerifier(frozenset({chain.der[-1]}), (chain.leaf.subject,))
        self._author = Author(public_key=_root_pem(chain), subject=chain.subject)

    def sign(self, request: SignRequest, /) -> Sequence[Signature]:
        """Every signature over the subject."""
        now = datetime.now(UTC)
        content = make_envelope(request.subject, self._chain, self._sign, now, _AGENT)
        referrer = envelope_referrer(request.subject, content, self._chain, now)
        return [Signature(Kind.NOTATION, request.subject, referrer, self._author)]

    def repeats(self, made: Signature, layer: Descriptor, content: bytes, /) -> bool:
        """See `base.Signer`. A signature that a newer certificate replaces is not repeated by it."""
        try:
            is_own = layer.media_type == JWS and open_envelope(content).chain.der == self._chain.der
        except ValueError:
            return False
        return is_own and not self._verifier.fault(Held(content, layer), made.subject.digest, _NOWHERE)

    def verifiers(self) -> Sequence[Verifier]:
        """See `base.Signer`."""
        return [self._verifier]


_NOWHERE = Repository("docker", "localhost", "any")
"""What these signatures say of the repository: nothing."""


def open_notation(options: Mapping[str, str], material: Material) -> NotationSigner:
    """The signer of `sign: notation`. options: key, certificates and passphrase as references.

    Raises SigningError: something is missing or cannot be read, the two do not belong together, or the certificates
    are not such that notation would accept what is signed with them.
    """
    key = _key(options, material)
    where = options["certificates"]
    try:
        chain = parse_chain(material.public(where, "certificates"))
    except ValueError as error:
        raise SigningError("the certificates cannot be read", where=where, why=str(error)) from None
    if chain.leaf.public_key() != key.public_key():
        hint = "the certificate of the key comes first, then its issuers"
        raise SigningError("the first certificate is not that of the key", where=where, hint=hint)
    if fault := chain.fault(datetime.now(UTC)):
        raise SigningError("notation would refuse these certificates", where=where, why=fault, hint=_RULES)
    return NotationSigner(key, chain)


def _key(options: Mapping[str, str], material: Material) -> "EllipticCurvePrivateKey | RSAPrivateKey":
    from cryptography.hazmat.primitives.asymmetric import ec, rsa  # noqa: PLC0415

    reference = options["key"]
    text = material.secret(reference, "key")
    if text is None:
        raise unset(reference, "key")
    where = reference if "://" in reference else "key"
    if not text.strip():
        raise SigningError("the key is empty", where=where, hint="does this job see the secret?")
    key = open_private_key(text, material.passphrase(options["passphrase"]), where)
    if isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) and algorithm_of(key.public_key()):
        return key
    raise SigningError("a key of this kind is not accepted", where=where, hint=_KEYS)


def _has_all(chain: Chain, wanted: "Name") -> bool:
    """Whether the signing certificate's subject has every part of another."""
    there = {(part.oid, part.value) for part in chain.leaf.subject}
    return all((part.oid, part.value) in there for part in wanted)


def _root_pem(chain: Chain) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415

    return chain.certificates[-1].public_bytes(Encoding.PEM).decode()
