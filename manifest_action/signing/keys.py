"""Private and public keys: P-256 and RSA with SHA-256, which is what every reader of cosign's signatures accepts.

Keys are PEM: PKCS #8, SEC 1 and PKCS #1, each with or without passphrase (RFC 5958, 5915, 8017), and cosign's own
encrypted form (see `sealed`). Nothing here shows or keeps more of a secret than signing needs.
"""

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from manifest_action.errors import SigningError
from manifest_action.signing.base import PublicKey
from manifest_action.signing.sealed import LABELS, sealed, unsealed

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

_RSA_BITS = (2048, 8192)
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)
_ACCEPTED = "P-256 (ECDSA) and RSA keys of 2048 to 8192 bits are accepted, since every verifier reads those"


@dataclass(frozen=True, slots=True)
class LocalPublicKey:
    """See `base.PublicKey`."""

    _key: "EllipticCurvePublicKey | RSAPublicKey" = field(repr=False)

    @property
    def der(self) -> bytes:
        """SubjectPublicKeyInfo."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415

        return self._key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def pem(self) -> str:
        """The same as PEM."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415

        return self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether `signature` was made over `message` by the private key."""
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric import ec, padding  # noqa: PLC0415
        from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415

        try:
            if isinstance(self._key, ec.EllipticCurvePublicKey):
                self._key.verify(signature, message, ec.ECDSA(SHA256()))
            else:
                self._key.verify(signature, message, padding.PKCS1v15(), SHA256())
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class LocalKey:
    """A private key in this process; see `base.SigningKey`. Equal messages get equal signatures (RFC 6979)."""

    _key: "EllipticCurvePrivateKey | RSAPrivateKey" = field(repr=False)

    @property
    def public(self) -> PublicKey:
        """The other half."""
        return LocalPublicKey(self._key.public_key())

    def sign(self, message: bytes, /) -> bytes:
        """The signature; see `base.SigningKey`."""
        from cryptography.hazmat.primitives.asymmetric import ec, padding  # noqa: PLC0415
        from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415

        if isinstance(self._key, ec.EllipticCurvePrivateKey):
            return self._key.sign(message, ec.ECDSA(SHA256(), deterministic_signing=True))
        return self._key.sign(message, padding.PKCS1v15(), SHA256())


def load_private_key(text: bytes, passphrase: bytes | None, where: str) -> LocalKey:
    """The private key in a PEM text; whatever stands around it is ignored.

    passphrase: None when there is none; it is not looked at when the key is not encrypted
    where:      what the text was read from, for errors

    Raises SigningError: no private key, a wrong or missing passphrase, a kind of key that is not accepted.
    """
    from cryptography.hazmat.primitives.asymmetric import ec, rsa  # noqa: PLC0415

    key = open_private_key(text, passphrase, where)
    if isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        _check(key.public_key(), where)
        return LocalKey(key)
    raise _refused(type(key).__name__.strip("_"), where)


def open_private_key(text: bytes, passphrase: bytes | None, where: str) -> object:
    """As `load_private_key`, but the library's own object, of whatever kind of key."""
    block = next((found for found in _BLOCK.finditer(text) if found[1].endswith(b"PRIVATE KEY")), None)
    if block is None:
        raise SigningError("there is no private key in PEM form", where=where, hint="it begins with -----BEGIN")
    return _opened(block[0], block[1].decode(), passphrase, where)


def load_public_key(text: bytes, where: str) -> LocalPublicKey:
    """The public key in a PEM text (`cosign.pub`). Raises SigningError as `load_private_key`."""
    from cryptography.hazmat.primitives.asymmetric import ec, rsa  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    try:
        key = load_pem_public_key(text)
    except Exception:  # noqa: BLE001 - whatever the library says of it, it is no key
        raise SigningError("there is no public key in PEM form", where=where, hint="give cosign.pub") from None
    if isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        _check(key, where)
        return LocalPublicKey(key)
    raise _refused(type(key).__name__.strip("_"), where)


def _opened(block: bytes, label: str, passphrase: bytes | None, where: str) -> object:
    """The key in one PEM block. Errors of the libraries are not passed on: they may quote what they were given."""
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        load_der_private_key,
        load_pem_private_key,
    )

    encrypted = b"ENCRYPTED" in block
    try:
        if label in LABELS:
            return load_der_private_key(unsealed(block, passphrase or b"", where), None)
        return load_pem_private_key(block, (passphrase or None) if encrypted else None)
    except SigningError:
        raise
    except TypeError:
        raise SigningError("the key needs a passphrase", where=where, hint="give `passphrase`") from None
    except Exception:  # noqa: BLE001 - see above
        hint = "check `passphrase`" if encrypted else "write the key again"
        raise SigningError("the private key cannot be read", where=where, hint=hint) from None


def _check(key: "EllipticCurvePublicKey | RSAPublicKey", where: str) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    if isinstance(key, ec.EllipticCurvePublicKey):
        if not isinstance(key.curve, ec.SECP256R1):
            raise _refused(f"an ECDSA key on {key.curve.name}", where)
    elif not _RSA_BITS[0] <= key.key_size <= _RSA_BITS[1]:
        raise _refused(f"an RSA key of {key.key_size} bits", where)


def _refused(kind: str, where: str) -> SigningError:
    return SigningError(f"a key of this kind is not accepted: {kind}", where=where, hint=_ACCEPTED)


def generate_pair(passphrase: bytes) -> tuple[str, str]:
    """A new P-256 key, encrypted in cosign's form, and its public key, both PEM. The passphrase may be empty."""
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    key = ec.generate_private_key(ec.SECP256R1())
    plain = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return sealed(plain, passphrase), LocalPublicKey(key.public_key()).pem
