"""Every fault at every step: a run succeeds at a bounded price, or fails in the right way and moves no tag."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.bench import Loop
from tests.faults.catalog import Cell, cells
from tests.faults.product import push, quick
from tests.faults.profiles import Profile
from tests.faults.world import judge, profile_of, world


@dataclass(frozen=True)
class Ideal:
    """A run that nothing disturbs: the digest it makes, and how many requests it takes."""

    digest: str
    requests: int


@pytest.fixture(scope="module")
def loop() -> Iterator[Loop]:
    with Loop() as running:
        yield running


@pytest.fixture(scope="module")
def ideals(loop: Loop, tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Ideal]:
    """By whether the job signs."""
    return {signed: _ideal(loop, tmp_path_factory.mktemp("ideal"), signed=signed) for signed in (False, True)}


def _ideal(loop: Loop, folder: Path, *, signed: bool) -> Ideal:
    with quick(), world(loop, folder, Profile()) as place:
        ran = push(folder, place.spec(signed=signed))
        assert ran.code == 0, ran.output
        return Ideal(place.tags()["1"], len(place.records()))


@pytest.mark.parametrize("cell", [pytest.param(cell, id=cell.id) for cell in cells()])
def test_fault(cell: Cell, loop: Loop, ideals: dict[bool, Ideal], tmp_path: Path) -> None:
    ideal = ideals[cell.signed]
    with quick(), world(loop, tmp_path, profile_of(cell) if cell.old else Profile()) as place:
        if not cell.old:
            assert push(tmp_path, place.spec()).code == 0
            place.forget()
            place.registry.profile = profile_of(cell)
        before = place.tags()
        place.arm(cell)
        ran = push(tmp_path, place.spec(signed=cell.signed), "--retry-budget", f"{cell.budget:g}")
        wrong = judge(cell, ran, place, before, ideal.digest, ideal.requests)
        assert not wrong, f"{wrong}\n{ran.output[:3000]}"
        assert any(record.step is cell.step for record in place.records()) or not cell.old
