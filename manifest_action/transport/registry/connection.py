"""HTTP/1.1 connections for the pool, made careful: nothing waits for ever, and nothing is said to an unknown place.

They are urllib3's connections with a watch over what arrives, and with a look at the other end's address before
the first byte is sent.
"""

import errno
import io
import re
import socket
import ssl
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http.client import HTTPException, RemoteDisconnected
from http.client import HTTPResponse as StandardResponse
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.response import HTTPResponse

from manifest_action.transport.registry.address import Zone, zone_of_peer
from manifest_action.transport.registry.dialer import FRESH, Dialer
from manifest_action.transport.registry.limits import Limits
from manifest_action.transport.registry.message import Broken, Headers, NotTLS

CHUNK = 256 * 1024
_BULK = 64 * 1024
_LONG = 1.0
"""Seconds after which bytes that arrive are counted, though more are wanted."""
_ENDED = (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
"""What a connection's end looks like; which of them it is in TLS depends on the versions of Python and OpenSSL."""
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE"})


class _TooSlow(TimeoutError):
    """Bytes come, but so slowly that it makes no sense to wait for the rest."""


class Watch:
    """Counts the time spent waiting for bytes, and gives up when it is too much for too little."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.start(limits.idle)

    def start(self, seconds: float) -> None:
        """An answer must have begun, and all of its head be there, within `seconds`."""
        self._idle = self._allowance = seconds
        self._window_time, self._window_bytes = 0.0, 0
        self._in_head = True
        self.seen = False

    def end_head(self) -> None:
        """All of the head is there; what ends from now on is the body."""
        self._in_head = False

    def begin_body(self, seconds: float) -> None:
        """The body may take `seconds` of waiting."""
        self._idle, self._allowance = self._limits.idle, seconds

    def receive(self, sock: socket.socket, read: Callable[[], int | None]) -> int:
        """Let `read` wait for the next bytes; how many there were."""
        sock.settimeout(self._patience())
        began = time.monotonic()
        count = read() or 0
        elapsed = time.monotonic() - began
        if not count and self._in_head and self.seen:
            raise ConnectionResetError(errno.ECONNRESET, "the answer was cut short")
        self.seen = self.seen or count > 0
        self._count(count, elapsed)
        return count

    def fill(self, sock: socket.socket, view: memoryview) -> "tuple[int, OSError | None]":
        """Wait until `view` is full; how many bytes there were, and what went wrong after them.

        Fewer than wanted at the end, or when they take long. TLS gives 16 KiB at a time, and looking at the clock
        and setting a timeout for each would cost as much as TLS does. Nothing that `receive` would not see is missed
        by more than a second.
        """
        filled, failure = 0, None
        try:
            sock.settimeout(self._patience())
            began = now = time.monotonic()
            try:
                while filled < len(view) and now - began < _LONG and (count := sock.recv_into(view[filled:])):
                    filled += count
                    now = time.monotonic()
            finally:
                self._count(filled, time.monotonic() - began)
        except OSError as error:
            failure = error
        return filled, failure

    def _patience(self) -> float:
        patience = min(self._idle, self._allowance)
        if patience <= 0:
            raise _TooSlow("the answer takes too long")
        return patience

    def _count(self, count: int, elapsed: float) -> None:
        self._allowance -= elapsed
        self._window_time += elapsed
        self._window_bytes += count
        if self._window_time >= self._limits.rate_window:
            if self._window_bytes < self._limits.least_rate * self._window_time:
                raise _TooSlow(f"fewer than {self._limits.least_rate:g} bytes a second arrive")
            self._window_time, self._window_bytes = 0.0, 0


class _Incoming(io.RawIOBase):
    """The receiving half of a socket under a watch."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, watch: Watch) -> None:
        self._raw, self._sock, self._watch = raw, sock, watch

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview", /) -> int:  # type: ignore[override]
        return self._watch.receive(self._sock, lambda: self._raw.readinto(buffer))

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


class WatchedResponse(StandardResponse):
    """The standard library's response, reading under a watch from its first byte on."""

    def __init__(self, sock: socket.socket, debuglevel: int = 0, method: str | None = None, *, watch: Watch) -> None:
        super().__init__(sock, debuglevel, method=method)
        self.watch = watch
        self.fp = io.BufferedReader(_Incoming(self.fp.detach(), sock, watch))
        self._sock = sock

    def fill(self, view: memoryview) -> "tuple[int, OSError | None]":
        """As `Watch.fill`, for a body that has more bytes left than a `view` which is larger than any buffer."""
        # What was buffered with the head, or the first bytes that arrive; there is nothing in the buffer afterwards.
        count = self.fp.readinto1(view)
        if not count:
            return 0, None
        more, failure = self.watch.fill(self._sock, view[count:])
        return count + more, failure

    def begin(self) -> None:
        """Read the head. One that ends with the connection is none; the standard library would take it for whole."""
        super().begin()
        self.watch.end_head()


class Fields(dict[str, str]):
    """The header fields of a request, with what a connection must know beside them.

    target: the request target exactly as the registry gave it; libraries re-encode addresses on the way
    check:  looks at the zone of the other end (None behind a proxy) before anything is sent; may raise Broken
    """

    target: str
    answer_timeout: float
    check: Callable[[Zone | None], None]

    def copy(self) -> "Fields":
        """A copy that knows the same."""
        copied = Fields(self)
        copied.target, copied.answer_timeout, copied.check = self.target, self.answer_timeout, self.check
        return copied


class Live:
    """The connections that exist, so that a run that is stopped can break them."""

    def __init__(self) -> None:
        self._connections: weakref.WeakSet[_Careful] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._is_over = False

    def add(self, connection: "_Careful") -> None:
        """Take note of a new connection; Broken when the run is over."""
        with self._lock:
            self._connections.add(connection)
            if self._is_over:
                raise Broken("the run was stopped", permanent=True)

    def end(self) -> None:
        """Break every connection, and let no new one be made."""
        with self._lock:
            self._is_over = True
            for connection in self._connections:
                connection.abort()


class _Careful(HTTPConnection):
    """What both kinds of connection add to urllib3's."""

    is_ahead = False
    """Whether it is opened for later: it leaves what was dialled to the request that everything waits for."""

    def __init__(self, *args: Any, dialer: Dialer, limits: Limits, live: Live, **options: Any) -> None:
        super().__init__(*args, **options)
        self._dialer = dialer
        self._limits = limits
        self._live = live
        self._watch = Watch(limits)
        # The class that the standard library's getresponse() makes its answers of.
        self.response_class = partial(WatchedResponse, watch=self._watch)  # type: ignore[assignment]
        self._peer: Zone | None = None
        self._is_kept = False
        self._is_reached = False
        self._connected = 0.0

    def connect(self) -> None:
        """Connect. Raises Broken, and NotTLS when TLS is wanted but not spoken."""
        try:
            super().connect()
        except (OSError, HTTPException, HTTPError) as error:
            self.close()
            raise self._not_connected(error) from None
        self._is_kept = False
        self._connected = time.monotonic()
        self._peer = None if self.proxy else zone_of_peer(self.sock.getpeername()[0])
        self._live.add(self)

    def _new_conn(self) -> socket.socket:
        sock = (None if self.is_ahead else self._dialed()) or super()._new_conn()
        self._is_reached = True
        return sock

    def _dialed(self) -> socket.socket | None:
        sock = self._dialer.take(self.host, self.port)
        if sock is not None:
            sock.settimeout(self.timeout)
            for option in self.socket_options or ():
                sock.setsockopt(*option)
        return sock

    def _not_connected(self, error: Exception) -> Broken:
        cause = error.__cause__ if isinstance(error, HTTPError) and isinstance(error.__cause__, Exception) else error
        if isinstance(cause, ssl.SSLError) and cause.reason in _NO_TLS:
            return NotTLS("it does not speak TLS", permanent=True)
        in_handshake = self._is_reached and isinstance(self, HTTPSConnection)
        if in_handshake and isinstance(cause, _ENDED):
            return NotTLS(reason(cause))
        return Broken(reason(cause), permanent=isinstance(cause, ssl.SSLCertVerificationError))

    def request(self, method: str, _: str, body: Any = None, headers: Any = None, **options: Any) -> None:  # type: ignore[override]
        """Send a request, once the place it goes to is found good. Raises Broken, and what reading `body` raises."""
        if self.sock is None:
            self.connect()
        headers.check(self._peer)
        self._watch.start(headers.answer_timeout)
        self.timeout = self._limits.idle
        try:
            super().request(method, headers.target, body, headers, **options)
        except (BrokenPipeError, ConnectionResetError):
            # A server may refuse before it has read everything; its answer tells more than the broken connection.
            if isinstance(body, bytes) or body is None:
                raise self._broken(ConnectionResetError("the connection was reset")) from None
            raise
        except (OSError, HTTPException) as error:
            raise self._broken(error) from None

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]
        """The head of the answer. Raises Broken, also for answers whose end two readers could see differently."""
        try:
            response = super().getresponse()
        except (OSError, HTTPException, HTTPError) as error:
            raise self._broken(error) from None
        lengths = {value.strip() for value in response.headers.getlist("Content-Length")}
        chunked = "chunked" in response.headers.get("Transfer-Encoding", "").lower()
        if response.status < 200:
            raise Broken("it sent an interim answer only")
        if len(lengths) > 1 or (lengths and (chunked or not next(iter(lengths)).isdecimal())):
            raise Broken("its answer has contradicting lengths")
        self._is_kept = True
        return response

    @property
    def is_connected(self) -> bool:
        """Whether it can carry an exchange: an idle connection with something to read was closed.

        But for one that is fresh: TLS 1.3 sends tickets at once, which the first answer's reader will pass over.
        """
        is_fresh = not self._is_kept and time.monotonic() - self._connected < FRESH
        return self.sock is not None and (is_fresh or super().is_connected)

    def abort(self) -> None:
        """Break the connection under whoever is using it."""
        with suppress(OSError, AttributeError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def _broken(self, error: Exception) -> Broken:
        was_closed = isinstance(error, _ENDED)
        return Broken(reason(error), stale=self._is_kept and was_closed and not self._watch.seen)


class Answer:
    """The head of an answer, and its body as it arrives."""

    def __init__(self, raw: HTTPResponse) -> None:
        self.status = raw.status
        self.headers = Headers(raw.headers.items())
        self._raw = raw
        self._late: OSError | None = None
        """What went wrong after bytes that had to be given first."""
        self._room = memoryview(b"")
        """Where a long body is received, again and again."""

    def begin_body(self, seconds: float) -> None:
        """Allow the body `seconds` of waiting in all."""
        original = self._raw._original_response  # noqa: SLF001 - what the connection made, and nothing else leads to it
        if isinstance(original, WatchedResponse):
            original.watch.begin_body(seconds)

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; empty at the end. Broken when it is cut short or stalls.

        As soon as there are any, but for much of a long body: there, `size` bytes are waited for.
        """
        try:
            if self._late is not None:
                raise self._late
            return (self._bulk(size) if size >= _BULK else b"") or self._raw.read1(size)
        except (OSError, HTTPError, ValueError) as error:
            self.close()
            cause = error.__cause__ or error.__context__ or error
            raise Broken(reason(cause) if isinstance(cause, OSError) else "its answer was cut short") from None

    def _bulk(self, size: int) -> bytes:
        """The next bytes of a body that is longer than that, without the library, which costs as much as TLS does.

        TLS gives 16 KiB at a time; everything behind this is better off with more. Nothing when there is no such body.
        """
        original = self._raw._original_response  # noqa: SLF001 - as in begin_body
        if not isinstance(original, WatchedResponse) or original.chunked or not (original.length or 0) > size:
            return b""
        if len(self._room) < size:
            self._room = memoryview(bytearray(size))
        filled, self._late = original.fill(self._room[:size])
        # Both count what is left of the body, and end it when it is zero.
        original.length = (original.length or 0) - filled
        self._raw.length_remaining = original.length
        return bytes(self._room[:filled])

    def close(self) -> None:
        """Let go of the connection; it is of no more use unless the body was read to its end."""
        self._raw.close()


class PlainConnection(_Careful, HTTPConnection):
    """A connection without TLS."""


class SecureConnection(_Careful, HTTPSConnection):
    """A connection with TLS."""


def reason(error: Exception) -> str:
    """What happened, in words that hold nothing the other side said."""
    if isinstance(error, ssl.SSLError):
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"its certificate is not accepted ({error.verify_message})"
        return f"TLS failed ({error.reason or type(error).__name__})"
    if isinstance(error, TimeoutError):
        return str(error) if isinstance(error, _TooSlow) else "it stopped answering"
    if isinstance(error, RemoteDisconnected):
        return "it closed the connection without an answer"
    return _system_reason(error) if isinstance(error, OSError) else "its answer is no proper HTTP"


def _system_reason(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return f"its name is not known to DNS ({error.strerror})"
    if refused := re.search(r"Tunnel connection failed: (\d{3})", str(error)):
        return f"the proxy refused to connect ({refused[1]})"
    return error.strerror or type(error).__name__
