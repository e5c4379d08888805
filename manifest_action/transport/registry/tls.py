"""TLS over sockets with few system calls.

OpenSSL on a socket asks the system twice for each record of 16 KiB that it reads, and once for each that it writes.
Here, records pass through memory, and the system is asked for as many at once as there are: of the processor's time
for a blob that is received and sent on, a tenth.
"""

import socket
import ssl
from typing import Any

from urllib3.util.ssltransport import SSLTransport

_FEW = 16 * 1024
_MANY = 256 * 1024
"""Bytes that are taken from a socket at once: few, until there were that many."""


class TlsContext(ssl.SSLContext):
    """TLS settings whose sockets are `TlsStream`s."""

    def wrap_socket(self, sock: socket.socket, *_: Any, server_hostname: str | None = None, **__: Any) -> "TlsStream":  # type: ignore[override]
        """Speak TLS over a connected socket. Raises ssl.SSLError and OSError as the standard library's."""
        return TlsStream(sock, self, server_hostname)


class TlsStream(SSLTransport):
    """A socket that speaks TLS, for one thread at a time."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, server_hostname: str | None) -> None:
        self._room = memoryview(bytearray(_FEW))
        super().__init__(sock, context, server_hostname)

    def recv_into(self, buffer: Any, nbytes: int | None = None, *_: Any) -> int:
        """As of a socket: waits for the first bytes, and takes with them what has come in besides."""
        view = memoryview(buffer)[: nbytes or None]
        filled = 0
        while filled < len(view):
            try:
                count: Any = self.sslobj.read(len(view) - filled, view[filled:])
            except ssl.SSLWantReadError:
                if filled:
                    break
                self._receive()
                continue
            except ssl.SSLEOFError:
                break
            if not count:
                break
            filled += count
        return filled

    def getpeername(self) -> Any:
        """The address of the other end, as of a socket."""
        return self.socket.getpeername()

    def shutdown(self, how: int) -> None:
        """Break the connection, under whoever is using it."""
        self.socket.shutdown(how)

    def _receive(self) -> None:
        """Wait for records; what TLS itself has to say, as for new keys, goes out first."""
        if self.outgoing.pending:
            self.socket.sendall(self.outgoing.read())
        count = self.socket.recv_into(self._room)
        if not count:
            self.incoming.write_eof()
            return
        self.incoming.write(self._room[:count])
        if count == len(self._room) < _MANY:
            self._room = memoryview(bytearray(_MANY))
