"""The `docker://` transport: every registry that a run talks to.

What speaks HTTP is loaded when the first connections are on their way, or when it is needed.
"""

import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

from manifest_action.events import Reporter
from manifest_action.model.access import Access
from manifest_action.model.reference import Repository
from manifest_action.transport.registry.address import Zone, zone_of_host
from manifest_action.transport.registry.dialer import Dialer
from manifest_action.transport.registry.limits import DEFAULT_LIMITS, Limits
from manifest_action.transport.registry.options import RegistryOptions
from manifest_action.transport.registry.proxy import Proxies
from manifest_action.transport.registry.url import api_address

if TYPE_CHECKING:
    from manifest_action.transport.registry.repositories import Repositories
    from manifest_action.transport.registry.repository import RegistryRepository


class RegistryTransport:
    """See `transport.base.Transport`. One object serves a repository for reading as well as writing.

    limits: how long to wait for servers

    Raises ConfigError when the environment names a proxy that cannot be used.
    """

    def __init__(self, options: RegistryOptions, reporter: Reporter, limits: Limits = DEFAULT_LIMITS) -> None:
        self._options = options
        self._reporter = reporter
        self._limits = limits
        self._insecure = options.insecure
        self._proxies = Proxies(options.environment)
        self._dialer = Dialer(limits.connect)
        self._lock = threading.Lock()
        self._loaded: Repositories | None = None

    def source(self, repository: Repository, /) -> "RegistryRepository":
        """The repository for reading."""
        return self._repositories.of(repository)

    def destination(self, repository: Repository, /) -> "RegistryRepository":
        """The repository for writing."""
        return self._repositories.of(repository)

    def prepare(self, accesses: Iterable[Access], /) -> None:
        """Learn what will be wanted, so that one token for each registry can allow all of it."""
        wanted = list(accesses)
        for registry in {access.repository.registry for access in wanted}:
            self._dial(registry)
        self._repositories.prepare(wanted)

    def close(self) -> None:
        """Close every connection; whatever is still under way fails at once."""
        self._dialer.close()
        with self._lock:
            if self._loaded is not None:
                self._loaded.close()

    def _dial(self, registry: str) -> None:
        url = api_address(registry)
        # There is no distance to make up for on this machine; what an insecure registry speaks has to be found out on
        # a connection of its own; and whoever has a proxy is to use it.
        if zone_of_host(url.host) is Zone.LOOPBACK or registry in self._insecure or self._proxies.to(url):
            return
        self._dialer.dial(url.hostname, url.port)

    @property
    def _repositories(self) -> "Repositories":
        with self._lock:
            if self._loaded is None:
                from manifest_action.transport.registry.repositories import Repositories  # noqa: PLC0415

                parts = (self._reporter, self._proxies, self._dialer, self._limits)
                self._loaded = Repositories(self._options, *parts)
            return self._loaded
