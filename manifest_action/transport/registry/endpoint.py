"""One registry host: where it is, how it wants to be spoken to, and how busy it may be kept."""

import threading
from contextlib import suppress

from manifest_action.errors import ManifestActionError
from manifest_action.transport.registry.address import Home, Zone, check_peer, zone_of_host
from manifest_action.transport.registry.auth import Authenticator
from manifest_action.transport.registry.gate import Gate
from manifest_action.transport.registry.introduction import Introduction
from manifest_action.transport.registry.message import Broken, NotTLS
from manifest_action.transport.registry.pool import Connections
from manifest_action.transport.registry.url import Url, api_address


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
        self.breadth = 0
        """How many connections will be wanted at once; 0 is not known."""
        self._connections = connections
        self._secure_url = api_address(registry)
        self._zone = zone_of_host(self._secure_url.host)
        self._may_be_plain = insecure or self._zone is Zone.LOOPBACK
        self._lock = threading.Lock()
        self._ahead_lock = threading.Lock()
        self._ahead = False
        self._url = None if self._may_be_plain else self._secure_url

    @property
    def home(self) -> Home:
        """The registry's own address. Raises Broken when it cannot be found out."""
        with self._lock:
            if self._url is None:
                self._url = self._find()
            return Home(self._url, self._zone, insecure=self._may_be_plain)

    def open_ahead(self) -> None:
        """Open as many connections as will be wanted, in the background, while the first request is under way."""
        with self._ahead_lock:
            number, self._ahead = (0, self._ahead) if self._ahead else (self.breadth - 1, self.breadth > 0)
        for _ in range(number):
            threading.Thread(target=self._open_one_ahead, name=f"connect {self.registry}", daemon=True).start()

    def _open_one_ahead(self) -> None:
        # Whoever asks next meets the same trouble, and can say what it was about.
        with suppress(Broken, ManifestActionError):
            self._connections.open(self.home.url, verified=self.verified)

    def warm(self) -> None:
        """Open a connection for a request that will come, if it is known how and that was not done ahead."""
        if self._url is not None and not self._ahead:
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
