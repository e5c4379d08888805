"""Signatures by certified identities: whom a Sigstore instance is trusted to certify, and whether a bundle holds.

The sigstore library does all of it: chain, certificate transparency, log entry and signature. It is loaded when it is
needed, since it is large, and an extra of the package.
"""

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from manifest_action.errors import SigningError
from manifest_action.model.digest import Digest
from manifest_action.model.reference import Repository
from manifest_action.model.strictjson import parse_object
from manifest_action.signing.base import Author, Held, Kind
from manifest_action.signing.payload import DSSE_PAYLOAD_TYPE
from manifest_action.signing.verification import statement_fault

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from sigstore.models import ClientTrustConfig
    from sigstore.verify import Verifier

CLIENT_TRUST_CONFIG = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json"
_TRUSTED_ROOT = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"
_ISSUER = "1.3.6.1.4.1.57264.1.1"
_OTHER_NAME = "1.3.6.1.4.1.57264.1.7"
_REASON_LIMIT = 200
_LOGGERS = ("sigstore", "tuf", "id")
"""Of the library and what it is made of; without a handler, their warnings would go to standard error as they are."""


def require_library() -> None:
    """Raises SigningError when the sigstore library is not installed. What it would log goes nowhere."""
    for name in _LOGGERS:
        if not (logger := logging.getLogger(name)).handlers:
            logger.addHandler(logging.NullHandler())
    try:
        import sigstore  # noqa: F401, PLC0415
    except ImportError:
        raise SigningError(
            "signatures without a key need the sigstore library, which is not installed",
            hint="install manifest-action[keyless]; the action's image has it",
        ) from None


def trust_config(text: bytes | None, where: str) -> "ClientTrustConfig":
    """Where to sign and whom to trust.

    text:  a client trust configuration, or a trusted root, with which nothing can be signed; None is Sigstore's
           public instance, whose configuration is fetched and checked with The Update Framework
    where: what the text was read from, for errors
    """
    require_library()
    from sigstore.models import ClientTrustConfig  # noqa: PLC0415

    if text is None:
        try:
            return ClientTrustConfig.production()
        except Exception as error:  # noqa: BLE001 - of many libraries, and none of them says which
            raise SigningError(
                "the trust configuration of Sigstore's public instance cannot be fetched",
                where="https://tuf-repo-cdn.sigstore.dev",
                why=reason(error),
                hint="give one as a file; private instances need that too",
            ) from None
    try:
        return ClientTrustConfig.from_json(_complete(text))
    except Exception as error:  # noqa: BLE001 - as above
        raise SigningError(
            "the trust configuration cannot be read",
            where=where,
            why=reason(error),
            hint=f"it is JSON with the mediaType {CLIENT_TRUST_CONFIG}",
        ) from None


def _complete(text: bytes) -> str:
    """A client trust configuration; a trusted root becomes one that names no services."""
    document = parse_object(text)
    if document.get("mediaType") != _TRUSTED_ROOT:
        return text.decode()
    services = {"mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json"}
    return json.dumps({"mediaType": CLIENT_TRUST_CONFIG, "trustedRoot": document, "signingConfig": services})


@dataclass(frozen=True, slots=True)
class KeylessVerifier:
    """See `base.Verifier`: signatures by one identity that one issuer vouched for."""

    identity: str
    issuer: str
    _verifier: "Verifier" = field(repr=False)
    kind: Kind = Kind.KEYLESS

    def fault(self, held: Held, subject: Digest, repository: Repository, /) -> str:  # noqa: ARG002 - bundles name none
        """See `base.Verifier`."""
        return self.objection(held.content, subject)

    def objection(self, bundle: bytes, subject: Digest) -> str:
        """What is wrong with a bundle as a signature over `subject`, in a few words; empty: it is good."""
        try:
            return statement_fault(parse_object(self.opened(bundle)), subject)
        except ValueError as error:
            return str(error)

    def opened(self, bundle: bytes) -> bytes:
        """The statement that the identity signed in a bundle; ValueError says what is wrong with it."""
        from sigstore.models import Bundle  # noqa: PLC0415
        from sigstore.verify.policy import Identity  # noqa: PLC0415

        try:
            certified = _has_certificate(parse_object(bundle))
            policy = Identity(identity=self.identity, issuer=self.issuer)
            found = self._verifier.verify_dsse(Bundle.from_json(bundle), policy) if certified else None
        except Exception as error:  # noqa: BLE001 - whatever the library says of it, it is not good
            raise ValueError(f"it is not good: {reason(error)}") from None
        if found is None:
            raise ValueError("it was made with a key, and not by a certified identity")
        kind, payload = found
        if kind != DSSE_PAYLOAD_TYPE:
            raise ValueError(f"it is no in-toto statement, but {kind[:100]}")
        return payload


def keyless_verifier(identity: str, issuer: str, config: "ClientTrustConfig") -> KeylessVerifier:
    """A verifier that trusts what a trust configuration names. Raises SigningError when that names too little."""
    from sigstore.verify import Verifier  # noqa: PLC0415

    try:
        return KeylessVerifier(identity, issuer, Verifier(trusted_root=config.trusted_root))
    except Exception as error:  # noqa: BLE001 - as above
        raise SigningError("the trust configuration cannot be used", why=reason(error)) from None


def author(certificate: "Certificate") -> Author:
    """Whom a certificate of Fulcio is for (its documentation of object identifiers). ValueError without a name."""
    from cryptography import x509  # noqa: PLC0415

    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    others = names.get_values_for_type(x509.OtherName)
    found = [
        *names.get_values_for_type(x509.RFC822Name),
        *names.get_values_for_type(x509.UniformResourceIdentifier),
        *(each.value.decode() for each in others if each.type_id.dotted_string == _OTHER_NAME),
    ]
    if not found:
        raise ValueError("the certificate names nobody")
    issuer = certificate.extensions.get_extension_for_oid(x509.ObjectIdentifier(_ISSUER)).value
    text = issuer.value.decode() if isinstance(issuer, x509.UnrecognizedExtension) else ""
    return Author(subject=found[0], issuer=text)


def reason(error: BaseException) -> str:
    """What an error of a library says, on one line of at most 200 characters; its kind when it says nothing."""
    text = re.sub(r"\s+", " ", str(error)).strip()
    return text[:_REASON_LIMIT] or type(error).__name__


def _has_certificate(document: Mapping[str, object]) -> bool:
    material = document.get("verificationMaterial")
    return isinstance(material, Mapping) and ("certificate" in material or "x509CertificateChain" in material)
