"""The repositories of every registry that a run talks to, and the session in which it does."""

import threading
from collections.abc import Iterable

from manifest_action.events import Reporter
from manifest_action.model.access import Access
from manifest_action.model.reference import Repository
from manifest_action.transport.registry.dialer import Dialer
from manifest_action.transport.registry.extension import SignatureExtension
from manifest_action.transport.registry.limits import Limits
from manifest_action.transport.registry.options import RegistryOptions
from manifest_action.transport.registry.proxy import Proxies
from manifest_action.transport.registry.referrers import Referrers
from manifest_action.transport.registry.repository import RegistryRepository
from manifest_action.transport.registry.session import Session


class Repositories:
    """Each is made when it is first wanted; all share one session."""

    def __init__(
        self, options: RegistryOptions, reporter: Reporter, proxies: Proxies, dialer: Dialer, limits: Limits
    ) -> None:
        self._session = Session(options, reporter, proxies, dialer, limits)
        self._referrers = Referrers(self._session)
        self._extension = SignatureExtension(self._session)
        self._lock = threading.Lock()
        self._repositories: dict[Repository, RegistryRepository] = {}

    def of(self, repository: Repository) -> RegistryRepository:
        """The repository, for reading and for writing."""
        with self._lock:
            if repository not in self._repositories:
                parts = (self._session, self._referrers, self._extension)
                self._repositories[repository] = RegistryRepository(repository, *parts)
            return self._repositories[repository]

    def prepare(self, accesses: Iterable[Access]) -> None:
        """See `Transport.prepare`."""
        self._session.prepare(accesses)

    def close(self) -> None:
        """Close every connection; whatever is still under way fails at once."""
        self._session.close()
