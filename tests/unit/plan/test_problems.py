"""Collecting problems."""

import pytest

from manifest_action.errors import ConfigError, Mark, Problem
from manifest_action.plan.problems import LIMIT, Problems


def test_no_problem_is_no_error() -> None:
    Problems().raise_all()


def test_problems_come_in_the_order_of_the_text() -> None:
    problems = Problems()
    for place in (("b", 9, 1), ("a", 2, 5), ("b", 1, 7), ("a", 2, 3), ("b", 1, 2)):
        problems.add("wrong", Mark(*place))
    problems.add("nowhere")
    with pytest.raises(ConfigError) as caught:
        problems.raise_all()
    assert [str(problem.mark) for problem in caught.value.problems] == [
        "b:1:2",
        "b:1:7",
        "b:9:1",
        "a:2:3",
        "a:2:5",
        "None",
    ]


def test_the_same_is_said_once() -> None:
    problems = Problems()
    problems.add("wrong", Mark("a", 1, 1), path="x")
    problems.add("wrong", Mark("a", 1, 1), path="y")
    problems.add("also wrong", Mark("a", 1, 1))
    with pytest.raises(ConfigError) as caught:
        problems.raise_all()
    assert caught.value.problems == (
        Problem("wrong", Mark("a", 1, 1), "x"),
        Problem("also wrong", Mark("a", 1, 1)),
    )


def test_a_fatal_problem_brings_the_others_along() -> None:
    problems = Problems()
    problems.add("wrong", Mark("a", 2, 1))
    with pytest.raises(ConfigError) as caught:
        problems.fail("hopeless", Mark("a", 1, 1), hint="give up")
    assert [str(problem) for problem in caught.value.problems] == ["a:1:1: hopeless (give up)", "a:2:1: wrong"]


def test_problems_of_a_part_are_taken_over_whole() -> None:
    part = Problem("wrong", Mark("a", 1, 1), "x", "do this")
    problems = Problems()
    problems.absorb(ConfigError([part]))
    with pytest.raises(ConfigError) as caught:
        problems.raise_all()
    assert caught.value.problems == (part,)


def test_the_hundredth_ends_the_reading() -> None:
    problems = Problems()
    for line in range(1, LIMIT):
        problems.add("wrong", Mark("a", line, 1))
    with pytest.raises(ConfigError) as caught:
        problems.add("wrong", Mark("a", LIMIT, 1))
    assert len(caught.value.problems) == LIMIT
