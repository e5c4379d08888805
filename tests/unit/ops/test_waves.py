import threading
import time

import pytest

from manifest_action.errors import ResolveError
from manifest_action.ops.waves import Task, Waves


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


def test_what_a_task_leads_to_does_not_wait_for_the_others() -> None:
    done: list[str] = []
    over = threading.Event()

    def slow() -> list[Task]:
        assert over.wait(5)
        done.append("slow")
        return []

    def quick() -> list[Task]:
        done.append("quick")
        return [follower]

    def follower() -> list[Task]:
        done.append("follower")
        over.set()
        return []

    with Waves(2) as waves:
        waves.follow([slow, quick])
    assert done == ["quick", "follower", "slow"]


def test_a_task_that_fails_ends_what_would_follow() -> None:
    begun: list[int] = []

    def work(number: int) -> list[Task]:
        begun.append(number)
        if number == 3:
            raise ResolveError("no")
        return [lambda: work(number + 1)]

    with Waves(1) as waves, pytest.raises(ResolveError, match="no"):
        waves.follow([lambda: work(0)])
    assert begun == [0, 1, 2, 3]


def test_thousands_of_tasks_cost_no_more_than_their_number() -> None:
    with Waves(4) as waves:
        start = time.monotonic()
        waves.follow([list] * 20_000)
        assert time.monotonic() - start < 10


def test_something_goes_on_aside_and_may_use_the_crew() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def work() -> list[int]:
        begun.set()
        assert go_on.wait(10)
        return waves.map(lambda number: number + 1, [1, 2])

    with Waves(1) as waves:
        result = waves.aside(work)
        assert begun.wait(10)
        assert waves.map(str, [1]) == ["1"]
        go_on.set()
        assert result() == [2, 3]


def test_what_fails_aside_is_raised_when_it_is_waited_for() -> None:
    def fail() -> None:
        raise ResolveError("gone")

    with Waves(1) as waves:
        result = waves.aside(fail)
        with pytest.raises(ResolveError, match="gone"):
            result()
