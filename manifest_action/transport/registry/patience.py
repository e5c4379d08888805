"""How long to wait before asking again, and when to give up.

Full jitter from 0.5 s, doubled each time up to 30 s, at most six tries; what a server asks for by Retry-After
(RFC 9110, section 10.2.3) is honoured exactly, if the budget allows.
"""

import random
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from manifest_action.errors import RateLimited, RegistryError
from manifest_action.events import Reporter, Retrying
from manifest_action.transport.registry.failure import Failure
from manifest_action.transport.registry.gate import Gate

MOST_TRIES = 6
LONGEST_ASKED = 120.0
"""Seconds that a server may ask us to wait at most; more than that is refused at once."""
_LONGEST_OPERATION = 300.0
_BASE, _CAP = 0.5, 30.0


class Budget:
    """Seconds of waiting that a whole run may use. Threads that wait at the same time are counted once."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._used = 0.0
        self._covered_until = 0.0

    @property
    def operation(self) -> float:
        """What one operation may use of it."""
        return min(_LONGEST_OPERATION, self._seconds / 3)

    def take(self, seconds: float, now: float) -> bool:
        """Whether a wait of `seconds` from `now` on is still allowed; it is then counted."""
        with self._lock:
            extra = max(0.0, now + seconds - max(now, self._covered_until))
            if self._used + extra > self._seconds:
                return False
            self._used += extra
            self._covered_until = max(self._covered_until, now + seconds)
            return True


class Patience:
    """The tries of one operation at one host.

    sleep: waits so many seconds, and raises when the run was stopped
    """

    def __init__(
        self,
        gate: Gate,
        budget: Budget,
        reporter: Reporter,
        *,
        sleep: Callable[[float], None],
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[float], float] = lambda most: random.uniform(0, most),  # noqa: S311 - no secret
    ) -> None:
        self._gate, self._budget, self._reporter = gate, budget, reporter
        self._sleep, self._clock, self._jitter = sleep, clock, jitter
        self._failures = 0
        self._since = 0.0

    def progressed(self) -> None:
        """Something substantial was achieved: earlier failures no longer count."""
        self._failures = 0

    def wait(self, failure: Failure) -> None:
        """Wait until the next try; raise the failure's error when there is none."""
        if not failure.retry:
            raise failure.error
        now = self._clock()
        self._since = self._since if self._failures else now
        self._failures += 1
        asked = retry_after(failure.retry_after, datetime.now(UTC))
        delay = self._jitter(min(_CAP, _BASE * 2 ** (self._failures - 1))) if asked is None else asked
        if self._failures >= MOST_TRIES:
            raise self._given_up(failure.error, now)
        if not self._may_wait(delay, now):
            raise self._given_up(failure.error, now) if asked is None else self._out_of_time(failure.error, asked)
        self._reporter.emit(Retrying(self._gate.host, self._failures, delay, failure.reason))
        if failure.throttled:
            self._gate.pause(delay)
        self._sleep(delay)

    def _may_wait(self, delay: float, now: float) -> bool:
        fits = delay <= LONGEST_ASKED and now + delay - self._since <= self._budget.operation
        return fits and self._budget.take(delay, now)

    def _given_up(self, error: RegistryError, now: float) -> RegistryError:
        if self._failures > 1:
            error.why = f"{error.why} (given up after {self._failures} tries in {now - self._since:.0f} s)"
        return error

    def _out_of_time(self, error: RegistryError, asked: float) -> RateLimited:
        """The error when a server asks for more than there is left, by itself or after what was waited already."""
        most = min(LONGEST_ASKED, self._budget.operation)
        why = f"which is more than the {most:.3g} s that one request may wait"
        if asked <= most:
            why = "and of what this run may wait (`retry-budget`), less is left"
        return RateLimited(
            error.what,
            where=error.where,
            why=f"{error.why}; it asks to wait {asked:.0f} s, {why}",
            hint=f"run it again in {asked:.0f} s, or log in for a higher limit",
            status=error.status,
            codes=error.codes,
        )


def retry_after(text: str, now: datetime) -> float | None:
    """The seconds that a Retry-After field asks for, None when it is missing, malformed or not in the future."""
    if text.isascii() and text.isdigit():
        return float(text[:12]) or None
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()
    return seconds if seconds > 0 else None
