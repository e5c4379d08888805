"""Connections that are kept open, one pool for a whole run: the only place that imports the HTTP library.

It is used a level below sessions: those follow redirects on their own, read `.netrc`, keep cookies and re-encode
addresses, and a registry client must decide about all of these itself.
"""

import ssl
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any, cast

from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from requests.exceptions import RequestException
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Retry
from urllib3.response import HTTPResponse

from manifest_action.transport.registry.address import Zone
from manifest_action.transport.registry.connection import (
    CHUNK,
    Answer,
    Fields,
    Limits,
    Live,
    PlainConnection,
    SecureConnection,
)
from manifest_action.transport.registry.message import Body, Broken
from manifest_action.transport.registry.proxy import Proxies, Proxy
from manifest_action.transport.registry.url import Url

_KEPT = 64
"""Connections to one host that stay open while nobody uses them."""


class Connections:
    """Connections that are kept open between exchanges, for any number of threads.

    contexts: gives the TLS settings, verified or not
    """

    def __init__(self, contexts: Callable[[bool], ssl.SSLContext], proxies: Proxies, limits: Limits) -> None:
        self._limits = limits
        self._proxies = proxies
        self._live = Live()
        self._adapters = {
            verified: _Adapter(partial(contexts, verified), limits, self._live) for verified in (True, False)
        }

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
        request = _request(method, url)
        # The library passes both on as they are; its types name fewer kinds than it takes.
        request.headers, request.body = cast("Any", fields), cast("Any", body or None)
        while True:
            try:
                response = self._adapters[verified].exchange(request, proxy)
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
        self._adapters[verified].open(_request("GET", url), self._proxies.to(url))

    def close(self) -> None:
        """Close all connections, and break those that are in use."""
        for adapter in self._adapters.values():
            adapter.close()
        self._live.end()


def _request(method: str, url: Url) -> PreparedRequest:
    """A request that was not prepared by the library, which would re-encode its address."""
    request = PreparedRequest()
    request.method, request.url = method, str(url)
    return request


class _Adapter(HTTPAdapter):
    """Exchanges over careful connections, with TLS settings that are made when the first https address comes up."""

    def __init__(self, context: Callable[[], ssl.SSLContext], limits: Limits, live: Live) -> None:
        self._context = context
        self._limits = limits
        plain = partial(PlainConnection, limits=limits, live=live)
        secure = partial(SecureConnection, limits=limits, live=live)
        self._pools = {
            "http": type("Plain", (_PlainPool,), {"ConnectionCls": staticmethod(plain)}),
            "https": type("Secure", (_SecurePool,), {"ConnectionCls": staticmethod(secure)}),
        }
        self._authorizations: dict[str, str] = {}
        super().__init__(pool_connections=_KEPT, pool_maxsize=_KEPT, max_retries=Retry(0, read=False))

    def exchange(self, request: PreparedRequest, proxy: Proxy | None) -> HTTPResponse:
        """Send a request and read the head of its answer. Raises Broken, and whatever reading the body raises."""
        timeout = (self._limits.connect, self._limits.idle)
        try:
            response = self.send(request, stream=True, timeout=timeout, proxies=self._route(request, proxy))
        except RequestException:
            raise Broken("its answer is no proper HTTP") from None
        raw: HTTPResponse = response.raw
        return raw

    def open(self, request: PreparedRequest, proxy: Proxy | None) -> None:
        """Connect, and keep the connection. Raises Broken."""
        pool: Any = self.get_connection_with_tls_context(request, verify=True, proxies=self._route(request, proxy))
        pool.open(self._limits.connect)

    def _route(self, request: PreparedRequest, proxy: Proxy | None) -> dict[str, str]:
        if proxy is None:
            return {}
        address = f"http://{proxy.host}:{proxy.port}"
        self._authorizations[address] = proxy.authorization
        return {str(request.url).partition(":")[0]: address}

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:  # noqa: FBT001, FBT002
        """Make the pools of direct connections."""
        super().init_poolmanager(connections, maxsize, block, blocksize=CHUNK, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Make the pools of connections by a proxy."""
        manager = super().proxy_manager_for(proxy, blocksize=CHUNK, **options)
        manager.pool_classes_by_scheme = self._pools
        return manager

    def proxy_headers(self, proxy: str) -> dict[str, str]:
        """Say who we are to a proxy."""
        authorization = self._authorizations.get(proxy)
        return {"Proxy-Authorization": authorization} if authorization else {}

    def build_connection_pool_key_attributes(self, request: PreparedRequest, *_: Any, **__: Any) -> Any:
        """Take the TLS settings from ours alone; the library would add the authorities that it brings along."""
        url = Url.parse(str(request.url))
        place = {"scheme": url.scheme, "host": url.host, "port": url.port}
        return place, ({"ssl_context": self._context()} if url.scheme == "https" else {})

    def cert_verify(self, *_: object) -> None:
        """Nothing is left to set: the TLS settings say whom to trust."""


class _Opening:
    """What a pool needs to connect before there is a request."""

    def open(self: Any, timeout: float) -> None:
        connection = self._unopened()
        connection.timeout = timeout
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
