"""Image manifests from Docker's schema 1 to schema 2, and from schema 2 or OCI to schema 1.

Docker image manifest v2 schema 1 and 2; OCI image-spec 1.1, config.md. In schema 1 the configuration is a text in
the newest entry of the history, and entries without files point to one well-known empty layer.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from manifest_action.convert.image import Conversion, Losses, Unconvertible, docker_losses, serialised
from manifest_action.convert.jws import sign
from manifest_action.model import mediatype
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.schema1 import EMPTY_LAYER, EMPTY_LAYER_DIGEST, HistoryEntry, Schema1
from manifest_action.model.strictjson import parse_object

_TAR = "application/vnd.docker.image.rootfs.diff.tar"
_EMPTY = Descriptor(mediatype.DOCKER_LAYER, EMPTY_LAYER_DIGEST, len(EMPTY_LAYER))
_OLD_MEMBERS = frozenset({"id", "parent", "parent_id", "layer_id", "throwaway", "Size"})
_NO_TIME = "0001-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class ReadLayer:
    """What can be known of a layer only by reading it: its size in bytes, the digest of its tar, and if it is gzip."""

    size: int
    diff_id: Digest
    is_gzip: bool = True


def from_schema1(old: Schema1, read: Mapping[Digest, ReadLayer]) -> Conversion:
    """The image as a Docker manifest of schema 2, with a config made from its history.

    old:  with its signatures verified
    read: what was found for every digest of `old.layers`

    ValueError when the history is not what it should be.
    """
    config = _config(old, [read[layer].diff_id for layer in old.layers])
    descriptor = Descriptor(mediatype.DOCKER_CONFIG, Digest.of(config), len(config))
    layers = [
        Descriptor(mediatype.DOCKER_LAYER if read[each].is_gzip else _TAR, each, read[each].size) for each in old.layers
    ]
    manifest = serialised(mediatype.DOCKER_MANIFEST, descriptor, layers)
    return Conversion(manifest, {descriptor.digest: config})


def schema1_losses(manifest: Manifest) -> Losses:
    """What `manifest` would lose as schema 1: what schema 2 does not hold, and layers that lie elsewhere."""
    losses = docker_losses(manifest)
    if not manifest.is_image:
        return losses if losses.fatal else Losses(losses.droppable, ("it is no image",))
    elsewhere = tuple(f"the layer {layer.digest} that lies elsewhere" for layer in manifest.layers if layer.urls)
    return Losses(losses.droppable, (*losses.fatal, *elsewhere))


def to_schema1(manifest: Manifest, config: bytes, name: str, *, lossy: bool = False) -> Conversion:
    """The image as a schema 1 manifest, signed with a key that is thrown away.

    config: the bytes of the image's config
    name:   the repository's name that the manifest states, such as acme/app

    The digest depends on the input alone, since it is not over the signature. Unconvertible as `to_docker`, and
    for layers that lie elsewhere; ValueError for a config whose history does not fit the layers.
    """
    losses = schema1_losses(manifest)
    if losses.fatal or (losses.droppable and not lossy):
        raise Unconvertible(losses)
    document = parse_object(config)
    entries = list(_entries(manifest.layers, document, config))
    payload = {
        "schemaVersion": 1,
        "name": name,
        "tag": "",
        "architecture": document.get("architecture") or "",
        "fsLayers": [{"blobSum": str(entry.blob)} for entry in reversed(entries)],
        "history": [{"v1Compatibility": _compact(entry.compatibility)} for entry in reversed(entries)],
    }
    text = json.dumps(payload, indent="   ", ensure_ascii=False).encode()
    blobs = {EMPTY_LAYER_DIGEST: EMPTY_LAYER} if any(entry.blob == EMPTY_LAYER_DIGEST for entry in entries) else {}
    made = Manifest(
        raw=sign(text),
        media_type=mediatype.DOCKER_SCHEMA1_SIGNED,
        digest=Digest.of(text),
        layers=(*manifest.layers, *([_EMPTY] if blobs else [])),
    )
    return Conversion(made, blobs)


def _config(old: Schema1, diff_ids: Sequence[Digest]) -> bytes:
    newest = old.history[-1].compatibility
    config = {name: value for name, value in newest.items() if name not in _OLD_MEMBERS}
    config.setdefault("architecture", old.architecture or "amd64")
    config.setdefault("os", "linux")
    config["rootfs"] = {"type": "layers", "diff_ids": [str(diff_id) for diff_id in diff_ids]}
    config["history"] = [_history(entry) for entry in old.history]
    return _compact(config).encode()


def _history(entry: HistoryEntry) -> dict[str, object]:
    old = entry.compatibility
    made: dict[str, object] = {"created": old.get("created") or _NO_TIME}
    made |= {name: old[name] for name in ("author", "comment") if old.get(name)}
    container = old.get("container_config")
    command = container.get("Cmd") if isinstance(container, Mapping) else None
    if isinstance(command, list) and command:
        made["created_by"] = " ".join(map(str, command))
    if entry.is_empty:
        made["empty_layer"] = True
    return made


def _entries(layers: Sequence[Descriptor], document: Mapping[str, object], config: bytes) -> Iterator[HistoryEntry]:
    """The history of schema 1, base first; ids follow from blobs and parents, the newest one from the config too."""
    history = _steps(document, len(layers))
    left = iter(layers)
    parent = ""
    for number, step in enumerate(history, 1):
        empty = step.get("empty_layer") is True
        blob = EMPTY_LAYER_DIGEST if empty else next(left).digest
        seed = f"{blob.encoded} {parent}".encode()
        if number == len(history):
            kept = {name: value for name, value in document.items() if name not in ("rootfs", "history")}
            identity = hashlib.sha256(seed + b" " + config).hexdigest()
        else:
            kept = _old_form(step)
            identity = hashlib.sha256(seed).hexdigest()
        links = {"id": identity, **({"parent": parent} if parent else {}), **({"throwaway": True} if empty else {})}
        yield HistoryEntry(blob, {**links, **kept})
        parent = identity


def _steps(document: Mapping[str, object], layers: int) -> list[Mapping[str, object]]:
    """The config's history, or one nameless step for each layer when it has none."""
    history = document.get("history") or [{} for _ in range(layers)]
    if not isinstance(history, list) or not all(isinstance(step, Mapping) for step in history):
        raise ValueError("the config's history must be a list of objects")
    filled = sum(step.get("empty_layer") is not True for step in history)
    if filled != layers or not history:
        raise ValueError(f"the config's history has {filled} steps with a layer, but the image has {layers} layers")
    return history


def _old_form(step: Mapping[str, object]) -> dict[str, object]:
    kept: dict[str, object] = {name: step[name] for name in ("author", "comment") if step.get(name)}
    created_by = step.get("created_by")
    return {
        "created": step.get("created") or _NO_TIME,
        "container_config": {"Cmd": [created_by if isinstance(created_by, str) else ""]},
        **kept,
    }


def _compact(document: Mapping[str, object]) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)
