"""The reader on whole specs: what is refused and where, what is accepted and what it comes to."""

import re

import pytest

from manifest_action.adapters.document import read_documents
from manifest_action.errors import ConfigError, Mark
from manifest_action.plan.reader import read_specs
from manifest_action.plan.spec import IndexSpec
from tests.unit.plan.specs import BAD, GOOD, Bad, Good


def read(text: str) -> tuple[IndexSpec, ...]:
    return read_specs(read_documents(text, "spec.yml"))


def test_there_are_enough_bad_specs() -> None:
    assert len(BAD) >= 60
    assert len({bad.name for bad in BAD}) == len(BAD)


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_a_bad_spec_is_refused_with_every_problem_in_its_place(bad: Bad) -> None:
    with pytest.raises(ConfigError) as caught:
        read(bad.text)
    found = [re.sub(r"^spec\.yml:(\d+:\d+):", r"\1", str(problem)) for problem in caught.value.problems]
    assert len(found) == len(bad.problems), found
    for problem, expected in zip(found, bad.problems, strict=True):
        place, _, fragment = expected.partition(" ")
        assert problem.partition(" ")[0] == place
        assert fragment in problem


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_problems_never_repeat_much_of_the_text(bad: Bad) -> None:
    with pytest.raises(ConfigError) as caught:
        read(bad.text)
    assert max(len(problem.what) for problem in caught.value.problems) < 300


@pytest.mark.parametrize("good", GOOD, ids=lambda good: good.name)
def test_a_good_spec_is_read(good: Good) -> None:
    (spec,) = read(good.text)
    assert tuple(map(str, spec.destinations)) == good.destinations
    assert tuple(str(source.reference) for source in spec.sources) == good.sources
    assert spec.mark == Mark("spec.yml", 1, 1)
