"""The Notary Project's signature envelope as JWS, and the manifest that leads from a subject to it.

Signature specification, "Signature Manifest" and "JWS Signature Envelope"; RFC 7515 and 7518.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from manifest_action.model.artifact import EMPTY, artifact
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.strictjson import compact, parse_object
from manifest_action.signing.base import Referrer
from manifest_action.signing.certificates import Chain, read_chain

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

ARTIFACT_TYPE = "application/vnd.cncf.notary.signature"
JWS = "application/jose+json"
_PAYLOAD_TYPE = "application/vnd.cncf.notary.payload.v1+json"
_SCHEME, _X509 = "io.cncf.notary.signingScheme", "notary.x509"
_TIME = "io.cncf.notary.signingTime"
_EXPIRY = "io.cncf.notary.expiry"
_AGENT = "io.cncf.notary.signingAgent"
_THUMBPRINTS = "io.cncf.notary.x509chain.thumbprint#S256"
_CREATED = "org.opencontainers.image.created"
_UNDERSTOOD = frozenset({_SCHEME, _EXPIRY})
_HASHES = {"256": "SHA256", "384": "SHA384", "512": "SHA512"}
_COORDINATE = {"ES256": 32, "ES384": 48, "ES512": 66}
"""Bytes of each of the two numbers of an ECDSA signature (RFC 7518, section 3.4)."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A signature that was verified with the certificate it names; whether that is to be trusted is another question.

    chain:   its certificates
    target:  what it is over, as its payload describes it
    expiry:  when it is over, None for never
    """

    chain: Chain
    target: Mapping[str, object] = field(hash=False)
    expiry: datetime | None


def make_envelope(
    subject: Descriptor, chain: Chain, sign: Callable[[bytes], bytes], when: datetime, agent: str
) -> bytes:
    """An envelope over a subject. sign: as `sign_with`."""
    target = {"mediaType": subject.media_type, "digest": str(subject.digest), "size": subject.size}
    protected = {
        "alg": chain.algorithm,
        "cty": _PAYLOAD_TYPE,
        "crit": [_SCHEME],
        _SCHEME: _X509,
        _TIME: _timestamp(when),
    }
    head, body = _encoded(compact(protected)), _encoded(compact({"targetArtifact": target}))
    signature = _encoded(sign(f"{head}.{body}".encode()))
    certificates = [base64.b64encode(each).decode() for each in chain.der]
    unprotected = {"x5c": certificates, _AGENT: agent}
    return compact({"payload": body, "protected": head, "header": unprotected, "signature": signature})


def envelope_referrer(subject: Descriptor, content: bytes, chain: Chain, when: datetime) -> Referrer:
    """The manifest of an envelope. Its config has the type too, as notation looks for it there in layouts."""
    layer = Descriptor(JWS, Digest.of(content), len(content))
    thumbprints = [hashlib.sha256(each).hexdigest() for each in chain.der]
    annotations = {
        _THUMBPRINTS: json.dumps(thumbprints, separators=(",", ":")),
        _CREATED: _timestamp(when),
    }
    manifest = artifact(ARTIFACT_TYPE, subject, layer, annotations=annotations, config_type=ARTIFACT_TYPE)
    return Referrer(manifest, {Digest.of(EMPTY): EMPTY, layer.digest: content})


def open_envelope(content: bytes) -> Envelope:
    """Read an envelope and verify its signature with its own certificate. ValueError says what is wrong."""
    document = parse_object(content)
    head, body = _text(document, "protected"), _text(document, "payload")
    protected = parse_object(_decoded(head))
    chain = _chain(document)
    algorithm = protected.get("alg")
    if not chain.algorithm or algorithm != chain.algorithm:
        raise ValueError("its algorithm is not that of its certificate's key")
    signed = f"{head}.{body}".encode()
    if not verify_with(chain.leaf.public_key(), chain.algorithm, _decoded(_text(document, "signature")), signed):
        raise ValueError("it was changed after it was made")
    critical = protected.get("crit")
    if not isinstance(critical, list) or not {_SCHEME} <= set(map(str, critical)) <= _UNDERSTOOD:
        raise ValueError("it has critical headers that are missing or not understood")
    if protected.get(_SCHEME) != _X509 or protected.get("cty") != _PAYLOAD_TYPE:
        raise ValueError("it is of a signing scheme or over a payload that is not understood")
    target = parse_object(_decoded(body)).get("targetArtifact")
    if not isinstance(target, Mapping):
        raise ValueError("its payload names no artifact")
    return Envelope(chain, target, _expiry(protected.get(_EXPIRY)))


def sign_with(key: "EllipticCurvePrivateKey | RSAPrivateKey", algorithm: str) -> Callable[[bytes], bytes]:
    """Signs with a private key of the `cryptography` library, in the form of JWS (RFC 7518, sections 3.4 and 3.5)."""
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, padding, utils  # noqa: PLC0415

    hashing: hashes.HashAlgorithm = getattr(hashes, _HASHES[algorithm[2:]])()

    def sign(message: bytes) -> bytes:
        if isinstance(key, ec.EllipticCurvePrivateKey):
            numbers = utils.decode_dss_signature(key.sign(message, ec.ECDSA(hashing)))
            return b"".join(number.to_bytes(_COORDINATE[algorithm]) for number in numbers)
        return key.sign(message, padding.PSS(padding.MGF1(hashing), padding.PSS.DIGEST_LENGTH), hashing)

    return sign


def verify_with(key: object, algorithm: str, signature: bytes, message: bytes) -> bool:
    """Whether a signature in the form of JWS was made over a message by the private half of `key`."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils  # noqa: PLC0415

    hashing: hashes.HashAlgorithm = getattr(hashes, _HASHES[algorithm[2:]])()
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            size = _COORDINATE[algorithm]
            if len(signature) != 2 * size:
                return False
            numbers = (int.from_bytes(signature[:size]), int.from_bytes(signature[size:]))
            key.verify(utils.encode_dss_signature(*numbers), message, ec.ECDSA(hashing))
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, message, padding.PSS(padding.MGF1(hashing), padding.PSS.DIGEST_LENGTH), hashing)
        else:
            return False
    except InvalidSignature:
        return False
    return True


def _chain(document: Mapping[str, object]) -> Chain:
    header = document.get("header")
    listed = header.get("x5c") if isinstance(header, Mapping) else None
    if not isinstance(listed, list):
        raise ValueError("it has no certificates")
    return read_chain([base64.b64decode(str(each), validate=True) for each in listed])


def _expiry(value: object) -> datetime | None:
    if value is None:
        return None
    found = datetime.fromisoformat(str(value))
    if found.tzinfo is None:
        raise ValueError("its expiry has no time zone")
    return found


def _timestamp(when: datetime) -> str:
    """RFC 3339 in whole seconds."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _text(document: Mapping[str, object], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value.isascii():
        raise ValueError(f"{name} must be text")
    return value


def _encoded(content: bytes) -> str:
    """base64url without padding (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    if "=" in text:
        raise ValueError("it is padded, which JWS is not")
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
