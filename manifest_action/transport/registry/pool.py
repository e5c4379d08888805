"""Connections that are kept open, one pool for a whole run: the only place that imports the HTTP library.

It is used at the level of its pools: above those it follows redirects on its own and re-encodes addresses, and a
registry client must decide about that itself.
"""

import ssl
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, cast

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, ProxyManager, Retry, Timeout
from urllib3.exceptions import HTTPError
from urllib3.response import HTTPResponse

from manifest_action.transport.registry.address import Zone
from manifest_action.transport.registry.connection import (
    CHUNK,
    Answer,
    Fields,
    Live,
    PlainConnection,
    SecureConnection,
)
from manifest_action.transport.registry.dialer import Dialer
from manifest_action.transport.registry.limits import Limits
from manifest_action.transport.registry.message import Body, Broken
from manifest_action.transport.registry.proxy import Proxies, Proxy
from manifest_action.transport.registry.url import Url

_KEPT = 64
"""Connections to one host that stay open while nobody uses them."""
_POOL: Mapping[str, Any] = {"num_pools": _KEPT, "maxsize": _KEPT, "blocksize": CHUNK}


class Connections:
    """Connections that are kept open between exchanges, for any number of threads.

    contexts: gives the TLS settings, verified or not
    dialer:   may have begun to connect already
    """

    def __init__(
        self, contexts: Callable[[bool], ssl.SSLContext], proxies: Proxies, dialer: Dialer, limits: Limits
    ) -> None:
        self.limits = limits
        self._proxies = proxies
        self._live = Live()
        careful = {"dialer": dialer, "limits": limits, "live": self._live}
        self._pools = {verified: _Pools(partial(contexts, verified), limits, careful) for verified in (True, False)}

    def ask(
        self,
        method: str,
        url: Url,
        headers: Iterable[tuple[str, str]],
        body: bytes | Body,
        *,
        answer_timeout: float,
        verified: bool = True,
        check: Callable[[Zone | None], None] = lambda _: None,
    ) -> Answer:
        """One exchange, without following redirects.

        verified: whether an https server must have an accepted certificate
        check:    looks at where the server is before anything is sent; may raise Broken

        A connection that had been idle may have been closed by the server meanwhile; then another one is
        taken, without this counting as a failure. Raises Broken, and whatever reading `body` raises.
        """
        proxy = self._proxies.to(url)
        fields = Fields(headers)
        fields.answer_timeout, fields.check = answer_timeout, check
        fields.target = f"{url.origin}{url.target}" if proxy and url.scheme == "http" else url.target
        while True:
            try:
                response = self._pools[verified].exchange(method, url, fields, body or None, proxy)
            except Broken as error:
                if not (error.stale and isinstance(body, bytes)):
                    raise
                continue
            if not isinstance(body, bytes) and len(body) and response.status < 300:
                response.close()
                raise Broken("it took the content for complete before all of it was sent")
            return Answer(response)

    def warm(self, url: Url, *, verified: bool = True) -> None:
        """Open a connection for an exchange that will come; failing is left to that."""
        with suppress(Broken):
            self.open(url, verified=verified)

    def open(self, url: Url, *, verified: bool = True) -> None:
        """Open a connection and keep it for the next exchange. Raises Broken, and NotTLS for https without TLS."""
        self._pools[verified].open(url, self._proxies.to(url))

    def close(self) -> None:
        """Close all connections, and break those that are in use."""
        for pools in self._pools.values():
            pools.close()
        self._live.end()


class _Pools:
    """Careful connections by host, with TLS settings that are made when the first https address comes up."""

    def __init__(self, context: Callable[[], ssl.SSLContext], limits: Limits, careful: Mapping[str, Any]) -> None:
        """careful: what every connection is made with."""
        self._context = context
        self._limits = limits
        plain = partial(PlainConnection, **careful)
        secure = partial(SecureConnection, **careful)
        self._kinds = {
            "http": type("Plain", (_PlainPool,), {"ConnectionCls": staticmethod(plain)}),
            "https": type("Secure", (_SecurePool,), {"ConnectionCls": staticmethod(secure)}),
        }
        self._lock = threading.Lock()
        self._direct = self._careful(PoolManager(**_POOL))
        self._by_proxy: dict[Proxy, PoolManager] = {}

    def exchange(
        self, method: str, url: Url, fields: Fields, body: bytes | Body | None, proxy: Proxy | None
    ) -> HTTPResponse:
        """Send a request and read the head of its answer. Raises Broken, and whatever reading the body raises."""
        try:
            response: HTTPResponse = self._pool(url, proxy).urlopen(
                method,
                str(url),
                # The library passes these two on as they are; its types name fewer kinds than it takes.
                body=cast("Any", body),
                headers=fields,
                retries=Retry(0, read=False),
                redirect=False,
                assert_same_host=False,
                timeout=Timeout(connect=self._limits.connect, read=self._limits.idle),
                preload_content=False,
                decode_content=False,
            )
        except (HTTPError, OSError):
            raise Broken("its answer is no proper HTTP") from None
        return response

    def open(self, url: Url, proxy: Proxy | None) -> None:
        """Connect, and keep the connection. Raises Broken."""
        self._pool(url, proxy).open(self._limits.connect)

    def close(self) -> None:
        """Close the connections that nobody uses."""
        with self._lock:
            managers = (self._direct, *self._by_proxy.values())
        for manager in managers:
            manager.clear()

    def _pool(self, url: Url, proxy: Proxy | None) -> Any:
        settings = {"ssl_context": self._context()} if url.scheme == "https" else {}
        return self._manager(proxy).connection_from_host(url.host, url.port, url.scheme, pool_kwargs=settings)

    def _manager(self, proxy: Proxy | None) -> PoolManager:
        if proxy is None:
            return self._direct
        with self._lock:
            if proxy not in self._by_proxy:
                headers = {"Proxy-Authorization": proxy.authorization} if proxy.authorization else {}
                address = f"http://{proxy.host}:{proxy.port}"
                self._by_proxy[proxy] = self._careful(ProxyManager(address, proxy_headers=headers, **_POOL))
            return self._by_proxy[proxy]

    def _careful(self, manager: PoolManager) -> PoolManager:
        manager.pool_classes_by_scheme = self._kinds
        return manager


class _Opening:
    """What a pool needs to connect before there is a request."""

    def open(self: Any, timeout: float) -> None:
        connection = self._unopened()
        connection.timeout = timeout
        connection.is_ahead = True
        try:
            if self.proxy is not None and self.scheme == "https":
                self._prepare_proxy(connection)
            else:
                connection.connect()
        except BaseException:
            connection.close()
            self._put_conn(None)
            raise
        self._put_conn(connection)

    def _unopened(self: Any) -> Any:
        """A connection that is yet to be opened; those that are open already stay for others to use."""
        opened = []
        while not (connection := self._get_conn()).is_closed:
            opened.append(connection)
        for each in opened:
            self._put_conn(each)
        return connection


class _PlainPool(_Opening, HTTPConnectionPool):
    pass


class _SecurePool(_Opening, HTTPSConnectionPool):
    def _validate_conn(self, conn: Any) -> None:
        """Connect, and leave out the library's warning about certificates: the user named this registry insecure."""
        if conn.is_closed:
            conn.connect()
