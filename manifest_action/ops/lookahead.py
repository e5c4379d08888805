"""What destinations at other registries lack, asked for while the sources are still being read.

Images that a spec names by digest are looked for beside reading them, and the largest layers of those that are not
there beside reading their configs: so, when it is known that they shall be copied, it is known where to begin.
"""

import threading
from collections.abc import Iterable, Sequence
from functools import partial

from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.reference import Repository
from manifest_action.ops.reading import Key, Reading
from manifest_action.ops.waves import Task
from manifest_action.plan.plan import COPYING
from manifest_action.plan.spec import Format, IndexSpec
from manifest_action.transport.base import BlobFinder, Transport


class Lookahead:
    """The looks that the sources of some indexes are worth; what is found is noted in `reading`.

    Only as many layers are looked for at a registry as can be on their way at once, so that nothing waits for them.
    """

    def __init__(self, indexes: Iterable[IndexSpec], transport: Transport, reading: Reading) -> None:
        self._reading = reading
        self._lock = threading.Lock()
        self._asked: dict[str, set[Digest]] = {}
        self._places: dict[Key, dict[Repository, BlobFinder]] = {}
        for index in indexes:
            for source in index.sources if index.format is Format.AUTO else ():
                origin, selector = source.reference.repository, source.reference.selector
                if origin.registry and source.reference.digest:
                    finders = _finders(_elsewhere(index.repositories, origin), transport)
                    self._places.setdefault((origin, selector), {}).update(finders)

    @property
    def tasks(self) -> list[Task]:
        """What can be asked at once."""
        return [
            partial(self._look, key, repository, finder)
            for key, places in self._places.items()
            for repository, finder in places.items()
        ]

    def after(self, key: Key) -> list[Task]:
        """What can be asked when a source was read, or was not found somewhere."""
        manifest = self._reading.manifest(*key)
        if manifest is None or not manifest.is_image:
            return []
        layers = sorted(manifest.layers, key=lambda layer: layer.size, reverse=True)
        return [
            partial(self._look_for_layer, repository, finder, layer)
            for repository, finder in self._places.get(key, {}).items()
            if self._reading.presence.get((repository, manifest.digest)) is False
            for layer in layers
            if not layer.lies_elsewhere and self._takes(repository.registry, layer.digest)
        ]

    def _look(self, key: Key, repository: Repository, finder: BlobFinder) -> list[Task]:
        digest = Digest.parse(key[1])
        self._reading.ask(repository, digest, partial(finder.has_digest, digest))
        return self.after(key)

    def _look_for_layer(self, repository: Repository, finder: BlobFinder, layer: Descriptor) -> list[Task]:
        self._reading.ask(repository, layer.digest, partial(finder.has_blob, layer))
        return []

    def _takes(self, registry: str, digest: Digest) -> bool:
        with self._lock:
            asked = self._asked.setdefault(registry, set())
            is_taken = digest not in asked and len(asked) < COPYING
            if is_taken:
                asked.add(digest)
            return is_taken


def _elsewhere(repositories: Iterable[Repository], origin: Repository) -> Sequence[Repository]:
    """The first repository at each registry that is not the source's: its neighbours will mount from that one."""
    firsts: dict[str, Repository] = {}
    for repository in repositories:
        firsts.setdefault(repository.registry, repository)
    return [first for registry, first in firsts.items() if registry != origin.registry]


def _finders(repositories: Iterable[Repository], transport: Transport) -> dict[Repository, BlobFinder]:
    destinations = {repository: transport.destination(repository) for repository in repositories}
    return {repository: each for repository, each in destinations.items() if isinstance(each, BlobFinder)}
