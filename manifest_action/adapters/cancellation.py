"""A clean end when the run is told to stop."""

import os
import signal
import sys
import threading
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Self

from manifest_action.errors import INTERRUPTED_EXIT_CODE, TERMINATED_EXIT_CODE, Interrupted

PATIENCE = 4.0
"""Seconds after which a process that was told to stop ends whatever it is doing; CI systems kill after five to ten."""

_EXIT_CODES = {signal.SIGINT: INTERRUPTED_EXIT_CODE, signal.SIGTERM: TERMINATED_EXIT_CODE}
_KNOCK_EVERY = 0.1


class Cancellation:
    """Turns the first SIGINT or SIGTERM into `Interrupted`, raised in the main thread.

    Later signals, and any that come after `settle`, are ignored, so that writing the report is not cut short.
    The patience for that is limited. For use in the main thread only.

    A signal that arrives just as the main thread is about to wait for a lock does not wake it: Python runs handlers
    in that thread only. So a thread of its own hears of every signal at once, knocks until the handler has run, and
    ends the process when patience is over, whatever the main thread does.
    """

    def __init__(self) -> None:
        self._armed = True
        self._heard = threading.Event()
        self._previous = {number: signal.getsignal(number) for number in _EXIT_CODES}
        self._main = threading.get_ident()

    def __enter__(self) -> Self:
        self._ear, self._bell = os.pipe()
        os.set_blocking(self._bell, False)
        self._previous_bell = signal.set_wakeup_fd(self._bell, warn_on_full_buffer=False)
        threading.Thread(target=self._watch, name="cancellation", daemon=True).start()
        for number in _EXIT_CODES:
            signal.signal(number, self._stop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._previous_bell)
        os.close(self._bell)

    def settle(self) -> None:
        """The work is done: signals no longer stop anything."""
        self._armed = False

    def leave(self, exit_code: int) -> int:
        """The exit code, for a run that ended by itself; a stopped one ends here, as its threads may be stuck."""
        if not self._heard.is_set():
            return exit_code
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(exit_code)

    def _stop(self, number: int, _: FrameType | None) -> None:
        if not self._armed:
            return
        self._armed = False
        self._heard.set()
        raise Interrupted(signal.Signals(number).name, _EXIT_CODES[signal.Signals(number)])

    def _watch(self) -> None:
        """Wait for the first signal that stops something; the pipe ends when the run has ended by itself."""
        with os.fdopen(self._ear, "rb", buffering=0) as ear:
            seen = False
            while rung := ear.read(1):
                if not seen and rung[0] in _EXIT_CODES and (self._armed or self._heard.is_set()):
                    seen = True
                    self._see_to_it(rung[0])

    def _see_to_it(self, number: int) -> None:
        deadline = threading.Timer(PATIENCE, self._give_up, (_EXIT_CODES[signal.Signals(number)],))
        deadline.daemon = True
        deadline.start()
        while self._armed and not self._heard.wait(_KNOCK_EVERY):
            with suppress(ProcessLookupError):
                signal.pthread_kill(self._main, number)

    def _give_up(self, exit_code: int) -> None:
        """End the process, unless the work was done a moment before the handler ran, so that nothing was stopped."""
        if self._armed or self._heard.is_set():
            os._exit(exit_code)
