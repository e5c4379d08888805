"""A reverse proxy that writes down every request: what tests count round trips and bytes with, and inject faults by.

It speaks HTTP or HTTPS as the registry behind it does. A token server of that registry is served under the
recorder's own host at `/token`, so its requests are written down too.
"""

import itertools
import threading
import time
from bisect import insort
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from tests.support.loopback import LoopbackServer
from tests.support.servers import Registry

_CHUNK = 256 * 1024
_PATIENCE = 5.0
_HOP_BY_HOP = {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}


@dataclass(frozen=True)
class Exchange:
    """One request and its answer.

    path:       with its query
    status:     of the answer; 0 when the client or the server left before its end
    start, end: seconds of the monotonic clock: the request's head has been read, the answer has been written
    connection: a number for each TCP connection, from 0
    sent, received: bytes of the request's and of the answer's body
    authorized: whether the request carried an Authorization header
    """

    method: str
    path: str
    status: int
    start: float
    end: float
    connection: int
    sent: int
    received: int
    authorized: bool

    @property
    def route(self) -> str:
        """The path without its query."""
        return urlsplit(self.path).path


@dataclass(frozen=True)
class Answer:
    """What an interceptor answers in the registry's place."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


Interceptor = Callable[[str, str], Answer | None]
"""Takes method and path before a request is passed on; may wait, raise ConnectionError to hang up, or answer itself."""


@dataclass
class Recorder:
    """A running recorder; its fields may be changed while it runs.

    registry:  the registry behind it, as seen through it: its `host` is the recorder's
    delay:     seconds that each request waits before it is passed on
    intercept: see `Interceptor`
    """

    upstream: Registry
    registry: Registry
    delay: float = 0.0
    intercept: Interceptor | None = None
    _log: list[Exchange] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _under_way: int = 0

    @property
    def log(self) -> list[Exchange]:
        """Every exchange that has ended, in the order in which they began.

        A client has its answer a moment before the exchange is written down, so what is under way is waited for,
        for some seconds at the most: it may be held by an interceptor.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._under_way, _PATIENCE)
            return self._log

    def begin(self) -> None:
        """A request has come."""
        with self._changed:
            self._under_way += 1

    def end(self, exchange: Exchange) -> None:
        """And this is what became of it."""
        with self._changed:
            self._under_way -= 1
            # An exchange that follows upon another may be written down before it.
            insort(self._log, exchange, key=lambda each: each.start)
            self._changed.notify_all()

    @property
    def blob_bytes_sent(self) -> int:
        """Bytes of blobs that clients have sent."""
        return sum(each.sent for each in self.log if "/blobs/" in each.path)

    @property
    def blob_bytes_received(self) -> int:
        """Bytes of blobs that clients have been given."""
        return sum(each.received for each in self.log if "/blobs/sha" in each.path)

    def requests(self, method: str = "", part: str = "") -> list[Exchange]:
        """The exchanges with this method whose path holds `part`; empty is any."""
        return [each for each in self.log if method in ("", each.method) and part in each.path]


@contextmanager
def recording(upstream: Registry, *, delay: float = 0.0) -> Iterator[Recorder]:
    """Put a recorder before `upstream` until the block ends."""

    class Handler(_Handler):
        numbers = itertools.count()

    server = LoopbackServer(Handler, upstream.certificate)
    seen = Registry(
        server.host, upstream.storage, upstream.username, upstream.password, upstream.certificate, upstream.tokens
    )
    recorder = Recorder(upstream, seen, delay)
    Handler.recorder = recorder
    Handler.base = server.url
    with server.running():
        yield recorder
    assert not server.errors, server.errors


def waves(log: Iterable[Exchange]) -> int:
    """How many round trips followed one upon the other: the longest chain in which each starts after the last ended.

    Requests of one parallel wave overlap only if they take longer than a thread takes to start, so measure with
    a delay of 0.05 s or more, or with a `Lull`.
    """
    chain = 0
    last_end = float("-inf")
    for exchange in sorted(log, key=lambda each: each.end):
        if exchange.start >= last_end:
            chain += 1
            last_end = exchange.end
    return chain


