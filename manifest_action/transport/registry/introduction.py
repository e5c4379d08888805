"""The first exchange with a host: one thread has it, with a useful request, and the others wait for how it goes.

So a host that wants a login is asked without one once, and one token is fetched, however many threads there are.
"""

import copy
import threading
from collections.abc import Callable

from manifest_action.errors import ManifestActionError


class Introduction:
    """Whether a host is known yet. An introduction that fails fails for all who waited for it."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._is_done = False
        self._round = 0
        self._owner: int | None = None
        self._error: ManifestActionError | None = None

    def begin(self, meanwhile: Callable[[], None]) -> None:
        """Return at once to the thread that is to introduce itself, to the others when that has happened.

        meanwhile: called once by those who have to wait, before they do
        """
        if self._go_ahead():
            return
        meanwhile()
        while not self._go_ahead():
            self._wait()

    def done(self) -> None:
        """The host answered, and it is known how to ask it."""
        if not self._is_done:
            self._end(None, is_done=True)

    def failed(self, error: ManifestActionError | None) -> None:
        """The introduction by this thread has failed; without an expected error somebody else tries."""
        if self._owner == threading.get_ident() and not self._is_done:
            self._end(error, is_done=False)

    def _go_ahead(self) -> bool:
        with self._condition:
            if self._is_done or self._owner == threading.get_ident():
                return True
            if self._owner is None:
                self._owner = threading.get_ident()
                return True
            return False

    def _wait(self) -> None:
        with self._condition:
            awaited = self._round
            while self._owner is not None and self._round == awaited:
                self._condition.wait()
            if not self._is_done and self._round != awaited and self._error is not None:
                # Everybody gets one of their own, as they note in it what they were about.
                raise copy.copy(self._error)

    def _end(self, error: ManifestActionError | None, *, is_done: bool) -> None:
        with self._condition:
            self._is_done = is_done
            self._error = error
            self._owner = None
            self._round += 1
            self._condition.notify_all()
