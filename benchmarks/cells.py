"""What was measured, as values: runs, and the cells of the table that they are in."""

from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True)
class Measured:
    """One run of a job. wall and cpu in seconds, rss in MiB; sent and received are bytes of bodies.

    waves: requests that followed one upon the other, 0 without a round trip time; connecting costs two trips more
    """

    wall: float
    cpu: float
    rss: float
    requests: int
    connections: int
    puts: int
    sent: int
    received: int
    waves: int


@dataclass
class Cell:
    """All runs of a job by a program at one round trip time, in milliseconds; `failure` is why there are none."""

    job: str
    program: str
    rtt: float
    runs: list[Measured] = field(default_factory=list)
    failure: str = ""

    def middle(self, name: str) -> float:
        """The median of one figure."""
        return float(median(getattr(run, name) for run in self.runs))
