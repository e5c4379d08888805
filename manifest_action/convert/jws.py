"""Signatures of schema 1 manifests: readable JWS as Docker's tools write and check it (RFC 7515, 7517 and 7518).

ES256 over P-256 with the key inside, which is what every Docker engine and registry has used. Such a signature
proves that the document is whole, not who made it.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from manifest_action.model.descriptor import string
from manifest_action.model.schema1 import Schema1, Signature, decode64

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

_CURVE, _ALGORITHM, _COORDINATE = "P-256", "ES256", 32
_INDENT = "   "
# Re-signing the same document must give as many bytes, so the time is written, and it is always the same.
_TIME = "1970-01-01T00:00:00Z"


def verify(manifest: Schema1) -> None:
    """ValueError unless every signature is right."""
    for signature in manifest.signatures:
        _verify(manifest.payload, signature)


def sign(payload: bytes, key: "EllipticCurvePrivateKey | None" = None) -> bytes:
    """The document with a signature added in its last member.

    payload: a JSON object in lines indented by three spaces, which ends with a line of `}`
    key:     of P-256; by default one that is made for this and thrown away

    The result has the same length whatever the key.
    """
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - heavy, and seldom needed
    from cryptography.hazmat.primitives.asymmetric import ec, utils  # noqa: PLC0415

    key = key or ec.generate_private_key(ec.SECP256R1())
    head, tail = payload[: -len(b"\n}")], payload[-len(b"\n}") :]
    protected = _encode64(_compact({"formatLength": len(head), "formatTail": _encode64(tail), "time": _TIME}))
    numbers = utils.decode_dss_signature(key.sign(_signed(protected, payload), ec.ECDSA(hashes.SHA256())))
    block = {
        "header": {"jwk": _jwk(key.public_key()), "alg": _ALGORITHM},
        "signature": _encode64(b"".join(number.to_bytes(_COORDINATE, "big") for number in numbers)),
        "protected": protected,
    }
    lines = json.dumps([block], indent=_INDENT).replace("\n", f"\n{_INDENT}")
    return head + f',\n{_INDENT}"signatures": {lines}'.encode() + tail


def _verify(payload: bytes, signature: Signature) -> None:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - heavy, and seldom needed
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, utils  # noqa: PLC0415

    algorithm = string(signature.header, "alg", required=True)
    if algorithm != _ALGORITHM:
        raise ValueError(f"the signature's algorithm is {algorithm[:40]!r}; {_ALGORITHM} is known")
    raw = decode64(signature.signature)
    if len(raw) != 2 * _COORDINATE:
        raise ValueError("the signature has the wrong length")
    numbers = (int.from_bytes(raw[:_COORDINATE], "big"), int.from_bytes(raw[_COORDINATE:], "big"))
    try:
        key = _public_key(signature.header.get("jwk"))
        encoded = utils.encode_dss_signature(*numbers)
        key.verify(encoded, _signed(signature.protected, payload), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise ValueError("the signature is not over this document") from None


def _public_key(jwk: object) -> "EllipticCurvePublicKey":
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 - heavy, and seldom needed

    if not isinstance(jwk, Mapping) or (jwk.get("kty"), jwk.get("crv")) != ("EC", _CURVE):
        raise ValueError(f"the signature does not carry a key of {_CURVE}")
    x, y = (decode64(string(jwk, name, required=True)) for name in ("x", "y"))
    if (len(x), len(y)) != (_COORDINATE, _COORDINATE):
        raise ValueError("the signature's key has coordinates of the wrong length")
    return ec.EllipticCurvePublicNumbers(
        int.from_bytes(x, "big"), int.from_bytes(y, "big"), ec.SECP256R1()
    ).public_key()


def _jwk(key: "EllipticCurvePublicKey") -> dict[str, str]:
    """The key as JSON, with the id that libtrust expects: 240 bits of a digest over its DER form."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - heavy, and seldom needed

    numbers = key.public_numbers()
    x, y = (number.to_bytes(_COORDINATE, "big") for number in (numbers.x, numbers.y))
    encoded = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    text = base64.b32encode(hashlib.sha256(encoded).digest()[:30]).decode()
    identity = ":".join(text[start : start + 4] for start in range(0, len(text), 4))
    return {"crv": _CURVE, "kid": identity, "kty": "EC", "x": _encode64(x), "y": _encode64(y)}


def _signed(protected: str, payload: bytes) -> bytes:
    return f"{protected}.{_encode64(payload)}".encode()


def _encode64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _compact(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
