"""The bytes that signatures are over, and the documents that carry them; pure.

Simple signing as containers/image and cosign read it; in-toto Statement v1, DSSE v1 and Sigstore bundle v0.3 as
OCI 1.1 referrers.
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from manifest_action.model.artifact import EMPTY, artifact
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.strictjson import compact

if TYPE_CHECKING:
    from manifest_action.signing.base import Referrer

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
SIGNATURE_PREDICATE = "https://sigstore.dev/cosign/sign/v1"
DSSE_PAYLOAD_TYPE = "application/vnd.in-toto+json"
SIMPLE_SIGNING_TYPE = "cosign container image signature"

_SIGNATURE_TYPES = frozenset(
    {"application/vnd.cncf.notary.signature", "application/vnd.dev.cosign.artifact.sig.v1+json"}
)
_CONTENT_ANNOTATION = "dev.sigstore.bundle.content"
_PREDICATE_ANNOTATION = "dev.sigstore.bundle.predicateType"


def simple_signing(identity: str, digest: Digest) -> bytes:
    """The payload that says that `digest` may be called `identity`, such as `ghcr.io/acme/app:1.4.2`.

    It has no time in it, so the same statement always has the same bytes, and can be recognised.
    """
    critical = {
        "identity": {"docker-reference": identity},
        "image": {"docker-manifest-digest": str(digest)},
        "type": SIMPLE_SIGNING_TYPE,
    }
    return compact({"critical": critical, "optional": None})


def statement(name: str, digest: Digest, predicate_type: str, predicate: Mapping[str, object]) -> bytes:
    """An in-toto statement about one manifest. name: its repository; some verifiers refuse a subject without one."""
    subject = {"name": name, "digest": {digest.algorithm: digest.encoded}}
    return compact(
        {"_type": STATEMENT_TYPE, "subject": [subject], "predicateType": predicate_type, "predicate": predicate}
    )


def pre_authentication(payload_type: str, payload: bytes) -> bytes:
    """What DSSE signs instead of the bare payload: type and payload with their lengths in bytes."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def bundle(payload: bytes, signature: bytes, public_key: bytes) -> bytes:
    """A Sigstore bundle with a DSSE envelope signed by a key. public_key: DER, of which only a hint goes in."""
    hint = _text(hashlib.sha256(public_key).digest())
    return compact(
        {
            "mediaType": BUNDLE,
            "verificationMaterial": {"publicKey": {"hint": hint}},
            "dsseEnvelope": envelope(payload, signature),
        }
    )


def envelope(statement: bytes, signature: bytes, *, keyid: bool = False) -> dict[str, object]:
    """A DSSE envelope. keyid: with an empty name of the key, which older readers want to see."""
    signed = {"keyid": "", "sig": _text(signature)} if keyid else {"sig": _text(signature)}
    return {"payload": _text(statement), "payloadType": DSSE_PAYLOAD_TYPE, "signatures": [signed]}


def bundle_referrer(subject: Descriptor, content: bytes, predicate_type: str) -> "Referrer":
    """The manifest that leads from a subject to a bundle about it. It has no time in it: equal bundles stay one."""
    layer = Descriptor(BUNDLE, Digest.of(content), len(content))
    annotations = {_CONTENT_ANNOTATION: "dsse-envelope", _PREDICATE_ANNOTATION: predicate_type}
    manifest = artifact(BUNDLE, subject, layer, annotations=annotations)
    # Policies, too, read what is defined here, and have no referrers to make.
    from manifest_action.signing.base import Referrer  # noqa: PLC0415

    return Referrer(manifest, {Digest.of(EMPTY): EMPTY, layer.digest: content})


def is_signature(manifest: Manifest) -> bool:
    """Whether a referrer is a signature: cosign's, with a bundle or without, or notation's; not an attestation.

    A bundle that does not say what it states counts as a signature.
    """
    if manifest.artifact_type != BUNDLE:
        config = manifest.config.media_type if manifest.config else ""
        return bool(_SIGNATURE_TYPES & {manifest.artifact_type, config})
    return manifest.annotations.get(_PREDICATE_ANNOTATION, SIGNATURE_PREDICATE) == SIGNATURE_PREDICATE


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