class Lull:
    """An interceptor that lets requests pass once none has come for `seconds`: the whole of a wave, or one alone.

    However slowly a busy machine starts the threads of a wave, they are then under way at the same time.
    """

    def __init__(self, seconds: float = 0.4) -> None:
        self._seconds = seconds
        self._last = 0.0
        self._lulls = 0
        self._changed = threading.Condition()

    def __call__(self, *_: str) -> None:
        """Wait for the lull. The first to notice it lets all go, since one that goes may be followed by the next."""
        with self._changed:
            self._last = time.monotonic()
            before = self._lulls
            while self._lulls == before and (rest := self._last + self._seconds - time.monotonic()) > 0:
                self._changed.wait(rest)
            if self._lulls == before:
                self._lulls += 1
                self._changed.notify_all()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 64 * 1024
    recorder: Recorder
    base: str
    numbers: "itertools.count[int]"

    def setup(self) -> None:
        super().setup()
        self.number = next(self.numbers)

    def _pass_on(self) -> None:
        self.recorder.begin()
        start = time.monotonic()
        self.sent = self.received = status = 0
        try:
            status = self._exchange()
        finally:
            self.recorder.end(
                Exchange(
                    self.command,
                    self.path,
                    status,
                    start,
                    time.monotonic(),
                    self.number,
                    self.sent,
                    self.received,
                    "Authorization" in self.headers,
                )
            )

    do_GET = _pass_on  # noqa: N815
    do_HEAD = _pass_on  # noqa: N815
    do_POST = _pass_on  # noqa: N815
    do_PUT = _pass_on  # noqa: N815
    do_PATCH = _pass_on  # noqa: N815
    do_DELETE = _pass_on  # noqa: N815

    def _exchange(self) -> int:
        time.sleep(self.recorder.delay)
        answer = self.recorder.intercept(self.command, self.path) if self.recorder.intercept else None
        if answer:
            return self._answer(answer)
        connection = self._upstream()
        try:
            self._forward(connection)
            response = connection.getresponse()
            self._return(response)
        finally:
            connection.close()
        return response.status

    def _answer(self, answer: Answer) -> int:
        for _ in self._body():
            pass
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self._write(answer.body)
        self.wfile.flush()
        return answer.status

    def _upstream(self) -> HTTPConnection:
        tokens = self.recorder.upstream.tokens
        if tokens and urlsplit(self.path).path == urlsplit(tokens.realm).path:
            return HTTPConnection(urlsplit(tokens.url).netloc, timeout=60)
        registry = self.recorder.upstream
        if registry.certificate:
            return HTTPSConnection(registry.host, timeout=60, context=registry.certificate.client_context())
        return HTTPConnection(registry.host, timeout=60)

    def _forward(self, connection: HTTPConnection) -> None:
        """Send the request with the client's own Host, which registries build absolute addresses from."""
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in _HOP_BY_HOP | {"expect"}:
                connection.putheader(name, value)
        chunked = "Transfer-Encoding" in self.headers
        if chunked:
            connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        refused = False
        for chunk in self._body():
            try:
                if not refused:
                    connection.send(b"%x\r\n%b\r\n" % (len(chunk), chunk) if chunked else chunk)
            except ConnectionError:
                refused = True
        if chunked and not refused:
            connection.send(b"0\r\n\r\n")

    def _body(self) -> Iterator[bytes]:
        if "Transfer-Encoding" in self.headers:
            while size := int(self.rfile.readline().partition(b";")[0], 16):
                yield from self._read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            yield from self._read(int(self.headers.get("Content-Length", "0")))

    def _read(self, size: int) -> Iterator[bytes]:
        while size:
            chunk = self.rfile.read1(min(size, _CHUNK))
            if not chunk:
                raise ConnectionError("the client left within its body")
            size -= len(chunk)
            self.sent += len(chunk)
            yield chunk

    def _return(self, response: HTTPResponse) -> None:
        self.send_response_only(response.status, response.reason)
        for name, value in response.getheaders():
            if name.lower() == "www-authenticate" and self.recorder.upstream.tokens:
                self.send_header(name, value.replace(self.recorder.upstream.tokens.url, self.base))
            elif name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        empty = self.command == "HEAD" or response.status in (204, 304)
        chunked = not empty and response.length is None
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while not empty and (chunk := response.read1(_CHUNK)):
            self._write(chunk, chunked=chunked)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def _write(self, chunk: bytes, *, chunked: bool = False) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if chunked else chunk)
        self.received += len(chunk)

    def log_message(self, *_: object) -> None:
        """The log is `Recorder.log`."""
