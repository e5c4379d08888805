"""The `docker://` transport: every registry that a run talks to."""

import threading
from collections.abc import Iterable

from manifest_action.events import Reporter
from manifest_action.model.access import Access
from manifest_action.model.reference import Repository
from manifest_action.transport.registry.connection import DEFAULT_LIMITS, Limits
from manifest_action.transport.registry.extension import SignatureExtension
from manifest_action.transport.registry.options import RegistryOptions
from manifest_action.transport.registry.referrers import Referrers
from manifest_action.transport.registry.repository import RegistryRepository
from manifest_action.transport.registry.session import Session


class RegistryTransport:
    """See `transport.base.Transport`. One object serves a repository for reading as well as writing.

    limits: how long to wait for servers

    Raises ConfigError when the environment names a proxy that cannot be used.
    """

    def __init__(self, options: RegistryOptions, reporter: Reporter, limits: Limits = DEFAULT_LIMITS) -> None:
        self._session = Session(options, reporter, limits)
        self._referrers = Referrers(self._session)
        self._extension = SignatureExtension(self._session)
        self._lock = threading.Lock()
        self._repositories: dict[Repository, RegistryRepository] = {}

    def source(self, repository: Repository, /) -> RegistryRepository:
        """The repository for reading."""
        return self._of(repository)

    def destination(self, repository: Repository, /) -> RegistryRepository:
        """The repository for writing."""
        return self._of(repository)

    def prepare(self, accesses: Iterable[Access], /) -> None:
        """Learn what will be wanted, so that one token for each registry can allow all of it."""
        self._session.prepare(accesses)

    def close(self) -> None:
        """Close every connection; whatever is still under way fails at once."""
        self._session.close()

    def _of(self, repository: Repository) -> RegistryRepository:
        with self._lock:
            if repository not in self._repositories:
                parts = (self._session, self._referrers, self._extension)
                self._repositories[repository] = RegistryRepository(repository, *parts)
            return self._repositories[repository]
