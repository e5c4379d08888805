from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from manifest_action.errors import NetworkError, RateLimited, RegistryError
from manifest_action.events import Retrying
from manifest_action.transport.registry.failure import Failure
from manifest_action.transport.registry.gate import Gate
from manifest_action.transport.registry.patience import Budget, Patience, retry_after
from tests.unit.registry.listener import Events

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def quick() -> None:
    """Nothing really waits here, so the delays are those in earnest."""


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class World:
    def __init__(self, budget: float = 900.0) -> None:
        self.clock = Clock()
        self.events = Events()
        self.gate = Gate("registry.example", 8)
        self.budget = Budget(budget)

    def patience(self) -> Patience:
        return Patience(
            self.gate, self.budget, self.events, sleep=self.clock.sleep, clock=self.clock, jitter=lambda most: most
        )


def failure(retry: bool = True, asked: str = "", throttled: bool = False) -> Failure:
    error = RegistryError("cannot read the manifest", where="registry.example/app:1", why="HTTP 503")
    return Failure(error, retry, "HTTP 503", 503, asked, throttled)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", None),
        ("0", None),
        ("1", 1.0),
        ("120", 120.0),
        ("99999999999999999999", 999999999999.0),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("１", None),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), None),
        ("Tue, 24 Nov 2026 12:00:05 -0000", 5.0),
        ("Tue, 99 Nov 2026 12:00:05 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, seconds: float | None) -> None:
    assert retry_after(text, NOW) == seconds


def test_delays_double_and_six_tries_are_the_most() -> None:
    world = World()
    patience = world.patience()
    for _ in range(5):
        patience.wait(failure())
    with pytest.raises(RegistryError, match="given up after 6 tries"):
        patience.wait(failure())
    assert world.clock.slept == [0.5, 1.0, 2.0, 4.0, 8.0]
    assert world.events == [Retrying("registry.example", n, 2**n / 4, "HTTP 503") for n in range(1, 6)]


def test_jitter_is_full() -> None:
    world = World()
    delays: list[float] = []
    for _ in range(200):
        patience = Patience(world.gate, Budget(1e9), world.events, sleep=delays.append)
        patience.wait(failure())
    assert 0 <= min(delays) < 0.1
    assert 0.4 < max(delays) <= 0.5


def test_what_cannot_succeed_is_not_tried_again() -> None:
    world = World()
    final = failure(retry=False)
    with pytest.raises(RegistryError) as caught:
        world.patience().wait(final)
    assert caught.value is final.error
    assert caught.value.why == "HTTP 503"
    assert not world.clock.slept


def test_what_a_server_asks_for_is_honoured_exactly() -> None:
    world = World()
    world.patience().wait(failure(asked="7"))
    assert world.clock.slept == [7.0]


@pytest.mark.parametrize(("asked", "budget"), [("999999", 900.0), ("121", 900.0), ("120", 300.0), ("20", 45.0)])
def test_a_server_that_asks_for_too_much_is_refused_at_once(asked: str, budget: float) -> None:
    world = World(budget)
    with pytest.raises(RateLimited, match=f"wait {asked} s") as caught:
        world.patience().wait(failure(asked=asked, throttled=True))
    assert asked in caught.value.hint
    assert not world.clock.slept


@pytest.mark.parametrize(
    ("before", "asked", "why"),
    [
        (0, "999999", "wait 999999 s, which is more than the 120 s that one request may wait"),
        (0, "31", "wait 31 s, which is more than the 30 s that one request may wait"),
        (25, "20", "wait 20 s, and of what this run may wait (`retry-budget`), less is left"),
        (29, "2", "wait 2 s, and of what this run may wait (`retry-budget`), less is left"),
    ],
)
def test_the_error_says_whether_it_is_too_much_at_all_or_too_much_by_now(before: int, asked: str, why: str) -> None:
    world = World(budget=900 if asked == "999999" else 90)
    patience = world.patience()
    if before:
        patience.wait(failure(asked=str(before)))
    with pytest.raises(RateLimited) as caught:
        patience.wait(failure(asked=asked))
    assert caught.value.why == f"HTTP 503; it asks to {why}"


def test_throttling_pauses_the_gate() -> None:
    world = World()
    world.patience().wait(failure(throttled=True))
    assert world.gate.limit == 4
    world.patience().wait(failure())
    assert world.gate.limit == 4


def test_an_operation_has_a_third_of_the_budget() -> None:
    world = World(budget=90)
    patience = world.patience()
    patience.wait(failure(asked="20"))
    with pytest.raises(RateLimited):
        patience.wait(failure(asked="20"))
    assert world.clock.slept == [20.0]
    assert Budget(9000).operation == 300


def test_time_that_failing_takes_counts_for_the_operation() -> None:
    world = World(budget=90)
    patience = world.patience()
    patience.wait(failure())
    world.clock.now += 31
    with pytest.raises(RegistryError, match="given up after 2 tries in 32 s"):
        patience.wait(failure())


def test_progress_forgets_earlier_failures() -> None:
    world = World()
    patience = world.patience()
    for _ in range(20):
        patience.wait(failure())
        patience.progressed()
    assert world.clock.slept == [0.5] * 20


def test_the_run_has_a_budget_which_counts_simultaneous_waits_once() -> None:
    budget = Budget(30)
    assert budget.take(20, now=100)
    assert budget.take(20, now=100)
    assert budget.take(15, now=110)
    assert not budget.take(6, now=125)
    assert budget.take(5, now=125)
    assert not budget.take(0.1, now=200)
    assert budget.take(0, now=200)


def test_an_exhausted_run_gives_up() -> None:
    world = World(budget=3)
    patience = world.patience()
    patience.wait(failure())
    with pytest.raises(RegistryError, match="given up after 2 tries"):
        patience.wait(failure())


def test_a_stopped_run_ends_the_wait() -> None:
    def stop(_: float) -> None:
        raise NetworkError("the run was stopped")

    world = World()
    with pytest.raises(NetworkError, match="stopped"):
        Patience(world.gate, world.budget, world.events, sleep=stop).wait(failure())
