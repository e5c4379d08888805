"""A TCP relay that breaks connections in the middle of what is sent over them."""

import select
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Cutter:
    """Relays to `upstream` (`host:port`).

    answers: watch what the server sends, and not what its clients send
    cuts:    numbers of bytes that may pass on one connection before it is reset, one for each reset;
             when none are left, nothing is reset any more
    passed:  bytes that have passed in the watched direction
    """

    def __init__(self, upstream: str, *, answers: bool = False) -> None:
        host, _, port = upstream.rpartition(":")
        self._upstream = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._port: int = self._listener.getsockname()[1]
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._answers = answers
        self.cuts: list[int] = []
        self.passed = 0

    @property
    def host(self) -> str:
        """`127.0.0.1:port`."""
        return f"127.0.0.1:{self._port}"

    @contextmanager
    def running(self) -> Iterator["Cutter"]:
        """Relay until the block ends."""
        acceptor = threading.Thread(target=self._accept)
        acceptor.start()
        try:
            yield self
        finally:
            self._stop.set()
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            acceptor.join()
            self._listener.close()
            for thread in self._threads:
                thread.join()

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._relay, args=(client,))
            self._threads.append(thread)
            thread.start()

    def _relay(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._upstream) as server:
            watched = server if self._answers else client
            passed = 0
            while not self._stop.is_set():
                ready, _, _ = select.select([client, server], [], [], 0.05)
                for source, target in ((client, server), (server, client)):
                    if source not in ready:
                        continue
                    try:
                        chunk = source.recv(65536)
                        target.sendall(chunk)
                    except OSError:
                        return
                    if not chunk:
                        return
                    if source is watched:
                        passed += len(chunk)
                        self.passed += len(chunk)
                if self._is_over(passed):
                    for each in (client, server):
                        each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return

    def _is_over(self, passed: int) -> bool:
        with self._lock:
            if self.cuts and passed >= self.cuts[0]:
                self.cuts.pop(0)
                return True
            return False
