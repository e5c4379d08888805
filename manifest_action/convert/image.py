"""Image manifests from OCI's media types to Docker's and back (OCI image-spec 1.1, conversion and media-types.md).

Config and layers keep their bytes: only the manifest that names them is written anew.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from manifest_action.model import mediatype
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest

_OCI_LAYER = "application/vnd.oci.image.layer"
_DOCKER_LAYER = "application/vnd.docker.image.rootfs"
_TO_DOCKER: Mapping[str, str] = {
    mediatype.OCI_MANIFEST: mediatype.DOCKER_MANIFEST,
    mediatype.OCI_CONFIG: mediatype.DOCKER_CONFIG,
    f"{_OCI_LAYER}.v1.tar": f"{_DOCKER_LAYER}.diff.tar",
    f"{_OCI_LAYER}.v1.tar+gzip": f"{_DOCKER_LAYER}.diff.tar.gzip",
    f"{_OCI_LAYER}.nondistributable.v1.tar": f"{_DOCKER_LAYER}.foreign.diff.tar",
    f"{_OCI_LAYER}.nondistributable.v1.tar+gzip": f"{_DOCKER_LAYER}.foreign.diff.tar.gzip",
}
_TO_OCI: Mapping[str, str] = {docker: oci for oci, docker in _TO_DOCKER.items()}


@dataclass(frozen=True, slots=True)
class Conversion:
    """A manifest that was made, and the blobs made for it, which nobody has yet."""

    manifest: Manifest
    blobs: Mapping[Digest, bytes] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Losses:
    """What a manifest has that the other kind cannot hold, in words.

    droppable: it can be left out, with less said about the same image
    fatal:     without it there is no image left
    """

    droppable: tuple[str, ...] = ()
    fatal: tuple[str, ...] = ()


class Unconvertible(ValueError):
    """A manifest cannot become the other kind as it is; `losses` says everything that stands in the way."""

    def __init__(self, losses: Losses) -> None:
        super().__init__("; ".join([*losses.fatal, *losses.droppable]))
        self.losses = losses


def docker_losses(manifest: Manifest) -> Losses:
    """What `manifest` would lose as a Docker image manifest (schema 2); nothing when it is a Docker type already."""
    if manifest.media_type in mediatype.DOCKER:
        return Losses()
    droppable = [f"the annotation {key}" for key in manifest.annotations]
    droppable += [f"the artifact type {manifest.artifact_type}"] if manifest.artifact_type else []
    droppable += [f"the subject {manifest.subject.digest}"] if manifest.subject else []
    droppable += [
        f"the annotation {key} of {blob.media_type} {blob.digest}"
        for blob in _parts(manifest)
        for key in blob.annotations
    ]
    return Losses(tuple(droppable), _fatal(manifest, _TO_DOCKER, "Docker"))


def to_docker(manifest: Manifest, *, lossy: bool = False) -> Manifest:
    """The same image as a Docker image manifest, schema 2; a Docker manifest stays as it is.

    lossy: leave out what Docker's manifest cannot hold (annotations, artifact type, subject)

    Unconvertible: something would be lost and `lossy` is not set, or there is no image without it (an artifact,
    zstd layers).
    """
    if manifest.media_type in mediatype.DOCKER:
        return manifest
    losses = docker_losses(manifest)
    if losses.fatal or (losses.droppable and not lossy):
        raise Unconvertible(losses)
    plain = replace(manifest, annotations={}, artifact_type="", subject=None)
    # Inlined data repeats what the blob holds, and Docker knows neither it nor annotations of layers.
    return _rewritten(
        plain, [replace(blob, annotations={}, artifact_type="", data="") for blob in _parts(plain)], _TO_DOCKER
    )


def to_oci(manifest: Manifest) -> Manifest:
    """The same image as an OCI image manifest; an OCI manifest stays as it is.

    Unconvertible: it is no image (Docker plugins), or has layers of a type that OCI does not know.
    """
    if manifest.media_type not in mediatype.DOCKER:
        return manifest
    fatal = _fatal(manifest, _TO_OCI, "OCI")
    if fatal:
        raise Unconvertible(Losses(fatal=fatal))
    return _rewritten(manifest, _parts(manifest), _TO_OCI)


def _parts(manifest: Manifest) -> Sequence[Descriptor]:
    """The config, then the layers."""
    return [*([manifest.config] if manifest.config else []), *manifest.layers]


def _fatal(manifest: Manifest, types: Mapping[str, str], kind: str) -> tuple[str, ...]:
    if manifest.media_type not in types:
        return (f"{manifest.media_type} has no {kind} counterpart",)
    if manifest.config is None or not manifest.is_image:
        config = manifest.config.media_type if manifest.config else "no config"
        return (f"it is no image but an artifact ({manifest.artifact_type or config})",)
    known = {*types, *types.values()}
    odd = dict.fromkeys(layer.media_type for layer in manifest.layers if layer.media_type not in known)
    return tuple(f"layers of type {media_type} have no {kind} counterpart" for media_type in odd)


def _rewritten(manifest: Manifest, parts: Iterable[Descriptor], types: Mapping[str, str]) -> Manifest:
    """The manifest with the types of its parts mapped; a part that has the wanted type already keeps it."""
    config, *layers = (replace(blob, media_type=types.get(blob.media_type, blob.media_type)) for blob in parts)
    return serialised(types[manifest.media_type], config, layers, manifest)


def serialised(
    media_type: str, config: Descriptor, layers: Iterable[Descriptor], said: Manifest | None = None
) -> Manifest:
    """An image manifest in its one byte form: two-space JSON, fixed member order, no final newline.

    said: where artifact type, subject and annotations come from
    """
    document: dict[str, object] = {"schemaVersion": 2, "mediaType": media_type}
    if said is not None and said.artifact_type:
        document["artifactType"] = said.artifact_type
    document["config"] = config.to_document()
    document["layers"] = [layer.to_document() for layer in layers]
    if said is not None and said.subject is not None:
        document["subject"] = said.subject.to_document()
    if said is not None and said.annotations:
        document["annotations"] = dict(sorted(said.annotations.items()))
    raw = json.dumps(document, indent=2, ensure_ascii=False).encode()
    return Manifest.parse(raw, media_type=media_type)
