"""A small HTTP server on 127.0.0.1, in threads, that ends without leaving anything open."""

import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.certificates import Certificate


class LoopbackServer(ThreadingHTTPServer):
    """`ThreadingHTTPServer` with optional TLS and a list of the errors its handlers ended with.

    Leaving `running` closes the connections that clients keep open, so that every handler's thread ends.
    """

    daemon_threads = False
    request_queue_size = 128

    def __init__(self, handler: type[BaseHTTPRequestHandler], certificate: Certificate | None = None) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.errors: list[BaseException] = []
        self._certificate = certificate
        self._tls = certificate.server_context() if certificate else None
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    @property
    def host(self) -> str:
        """`127.0.0.1:port`."""
        return f"127.0.0.1:{self.server_port}"

    @property
    def url(self) -> str:
        """The base address, without a final slash."""
        return f"{'https' if self._tls else 'http'}://{self.host}"

    @contextmanager
    def running(self) -> Iterator[None]:
        """Serve until the block ends."""
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, name=f"serve {self.host}")
        thread.start()
        try:
            yield
        finally:
            self.shutdown()
            thread.join()
            with self._lock:
                still_open = tuple(self._open)
            for connection in still_open:
                _end(connection)
            self.server_close()

    def get_request(self) -> tuple[socket.socket, object]:
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls:
            connection = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        with self._lock:
            self._open.add(connection)
        return connection, address

    def close_request(self, request: object) -> None:
        if isinstance(request, socket.socket):
            with self._lock:
                self._open.discard(request)
            request.close()

    def handle_error(self, *_: object) -> None:
        """Clients may leave at any time, as the killed ones do; anything else is kept for the test to see."""
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, ConnectionError | ssl.SSLError | TimeoutError):
            self.errors.append(error)


def _end(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
