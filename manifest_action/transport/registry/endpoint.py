"""One registry host: where it is, how it wants to be spoken to, and how busy it may be kept."""

import threading

from manifest_action.transport.registry.address import Home, Zone, check_peer, zone_of_host
from manifest_action.transport.registry.auth import Authenticator
from manifest_action.transport.registry.gate import Gate
from manifest_action.transport.registry.introduction import Introduction
from manifest_action.transport.registry.message import Broken, NotTLS
from manifest_action.transport.registry.pool import Connections
from manifest_action.transport.registry.url import Url

_API_HOSTS = {"docker.io": "registry-1.docker.io"}


class Endpoint:
    """A registry as it is reached.

    Hosts on this machine, and those in `insecure`, are tried with https and then with http; the certificates of
    the latter are not verified. All others are spoken to by https only.
    """

    def __init__(
        self, registry: str, connections: Connections, gate: Gate, auth: Authenticator, *, insecure: bool
    ) -> None:
        self.registry = registry
        self.gate = gate
        self.auth = auth
        self.introduction = Introduction()
        self.verified = not insecure
        self._connections = connections
        self._secure_url = Url.parse(f"https://{_API_HOSTS.get(registry, registry)}")
        self._zone = zone_of_host(self._secure_url.host)
        self._may_be_plain = insecure or self._zone is Zone.LOOPBACK
        self._lock = threading.Lock()
        self._url = None if self._may_be_plain else self._secure_url

    @property
    def home(self) -> Home:
        """The registry's own address. Raises Broken when it cannot be found out."""
        with self._lock:
            if self._url is None:
                self._url = self._find()
            return Home(self._url, self._zone, insecure=self._may_be_plain)

    def warm(self) -> None:
        """Open a connection for a request that will come, if it is known how."""
        if self._url is not None:
            self._connections.warm(self._url, verified=self.verified)

    def check(self, target: Url, peer: Zone | None) -> None:
        """Look at where a connection for this registry leads; Broken when nothing may be sent there."""
        home = self.home
        if peer is None:
            return
        if target.origin == home.url.origin:
            self._zone = peer
            return
        try:
            check_peer(peer, home)
        except ValueError as error:
            raise Broken(f"{target.authority} must not be asked: {error}", permanent=True) from None

    def _find(self) -> Url:
        """The https address if TLS is spoken there, else the http one. The connection this takes is kept for later."""
        has_port = self.registry.rpartition("]")[2].find(":") >= 0
        try:
            self._connections.open(self._secure_url, verified=self.verified)
        except NotTLS:
            pass
        except Broken as error:
            if has_port or error.permanent:
                raise
        else:
            return self._secure_url
        plain = Url.parse(f"http://{self.registry}")
        self._connections.open(plain, verified=self.verified)
        return plain
