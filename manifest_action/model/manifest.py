"""Manifests as they were read: verified raw bytes, with the parts this program decides by.

OCI image-spec 1.1 manifest.md and image-index.md; Docker image manifest v2 schema 2. Raw bytes are never
re-serialised. Documents that two readers could take for different things are refused (CVE-2021-41190).
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from manifest_action.model import mediatype
from manifest_action.model.descriptor import NONE, Descriptor, string, string_map
from manifest_action.model.digest import Digest
from manifest_action.model.strictjson import parse_object

SIZE_LIMIT = 4 * 1024 * 1024
ENTRY_LIMIT = 1000
LAYER_LIMIT = 1000

_INDEX_MEMBERS = ("manifests",)
_IMAGE_MEMBERS = ("config", "layers", "fsLayers")


@dataclass(frozen=True, slots=True)
class Manifest:
    """An image manifest or an index: `raw` are the bytes whose digest is `digest`.

    An index has `entries`; an image has `config` and `layers`. `subject` links an artifact to what it is about.
    Of a schema 1 image as it was read nothing else is known; its digest is not over its signatures.
    """

    raw: bytes = field(repr=False)
    media_type: str
    digest: Digest
    entries: tuple[Descriptor, ...] = ()
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()
    subject: Descriptor | None = None
    artifact_type: str = ""
    annotations: Mapping[str, str] = field(default_factory=lambda: NONE, hash=False)

    @classmethod
    def parse(cls, raw: bytes, *, media_type: str = "", algorithm: str = "sha256") -> "Manifest":
        """Read a manifest's bytes (at most 4 MiB).

        media_type: what the server or the referring descriptor called it, empty when nobody said
        algorithm:  of the digest to compute over `raw`

        ValueError: not strict JSON, over a limit, unknown or contradicting media types, members of both
        an image and an index, or a malformed descriptor.
        """
        if len(raw) > SIZE_LIMIT:
            raise ValueError(f"a manifest of {len(raw)} bytes is over the limit of {SIZE_LIMIT}")
        document = parse_object(raw)
        told = mediatype.essence(media_type)
        if told in mediatype.SCHEMA1 or document.get("schemaVersion") == 1:
            return cls(raw, mediatype.DOCKER_SCHEMA1_SIGNED, _schema1_digest(raw, told, algorithm))
        actual = _media_type(document, told)
        subject = document.get("subject")
        is_index = actual in mediatype.INDEXES
        return cls(
            raw=raw,
            media_type=actual,
            digest=Digest.of(raw, algorithm),
            entries=_descriptors(document, "manifests", ENTRY_LIMIT) if is_index else (),
            config=None if is_index else Descriptor.from_document(document.get("config")),
            layers=() if is_index else _descriptors(document, "layers", LAYER_LIMIT),
            subject=None if subject is None else Descriptor.from_document(subject),
            artifact_type=string(document, "artifactType"),
            annotations=string_map(document, "annotations"),
        )

    @property
    def is_index(self) -> bool:
        """Whether this is an OCI index or a Docker manifest list."""
        return self.media_type in mediatype.INDEXES

    @property
    def is_schema1(self) -> bool:
        """Whether this is an image of Docker's schema 1, which is converted before anything else is done with it."""
        return self.media_type in mediatype.SCHEMA1

    @property
    def is_image(self) -> bool:
        """Whether its config is an image's (and so has a platform); artifacts have other configs."""
        return self.config is not None and self.config.media_type in mediatype.CONFIGS

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """The config and layers a registry must hold before this manifest, each digest once, in order."""
        found = ([self.config] if self.config else []) + list(self.layers)
        return tuple({blob.digest: blob for blob in found}.values())

    @property
    def descriptor(self) -> Descriptor:
        """A plain descriptor of this manifest: media type, digest, size and artifact type."""
        return Descriptor(self.media_type, self.digest, len(self.raw), artifact_type=self.artifact_type)


def _schema1_digest(raw: bytes, told: str, algorithm: str) -> Digest:
    if told in mediatype.MANIFESTS:
        raise ValueError(f"the document is of schema 1, but it was served as {told}")
    from manifest_action.model.schema1 import parse_schema1  # noqa: PLC0415 - few images are that old

    return Digest.of(parse_schema1(raw).payload, algorithm)


def _media_type(document: Mapping[str, object], told: str) -> str:
    stated = string(document, "mediaType")
    if document.get("schemaVersion") != 2:
        raise ValueError("schemaVersion must be 2")
    has_index = any(name in document for name in _INDEX_MEMBERS)
    has_image = any(name in document for name in _IMAGE_MEMBERS)
    if has_index and has_image:
        raise ValueError("the document has members of both an image and an index; it could be read either way")
    told = told if told in mediatype.MANIFESTS else ""
    if stated and told and stated != told:
        raise ValueError(f"the document says it is {stated}, but it was served as {told}")
    actual = stated or told or (mediatype.OCI_INDEX if has_index else mediatype.OCI_MANIFEST)
    if actual not in mediatype.MANIFESTS:
        raise ValueError(f"media type {actual[:100]!r} is no image manifest or index")
    if (actual in mediatype.INDEXES) != has_index:
        raise ValueError(f"the document does not have the members of {actual}")
    return sys.intern(actual)


def _descriptors(document: Mapping[str, object], name: str, limit: int) -> tuple[Descriptor, ...]:
    values = document.get(name)
    if not isinstance(values, list):
        raise ValueError(f"{name} must be a list")
    if len(values) > limit:
        raise ValueError(f"{name} has {len(values)} entries, over the limit of {limit}")
    return tuple(Descriptor.from_document(value) for value in values)
