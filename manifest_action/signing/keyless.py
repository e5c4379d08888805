"""Signing without a key: an identity that the CI system vouches for, certified by Fulcio and logged by Rekor.

One certificate, good for some minutes, serves the index and all its instances. Every signature has an entry in a log
that anybody can read, so none is made where a good one of the same identity is already.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from manifest_action.errors import SigningError
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.manifest import Manifest
from manifest_action.model.strictjson import parse_object
from manifest_action.signing.base import (
    AttestationForm,
    Author,
    Held,
    Kind,
    Referrer,
    Signature,
    SignRequest,
    Verifier,
)
from manifest_action.signing.certified import (
    KeylessVerifier,
    author,
    keyless_verifier,
    reason,
    require_library,
    trust_config,
)
from manifest_action.signing.material import Material
from manifest_action.signing.oidc import Tokens
from manifest_action.signing.payload import SIGNATURE_PREDICATE, bundle_referrer, statement

if TYPE_CHECKING:
    from sigstore.models import ClientTrustConfig
    from sigstore.sign import Signer, SigningContext

_MARGIN = timedelta(seconds=60)
"""A certificate that ends earlier is replaced before it is used."""
_PATIENCE = 60.0
"""Seconds that Fulcio or Rekor may take for one answer; the library itself waits for ever."""
_ATTEMPTS = 3
_PAUSE = 1.0
_MESSAGE_LIMIT = 300
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})

Answer = TypeVar("Answer")


class _Service(StrEnum):
    """Who is asked, by the names that users know."""

    FULCIO = "Fulcio, which certifies identities,"
    REKOR = "Rekor, the transparency log,"


@dataclass(frozen=True, slots=True)
class _Certified:
    """A certificate: what signs with it, whose it is, what verifies that, and when it ends."""

    signer: "Signer"
    author: Author
    verifier: KeylessVerifier
    end: datetime


class KeylessSigner:
    """See `base.Signer`, `base.Recogniser` and `base.StatementSigner`: one bundle for each subject.

    sleep: waits for seconds before a service is asked again
    """

    def __init__(
        self, config: "ClientTrustConfig", tokens: Tokens, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._config = config
        self._context, self._urls = _context(config)
        self._tokens = tokens
        self._sleep = sleep
        self._lock = threading.Lock()
        self._certified: _Certified | None = None

    def sign(self, request: SignRequest, /) -> Sequence[Signature]:
        """Every signature over the subject."""
        text = statement(str(request.repository), request.subject.digest, SIGNATURE_PREDICATE, {})
        certified = self._current()
        referrer = bundle_referrer(request.subject, self._signed(text, certified), SIGNATURE_PREDICATE)
        return [Signature(Kind.KEYLESS, request.subject, referrer, certified.author)]

    @property
    def forms(self) -> Sequence[AttestationForm]:
        """See `base.StatementSigner`."""
        return [AttestationForm.BUNDLE]

    @property
    def author(self) -> Author:
        """See `base.StatementSigner`."""
        return self._current().author

    def attest(
        self,
        form: AttestationForm,  # noqa: ARG002 - there is one
        subject: Descriptor,
        statement: bytes,
        predicate_type: str,
        /,
    ) -> Referrer:
        """See `base.StatementSigner`."""
        return bundle_referrer(subject, self._signed(statement, self._current()), predicate_type)

    def attested(self, held: Held, /) -> bytes:
        """See `base.StatementSigner`."""
        try:
            return self._current().verifier.statement(held.content)
        except ValueError:
            return b""

    def recognised(self, request: SignRequest, manifest: Manifest, content: bytes, /) -> Signature | None:
        """See `base.Recogniser`."""
        certified = self._current()
        if certified.verifier.objection(content, request.subject.digest):
            return None
        return Signature(Kind.KEYLESS, request.subject, Referrer(manifest, {}), certified.author)

    def repeats(self, made: Signature, layer: Descriptor, content: bytes, /) -> bool:  # noqa: ARG002 - bundles are whole
        """See `base.Signer`."""
        return not self._current().verifier.objection(content, made.subject.digest)

    def verifiers(self) -> Sequence[Verifier]:
        """See `base.Signer`."""
        return [self._current().verifier]

    def _signed(self, text: bytes, certified: _Certified) -> bytes:
        """A bundle with a statement, which others will find good."""
        from sigstore.dsse import Statement  # noqa: PLC0415

        given = Statement(text)
        made = self._asked(_Service.REKOR, lambda: certified.signer.sign_dsse(given)).to_json().encode()
        try:
            if certified.verifier.statement(made) != text:
                raise ValueError("it holds another statement")
        except ValueError as error:
            raise SigningError(
                "the signature that was just made cannot be verified",
                where=self._urls[_Service.REKOR],
                why=str(error),
                hint="does the trust configuration name the keys of the services that it names?",
            ) from None
        return made

    def _current(self) -> _Certified:
        """A certificate with some life left in it."""
        with self._lock:
            known = self._certified
            if known is None or known.end - datetime.now(UTC) < _MARGIN:
                known = self._certified = self._certify()
            return known

    def _certify(self) -> _Certified:
        from sigstore.sign import Signer  # noqa: PLC0415

        token = self._tokens.current()
        signer = self._asked(_Service.FULCIO, lambda: Signer(token, self._context))
        # The library shows the certificate after a signature only, and whose it is has to be known before the first.
        certificate = signer._signing_cert()  # noqa: SLF001
        try:
            whose = author(certificate)
        except Exception as error:  # noqa: BLE001 - extensions that are missing or make no sense, by several kinds
            raise SigningError(
                "the certificate is not one of an identity", where=self._urls[_Service.FULCIO], why=reason(error)
            ) from None
        verifier = keyless_verifier(whose.subject, whose.issuer, self._config)
        return _Certified(signer, whose, verifier, certificate.not_valid_after_utc)

    def _asked(self, service: _Service, call: Callable[[], Answer]) -> Answer:
        """The answer of a service, which is asked again when it fails in a way that passes."""
        attempt = 1
        while True:
            try:
                return _within(_PATIENCE, call)
            except Exception as error:  # noqa: BLE001 - of the library, of requests, and of what both are made of
                status, said = _answer(error)
                passing = status in _PASSING or (not status and isinstance(error, OSError))
                if not passing or attempt == _ATTEMPTS:
                    raise _refused(service, self._urls[service], status, said) from None
            self._sleep(_PAUSE * attempt)
            attempt += 1


def open_keyless(options: Mapping[str, str], material: Material) -> KeylessSigner:
    """The signer of `sign: keyless`, after it was seen that there is a token.

    options: token and trust-config as references (empty is Sigstore's public instance), and audience

    Raises SigningError: no library, no token, or no trust configuration that can be read.
    """
    require_library()
    reference = options["trust-config"]
    text = material.public(reference, "trust-config") if reference else None
    tokens = Tokens(options["token"], options["audience"], material)
    tokens.current()
    return KeylessSigner(trust_config(text, reference), tokens)


def _context(config: "ClientTrustConfig") -> "tuple[SigningContext, Mapping[_Service, str]]":
    """What the library signs with, and the addresses of the services."""
    from sigstore.sign import SigningContext  # noqa: PLC0415

    try:
        services = config.signing_config
        urls = {
            _Service.FULCIO: services.get_fulcio().url,
            _Service.REKOR: str(getattr(services.get_tlogs()[0], "url", "")),
        }
        return SigningContext.from_trust_config(config), urls
    except Exception as error:  # noqa: BLE001 - as above
        raise SigningError(
            "the trust configuration names no services to sign with",
            why=reason(error),
            hint="give a client trust configuration, with trustedRoot and signingConfig",
        ) from None


def _within(seconds: float, call: Callable[[], Answer]) -> Answer:
    """What a call gives; TimeoutError when it takes longer, and is left to itself."""
    answer: Future[Answer] = Future()

    def run() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            answer.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return answer.result(seconds)


def _answer(error: BaseException) -> tuple[int, str]:
    """The HTTP status that an error is about, 0 when there was none, and what the service said of it."""
    found: BaseException | None = error
    while found is not None:
        response = getattr(found, "response", None)
        if response is not None:
            return response.status_code, _message(response.content)
        found = found.__cause__ or found.__context__
    return 0, reason(error)


def _message(body: bytes) -> str:
    """What Fulcio and Rekor both put into the JSON of their refusals."""
    try:
        return str(parse_object(body).get("message", ""))[:_MESSAGE_LIMIT]
    except ValueError:
        return ""


def _refused(service: _Service, url: str, status: int, said: str) -> SigningError:
    if not status:
        hint = "is it reachable from this job, and is the trust configuration its own?"
        return SigningError(f"{service} gave no answer that can be used", where=url, why=said, hint=hint)
    hint = "is the token's issuer known there?" if service is _Service.FULCIO else "run it again later"
    return SigningError(f"{service} refused with HTTP {status}", where=url, why=said, hint=hint)
