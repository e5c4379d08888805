"""A server on raw sockets that does exactly what a test says, protocol violations included."""

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.support.certificates import Certificate


class HangUp(Exception):
    """Raised by a handler to end the connection."""


@dataclass
class Exchange:
    """One request, as far as it was read, and the ways to answer it.

    headers:    with lower-case names
    connection: a number for each TCP connection, from 0
    received:   bytes of the body that were read
    """

    method: str
    target: str
    headers: dict[str, str]
    connection: int
    _socket: socket.socket = field(repr=False)
    _early: bytes = field(repr=False)
    received: int = 0
    status: int = 0

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    def read_body(self, size: int | None = None) -> bytes:
        """The body up to `size` bytes (None is all of it), or what came before the client left."""
        length = int(self.headers.get("content-length", "0"))
        left = length - self.received if size is None else min(size, length - self.received)
        chunks = []
        while left:
            chunk, self._early = self._early[:left], self._early[left:]
            chunk = chunk or self._socket.recv(min(left, 65536))
            if not chunk:
                break
            chunks.append(chunk)
            left -= len(chunk)
            self.received += len(chunk)
        return b"".join(chunks)

    def send(self, raw: bytes) -> None:
        """Write exactly these bytes."""
        self._socket.sendall(raw)

    def answer(self, status: int, body: bytes = b"", /, **headers: str) -> None:
        """A proper answer; the request's body is read first. Underscores in names of headers stand for hyphens."""
        self.read_body()
        self.begin(status, len(body), **headers)
        if self.method != "HEAD":
            self.send(body)

    def begin(self, status: int, length: int | None = None, /, **headers: str) -> None:
        """The head of an answer."""
        self.status = status
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        if length is not None:
            fields.setdefault("Content-Length", str(length))
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.send(f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode("latin-1"))

    def reset(self) -> None:
        """End the connection by RST, so that what was sent may be lost."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise HangUp

    def hang_up(self) -> None:
        """End the connection in order."""
        raise HangUp


Handler = Callable[[Exchange], None]


class ScriptedServer:
    """Calls `handler` for each request, one thread for each connection; `seen` are all requests in order."""

    def __init__(self, handler: Handler, certificate: Certificate | None = None) -> None:
        self._handler = handler
        self._tls = certificate.server_context() if certificate else None
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._port: int = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._open: set[socket.socket] = set()
        self._stopping = False
        self.seen: list[Exchange] = []
        self.connections = 0
        self.errors: list[BaseException] = []

    @property
    def host(self) -> str:
        """`127.0.0.1:port`."""
        return f"127.0.0.1:{self._port}"

    @property
    def url(self) -> str:
        """Scheme and host."""
        return f"{'https' if self._tls else 'http'}://{self.host}"

    def requests(self, method: str = "", part: str = "") -> list[Exchange]:
        """The requests with this method whose target holds `part`."""
        return [each for each in self.seen if method in ("", each.method) and part in each.target]

    @contextmanager
    def running(self) -> Iterator["ScriptedServer"]:
        """Serve until the block ends."""
        acceptor = threading.Thread(target=self._accept)
        acceptor.start()
        try:
            yield self
        finally:
            self.stop_listening()
            acceptor.join()
            self.hang_up()
            for thread in self._threads:
                thread.join()
        assert not self.errors, self.errors

    def hang_up(self) -> None:
        """Close the connections that are open."""
        while self._open:
            for connection in tuple(self._open):
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            time.sleep(0.001)

    def stop_listening(self) -> None:
        """Refuse new connections from now on."""
        self._stopping = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while not self._stopping:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(target=self._serve, args=(connection, self.connections))
            self.connections += 1
            self._threads.append(thread)
            self._open.add(connection)
            thread.start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        raw = connection
        try:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.add(connection)
            early = b""
            while exchange := _read_head(connection, number, early):
                self.seen.append(exchange)
                self._handler(exchange)
                exchange.read_body()
                early = exchange._early
        except (HangUp, ConnectionError, ssl.SSLError, TimeoutError):
            return
        except BaseException as error:  # noqa: BLE001 - shown by the test
            self.errors.append(error)
        finally:
            self._open -= {connection, raw}
            connection.close()


def _read_head(connection: socket.socket, number: int, early: bytes) -> Exchange | None:
    while b"\r\n\r\n" not in early:
        chunk = connection.recv(65536)
        if not chunk:
            return None
        early += chunk
        if not early[:1].isalpha():
            raise HangUp
    head, _, early = early.partition(b"\r\n\r\n")
    first, *fields = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in fields)}
    return Exchange(method, target, headers, number, connection, early)
