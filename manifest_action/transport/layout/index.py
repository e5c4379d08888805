"""A layout's `index.json`: the manifests it names (OCI image-spec 1.1, image-layout.md, "index.json file"). Pure."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from manifest_action.model import mediatype
from manifest_action.model.descriptor import Descriptor, string
from manifest_action.model.digest import Digest
from manifest_action.model.referrers import is_attached_tag
from manifest_action.model.strictjson import parse_object

SIZE_LIMIT = 4 * 1024 * 1024

_NAME = "org.opencontainers.image.ref.name"
_FULL_NAME = "io.containerd.image.name"


@dataclass(frozen=True, slots=True)
class Entry:
    """A manifest that a layout lists: what we read of it, and its JSON object as it was found."""

    descriptor: Descriptor
    document: object

    @property
    def name(self) -> str:
        """Its reference name, empty when it has none."""
        return self.descriptor.annotations.get(_NAME, "")


@dataclass(frozen=True, slots=True)
class LayoutIndex:
    """What a layout lists. `members` are those of the file; the entries take the place of its `manifests`."""

    members: Mapping[str, object]
    entries: tuple[Entry, ...] = ()

    @classmethod
    def empty(cls) -> "LayoutIndex":
        """That of a new layout."""
        return cls({"schemaVersion": 2, "mediaType": mediatype.OCI_INDEX, "manifests": []})

    @classmethod
    def parse(cls, raw: bytes) -> "LayoutIndex":
        """Read the file's bytes; ValueError when they are not strict JSON or not an OCI index."""
        members = parse_object(raw)
        if members.get("schemaVersion") != 2:
            raise ValueError("schemaVersion must be 2")
        stated = string(members, "mediaType")
        if stated not in ("", mediatype.OCI_INDEX):
            raise ValueError(f"mediaType must be {mediatype.OCI_INDEX}, not {stated[:100]!r}")
        manifests = members.get("manifests")
        if not isinstance(manifests, list):
            raise ValueError("manifests must be a list")
        return cls(members, tuple(Entry(Descriptor.from_document(document), document) for document in manifests))

    def named(self, name: str) -> tuple[Descriptor, ...]:
        """The entries of that reference name, else those of that full image name, which BuildKit writes beside it.

        The empty name is that of entries without one. Entries of one digest count once.
        """
        if not name:
            return _unique(entry.descriptor for entry in self.entries if not entry.name)
        for key in (_NAME, _FULL_NAME):
            found = tuple(entry.descriptor for entry in self.entries if entry.descriptor.annotations.get(key) == name)
            if found:
                return _unique(found)
        return ()

    def all(self) -> tuple[Descriptor, ...]:
        """Every entry, those of one digest once."""
        return _unique(entry.descriptor for entry in self.entries)

    def images(self) -> tuple[Descriptor, ...]:
        """As `all`, without the entries whose name says that they are attached to another one."""
        return _unique(entry.descriptor for entry in self.entries if not is_attached_tag(entry.name))

    def with_digest(self, digest: Digest) -> Descriptor | None:
        """The first entry of that digest."""
        return next((each for each in self.all() if each.digest == digest), None)

    def names(self) -> tuple[str, ...]:
        """The reference names in use, each once, in their order."""
        return tuple(dict.fromkeys(entry.name for entry in self.entries if entry.name))

    def with_name(self, target: Descriptor, name: str) -> "LayoutIndex":
        """This index with `name` for `target` alone; other entries stay as they are and in their order.

        A name that is in use keeps its place. A new one goes behind the last name that sorts before it, so that
        the file does not depend on the order in which names are added.
        """
        holders = [entry for entry in self.entries if entry.name == name]
        if [_identity(holder.descriptor) for holder in holders] == [_identity(target)]:
            return self
        descriptor = replace(target, annotations={_NAME: name} if name else {})
        new = Entry(descriptor, descriptor.to_document())
        before = [position + 1 for position, entry in enumerate(self.entries) if entry.name < name]
        place = self.entries.index(holders[0]) if holders else max(before, default=0)
        entries = (*self.entries[:place], new, *self.entries[place:])
        return replace(self, entries=tuple(entry for entry in entries if entry is new or entry.name != name))

    def without_name(self, name: str) -> "LayoutIndex":
        """This index without the entries of that name."""
        entries = tuple(entry for entry in self.entries if entry.name != name)
        return self if len(entries) == len(self.entries) else replace(self, entries=entries)

    def serialise(self) -> bytes:
        """The file's bytes; the same content always gives the same."""
        document = {**self.members, "manifests": [entry.document for entry in self.entries]}
        return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"


def _unique(descriptors: Iterable[Descriptor]) -> tuple[Descriptor, ...]:
    return tuple({each.digest: each for each in descriptors}.values())


def _identity(descriptor: Descriptor) -> tuple[str, Digest, int]:
    return descriptor.media_type, descriptor.digest, descriptor.size
