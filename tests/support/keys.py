"""Keys for tests of signatures, made without the product's own code."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

PASSPHRASE = "canary passphrase 7b1f"
"""Of every key that cosign or the product encrypts in tests; it must appear nowhere."""


@dataclass(frozen=True)
class KeyPair:
    """A pair as PEM texts; the private one is PKCS #8 and not encrypted."""

    private: str
    public: str

    def write_public(self, folder: Path, name: str = "cosign.pub") -> Path:
        """The file of the public key."""
        file = folder / name
        file.write_text(self.public)
        return file


def key_pair(name: str = "first") -> KeyPair:
    """A P-256 pair; always the same for the same name."""
    key = ec.derive_private_key(int.from_bytes(hashlib.sha256(name.encode()).digest()), ec.SECP256R1())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return KeyPair(private, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())
