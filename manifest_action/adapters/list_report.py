"""Saved lists as JSON documents and as lines of text."""

from collections.abc import Sequence

from manifest_action.adapters.report import SCHEMA, Document
from manifest_action.adapters.tables import TYPE_NAMES
from manifest_action.adapters.text import bytes_text, columns, count, printable
from manifest_action.model.attestation import is_attestation
from manifest_action.model.descriptor import Descriptor
from manifest_action.store import SavedList


def list_document(saved: SavedList) -> Document:
    """One list: what it lists in order, where each instance is (null: in the store), and its bytes as text."""
    manifest = saved.manifest
    return {
        "schema": SCHEMA,
        "names": list(saved.names),
        "digest": str(manifest.digest) if manifest else None,
        "mediaType": saved.index.media_type,
        "size": len(manifest.raw) if manifest else None,
        "annotations": dict(saved.index.annotations),
        "instances": [_instance_document(saved, entry) for entry in saved.index.entries],
        "index": manifest.raw.decode() if manifest else None,
    }


def store_document(lists: Sequence[SavedList]) -> Document:
    """Every list, without the details."""
    return {
        "schema": SCHEMA,
        "lists": [
            {
                "names": list(saved.names),
                "digest": str(saved.manifest.digest) if saved.manifest else None,
                "mediaType": saved.index.media_type,
                "instances": len(saved.index.entries),
            }
            for saved in lists
        ],
    }


def list_lines(saved: SavedList) -> list[str]:
    """One list for people."""
    manifest = saved.manifest
    kind = TYPE_NAMES[saved.index.media_type]
    facts = [("type", f"{kind}, {bytes_text(len(manifest.raw))}"), ("digest", str(manifest.digest))] if manifest else []
    facts += [(f"annotation {printable(key)}", printable(value)) for key, value in saved.index.annotations.items()]
    rows = [
        (_name(entry), str(entry.digest), _annotations(entry), _location(saved, entry)) for entry in saved.index.entries
    ]
    table = columns([("PLATFORM", "DIGEST", "ANNOTATIONS", "LOCATION"), *rows])
    return [*map(printable, saved.names), *columns(facts), "", *table]


def store_lines(lists: Sequence[SavedList]) -> list[str]:
    """Every list for people, a line for each name."""
    rows = [
        (printable(name), str(saved.manifest.digest), count(len(saved.index.entries), "instance"))
        for saved in lists
        if saved.manifest
        for name in saved.names
    ]
    return columns([("NAME", "DIGEST", "INSTANCES"), *rows], indent="")


def _instance_document(saved: SavedList, entry: Descriptor) -> Document:
    location = saved.locations.get(entry.digest)
    return {
        "digest": str(entry.digest),
        "mediaType": entry.media_type,
        "size": entry.size,
        "platform": entry.platform.to_document() if entry.platform else None,
        "annotations": dict(entry.annotations),
        "urls": list(entry.urls),
        "artifactType": entry.artifact_type or None,
        "location": str(location) if location else None,
    }


def _name(entry: Descriptor) -> str:
    if is_attestation(entry):
        return "attestation"
    return printable(str(entry.platform)) if entry.platform else "no platform"


def _annotations(entry: Descriptor) -> str:
    return printable(", ".join(f"{key}={value}" for key, value in entry.annotations.items()), 80) or "-"


def _location(saved: SavedList, entry: Descriptor) -> str:
    location = saved.locations.get(entry.digest)
    return printable(str(location)) if location else "in the store"
