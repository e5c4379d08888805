"""Two registries with faults before them, a job that takes every step, and what came of running it."""

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.faults.bench import Bench, Loop, Record, Rule
from tests.faults.catalog import Cell
from tests.faults.profiles import PROFILES, Profile
from tests.faults.registry import PASSWORD, USER, OwnRegistry, Storage
from tests.faults.steps import Step
from tests.support.images import SyntheticImage, image, index

NAME = "acme/app"
TAGS = ("1", "1.0", "latest")
CANARY = "canary"
NEAR = image("linux/amd64", layers=1, layer_size=4000)
FAR = image("linux/arm64", layers=1, layer_size=60_000)
OLD = index([image("linux/amd64", layers=1, layer_size=100, seed="old")])
FAR_STEPS = frozenset({Step.GET_BLOB})
"""Steps that the registry of the far source sees; all others are the destination's."""


def _configs(*images: SyntheticImage) -> list[str]:
    return [json.loads(each.manifest_bytes)["config"]["digest"] for each in images]


@dataclass(frozen=True)
class World:
    """A destination with one source beside it, and a far registry with the other source."""

    near: Bench
    far: Bench
    registry: OwnRegistry
    far_registry: OwnRegistry
    folder: Path

    def spec(self, *, signed: bool = False) -> str:
        """The job: one image is mounted from a neighbour, the other copied from afar; three tags."""
        sign = "sign: {cosign: {recursive: false}}\nverify: false\n" if signed else ""
        return (
            f"image: {self.near.host}/{NAME}:1\ntags: ['1.0', latest]\n{sign}sources:\n"
            f"- {self.near.host}/acme/amd64@{NEAR.digest}\n- {self.far.host}/acme/arm64@{FAR.digest}\n"
        )

    def write_login(self, folder: Path) -> None:
        """A `config.json` with the login for both registries."""
        pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        auths = {bench.host: {"auth": pair} for bench in (self.near, self.far)}
        (folder / "config.json").write_text(json.dumps({"auths": auths}))

    def tags(self) -> dict[str, str]:
        """What the destination's tags point to."""
        return {tag: self.registry.tag_of(NAME, tag) for tag in TAGS}

    def records(self) -> list[Record]:
        """All requests so far."""
        return [*self.near.log, *self.far.log]

    def forget(self) -> None:
        """Count requests from here on."""
        self.near.log.clear()
        self.far.log.clear()

    def arm(self, cell: Cell) -> None:
        """Lay the cell's faults."""
        if cell.first:
            self.near.rules.append(Rule(Step.PUT_BLOB, list(cell.first)))
        bench = self.far if cell.step in FAR_STEPS else self.near
        bench.rules.append(Rule(cell.step, list(cell.acts), cell.forever, cell.part))
        self.registry.forgets = cell.loses_sessions
        if cell.refuses:
            bench.listen(after=cell.refuses)

    def complete(self, digest: str) -> bool:
        """Whether everything that a digest leads to is at the destination, byte for byte as it was."""
        found = self.registry.manifests.get((NAME, digest))
        if found is None:
            return False
        for each in (NEAR, FAR):
            child = self.registry.manifests.get((NAME, each.digest))
            if child is None or child[0] != each.manifest_bytes:
                return False
            if any(self.registry.blobs.get((NAME, blob)) != content for blob, content in each.blobs.items()):
                return False
        return True


@dataclass(frozen=True)
class Ran:
    """How a program's run ended: what it printed, and the seconds it took."""

    code: int
    output: str = field(repr=False)
    seconds: float


def profile_of(cell: Cell) -> Profile:
    """The kind of registry that a cell is tried with."""
    return replace(PROFILES[cell.profile], **dict(cell.profile_changes))  # type: ignore[arg-type]


@contextmanager
def world(loop: Loop, folder: Path, profile: Profile) -> Iterator[World]:
    """Both registries, with the sources in place and the destination's tags on something old."""
    registry, far_registry = (
        OwnRegistry(profile),
        OwnRegistry(Profile(token=profile.token, elsewhere=profile.elsewhere)),
    )
    near = Bench(loop, registry, _configs(NEAR))
    far = Bench(loop, far_registry, _configs(FAR))
    storage = Bench(loop, Storage((registry, far_registry)))
    registry.storage = far_registry.storage = storage.host
    registry.put("acme/amd64", NEAR)
    far_registry.put("acme/arm64", FAR)
    registry.put(NAME, OLD, *TAGS)
    with ExitStack() as stack:
        stack.enter_context(near.running())
        stack.enter_context(far.running())
        stack.enter_context(storage.running())
        made = World(near, far, registry, far_registry, folder)
        made.write_login(folder)
        yield made


def steps_of(records: list[Record]) -> Mapping[Step, int]:
    """How often each step was taken."""
    counts: dict[Step, int] = {}
    for record in records:
        counts[record.step] = counts.get(record.step, 0) + 1
    return counts


def judge(cell: Cell, ran: Ran, place: World, before: Mapping[str, str], expected: str, ideal: int) -> list[str]:
    """What is wrong with how a run met a fault; nothing when all is well."""
    faults = []
    if ran.code != cell.code:
        faults.append(f"exit code {ran.code} instead of {cell.code}")
    extra = len(place.records()) - ideal
    if extra > cell.extra:
        counts = ", ".join(f"{count} {step.value}" for step, count in steps_of(place.records()).items())
        faults.append(f"{extra} extra requests, {cell.extra} allowed: {counts}")
    if ran.seconds > cell.within:
        faults.append(f"took {ran.seconds:.1f} s, {cell.within:.0f} allowed")
    if ran.seconds < cell.asked:
        faults.append(f"took {ran.seconds:.1f} s, the server asked for {cell.asked:.0f}")
    if CANARY in ran.output:
        faults.append("a secret was shown")
    faults += _tag_faults(cell, place, before, expected)
    return faults


def _tag_faults(cell: Cell, place: World, before: Mapping[str, str], expected: str) -> Iterator[str]:
    tags = place.tags()
    if cell.code == 0:
        if set(tags.values()) != {expected}:
            yield f"tags are {tags}"
        if not place.complete(expected):
            yield "the destination is not complete"
        return
    for tag, digest in tags.items():
        allowed = (before[tag], expected) if cell.part.endswith(tag) or cell.fault == "f37" else (before[tag],)
        if digest not in allowed:
            yield f"tag {tag} moved to {digest}"
    if cell.fault == "f23" and any(key[1] == expected for key in place.registry.manifests):
        yield "an index with wrong content was pushed"
