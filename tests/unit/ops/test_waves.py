import threading
import time

import pytest

from manifest_action.errors import ResolveError
from manifest_action.ops.waves import Waves


def slow_first(number: int) -> int:
    time.sleep(0.02 * (3 - number))
    return number


def test_results_come_in_the_order_of_the_items() -> None:
    with Waves(4) as waves:
        assert waves.map(slow_first, range(4)) == [0, 1, 2, 3]


def test_a_wave_runs_side_by_side() -> None:
    together = threading.Barrier(3, timeout=5)
    with Waves(3) as waves:
        waves.map(lambda _: together.wait(), range(3))


def test_the_first_error_in_order_is_raised_with_the_others_beside_it() -> None:
    together = threading.Barrier(3, timeout=5)

    def fail(number: int) -> None:
        together.wait()
        raise ResolveError("same" if number else "first")

    with Waves(3) as waves, pytest.raises(ResolveError, match="first") as caught:
        waves.map(fail, range(3))
    assert [str(other) for other in caught.value.others] == ["same"]


def test_after_a_failure_nothing_further_begins() -> None:
    begun = []

    def work(number: int) -> None:
        begun.append(number)
        raise ResolveError("no")

    with Waves(1) as waves, pytest.raises(ResolveError):
        waves.map(work, range(50))
    assert len(begun) < 50


def test_a_failure_does_not_wait_for_what_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manifest_action.ops.waves._MOMENT", 0.2)
    over = threading.Event()

    def work(number: int) -> None:
        if number == 0:
            over.wait(10)
        else:
            time.sleep(0.05 * number)
            raise ResolveError(f"no {number}")

    start = time.monotonic()
    try:
        with pytest.raises(ResolveError, match="no 1") as caught, Waves(3) as waves:
            waves.map(work, range(3))
        assert time.monotonic() - start < 5
    finally:
        over.set()
    assert [str(other) for other in caught.value.others] == ["no 2"]


def test_a_bug_is_not_hidden_behind_an_expected_failure() -> None:
    together = threading.Barrier(2, timeout=5)

    def fail(number: int) -> None:
        together.wait()
        raise ResolveError("expected") if number == 0 else KeyError("bug")

    with Waves(2) as waves, pytest.raises(KeyError):
        waves.map(fail, range(2))
