"""Indexes this program writes: an OCI image index or a Docker manifest list (OCI image-spec 1.1, image-index.md)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from manifest_action.model import mediatype
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Index:
    """The content of an index. Entry order is meaning: a runtime takes the first match.

    Docker manifest lists have neither annotations, artifact type nor subject; `serialise` refuses them.
    """

    entries: tuple[Descriptor, ...]
    media_type: str = mediatype.OCI_INDEX
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)
    artifact_type: str = ""
    subject: Descriptor | None = None

    @classmethod
    def of(cls, manifest: Manifest) -> "Index":
        """The content of an index that was read."""
        return cls(
            manifest.entries, manifest.media_type, manifest.annotations, manifest.artifact_type, manifest.subject
        )

    def serialise(self) -> bytes:
        """The one byte form of this index: two-space JSON, fixed member order, annotations by key, no final newline.

        The same content always gives the same bytes, and so the same digest. ValueError when the media type
        cannot hold what the index has.
        """
        document: dict[str, object] = {"schemaVersion": 2, "mediaType": self.media_type}
        if self.artifact_type:
            document["artifactType"] = self.artifact_type
        document["manifests"] = [_entry(entry, self.media_type) for entry in self.entries]
        if self.subject is not None:
            document["subject"] = self.subject.to_document()
        if self.annotations:
            document["annotations"] = dict(sorted(self.annotations.items()))
        if self.media_type == mediatype.DOCKER_LIST and document.keys() & {"annotations", "artifactType", "subject"}:
            raise ValueError("a Docker manifest list cannot hold annotations, an artifact type or a subject")
        return json.dumps(document, indent=2, ensure_ascii=False).encode()

    def manifest(self) -> Manifest:
        """The index as the manifest that will be pushed; ValueError as `serialise` and `Manifest.parse`."""
        manifest = Manifest.parse(self.serialise(), media_type=self.media_type)
        # What was read back is what was written; a run of thousands of indexes keeps each entry once.
        return replace(manifest, entries=self.entries) if manifest.entries == self.entries else manifest


def _entry(entry: Descriptor, media_type: str) -> dict[str, object]:
    document = entry.to_document()
    if entry.annotations:
        document["annotations"] = dict(sorted(entry.annotations.items()))
    if media_type == mediatype.DOCKER_LIST and document.keys() & {"annotations", "artifactType", "data"}:
        raise ValueError("an entry of a Docker manifest list cannot hold annotations, an artifact type or data")
    return document
