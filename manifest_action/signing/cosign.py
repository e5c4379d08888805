"""Signing with a key pair as cosign does, for cosign itself and for Podman, skopeo, CRI-O and other readers."""

import base64
from collections.abc import Iterator, Mapping, Sequence

from manifest_action.errors import SigningError
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.signing.attachment import LAYER, SIGNATURE_ANNOTATION, attachment_tag, attestation
from manifest_action.signing.base import (
    Attachment,
    AttestationForm,
    Author,
    Held,
    Kind,
    Referrer,
    Signature,
    SigningKey,
    SignRequest,
    Verifier,
)
from manifest_action.signing.keys import load_private_key
from manifest_action.signing.kms import is_kms, open_kms_key
from manifest_action.signing.material import Material, unset
from manifest_action.signing.payload import (
    DSSE_PAYLOAD_TYPE,
    SIGNATURE_PREDICATE,
    bundle,
    bundle_referrer,
    pre_authentication,
    simple_signing,
    statement,
)
from manifest_action.signing.verification import KeyVerifier, bundle_fault, decoded, signed_statement

FORMATS: Mapping[str, frozenset[Kind]] = {
    "both": frozenset({Kind.COSIGN_BUNDLE, Kind.COSIGN_TAG}),
    "bundle": frozenset({Kind.COSIGN_BUNDLE}),
    "tag": frozenset({Kind.COSIGN_TAG}),
}

_ATTESTED = {Kind.COSIGN_BUNDLE: AttestationForm.BUNDLE, Kind.COSIGN_TAG: AttestationForm.TAG}


class CosignSigner:
    """See `base.Signer` and `base.StatementSigner`: one bundle for each subject, one attachment for each identity."""

    def __init__(self, key: SigningKey, kinds: frozenset[Kind]) -> None:
        self._key = key
        self._kinds = kinds
        self.author = Author(public_key=key.public.pem)

    def sign(self, request: SignRequest, /) -> Sequence[Signature]:
        """Every signature over the subject."""
        made: list[Signature] = []
        if Kind.COSIGN_BUNDLE in self._kinds:
            made.append(self._bundle(request))
        if Kind.COSIGN_TAG in self._kinds:
            made += self._attachments(request)
        return made

    def repeats(self, made: Signature, layer: Descriptor, content: bytes, /) -> bool:
        """See `base.Signer`."""
        if isinstance(made.artefact, Attachment):
            signature = decoded(layer.annotations.get(SIGNATURE_ANNOTATION, ""))
            return content == made.artefact.content and self._key.public.verifies(signature, content)
        return not bundle_fault(content, made.subject.digest, self._key.public)

    def verifiers(self) -> Sequence[Verifier]:
        """See `base.Signer`."""
        return [KeyVerifier(kind, self._key.public) for kind in sorted(self._kinds)]

    @property
    def forms(self) -> Sequence[AttestationForm]:
        """See `base.StatementSigner`."""
        return [form for kind, form in _ATTESTED.items() if kind in self._kinds]

    def attest(
        self, form: AttestationForm, subject: Descriptor, statement: bytes, predicate_type: str, /
    ) -> Attachment | Referrer:
        """See `base.StatementSigner`."""
        signature = self._key.sign(pre_authentication(DSSE_PAYLOAD_TYPE, statement))
        if form is AttestationForm.BUNDLE:
            return bundle_referrer(subject, bundle(statement, signature, self._key.public.der), predicate_type)
        return attestation(subject.digest, statement, signature, predicate_type)

    def attested(self, held: Held, /) -> bytes:
        """See `base.StatementSigner`."""
        return signed_statement(held.content, self._key.public)

    def _bundle(self, request: SignRequest) -> Signature:
        payload = statement(str(request.repository), request.subject.digest, SIGNATURE_PREDICATE, {})
        signature = self._key.sign(pre_authentication(DSSE_PAYLOAD_TYPE, payload))
        content = bundle(payload, signature, self._key.public.der)
        referrer = bundle_referrer(request.subject, content, SIGNATURE_PREDICATE)
        return Signature(Kind.COSIGN_BUNDLE, request.subject, referrer, self.author)

    def _attachments(self, request: SignRequest) -> Iterator[Signature]:
        for identity in request.identities:
            payload = simple_signing(identity, request.subject.digest)
            signature = base64.b64encode(self._key.sign(payload)).decode()
            layer = Descriptor(LAYER, Digest.of(payload), len(payload), annotations={SIGNATURE_ANNOTATION: signature})
            attachment = Attachment(attachment_tag(request.subject.digest), layer, payload)
            yield Signature(Kind.COSIGN_TAG, request.subject, attachment, self.author, identity)


def open_cosign(options: Mapping[str, str], material: Material) -> CosignSigner:
    """The signer of `sign: cosign`. options: key and passphrase as references, and format.

    Raises SigningError: the key is missing, cannot be read or is of a kind that is not accepted.
    """
    key = open_kms_key(options["key"], material) if is_kms(options["key"]) else _own_key(options, material)
    return CosignSigner(key, FORMATS[options["format"]])


def _own_key(options: Mapping[str, str], material: Material) -> SigningKey:
    reference = options["key"]
    key = material.secret(reference, "key")
    if key is None:
        raise unset(reference, "key")
    where = reference if "://" in reference else "key"
    passphrase = material.passphrase(options["passphrase"])
    if not key.strip():
        raise SigningError("the key is empty", where=where, hint="does this job see the secret?")
    return load_private_key(key, passphrase, where)
