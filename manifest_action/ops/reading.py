"""Reading manifests and configs, every one at most once per run and all of a wave side by side."""

import threading
from collections.abc import Callable, Hashable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from manifest_action.errors import ContentError
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.platform import Platform
from manifest_action.model.reference import Reference, Repository
from manifest_action.ops.platforms import config_platform
from manifest_action.ops.waves import Task, Waves
from manifest_action.transport.base import Transport
from manifest_action.transport.verify import read_blob

if TYPE_CHECKING:
    from manifest_action.convert.image import Conversion

MANIFEST_BUDGET = 20_000
MANIFESTS_PER_SOURCE = 10
CONFIG_LIMIT = 4 * 1024 * 1024

Key = tuple[Repository, str]


class Reading:
    """What was read in this run. Manifests are kept under their selector and under their digest.

    MANIFEST_BUDGET, and MANIFESTS_PER_SOURCE for each of `sources`, bound how many a hostile source can make us fetch.
    """

    def __init__(self, transport: Transport, waves: Waves, sources: int = 0) -> None:
        self._budget = MANIFEST_BUDGET + MANIFESTS_PER_SOURCE * sources
        self._transport = transport
        self._waves = waves
        self._manifests: dict[Key, Manifest] = {}
        self._platforms: dict[Key, Platform] = {}
        self._alike: dict[Platform, Platform] = {}
        self._configs: dict[Key, bytes] = {}
        self._conversions: dict[Key, tuple[Manifest, Conversion]] = {}
        self._presence: dict[tuple[Repository, Digest], bool] = {}
        self._let_go = 0
        self._claims: set[Hashable] = set()
        self._lock = threading.Lock()

    @property
    def presence(self) -> Mapping[tuple[Repository, Digest], bool]:
        """Whether destinations have manifests and blobs, as far as that was asked."""
        return self._presence

    def fetch_manifests(self, wanted: Iterable[Key], *, beside: Iterable[Task] = ()) -> None:
        """Read, in one wave, those manifests that are not known yet. Errors as `Source.resolve`.

        beside: other tasks of the same wave
        """
        missing = [key for key in dict.fromkeys(wanted) if key not in self._manifests]
        if self._let_go + len(self._manifests) + len(missing) > self._budget:
            raise ContentError(
                f"the sources lead to more than {self._budget} manifests",
                hint="name the images themselves instead of nested indexes, or split the spec",
            )
        self._waves.follow([*(partial(self._fetch, key) for key in missing), *beside])

    def fetch(self, references: Iterable[Reference]) -> None:
        """Read what references lead to, in one wave; names that must be read before digests come in one before."""
        wanted = tuple(references)
        self.fetch_manifests((each.repository, name) for each in wanted for name in each.selectors[:-1])
        self.fetch_manifests((each.repository, each.selector) for each in wanted)

    def _fetch(self, key: Key) -> Iterable[Task]:
        repository, selector = key
        self.remember(key, self._transport.source(repository).resolve(selector))
        return ()

    def remember(self, key: Key, manifest: Manifest) -> None:
        """Take note of a manifest that was read by other means."""
        self._manifests[key] = manifest
        self._manifests[key[0], str(manifest.digest)] = manifest

    def remember_conversion(self, key: Key, old: Manifest, conversion: "Conversion") -> None:
        """Take note of what a manifest that was read became; from here on it stands for the one that was read."""
        self.remember(key, conversion.manifest)
        self._conversions[key[0], str(conversion.manifest.digest)] = (old, conversion)
        for digest, config in conversion.blobs.items():
            self._configs[key[0], str(digest)] = config
            self._platforms[key[0], str(digest)] = config_platform(config)

    def keep_only(self, keys: Iterable[Key]) -> None:
        """Let go of what was read, but for the manifests under these keys, and what they lead to."""
        manifests = {key: self._manifests[key] for key in keys if key in self._manifests}
        waiting = [(key[0], manifest) for key, manifest in manifests.items()]
        configs = set()
        while waiting:
            repository, manifest = waiting.pop()
            own = repository, str(manifest.digest)
            manifests[own] = manifest
            listed = [(repository, str(entry.digest)) for entry in manifest.entries]
            waiting += [(repository, self._manifests[key]) for key in listed if key in self._manifests]
            if manifest.config:
                configs.add((repository, str(manifest.config.digest)))
        self._let_go += len(self._manifests) - len(manifests)
        self._conversions = {key: made for key, made in self._conversions.items() if key in manifests}
        self._platforms = {key: found for key, found in self._platforms.items() if key in configs}
        self._configs = {key: raw for key, raw in self._configs.items() if key in configs}
        self._manifests = manifests
        self._claims.clear()

    def conversion(self, repository: Repository, digest: Digest) -> "tuple[Manifest, Conversion] | None":
        """What was read and what it became, by the digest of the latter; None for manifests that were not converted."""
        return self._conversions.get((repository, str(digest)))

    def manifest(self, repository: Repository, selector: str) -> Manifest | None:
        """A manifest that was read before; no request is made."""
        return self._manifests.get((repository, selector))

    def fetch_platforms(self, wanted: Iterable[tuple[Repository, Descriptor]]) -> None:
        """Read, in one wave, the platforms that image configs state and that are not known yet.

        ContentError when a config is over 4 MiB, is no JSON object, or does not match its descriptor.
        """
        unique = {(repository, str(config.digest)): (repository, config) for repository, config in wanted}
        missing = {key: value for key, value in unique.items() if key not in self._platforms}
        self._platforms.update(zip(missing, self._waves.map(self._fetch_platform, missing.values()), strict=True))

    def fetch_configs(self, wanted: Iterable[tuple[Repository, Descriptor]]) -> None:
        """Read, in one wave, image configs whose bytes are needed. ContentError as for `fetch_platforms`."""
        unique = {(repository, str(config.digest)): (repository, config) for repository, config in wanted}
        missing = {key: value for key, value in unique.items() if key not in self._configs}
        self._configs.update(zip(missing, self._waves.map(self._fetch_config, missing.values()), strict=True))

    def config(self, repository: Repository, config: Descriptor) -> bytes | None:
        """The bytes of a config that `fetch_configs` read before; no request is made."""
        return self._configs.get((repository, str(config.digest)))

    def _fetch_config(self, wanted: tuple[Repository, Descriptor]) -> bytes:
        repository, config = wanted
        where = f"{repository}@{config.digest}"
        return read_blob(self._transport.source(repository), config, CONFIG_LIMIT, where)

    def _fetch_platform(self, wanted: tuple[Repository, Descriptor]) -> Platform:
        repository, config = wanted
        where = f"{repository}@{config.digest}"
        try:
            platform = config_platform(self._fetch_config(wanted))
            return self._alike.setdefault(platform, platform)
        except ValueError as error:
            raise ContentError("the image's config cannot be read", where=where, why=str(error)) from None

    def read_platform(self, repository: Repository, config: Descriptor) -> None:
        """Read one config's platform, unless that is done or under way. Errors as `fetch_platforms`."""
        key = (repository, str(config.digest))
        if self._claim(key) and key not in self._platforms:
            self._platforms[key] = self._fetch_platform((repository, config))

    def ask_presence(self, destination: Repository, target: Descriptor) -> None:
        """Learn whether a destination has a manifest, unless that is done or under way."""
        self.ask(destination, target.digest, lambda: self._transport.destination(destination).has_manifest(target))

    def ask(self, destination: Repository, digest: Digest, question: Callable[[], bool]) -> None:
        """Learn by `question` whether a destination has a manifest or blob, unless that is done or under way."""
        key = (destination, digest)
        if self._claim(key) and key not in self._presence:
            self._presence[key] = question()

    def _claim(self, key: Hashable) -> bool:
        """Whether nobody has begun with this yet."""
        with self._lock:
            is_new = key not in self._claims
            self._claims.add(key)
            return is_new

    def platform(self, repository: Repository, config: Descriptor) -> Platform | None:
        """The platform of a config that was read before; no request is made."""
        return self._platforms.get((repository, str(config.digest)))
