"""A transport in memory: repositories as dictionaries, with every call written down, for tests of the steps."""

import io
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from manifest_action.errors import ManifestActionError, RegistryError, ResolveError
from manifest_action.events import Event, Transfer
from manifest_action.model.access import Access
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import Repository
from manifest_action.transport.base import Content, Readable
from manifest_action.transport.verify import VerifyingReader


@dataclass
class MemoryRepository:
    """One repository; refuses manifests whose blobs or children are missing, as registries do."""

    name: Repository
    calls: list[tuple[str, str, str]]
    neighbours: "dict[Repository, MemoryRepository]"
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, Manifest] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    forgetful: bool = False
    """Whether an image goes away with its last tag."""
    refuse: dict[tuple[str, str], ManifestActionError] = field(default_factory=dict)

    def _called(self, what: str, which: object) -> None:
        self.calls.append((what, str(self.name), str(which)))
        error = self.refuse.get((what, str(which)))
        if error is not None:
            raise error

    def resolve(self, selector: str, /) -> Manifest:
        self._called("resolve", selector)
        digest = self.tags.get(selector, selector)
        if digest not in self.manifests:
            raise ResolveError("there is no such image", where=f"{self.name}:{selector}")
        return self.manifests[digest]

    @contextmanager
    def open(self, blob: Descriptor, offset: int = 0, /) -> Iterator[Readable]:
        self._called("open", blob.digest)
        yield io.BytesIO(self.blobs[str(blob.digest)][offset:])

    def size_of(self, digest: Digest, /) -> int:
        self._called("size_of", digest)
        return len(self.blobs[str(digest)])

    def has_manifest(self, target: Descriptor, /) -> bool:
        self._called("has_manifest", target.digest)
        return str(target.digest) in self.manifests

    def push_blob(self, blob: Descriptor, content: Content, mount_from: Repository | None, /) -> Transfer:
        self._called("push_blob", blob.digest)
        if str(blob.digest) in self.blobs:
            return Transfer.PRESENT
        if mount_from is not None and str(blob.digest) in self.neighbours[mount_from].blobs:
            self.blobs[str(blob.digest)] = self.neighbours[mount_from].blobs[str(blob.digest)]
            return Transfer.MOUNTED
        with content.open() as stream:
            self.blobs[str(blob.digest)] = VerifyingReader(stream, blob, str(self.name)).read()
        return Transfer.COPIED

    def push_manifest(self, manifest: Manifest, /) -> None:
        self._called("push_manifest", manifest.digest)
        for entry in manifest.entries:
            if str(entry.digest) not in self.manifests:
                raise RegistryError("MANIFEST_BLOB_UNKNOWN", where=str(self.name))
        for blob in manifest.blobs:
            if str(blob.digest) not in self.blobs and not blob.urls:
                raise RegistryError("BLOB_UNKNOWN", where=str(self.name))
        self.manifests[str(manifest.digest)] = manifest

    def tagged(self, tag: str, /) -> Digest | None:
        self._called("tagged", tag)
        digest = self.tags.get(tag)
        return Digest.parse(digest) if digest else None

    def remove_tag(self, tag: str, /) -> None:
        self._called("remove_tag", tag)
        digest = self.tags.pop(tag, None)
        if self.forgetful and digest not in self.tags.values():
            self.manifests.pop(str(digest), None)

    def tag(self, manifest: Manifest, tag: str, /) -> None:
        self._called("tag", tag)
        if str(manifest.digest) not in self.manifests:
            raise RegistryError("the tag would lead nowhere", where=str(self.name))
        self.tags[tag] = str(manifest.digest)


class MemoryTransport:
    """All repositories of a test."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, str]] = []
        self.repositories: dict[Repository, MemoryRepository] = {}
        self.prepared: list[Access] = []
        self._lock = threading.Lock()

    def __getitem__(self, repository: Repository) -> MemoryRepository:
        with self._lock:
            known = self.repositories
            return known.setdefault(repository, MemoryRepository(repository, self.calls, known))

    def source(self, repository: Repository, /) -> MemoryRepository:
        return self[repository]

    def destination(self, repository: Repository, /) -> MemoryRepository:
        return self[repository]

    def prepare(self, accesses: Iterable[Access], /) -> None:
        self.prepared += accesses

    def close(self) -> None:
        self.calls.append(("close", "", ""))

    def count(self, what: str) -> int:
        return sum(call[0] == what for call in self.calls)

    def writes(self) -> list[tuple[str, str, str]]:
        return [call for call in self.calls if call[0] in ("push_blob", "push_manifest", "tag")]


class Recorder:
    """Keeps the events of a run."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, event: Event, /) -> None:
        self.events.append(event)
