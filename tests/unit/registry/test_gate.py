import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from manifest_action.errors import NetworkError
from manifest_action.transport.registry.gate import Gate


class Crowd:
    """Counts how many are inside at once."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.inside = 0
        self.most = 0
        self.lock = threading.Lock()

    def visit(self, _: int = 0, work: Callable[[], None] = lambda: time.sleep(0.02)) -> None:
        with self.gate.place():
            with self.lock:
                self.inside += 1
                self.most = max(self.most, self.inside)
            work()
            with self.lock:
                self.inside -= 1


def test_no_more_than_the_limit_are_inside() -> None:
    crowd = Crowd(Gate("registry.example", 3))
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(crowd.visit, range(24)))
    assert crowd.most == 3


def test_a_pause_holds_everybody_up_and_halves_the_limit() -> None:
    gate = Gate("registry.example", 8)
    gate.pause(0.3)
    assert gate.limit == 4
    start = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(Crowd(gate).visit, range(4)))
    assert time.monotonic() - start >= 0.3


def test_a_shorter_pause_does_not_shorten_a_longer_one() -> None:
    gate = Gate("registry.example", 8)
    gate.pause(0.3)
    gate.pause(0.0)
    start = time.monotonic()
    with gate.place():
        assert time.monotonic() - start >= 0.25
    for _ in range(5):
        gate.pause(0.0)
    assert gate.limit == 1


def test_five_successes_give_one_place_back() -> None:
    gate = Gate("registry.example", 4)
    gate.pause(0)
    gate.pause(0)
    limits = []
    for _ in range(20):
        gate.succeeded()
        limits.append(gate.limit)
    assert limits == [1] * 4 + [2] * 5 + [3] * 5 + [4] * 6


def test_a_request_within_a_request_does_not_wait_for_a_place() -> None:
    """Otherwise everybody could hold one place and wait for a second one for ever."""
    one, other = Gate("one.example", 1), Gate("other.example", 1)
    crossing = threading.Barrier(2)

    def cross(first: Gate, second: Gate) -> None:
        with first.place():
            crossing.wait(5)
            with second.place(), first.place():
                crossing.wait(5)

    with ThreadPoolExecutor(2) as pool:
        for crossed in (pool.submit(cross, one, other), pool.submit(cross, other, one)):
            crossed.result(10)
    with one.place(), other.place():
        pass


def test_what_goes_beyond_the_limit_waits_for_a_pause_only() -> None:
    gate = Gate("registry.example", 1)
    with ThreadPoolExecutor(1) as pool, gate.place():
        pool.submit(beyond, gate).result(5)
        gate.pause(0.3)
        start = time.monotonic()
        pool.submit(beyond, gate).result(5)
        assert time.monotonic() - start >= 0.25


def beyond(gate: Gate) -> None:
    with gate.place(beyond_limit=True):
        pass


def test_an_error_inside_gives_the_place_back() -> None:
    gate = Gate("registry.example", 1)
    for _ in range(2):
        with pytest.raises(KeyError), gate.place():
            raise KeyError


def test_closing_sends_away_who_waits() -> None:
    gate = Gate("registry.example", 1)
    gate.pause(60)
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(Crowd(gate).visit) for _ in range(2)]
        gate.close()
        for each in waiting:
            with pytest.raises(NetworkError, match="stopped"):
                each.result(5)
