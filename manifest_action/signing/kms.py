"""Keys that stay where they are, by the scheme of their URI: requests to sign go there, private keys never come here.

Vault is spoken to by this program itself. AWS, Google Cloud and Azure are left to securesystemslib, which is the
optional extra `kms` together with their own libraries; each takes its login from where its tools have it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from manifest_action.errors import SigningError
from manifest_action.signing.base import PublicKey, SigningKey
from manifest_action.signing.keys import load_public_key
from manifest_action.signing.material import Material
from manifest_action.signing.vault import SCHEME, open_vault_key

_EXTRA = "install manifest-action[kms]"
_ECDSA, _RSA = "ecdsa-sha2-nistp256", "rsa-pkcs1v15-sha256"
"""What securesystemslib calls the two kinds of signatures that every verifier accepts."""
_GOOGLE = re.compile(r"projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+/cryptoKeyVersions/[0-9]+")
_AZURE = re.compile(r"([A-Za-z0-9-]+)(?:\.vault\.azure\.net)?/(?:keys/)?([A-Za-z0-9-]+)")


@dataclass(frozen=True, slots=True)
class RemoteKey:
    """See `base.SigningKey`. signer: of securesystemslib; where: the URI, for errors."""

    signer: Any
    public: PublicKey
    where: str

    def sign(self, message: bytes, /) -> bytes:
        """See `base.SigningKey`."""
        try:
            signature = bytes.fromhex(self.signer.sign(message).signature)
        except Exception as error:  # noqa: BLE001 - each cloud has errors of its own, which may quote anything
            raise SigningError(
                "the key management service does not sign", where=self.where, why=type(error).__name__
            ) from None
        if not self.public.verifies(signature, message):
            raise SigningError("what the key management service signed is no good", where=self.where)
        return signature


def open_kms_key(uri: str, material: Material) -> SigningKey:
    """The key under a URI of one of the known schemes. SigningError says why there is none."""
    scheme, _, name = uri.partition("://")
    return _OPENERS[scheme](name, material)


def is_kms(reference: str) -> bool:
    """Whether a reference is the URI of a key that stays elsewhere."""
    scheme, found, _ = reference.partition("://")
    return bool(found) and scheme in _OPENERS


def _amazon(name: str, _: Material) -> SigningKey:
    """A key ID, ARN or alias, after an endpoint as cosign has it, which is empty here."""
    where, identifier = f"awskms://{name[:300]}", name.removeprefix("/")
    if not name.startswith("/") or not identifier:
        hint = "write awskms:///ID, awskms:///alias/NAME or awskms:///ARN; AWS_ENDPOINT_URL_KMS names another endpoint"
        raise SigningError("this is no key of AWS", where=where, hint=hint)

    def load(library: Any) -> tuple[str, Any]:
        from securesystemslib.exceptions import UnsupportedAlgorithmError  # noqa: PLC0415

        try:
            return tuple(library.AWSSigner.import_(identifier, _RSA))
        except UnsupportedAlgorithmError:
            return tuple(library.AWSSigner.import_(identifier, _ECDSA))

    return _opened(where, load)


def _google(name: str, _: Material) -> SigningKey:
    where, identifier = f"gcpkms://{name[:300]}", name.replace("/versions/", "/cryptoKeyVersions/")
    if not _GOOGLE.fullmatch(identifier):
        hint = "write gcpkms://projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N"
        raise SigningError("this is no version of a key of Google Cloud", where=where, hint=hint)
    return _opened(where, lambda library: tuple(library.GCPSigner.import_(identifier)))


def _azure(name: str, _: Material) -> SigningKey:
    where, match = f"azurekms://{name[:300]}", _AZURE.fullmatch(name)
    if not match:
        raise SigningError("this is no key of Azure", where=where, hint="write azurekms://VAULT/KEY")
    return _opened(where, lambda library: tuple(library.AzureSigner.import_(match[1], match[2])))


def _opened(where: str, load: Callable[[Any], tuple[str, Any]]) -> SigningKey:
    """The key that a cloud has. load: gives the library's own URI of it, and its public key."""
    try:
        library: Any = import_module("securesystemslib.signer")
        from securesystemslib.exceptions import UnsupportedLibraryError  # noqa: PLC0415
    except ImportError:
        raise _missing(where) from None
    try:
        uri, key = load(library)
        signer = library.Signer.from_priv_key_uri(uri, key)
    except UnsupportedLibraryError:
        raise _missing(where) from None
    except Exception as error:  # noqa: BLE001 - each cloud has errors of its own, which may quote anything
        hint = "is there such a key for ECDSA P-256 or RSA PKCS #1 v1.5 with SHA-256, and may this job use it?"
        raise SigningError(
            "the key management service does not give the key", where=where, why=type(error).__name__, hint=hint
        ) from None
    if key.scheme not in (_ECDSA, _RSA):
        hint = "make one for ECDSA P-256 or RSA PKCS #1 v1.5, with SHA-256"
        raise SigningError(f"a key of this kind is not accepted: {key.scheme}", where=where, hint=hint)
    return RemoteKey(signer, load_public_key(key.keyval["public"].encode(), where), where)


def _missing(where: str) -> SigningError:
    return SigningError("the libraries for this kind of key are not installed", where=where, hint=_EXTRA)


_OPENERS: Mapping[str, Callable[[str, Material], SigningKey]] = {
    SCHEME: open_vault_key,
    "awskms": _amazon,
    "gcpkms": _google,
    "azurekms": _azure,
}
