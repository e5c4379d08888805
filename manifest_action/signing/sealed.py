"""Private keys as cosign keeps them: PKCS #8 in a box of NaCl, under a key that scrypt makes of the passphrase.

The box is XSalsa20 with Poly1305, which needs PyNaCl. Both PEM labels are read; the newer one is written.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from textwrap import wrap

from manifest_action.errors import SigningError
from manifest_action.model.descriptor import string
from manifest_action.model.strictjson import parse_object

LABEL = "ENCRYPTED SIGSTORE PRIVATE KEY"
LABELS = frozenset({LABEL, "ENCRYPTED COSIGN PRIVATE KEY"})

_COSTS = (32768, 65536, 131072)
"""The N that cosign itself accepts; any other may be there to use up memory."""
_COST = 65536
_MEMORY = 256 * 1024 * 1024
_SALT = 32
_NONCE = 24


def unsealed(block: bytes, passphrase: bytes, where: str) -> bytes:
    """PKCS #8 in DER out of a PEM block. SigningError: damaged, odd parameters, or the wrong passphrase."""
    from nacl.exceptions import CryptoError  # noqa: PLC0415
    from nacl.secret import SecretBox  # noqa: PLC0415

    try:
        salt, cost, nonce, box = _read(parse_object(_decoded(b"".join(block.splitlines()[1:-1]))))
    except ValueError as error:
        raise SigningError("the encrypted private key cannot be used", where=where, why=str(error)) from None
    try:
        return SecretBox(_stretched(passphrase, salt, cost)).decrypt(box, nonce)
    except CryptoError:
        raise SigningError(
            "the passphrase does not open the private key", where=where, hint="check `passphrase`"
        ) from None


def sealed(key: bytes, passphrase: bytes) -> str:
    """A PEM block that cosign reads. key: PKCS #8 in DER; the passphrase may be empty, as cosign has it."""
    from nacl.secret import SecretBox  # noqa: PLC0415

    salt, nonce = secrets.token_bytes(_SALT), secrets.token_bytes(_NONCE)
    box = SecretBox(_stretched(passphrase, salt, _COST)).encrypt(key, nonce).ciphertext
    document = {
        "kdf": {"name": "scrypt", "params": {"N": _COST, "r": 8, "p": 1}, "salt": _text(salt)},
        "cipher": {"name": "nacl/secretbox", "nonce": _text(nonce)},
        "ciphertext": _text(box),
    }
    lines = wrap(_text(json.dumps(document, separators=(",", ":")).encode()), 64)
    return "\n".join([f"-----BEGIN {LABEL}-----", *lines, f"-----END {LABEL}-----", ""])


def _read(document: Mapping[str, object]) -> tuple[bytes, int, bytes, bytes]:
    """Salt, scrypt's N, nonce and the closed box; ValueError says what is wrong."""
    kdf, cipher = _object(document, "kdf"), _object(document, "cipher")
    parameters = _object(kdf, "params")
    cost = parameters.get("N")
    if kdf.get("name") != "scrypt" or cipher.get("name") != "nacl/secretbox":
        raise ValueError("only scrypt and nacl/secretbox are known")
    if not isinstance(cost, int) or cost not in _COSTS or (parameters.get("r"), parameters.get("p")) != (8, 1):
        raise ValueError("its scrypt parameters are none that cosign uses")
    nonce = _decoded(string(cipher, "nonce").encode())
    if len(nonce) != _NONCE:
        raise ValueError(f"the nonce has {len(nonce)} bytes, not {_NONCE}")
    return _decoded(string(kdf, "salt").encode()), cost, nonce, _decoded(string(document, "ciphertext").encode())


def _object(document: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = document.get(name)
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} is missing")
    return value


def _stretched(passphrase: bytes, salt: bytes, cost: int) -> bytes:
    return hashlib.scrypt(passphrase, salt=salt, n=cost, r=8, p=1, maxmem=_MEMORY, dklen=32)


def _decoded(text: bytes) -> bytes:
    return base64.b64decode(text, validate=True)


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
