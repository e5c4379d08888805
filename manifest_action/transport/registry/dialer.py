"""Connecting to hosts before there is anything to say to them.

Loading the HTTP stack takes as long as a round trip to a registry does; so the first connection is under way meanwhile.
"""

import socket
import threading
import time
from concurrent.futures import Future

FRESH = 5.0
"""Seconds for which a connection that nothing was said on is taken to be open."""


class Dialer:
    """Connections to hosts that will be asked, one for each. timeout: seconds that connecting may take."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._lock = threading.Lock()
        self._calls: dict[tuple[str, int], _Call] = {}

    def dial(self, host: str, port: int) -> None:
        """Begin to connect, in the background, unless that is being done."""
        with self._lock:
            if (host, port) in self._calls:
                return
            call = self._calls[host, port] = Future()
        threading.Thread(target=self._connect, args=(call, host, port), name=f"dial {host}", daemon=True).start()

    def take(self, host: str, port: int) -> socket.socket | None:
        """The connection that was begun, once it is there; None when there is none, or none that is of use.

        Raises OSError when connecting fails while it is waited for; what failed before may go well by now.
        """
        with self._lock:
            call = self._calls.pop((host, port), None)
        if call is None or (call.done() and call.exception() is not None):
            return None
        sock, since = call.result()
        if time.monotonic() - since < FRESH and _is_open(sock):
            return sock
        sock.close()
        return None

    def close(self) -> None:
        """Hang up wherever nobody has asked for the connection."""
        with self._lock:
            calls = list(self._calls.values())
            self._calls.clear()
        for call in calls:
            call.add_done_callback(_hang_up)

    def _connect(self, call: "_Call", host: str, port: int) -> None:
        try:
            call.set_result((socket.create_connection((host, port), self._timeout), time.monotonic()))
        except OSError as error:
            call.set_exception(error)
        except BaseException as error:  # noqa: BLE001 - whoever waits must not do so for ever
            call.set_exception(OSError(f"{type(error).__name__} before it was connected"))


_Call = Future[tuple[socket.socket, float]]


def _is_open(sock: socket.socket) -> bool:
    """Whether the other side has not hung up. It says nothing before it was spoken to."""
    sock.settimeout(0)
    try:
        sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def _hang_up(call: _Call) -> None:
    if call.exception() is None:
        call.result()[0].close()
