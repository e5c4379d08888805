"""The keys of a policy, read once for a run and ready to verify with."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from manifest_action.errors import PolicyError, SigningError
from manifest_action.signing.base import PublicKey
from manifest_action.signing.fulcio import certified_key, good_certificate, load_authorities
from manifest_action.signing.gpg import Keyring
from manifest_action.signing.keys import load_public_key
from manifest_action.signing.policy.requirements import Certifier, Keys
from manifest_action.signing.policy.verdict import SigstoreSignature
from manifest_action.signing.rekor import logged_at, pem_content

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_KEY_LIMIT = 4 * 1024 * 1024

Ready = TypeVar("Ready")


class Trust:
    """Verifies for a block, after which no trace of the keys is left; used from several threads at once.

    Raises PolicyError when keys cannot be read.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._lock = Lock()
        self._keyrings: dict[Keys, Keyring] = {}
        self._public_keys: dict[Keys, tuple[PublicKey, ...]] = {}
        self._authorities: dict[Keys, tuple[Certificate, ...]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def opened(self, keys: Keys, signed: bytes) -> bytes:
        """See `Evidence.opened`."""
        keyring = self._ready(keys, self._keyrings, lambda: self._stack.enter_context(Keyring(_contents(keys))))
        return keyring.opened(signed)

    def verified(self, keys: Keys, logs: Keys, signature: SigstoreSignature, /) -> bytes:
        """See `Evidence.verified`."""
        public = self._public(keys)
        if logs != Keys():
            public = self._logged(public, self._public(logs), signature)
        if not any(key.verifies(signature.signature, signature.payload) for key in public):
            raise ValueError("the signature was made by another key, or over something else")
        return signature.payload

    def certified(self, certifier: Certifier, logs: Keys, signature: SigstoreSignature, /) -> bytes:
        """See `Evidence.certified`."""
        authorities = self._ready(certifier.authorities, self._authorities, lambda: _authorities(certifier.authorities))
        if not signature.certificate or not signature.promise:
            raise ValueError("the signature has no certificate, or no promise of a log")
        signer = pem_content(signature.certificate.encode())
        content = (signature.signature, signature.payload)
        time = logged_at(signature.promise, self._public(logs), signer, *content)
        certificate = good_certificate(signature.certificate, signature.chain, authorities, time)
        key = certified_key(certificate, certifier.issuer, certifier.email)
        if not key.verifies(*content):
            raise ValueError("the signature was made by another key, or over something else")
        return signature.payload

    def _public(self, keys: Keys) -> tuple[PublicKey, ...]:
        return self._ready(keys, self._public_keys, lambda: tuple(map(_public_key, _contents(keys))))

    def _logged(
        self, keys: Sequence[PublicKey], logs: Sequence[PublicKey], signature: SigstoreSignature
    ) -> tuple[PublicKey, ...]:
        """The key by which a log has the signature; ValueError when it is none of these."""
        if not signature.promise:
            raise ValueError("the signature has no promise of a log")
        reasons: list[str] = []
        for key in keys:
            try:
                logged_at(signature.promise, logs, key.der, signature.signature, signature.payload)
            except ValueError as error:
                reasons.append(str(error))
            else:
                return (key,)
        raise ValueError(reasons[0])

    def _ready(self, keys: Keys, known: dict[Keys, Ready], make: Callable[[], Ready]) -> Ready:
        with self._lock:
            if keys not in known:
                known[keys] = make()
            return known[keys]


def _contents(keys: Keys) -> Iterator[bytes]:
    yield from keys.data
    for path in keys.paths:
        try:
            with Path(path).open("rb") as file:
                content = file.read(_KEY_LIMIT + 1)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or ""
            raise PolicyError("a key of the policy cannot be read", where=path, why=why) from None
        if len(content) > _KEY_LIMIT:
            raise PolicyError(f"a key of the policy has more than {_KEY_LIMIT} bytes", where=path)
        yield content


def _authorities(keys: Keys) -> "tuple[Certificate, ...]":
    try:
        return tuple(certificate for text in _contents(keys) for certificate in load_authorities(text))
    except ValueError:
        raise PolicyError("the authorities of the policy are no certificates in PEM form") from None


def _public_key(text: bytes) -> PublicKey:
    try:
        return load_public_key(text, "the policy")
    except SigningError as error:
        raise PolicyError(f"a key of the policy cannot be used: {error.what}", hint=error.hint) from None
