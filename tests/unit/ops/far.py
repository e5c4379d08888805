"""Repositories that are far away: what they have is asked for before anything is sent."""

from dataclasses import dataclass, field
from threading import Event

from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import Repository
from manifest_action.transport.base import Content
from tests.unit.ops.memory import MemoryRepository, MemoryTransport


@dataclass
class FarRepository(MemoryRepository):
    """A repository that is asked first. One blob may have to wait until `others` are done."""

    slow: str = ""
    others: Event = field(default_factory=Event)

    def has_blob(self, blob: Descriptor, /) -> bool:
        self._called("has_blob", blob.digest)
        return str(blob.digest) in self.blobs

    def has_digest(self, digest: Digest, /) -> bool:
        self._called("has_digest", digest)
        return str(digest) in self.manifests

    def upload(self, blob: Descriptor, content: Content, /) -> None:
        if str(blob.digest) == self.slow:
            assert self.others.wait(10)
        self._called("upload", blob.digest)
        with content.open() as stream:
            self.blobs[str(blob.digest)] = stream.read()

    def push_manifest(self, manifest: Manifest, /) -> None:
        super().push_manifest(manifest)
        self.others.set()


class FarTransport(MemoryTransport):
    """Repositories that are far away."""

    def __getitem__(self, repository: Repository) -> FarRepository:
        known = self.repositories
        found = known.setdefault(repository, FarRepository(repository, self.calls, known))
        assert isinstance(found, FarRepository)
        return found
