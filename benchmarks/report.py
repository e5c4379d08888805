"""The results as one table, as JSON, and as plots."""

import dataclasses
import json
import platform
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from benchmarks.cells import Cell
from benchmarks.jobs import JOBS

_COLOURS = (
    "#d62728",
    "#1f77b4",
    "#17becf",
    "#2ca02c",
    "#9467bd",
    "#8c564b",
    "#e377c2",
    "#7f7f7f",
    "#bcbd22",
    "#ff7f0e",
)
_WIDTH, _HEIGHT, _LEFT, _TOP, _PLOT_WIDTH, _PLOT_HEIGHT = 640, 360, 56, 36, 430, 270


def write_report(folder: Path, cells: Sequence[Cell], missing: Sequence[str]) -> None:
    """Write `results.json`, `table.md` and `JOB.svg`. missing: programs that were left out."""
    folder.mkdir(parents=True, exist_ok=True)
    document = {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "missing": list(missing),
        "cells": [dataclasses.asdict(cell) for cell in cells],
    }
    (folder / "results.json").write_text(json.dumps(document, indent=1) + "\n")
    (folder / "table.md").write_text("\n".join(_table(cells, missing)) + "\n")
    for job in JOBS:
        own = [cell for cell in cells if cell.job == job.name and cell.runs]
        if own:
            (folder / f"{job.name}.svg").write_text(_plot(f"{job.name}: {job.text}", own))


def slope(points: Iterable[tuple[float, float]]) -> float:
    """Seconds per second of round trip time, by least squares; NaN for fewer than two points."""
    pairs = list(points)
    if len(pairs) < 2:
        return float("nan")
    middle_x = sum(x for x, _ in pairs) / len(pairs)
    middle_y = sum(y for _, y in pairs) / len(pairs)
    spread = sum((x - middle_x) ** 2 for x, _ in pairs)
    return sum((x - middle_x) * (y - middle_y) for x, y in pairs) / spread


def _table(cells: Sequence[Cell], missing: Sequence[str]) -> list[str]:
    rtts = sorted({cell.rtt for cell in cells})
    walls = [f"wall at {rtt:g} ms" for rtt in rtts]
    columns = ["job", "program", *walls, "round trips", "waves", "requests", "PUTs", "connections", "CPU s", "RSS MiB"]
    columns += ["MB sent", "MB received"]
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * 2}{'---:|' * (len(columns) - 2)}"]
    for job in JOBS:
        programs = dict.fromkeys(cell.program for cell in cells if cell.job == job.name)
        for program in programs:
            own = {cell.rtt: cell for cell in cells if (cell.job, cell.program) == (job.name, program)}
            lines.append(f"| {' | '.join(_row(job.name, program, rtts, own))} |")
    if missing:
        lines += ["", f"Not installed, and so left out: {', '.join(missing)}."]
    return lines


def _row(job: str, program: str, rtts: Sequence[float], cells: dict[float, Cell]) -> list[str]:
    done = {rtt: cell for rtt, cell in cells.items() if cell.runs}
    if not done:
        return [job, program, "failed"]
    first = done[min(done)]
    walls = [f"{done[rtt].middle('wall'):.2f}" if rtt in done else "" for rtt in rtts]
    trips = slope((rtt / 1000, cell.middle("wall")) for rtt, cell in done.items())
    waves = f"{done[max(done)].middle('waves'):.0f}"
    counts = [f"{first.middle(name):.0f}" for name in ("requests", "puts", "connections")]
    sizes = [f"{first.middle(name) / 1e6:.1f}" for name in ("sent", "received")]
    return [
        job,
        program,
        *walls,
        f"{trips:.1f}",
        waves,
        *counts,
        f"{first.middle('cpu'):.2f}",
        f"{first.middle('rss'):.0f}",
        *sizes,
    ]


def _plot(title: str, cells: Sequence[Cell]) -> str:
    """Wall time over round trip time, a line for each program; each has its own colour in every plot."""
    most_x = max(cell.rtt for cell in cells) or 1.0
    most_y = max(cell.middle("wall") for cell in cells)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}">',
        "<style>text { font: 12px sans-serif }</style>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/><text x="{_LEFT}" y="20">{escape(title)}</text>',
    ]
    for step in range(5):
        y = _TOP + _PLOT_HEIGHT * (1 - step / 4)
        lines.append(f'<path d="M{_LEFT} {y:.1f}h{_PLOT_WIDTH}" stroke="#ddd"/>')
        lines.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{most_y * step / 4:.2g} s</text>')
    for rtt in sorted({cell.rtt for cell in cells}):
        x = _LEFT + _PLOT_WIDTH * rtt / most_x
        lines.append(f'<text x="{x:.1f}" y="{_TOP + _PLOT_HEIGHT + 18}" text-anchor="middle">{rtt:g} ms</text>')
    known = list(dict.fromkeys(cell.program for cell in cells))
    for number, program in enumerate(known):
        colour = _COLOURS[number % len(_COLOURS)]
        own = sorted((cell.rtt, cell.middle("wall")) for cell in cells if cell.program == program)
        points = " ".join(
            f"{_LEFT + _PLOT_WIDTH * x / most_x:.1f},{_TOP + _PLOT_HEIGHT * (1 - y / most_y):.1f}" for x, y in own
        )
        width = 3 if program == "ours" else 1.5
        lines.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{width}"/>')
        trips = slope((x / 1000, y) for x, y in own)
        place = f'x="{_LEFT + _PLOT_WIDTH + 12}" y="{_TOP + 12 + 18 * number}"'
        lines.append(f'<text {place} fill="{colour}">{escape(program)} {trips:.1f} RTT</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"
