"""Artifacts of one file about another manifest (OCI image-spec 1.1, "Guidelines for Artifact Usage"). Pure."""

from collections.abc import Mapping

from manifest_action.model import mediatype
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.strictjson import compact

EMPTY = b"{}"
"""The config of artifacts, which need none ("Guidance for an Empty Descriptor")."""


def artifact(
    kind: str,
    subject: Descriptor,
    layer: Descriptor,
    *,
    annotations: Mapping[str, str] | None = None,
    config_type: str = mediatype.OCI_EMPTY,
) -> Manifest:
    """The manifest of an artifact whose config is `EMPTY`; only what is given is in it, and no time.

    kind:        the artifact's type, a media type
    subject:     what it is about, of which media type, digest and size are taken
    layer:       the file
    config_type: the media type of the config, which readers that know no artifact type look at
    """
    config = Descriptor(config_type, Digest.of(EMPTY), len(EMPTY))
    document: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": mediatype.OCI_MANIFEST,
        "artifactType": kind,
        "config": config.to_document(),
        "layers": [layer.to_document()],
        "subject": Descriptor(subject.media_type, subject.digest, subject.size).to_document(),
    }
    if annotations:
        document["annotations"] = dict(annotations)
    return Manifest.parse(compact(document), media_type=mediatype.OCI_MANIFEST)
