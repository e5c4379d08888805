"""Run the faults through this program and others, as processes with their usual patience, and write one table.

    .venv/bin/python -m tests.faults.table [--jobs N] [--only TEXT] [--output FILE] [PROGRAM ...]

The job is one that all of them can do: copy an index of two images from one registry to another, children first and
the tag last. Every run has registries of its own. A cell is passed when the run succeeds where it can (the tag moved,
every byte in place), and fails where it must (no tag moved), in time, and shows no secret.
"""

import argparse
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.faults.acts import now
from tests.faults.bench import Loop, Rule
from tests.faults.catalog import SIGNING, Cell, cells
from tests.faults.registry import PASSWORD
from tests.faults.steps import Step
from tests.faults.world import CANARY, FAR, FAR_STEPS, NAME, NEAR, Ran, World, profile_of, world
from tests.support.images import index
from tests.support.peers import Peer, find_peer, find_podman
from tests.support.product import Product

INDEX = index([NEAR, FAR])
SOURCE = "acme/index"
LIMIT = 240.0
"""Seconds after which a run counts as hanging. Programs of others are stopped after 120."""
_UPLOADS = frozenset({Step.PUT_BLOB, Step.PATCH})
_LEFT_OUT = frozenset({Step.MOUNT, Step.PATCH, *SIGNING})
"""Steps that the common job does not take, or that not every program takes."""

Run = Callable[[Path, World], "subprocess.CompletedProcess[bytes]"]


def _ours(folder: Path, place: World) -> "subprocess.CompletedProcess[bytes]":
    product = Product(folder)
    text = f"image: {place.near.host}/{NAME}:1\nsources: ['{place.far.host}/{SOURCE}:1']\n"
    return product.run("push", "--json", product.spec(text))


def _skopeo(folder: Path, place: World) -> "subprocess.CompletedProcess[bytes]":
    names = (f"docker://{place.far.host}/{SOURCE}:1", f"docker://{place.near.host}/{NAME}:1")
    options = ("--all", "--retry-times", "3", "--src-tls-verify=false", "--dest-tls-verify=false")
    return _peer("skopeo", folder, place).run("copy", *options, *names)


def _crane(folder: Path, place: World) -> "subprocess.CompletedProcess[bytes]":
    names = (f"{place.far.host}/{SOURCE}:1", f"{place.near.host}/{NAME}:1")
    return _peer("crane", folder, place).run("copy", "--insecure", *names)


def _podman(folder: Path, place: World) -> "subprocess.CompletedProcess[bytes]":
    podman = find_podman(folder)
    place.write_login(folder)
    podman.run("manifest", "create", "job")
    source = f"docker://{place.far.host}/{SOURCE}:1"
    added = podman.run("manifest", "add", "--all", "--tls-verify=false", "job", source)
    if added.returncode:
        return added
    target = f"docker://{place.near.host}/{NAME}:1"
    return podman.run("manifest", "push", "--all", "--tls-verify=false", "job", target)


def _peer(name: str, folder: Path, place: World) -> Peer:
    peer = find_peer(name, folder)
    place.write_login(folder)
    return peer


PROGRAMS: Mapping[str, Run] = {"ours": _ours, "skopeo": _skopeo, "podman": _podman, "crane": _crane}


@dataclass(frozen=True)
class Result:
    """How one program met one fault.

    problem: what is wrong, empty when it passed
    extra:   requests beyond those of a run without a fault
    resent:  bytes sent beyond those of a run without a fault
    over:    seconds beyond what the servers asked to wait
    """

    cell: Cell
    problem: str
    extra: int = 0
    resent: int = 0
    over: float = 0.0
    secrets: int = 0
    moved: int = 0
    met: bool = True


@dataclass
class Column:
    """One program with its results."""

    name: str
    run: Run = field(repr=False)
    ideal_requests: int = 0
    ideal_bytes: int = 0
    digest: str = ""
    results: list[Result] = field(default_factory=list)


