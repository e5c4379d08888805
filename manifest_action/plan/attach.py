"""Reading what is to be attached: files such as SBOMs, their types, and what they are about. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from manifest_action.model.reference import DOCKER, OCI, OCI_ARCHIVE, Reference
from manifest_action.model.strictjson import parse_object
from manifest_action.plan import node
from manifest_action.plan.keys import ATTACH_KEYS, ATTACHMENTS_LIMIT, SBOM_TYPES
from manifest_action.plan.part import Part
from manifest_action.plan.platforms import read_platform
from manifest_action.plan.spec import AttachSpec

MEDIA_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}")
KEEPING = (DOCKER, OCI, OCI_ARCHIVE)
"""The transports of places that keep artifacts beside images."""
_INDEX = "index"
_CYCLONEDX_XML = re.compile(rb"<[^>!?]*\bxmlns(?::\w+)?\s*=\s*[\"']https?://cyclonedx\.org/schema/bom/")
_SPDX_TAG = re.compile(rb"\s*SPDXVersion:\s*SPDX-")
_BEGINNING = 4096


def read_attachments(part: Part, destinations: Sequence[Reference]) -> tuple[AttachSpec, ...]:
    """What `attach` lists; an item that is text is a file about the index.

    destinations: all must be places that keep artifacts
    """
    for destination in destinations:
        if destination.repository.transport not in KEEPING:
            part.refuse(f"nothing can be attached in {destination}", "attach in a registry, oci: or oci-archive:")
            return ()
    items = [part] if isinstance(part.node, node.Mapping) else part.items(ATTACHMENTS_LIMIT)
    return tuple(dict.fromkeys(spec for item in items if (spec := _read_item(item))))


def with_content(spec: AttachSpec, content: bytes) -> AttachSpec:
    """The attachment with the bytes of its file, and the type that they show when none is written.

    ValueError says what is wrong with the file.
    """
    if not content:
        raise ValueError("is empty")
    kind = spec.type or detected_type(content)
    if not kind:
        raise ValueError("is neither SPDX nor CycloneDX; say what it is with `type`, as a media type")
    return replace(spec, type=kind, content=content)


def detected_type(content: bytes) -> str:
    """The media type of an SBOM by what is in it: SPDX or CycloneDX; empty for anything else."""
    beginning = content[:_BEGINNING].removeprefix(b"\xef\xbb\xbf")
    if _SPDX_TAG.match(beginning):
        return "text/spdx"
    if beginning.lstrip().startswith(b"<") and _CYCLONEDX_XML.search(beginning):
        return "application/vnd.cyclonedx+xml"
    try:
        document = parse_object(content)
    except ValueError:
        return ""
    context = document.get("@context")
    if isinstance(document.get("spdxVersion"), str) or (isinstance(context, str) and "//spdx.org/rdf/3" in context):
        return SBOM_TYPES["spdx"]
    return SBOM_TYPES["cyclonedx"] if document.get("bomFormat") == "CycloneDX" else ""


def _read_item(part: Part) -> AttachSpec | None:
    if part.is_text:
        return _checked(part, part.text() or "", {})
    fields = part.fields(ATTACH_KEYS)
    if fields is None:
        return None
    if "file" not in fields:
        part.refuse("file is missing", "name the file to attach")
        return None
    return _checked(fields["file"], fields["file"].text() or "", fields)


def _checked(part: Part, file: str, fields: Mapping[str, Part]) -> AttachSpec | None:
    if not file or "\0" in file:
        part.refuse("must be the path of a file")
        return None
    kind = _read_type(fields["type"]) if "type" in fields else ""
    to = fields.get("to")
    platform = read_platform(to) if to and not (to.is_text and to.text() == _INDEX) else None
    return AttachSpec(file, kind, platform, mark=part.mark, path=part.path)


def _read_type(part: Part) -> str:
    text = part.text() or ""
    if text in SBOM_TYPES:
        return SBOM_TYPES[text]
    if not MEDIA_TYPE.fullmatch(text):
        part.refuse(f"{text[:80]!r} is neither {' nor '.join(SBOM_TYPES)} nor a media type")
    return text
