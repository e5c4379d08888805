"""Descriptors: typed, sized, digested pointers to content (OCI image-spec 1.1, descriptor.md)."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from manifest_action.model.digest import Digest
from manifest_action.model.mediatype import NONDISTRIBUTABLE_LAYERS
from manifest_action.model.platform import Platform

MAX_SIZE = 2**53 - 1
NONE: Mapping[str, str] = MappingProxyType({})
"""No annotations: one for all that have none, as a run may hold hundreds of thousands of descriptors."""


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What a piece of content is, how many bytes it has and which digest they have.

    size is in bytes, 0 to 2**53-1. `annotations` keeps its order; `data` is the base64 text as found.
    """

    media_type: str
    digest: Digest
    size: int
    platform: Platform | None = None
    annotations: Mapping[str, str] = field(default_factory=lambda: NONE, hash=False)
    artifact_type: str = ""
    urls: tuple[str, ...] = ()
    data: str = ""

    @classmethod
    def from_document(cls, document: object) -> "Descriptor":
        """Read a descriptor's JSON object; ValueError names the member that is missing or wrong."""
        if not isinstance(document, Mapping):
            raise ValueError("a descriptor must be an object")
        size = document.get("size")
        if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= MAX_SIZE:
            raise ValueError("a descriptor's size must be an integer from 0 to 2^53-1")
        platform = document.get("platform")
        if platform is not None and not isinstance(platform, Mapping):
            raise ValueError("a descriptor's platform must be an object")
        return cls(
            media_type=sys.intern(string(document, "mediaType", required=True)),
            digest=Digest.parse(string(document, "digest", required=True)),
            size=size,
            platform=Platform.from_document(platform) if platform else None,
            annotations=string_map(document, "annotations"),
            artifact_type=string(document, "artifactType"),
            urls=_strings(document, "urls"),
            data=string(document, "data"),
        )

    @property
    def lies_elsewhere(self) -> bool:
        """Whether this is a layer that its licence keeps at its URLs: it is neither stored nor sent, nor fetched there.

        Following such URLs has leaked credentials (CVE-2020-15157).
        """
        return self.media_type in NONDISTRIBUTABLE_LAYERS and bool(self.urls)

    def to_document(self) -> dict[str, object]:
        """The JSON object, members in the order image tools write them, empty ones left out."""
        document: dict[str, object] = {
            "mediaType": self.media_type,
            "digest": str(self.digest),
            "size": self.size,
        }
        if self.urls:
            document["urls"] = list(self.urls)
        if self.annotations:
            document["annotations"] = dict(self.annotations)
        if self.data:
            document["data"] = self.data
        if self.artifact_type:
            document["artifactType"] = self.artifact_type
        if self.platform is not None:
            document["platform"] = self.platform.to_document()
        return document


def string(document: Mapping[str, object], name: str, *, required: bool = False) -> str:
    """The member `name` as text, empty when absent or null; ValueError when it is something else."""
    value = document.get(name)
    if value is None:
        if required:
            raise ValueError(f"{name} is missing")
        return ""
    if not isinstance(value, str) or (required and not value):
        raise ValueError(f"{name} must be a {'non-empty ' if required else ''}string")
    return value


def string_map(document: Mapping[str, object], name: str) -> Mapping[str, str]:
    """The member `name` as a map of text to text, empty when absent or null; ValueError when it is something else."""
    value = document.get(name)
    if value is None or value == {}:
        return NONE
    if not isinstance(value, Mapping) or not all(isinstance(v, str) for v in value.values()):
        raise ValueError(f"{name} must map strings to strings")
    return value


def _strings(document: Mapping[str, object], name: str) -> tuple[str, ...]:
    value = document.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise ValueError(f"{name} must be a list of strings")
    return tuple(value)
