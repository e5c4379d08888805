"""How long a writer waits for others before it looks again."""

import pytest

from manifest_action.ops.settling import SETTLING, settling_time


@pytest.mark.parametrize(("took", "least"), [(0.0, SETTLING), (0.01, SETTLING), (0.5, 1.5), (1.0, 3.0), (60.0, 5.0)])
def test_the_wait_is_longer_than_others_may_need_and_has_an_end(took: float, least: float) -> None:
    for attempt in (1, 2, 10):
        waits = [settling_time(attempt, took) for _ in range(50)]
        assert least <= min(waits)
        assert max(waits) <= least + attempt * SETTLING


def test_writers_do_not_wait_equally_long() -> None:
    assert len({settling_time(1, 0.0) for _ in range(20)}) > 10


def test_tests_need_not_wait() -> None:
    assert settling_time(3, 0.0, 0.0) == 0
