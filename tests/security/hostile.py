"""A hostile world for the threats: the fault bench's registries, and a thief that writes down all it is asked."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.faults.bench import Bench, Loop
from tests.faults.wire import Head, Response


@dataclass
class Thief:
    """A server that hopes for credentials; it answers everything with 404."""

    asked: list[Head] = field(default_factory=list)

    async def answer(self, head: Head, body: bytes) -> Response:
        """Write it down."""
        self.asked.append(head)
        return Response(404, body[:0])

    async def cut(self, head: Head, part: bytes) -> None:
        """Write that down too."""
        self.asked.append(head)
        assert part is not None

    @property
    def loot(self) -> list[Head]:
        """Requests that held a login."""
        return [head for head in self.asked if head.get("authorization") or head.get("cookie")]


@contextmanager
def thief(loop: Loop) -> Iterator[tuple[Thief, str]]:
    """A running thief, and its host."""
    made = Thief()
    bench = Bench(loop, made)
    with bench.running():
        yield made, bench.host
