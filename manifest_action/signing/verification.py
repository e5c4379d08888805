"""Whether what a repository holds is a signature over a digest by a key; what is wrong is said in a few words. Pure.

Simple signing is read as strictly as containers/image reads it.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass

from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.reference import Repository
from manifest_action.model.strictjson import parse_object
from manifest_action.signing.attachment import LAYER, SIGNATURE_ANNOTATION
from manifest_action.signing.base import Held, Kind, PublicKey
from manifest_action.signing.payload import (
    BUNDLE,
    DSSE_PAYLOAD_TYPE,
    SIGNATURE_PREDICATE,
    STATEMENT_TYPE,
    pre_authentication,
)
from manifest_action.signing.simplesigning import read_sigstore_payload


@dataclass(frozen=True, slots=True)
class KeyVerifier:
    """See `base.Verifier`: signatures by one key. kind: COSIGN_TAG or COSIGN_BUNDLE."""

    kind: Kind
    key: PublicKey

    def fault(self, held: Held, subject: Digest, repository: Repository, /) -> str:
        """See `base.Verifier`."""
        if self.kind is Kind.COSIGN_BUNDLE:
            return bundle_fault(held.content, subject, self.key)
        if held.layer is None:
            return "it is no layer"
        return attachment_fault(held.layer, held.content, subject, str(repository), self.key)


def attachment_fault(layer: Descriptor, content: bytes, digest: Digest, repository: str, key: PublicKey) -> str:
    """What is wrong with a layer of a `.sig` image as a signature over `digest`; empty when it is good.

    repository: the one whose name the signature must be for, in full; its tag may be any
    """
    if layer.media_type != LAYER:
        return f"its layer is a {layer.media_type[:100]}"
    signature = decoded(layer.annotations.get(SIGNATURE_ANNOTATION, ""))
    if not key.verifies(signature, content):
        return "it was not made with this key, or was changed"
    try:
        said = read_sigstore_payload(content)
    except ValueError as error:
        return f"its payload is not valid: {error}"
    if said.digest != digest:
        return f"it is about another digest, {said.digest}"
    if str(said.identity.repository) != repository:
        return f"it is for another name, {said.identity}"
    return ""


def bundle_fault(content: bytes, digest: Digest, key: PublicKey) -> str:
    """What is wrong with a Sigstore bundle as a key's signature over `digest`; empty when it is good."""
    try:
        document = parse_object(content)
        envelope = _member(document, "dsseEnvelope")
        payload, signatures = decoded(envelope.get("payload")), _signatures(envelope)
        if document.get("mediaType") != BUNDLE or envelope.get("payloadType") != DSSE_PAYLOAD_TYPE:
            return "it is no bundle v0.3 with an in-toto statement"
    except ValueError as error:
        return f"it is not valid: {error}"
    message = pre_authentication(DSSE_PAYLOAD_TYPE, payload)
    if len(signatures) != 1 or not key.verifies(signatures[0], message):
        return "it was not made with this key, or was changed"
    try:
        return statement_fault(parse_object(payload), digest)
    except ValueError as error:
        return f"its statement is not valid: {error}"


def signed_statement(content: bytes, key: PublicKey) -> bytes:
    """The in-toto statement in a bundle or a bare DSSE envelope, if the key signed it, else nothing."""
    try:
        document = parse_object(content)
        envelope = _member(document, "dsseEnvelope") if "dsseEnvelope" in document else document
        payload, signatures = decoded(envelope.get("payload")), _signatures(envelope)
    except ValueError:
        return b""
    message = pre_authentication(DSSE_PAYLOAD_TYPE, payload)
    whole = envelope.get("payloadType") == DSSE_PAYLOAD_TYPE and len(signatures) == 1
    return payload if whole and key.verifies(signatures[0], message) else b""


def decoded(text: object) -> bytes:
    """The bytes that base64 text stands for; none when it is no such text."""
    try:
        return base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except ValueError:
        return b""


def statement_fault(document: Mapping[str, object], digest: Digest) -> str:
    """What is wrong with an in-toto statement as cosign's signature over `digest`; empty when it is one."""
    if document.get("_type") != STATEMENT_TYPE or document.get("predicateType") != SIGNATURE_PREDICATE:
        return f"it states something else, {str(document.get('predicateType'))[:100]}"
    subjects = document.get("subject")
    wanted = {digest.algorithm: digest.encoded}
    found = [each.get("digest") for each in subjects if isinstance(each, Mapping)] if isinstance(subjects, list) else []
    return "" if wanted in found else "it is about another digest"


def _signatures(envelope: Mapping[str, object]) -> list[bytes]:
    found = envelope.get("signatures")
    if not isinstance(found, list) or not all(isinstance(each, Mapping) for each in found):
        raise ValueError("signatures must be a list of objects")
    return [decoded(each.get("sig")) for each in found]


def _member(document: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = document.get(name)
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} must be an object")
    return value