def main() -> int:
    """Run everything; 1 when our own program did not pass a cell."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=6)
    parser.add_argument("--only", default="", help="faults whose name holds this")
    parser.add_argument("--output", type=Path)
    parser.add_argument("programs", nargs="*", default=list(PROGRAMS))
    arguments = parser.parse_args()
    wanted = [cell for cell in cells() if cell.step not in _LEFT_OUT and not cell.signed and arguments.only in cell.id]
    wanted = [cell for cell in wanted if cell.fault != "f37" and "405 for POST" not in cell.name]
    with Loop() as loop, ThreadPoolExecutor(arguments.jobs) as pool:
        columns = [Column(name, PROGRAMS[name]) for name in arguments.programs]
        list(pool.map(lambda column: _undisturbed(loop, column), columns))
        tried = [(column, cell) for cell in wanted for column in columns]
        for (column, _), result in zip(tried, pool.map(lambda pair: _try(loop, *pair), tried), strict=True):
            column.results.append(result)
            print(
                f"{column.name:8} {'ok' if not result.problem else result.problem:40.40} {result.cell.id}", flush=True
            )
    text = "\n".join(_report(columns)) + "\n"
    if arguments.output:
        arguments.output.write_text(text)
    else:
        print(text)
    return 1 if any(result.problem for column in columns if column.name == "ours" for result in column.results) else 0


def _undisturbed(loop: Loop, column: Column) -> None:
    cell = next(cells())
    with TemporaryDirectory() as place, world(loop, Path(place), profile_of(cell)) as made:
        made.far_registry.put(SOURCE, INDEX, "1")
        ran = _run(column, Path(place), made)
        if ran.code:
            raise SystemExit(f"{column.name} fails without a fault: {ran.output[-2000:]}")
        column.ideal_requests = len(made.records())
        column.ideal_bytes = sum(record.sent for record in made.records())
        column.digest = made.registry.tag_of(NAME, "1")


def _try(loop: Loop, column: Column, cell: Cell) -> Result:
    profile = profile_of(cell)
    with TemporaryDirectory() as place, world(loop, Path(place), replace(profile, immutable=None)) as made:
        made.far_registry.put(SOURCE, INDEX, "1")
        if not cell.old:
            _run(column, Path(place), made)
        made.registry.profile = profile
        made.forget()
        before = made.tags()
        _arm(made, cell, alone=column.name == "ours")
        ran = _run(column, Path(place), made)
        return _judge(column, cell, ran, made, before)


def _arm(place: World, cell: Cell, *, alone: bool) -> None:
    """Lay the fault; others send what we send by PUT in a PATCH before it, so the first of both is met."""
    far = cell.step in FAR_STEPS or cell.step in (Step.GET_MANIFEST, Step.GET_CONFIG)
    bench = place.far if far else place.near
    steps = _UPLOADS if cell.step in _UPLOADS and not alone else {cell.step}
    made = Rule(cell.step, list(cell.acts), cell.forever, cell.part)
    bench.rules.append(made if steps == {cell.step} else Rule(Step.PATCH, list(cell.acts), cell.forever, cell.part))
    place.registry.forgets = cell.loses_sessions
    if cell.refuses:
        bench.listen(after=0.6)


def _run(column: Column, folder: Path, place: World) -> Ran:
    began = now()
    try:
        done = column.run(folder, place)
    except subprocess.TimeoutExpired:
        return Ran(-1, "it hangs", now() - began)
    return Ran(done.returncode, (done.stdout + done.stderr).decode(errors="replace"), now() - began)


def _judge(column: Column, cell: Cell, ran: Ran, place: World, before: Mapping[str, str]) -> Result:
    after = place.tags()
    secrets = int(CANARY in ran.output or PASSWORD in ran.output)
    moved = int(cell.code != 0 and after != before)
    met = any(rule.used for bench in (place.near, place.far) for rule in bench.rules) or bool(cell.refuses)
    problem = ""
    if ran.code == -1 or ran.seconds > LIMIT:
        problem = "hangs"
    elif secrets:
        problem = "shows a secret"
    elif cell.code == 0 and ran.code:
        problem = f"fails ({ran.code})"
    elif cell.code == 0 and after["1"] != column.digest:
        problem = "succeeds with the tag where it was" if after == before else "succeeds with another digest"
    elif cell.code == 0 and ran.seconds < cell.asked and met:
        problem = "did not wait"
    elif cell.code and not ran.code:
        problem = "succeeds"
    elif moved:
        problem = "moved the tag"
    elif column.name == "ours" and ran.code != cell.code:
        problem = f"exit code {ran.code} instead of {cell.code}"
    records = place.records()
    return Result(
        cell,
        problem if met else "",
        len(records) - column.ideal_requests,
        max(0, sum(record.sent for record in records) - column.ideal_bytes),
        max(0.0, ran.seconds - cell.asked),
        secrets,
        moved,
        met,
    )


def _report(columns: Sequence[Column]) -> "list[str]":
    """One row for each fault, one column for each program; the sums at the end."""
    names = list(dict.fromkeys((result.cell.fault, result.cell.name) for result in columns[0].results))
    lines = [
        "| fault | must | " + " | ".join(column.name for column in columns) + " |",
        "|---|---|" + "---|" * len(columns),
    ]
    for fault, name in names:
        code = next(r.cell.code for r in columns[0].results if (r.cell.fault, r.cell.name) == (fault, name))
        shown = (
            _shown([r for r in column.results if (r.cell.fault, r.cell.name) == (fault, name)]) for column in columns
        )
        lines.append(f"| {fault} {name} | {'fail' if code else 'succeed'} | {' | '.join(shown)} |")
    sums: tuple[tuple[str, Callable[[list[Result]], str]], ...] = (
        ("**passed**", lambda r: f"**{sum(not x.problem for x in r)}/{len(r)}**"),
        ("must succeed: passed", lambda r: _share([x for x in r if not x.cell.code])),
        ("must fail: passed", lambda r: _share([x for x in r if x.cell.code])),
        ("hangs", lambda r: str(sum(x.problem == "hangs" for x in r))),
        (
            "extra requests, median and most",
            lambda r: _spread([float(x.extra) for x in r if not (x.cell.code or x.problem)]),
        ),
        ("bytes sent again, most", lambda r: str(max((x.resent for x in r if not x.problem), default=0))),
        ("seconds over what was asked, median and most", lambda r: _spread([x.over for x in r if not x.problem])),
        ("runs that show a secret", lambda r: str(sum(x.secrets for x in r))),
        ("tags wrongly moved", lambda r: str(sum(x.moved for x in r))),
    )
    for title, count in sums:
        shown = (count([result for result in column.results if result.met]) for column in columns)
        lines.append(f"| {title} | | {' | '.join(shown)} |")
    return lines


def _shown(results: Sequence[Result]) -> str:
    met = [result for result in results if result.met]
    problems = dict.fromkeys(result.problem for result in met if result.problem)
    passed = f"{sum(not result.problem for result in met)}/{len(met)}" if met else "–"
    return f"{passed} {', '.join(problems)}".strip()


def _share(results: Sequence[Result]) -> str:
    return f"{sum(not result.problem for result in results)}/{len(results)}"


def _spread(numbers: Sequence[float]) -> str:
    return f"{statistics.median(numbers):.1f}, {max(numbers):.1f}" if numbers else "–"


if __name__ == "__main__":
    sys.exit(main())
