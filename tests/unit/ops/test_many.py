"""What a run of many indexes keeps until its tags move: their bytes, and little else."""

import gc
import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import pytest

from manifest_action.events import Event, Stage, StageStarted
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import Repository, parse_reference
from manifest_action.ops import assembly
from manifest_action.ops.outcome import Outcome
from manifest_action.ops.run import run
from manifest_action.plan.plan import make_plan
from manifest_action.plan.spec import IndexSpec, Protection
from tests.support.images import buildx_index, image
from tests.unit.ops.memory import MemoryRepository, MemoryTransport
from tests.unit.ops.world import HOME, place, spec

PLATFORMS = ("linux/amd64", "linux/arm64", "linux/s390x", "linux/riscv64")
FAR = "far.test/acme/app"
KIB = 1024


class Remote(MemoryRepository):
    """A repository that reads every manifest anew, as one at a distance is read, and keeps none that it is sent."""

    def resolve(self, selector: str, /) -> Manifest:
        found = super().resolve(selector)
        return Manifest.parse(bytes(bytearray(found.raw)), media_type=found.media_type)


class RemoteTransport(MemoryTransport):
    def __getitem__(self, repository: Repository) -> MemoryRepository:
        with self._lock:
            known = self.repositories
            return known.setdefault(repository, Remote(repository, self.calls, known))


class Unheard(list[tuple[str, str, str]]):
    """Calls that nobody writes down."""

    def append(self, _: object, /) -> None:
        pass


class AtTheTags:
    """Calls `look` when every index is in place and no tag has moved."""

    def __init__(self, look: Callable[[], None]) -> None:
        self._look = look

    def emit(self, event: Event, /) -> None:
        if isinstance(event, StageStarted) and event.stage is Stage.TAG:
            self._look()


@pytest.fixture(autouse=True)
def _small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assembly, "PORTION", 4)


def specs(transport: MemoryTransport, number: int, destination: str = HOME) -> list[IndexSpec]:
    """Indexes of images of their own, which are in `HOME`."""
    return [
        spec(
            [place(transport, HOME, image(platform, layers=3, seed=str(seed))) for platform in PLATFORMS],
            f"{destination}:{seed}",
        )
        for seed in range(number)
    ]


def carry_out(transport: MemoryTransport, wanted: list[IndexSpec], look: Callable[[], None] = lambda: None) -> Outcome:
    outcome = run(make_plan(wanted), transport, AtTheTags(look), jobs=2, push=True)
    assert outcome.error is None
    return outcome


def manifests() -> dict[int, Manifest]:
    gc.collect()
    return {id(each): each for each in gc.get_objects() if type(each) is Manifest}


def kept(transport: MemoryTransport, wanted: list[IndexSpec]) -> list[Manifest]:
    """The manifests in memory when the tags are about to move, but for those that stood in repositories before."""
    before = manifests()
    found: list[Manifest] = []
    carry_out(transport, wanted, lambda: found.extend(m for key, m in manifests().items() if key not in before))
    return found


def test_of_children_that_stay_where_they_are_no_manifest_is_kept() -> None:
    transport = RemoteTransport()
    found = kept(transport, specs(transport, 10))
    assert [each.is_index for each in found] == [True] * 10


def test_of_indexes_as_sources_no_manifest_is_kept() -> None:
    transport = RemoteTransport()
    wanted = [
        spec([place(transport, HOME, buildx_index([image(p, seed=str(n)) for p in PLATFORMS]))], f"{HOME}:{n}")
        for n in range(10)
    ]
    annotated = [replace(each, annotations=replace(each.annotations, index={"a": "b"})) for each in wanted]
    found = kept(transport, annotated)
    assert [each.is_index for each in found] == [True] * 10


def test_children_that_travel_or_get_tags_are_kept_and_not_read_again() -> None:
    transport = RemoteTransport()
    wanted = specs(transport, 3, FAR) + [
        replace(each, protect=Protection.DIGEST) for each in specs(transport, 3, f"{HOME}/two")
    ]
    found = kept(transport, wanted)
    assert sum(not each.is_index for each in found) >= 3 * len(PLATFORMS)
    assert transport.count("resolve") == 3 * len(PLATFORMS)
    for destination in (FAR, f"{HOME}/two"):
        repository = transport[parse_reference(destination).repository]
        children = [digest for digest, manifest in repository.manifests.items() if not manifest.is_index]
        assert len(children) == 3 * len(PLATFORMS)


def test_an_index_costs_little_more_than_its_bytes() -> None:
    def cost(number: int) -> int:
        transport = RemoteTransport()
        transport.calls = Unheard()
        wanted = specs(transport, number)
        found: list[int] = []
        gc.collect()
        tracemalloc.start()
        try:
            outcome = carry_out(transport, wanted, lambda: found.append(tracemalloc.get_traced_memory()[1]))
        finally:
            tracemalloc.stop()
        return found[0] - sum(len(report.manifest.raw) for report in outcome.reports if report.manifest)

    cost(4)  # what is imported and cached once is there now
    each = (cost(60) - cost(20)) / 40
    assert each < 1.5 * KIB * len(PLATFORMS), "bytes at the most until the tags move, beside the index's own"


def test_what_indexes_share_is_read_once_however_far_apart_they_are() -> None:
    transport = RemoteTransport()
    shared = [place(transport, f"{HOME}:base", buildx_index([image(PLATFORMS[0], seed="s"), image(PLATFORMS[1])]))]
    image_shared = place(transport, HOME, image(PLATFORMS[2], seed="s"))
    named = f"{HOME}:base"
    wanted = specs(transport, 14)
    for far_apart in (0, 5, 13):
        extended = spec([named, image_shared], f"{HOME}:{far_apart}")
        wanted[far_apart] = extended
    subject = replace(wanted[12], subject=parse_reference(str(shared[0])))
    wanted[12] = subject
    outcome = carry_out(transport, wanted)
    asked = [call for call in transport.calls if call[0] == "resolve"]
    assert len(asked) == len(set(asked))
    opened = [call for call in transport.calls if call[0] == "open"]
    assert len(opened) == len(set(opened))
    assert [len(report.entries) for report in outcome.reports] == [
        5 if place in (0, 5, 13) else len(PLATFORMS) for place in range(14)
    ]
