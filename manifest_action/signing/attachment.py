"""The image under a `.sig` tag: one layer for each signature of a subject (cosign's signature specification). Pure."""

from collections.abc import Mapping, Sequence

from manifest_action.errors import SigningError
from manifest_action.model import mediatype
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.strictjson import compact, parse_object
from manifest_action.signing.base import Attachment
from manifest_action.signing.payload import envelope

LAYER = "application/vnd.dev.cosign.simplesigning.v1+json"
ENVELOPE = "application/vnd.dsse.envelope.v1+json"
SIGNATURE_ANNOTATION = "dev.cosignproject.cosign/signature"
CONTENT_LIMIT = 1024 * 1024
"""Bytes of a payload or a bundle that is read; real ones have a few thousand."""


def attachment_tag(subject: Digest) -> str:
    """`sha256-<hex>.sig`. SigningError for digests that are too long for a tag (sha512)."""
    if subject.algorithm != "sha256":
        raise SigningError(
            "a signature tag is made of a sha256 digest only", where=str(subject), hint="use `format: bundle`"
        )
    return f"{subject.algorithm}-{subject.encoded}.sig"


def attestation(subject: Digest, statement: bytes, signature: bytes, predicate_type: str) -> Attachment:
    """The layer for the `.att` tag with a signed in-toto statement. SigningError as `attachment_tag`."""
    content = compact(envelope(statement, signature, keyid=True))
    annotations = {SIGNATURE_ANNOTATION: "", "predicateType": predicate_type}
    layer = Descriptor(ENVELOPE, Digest.of(content), len(content), annotations=annotations)
    return Attachment(f"{attachment_tag(subject).removesuffix('.sig')}.att", layer, content)


def with_attachments(
    current: Manifest | None, attachments: Sequence[Attachment]
) -> tuple[Manifest, Mapping[Digest, bytes]]:
    """The image with further layers, and the blobs that are new; what is there stays as it is and before them.

    ValueError as `with_layers`.
    """
    extended, config = with_layers(current, [attachment.layer for attachment in attachments])
    blobs = {attachment.layer.digest: attachment.content for attachment in attachments}
    return extended, {**blobs, Digest.of(config): config}


def with_layers(current: Manifest | None, layers: Sequence[Descriptor]) -> tuple[Manifest, bytes]:
    """The image with further layers, and its config; what is there stays as it is and before them.

    ValueError when `current` is no OCI image (containers/image reads no other), or is full.
    """
    if current is not None and current.media_type != mediatype.OCI_MANIFEST:
        raise ValueError(f"its media type is {current.media_type}, and readers accept {mediatype.OCI_MANIFEST} only")
    document = dict(parse_object(current.raw)) if current else {"schemaVersion": 2, "mediaType": mediatype.OCI_MANIFEST}
    config = _config([*(current.layers if current else ()), *layers])
    there = document.get("layers")
    document["config"] = Descriptor(mediatype.OCI_CONFIG, Digest.of(config), len(config)).to_document()
    document["layers"] = [*(there if isinstance(there, list) else []), *(layer.to_document() for layer in layers)]
    return Manifest.parse(compact(document), media_type=mediatype.OCI_MANIFEST), config


def _config(layers: Sequence[Descriptor]) -> bytes:
    """The config that containers/image and cosign write: the layers are not compressed, so their digests are theirs."""
    digests = [str(layer.digest) for layer in layers]
    return compact({"architecture": "", "os": "", "rootfs": {"type": "layers", "diff_ids": digests}})
