"""Upload sessions that nobody will go on with: the registry is told, so that it need not keep what it was sent.

Docker Registry HTTP API V2, "Canceling an Upload"; distribution-spec 1.1 leaves it out, and registries that do not
know it throw such sessions away after a while. It is a courtesy: no answer matters, and nothing waits for it long.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

from manifest_action.transport.registry.message import Request

PATIENCE = 1.0
"""Seconds that a run waits for the answers to all that it cancels at once."""


class OpenUpload(Protocol):
    """An upload that may have a session at a registry."""

    @property
    def cancellation(self) -> Request | None:
        """The request that cancels the session; None when there is none."""


class OpenUploads:
    """The uploads of a run that are under way, in any number of threads.

    send: sends one request; it may raise anything, and must give up by itself some time
    """

    def __init__(self, send: Callable[[Request], None]) -> None:
        self._send = send
        self._lock = threading.Lock()
        self._open: set[OpenUpload] = set()
        self._is_over = False

    @contextmanager
    def until_done(self, upload: OpenUpload) -> Iterator[None]:
        """The time that an upload takes; when it fails, its session is cancelled."""
        with self._lock:
            if not self._is_over:
                self._open.add(upload)
        try:
            yield
        except BaseException:
            self.cancel(self._taken([upload]))
            raise
        finally:
            self._taken([upload])

    def end(self) -> tuple[OpenUpload, ...]:
        """The run is over: what is under way, and is left to the caller to cancel."""
        with self._lock:
            self._is_over = True
            left = tuple(self._open)
            self._open.clear()
        return left

    def _taken(self, uploads: Iterable[OpenUpload]) -> list[OpenUpload]:
        """Those of them that nobody has taken yet, so that each is cancelled once."""
        with self._lock:
            taken = [upload for upload in uploads if upload in self._open]
            self._open.difference_update(taken)
        return taken

    def cancel(self, uploads: Iterable[OpenUpload]) -> None:
        """Cancel the sessions of uploads, all at once, and come back after a moment at the latest."""
        requests = [request for upload in uploads if (request := upload.cancellation)]
        threads = [threading.Thread(target=self._try, args=(each,), name="cancel", daemon=True) for each in requests]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + PATIENCE
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _try(self, request: Request) -> None:
        with suppress(Exception):
            self._send(request)
