"""One gate per host, which every thread passes before it asks the host anything."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from manifest_action.errors import NetworkError

_SUCCESSES = 5


class Gate:
    """Lets at most `jobs` requests through at once, and none while the host has asked for a pause.

    A host that asks to slow down gets half as many requests at once; every five successes give back one.
    """

    # A request made in the middle of another of the same thread (reading one registry to feed another) must not
    # wait for a place: the place might be its own, or that of a thread which waits for this one.
    _nesting = threading.local()

    def __init__(self, host: str, jobs: int) -> None:
        self.host = host
        self._jobs = self._limit = max(1, jobs)
        self._condition = threading.Condition()
        self._busy = 0
        self._successes = 0
        self._opens_at = 0.0
        self._closed = False

    @property
    def limit(self) -> int:
        """How many requests may be under way at once right now."""
        return self._limit

    @contextmanager
    def place(self, *, beyond_limit: bool = False) -> Iterator[None]:
        """Wait for a place among the requests under way, and hold it. NetworkError when the run was stopped.

        beyond_limit: do not wait for others to end, only for the host's pause to be over
        """
        depth = getattr(self._nesting, "depth", 0)
        self._enter(beyond_limit=beyond_limit or depth > 0)
        self._nesting.depth = depth + 1
        try:
            yield
        finally:
            self._nesting.depth = depth
            with self._condition:
                self._busy -= 1
                self._condition.notify()

    def _enter(self, *, beyond_limit: bool) -> None:
        with self._condition:
            while not self._closed:
                pause = self._opens_at - time.monotonic()
                if pause <= 0 and (beyond_limit or self._busy < self._limit):
                    self._busy += 1
                    return
                self._condition.wait(pause if pause > 0 else None)
        raise stopped(self.host)

    def succeeded(self) -> None:
        """A request was answered as hoped."""
        with self._condition:
            self._successes += 1
            if self._successes >= _SUCCESSES and self._limit < self._jobs:
                self._successes = 0
                self._limit += 1
                self._condition.notify()

    def pause(self, seconds: float) -> None:
        """The host asks to slow down: nobody asks it anything for `seconds`, and fewer at once afterwards."""
        with self._condition:
            self._successes = 0
            self._limit = max(1, self._limit // 2)
            self._opens_at = max(self._opens_at, time.monotonic() + seconds)

    def close(self) -> None:
        """The run is over: whoever waits here is sent away."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()


def stopped(host: str) -> NetworkError:
    """The error of requests that were still wanted when the run was stopped."""
    return NetworkError("the run was stopped", where=host)
