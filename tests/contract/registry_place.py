"""A repository of a real registry as a place of the contract."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from manifest_action.errors import ManifestActionError, RegistryError
from manifest_action.events import Event
from manifest_action.model.reference import Repository
from manifest_action.transport.base import Transport
from manifest_action.transport.registry.client import RegistryTransport
from manifest_action.transport.registry.options import RegistryOptions
from tests.support.images import Synthetic, push
from tests.support.servers import Registry


@dataclass
class RegistryPlace:
    """`docker://`: a registry with nothing in it, and a guarded one where nobody is logged in."""

    registry: Registry
    guarded: Registry
    tag: str = "1.0"

    def __post_init__(self) -> None:
        shutil.rmtree(self.registry.storage / "docker", ignore_errors=True)
        self.transport = self.fresh_transport()
        self.failure: type[ManifestActionError] = RegistryError
        self.repository = Repository("docker", self.registry.host, "contract/app")
        self.unwritable = Repository("docker", self.guarded.host, "contract/app")

    def fresh_transport(self) -> Transport:
        # Damage makes this registry answer 500 for good, and so does a tag that moves, for a moment.
        return RegistryTransport(RegistryOptions(retry_budget=9.0), _Silent())

    def fill(self, tag: str, what: Synthetic, /) -> None:
        push(self.registry, self.repository.name, what, tag)

    def stored(self, digest: str) -> bytes | None:
        file = self._file(digest)
        return file.read_bytes() if file.exists() else None

    def damage(self, digest: str, content: bytes | None) -> None:
        self._file(digest).unlink()
        if content is not None:
            self._file(digest).write_bytes(content)

    def _file(self, digest: str) -> Path:
        algorithm, _, encoded = digest.partition(":")
        return self.registry.storage.joinpath("docker/registry/v2/blobs", algorithm, encoded[:2], encoded, "data")


class _Silent:
    def emit(self, event: Event, /) -> None:
        """Nobody listens."""
