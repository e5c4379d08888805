"""How long servers are waited for."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """How long to wait, in seconds, for: a connection; the next bytes; a whole answer that is no blob.

    least_rate: bytes per second that must arrive, on average over `rate_window` seconds of waiting
    """

    connect: float = 10.0
    idle: float = 30.0
    answer: float = 120.0
    least_rate: float = 1024.0
    rate_window: float = 60.0


DEFAULT_LIMITS = Limits()
