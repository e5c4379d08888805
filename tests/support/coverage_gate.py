"""A pytest plugin that fails a run whose tests leave too many branches of the pure layers untried.

`scripts/test.py` loads it (`-p tests.support.coverage_gate`) beside pytest-cov when all tests run. It speaks
before pytest's last line, so that the run ends with that.
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import coverage
import pytest

LIMIT = 95.0
LAYERS = ("manifest_action/model/", "manifest_action/plan/", "manifest_action/ops/assemble.py")

_verdicts: list[str] = []


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run when a layer is below the limit; workers of pytest-xdist have nothing to say."""
    if hasattr(session.config, "workerinput") or session.exitstatus == pytest.ExitCode.INTERRUPTED:
        return
    files = _measured()
    for layer in LAYERS:
        lines, branches = _shares(files, layer)
        enough = min(lines, branches) >= LIMIT
        verdict = "ok     " if enough else "TOO LOW"
        _verdicts.append(f"{verdict} {layer}: {branches:.1f} % of branches, {lines:.1f} % of lines (at least {LIMIT})")
        if not enough and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The verdict on each layer."""
    if _verdicts:
        terminalreporter.section("coverage of the pure layers")
    for verdict in _verdicts:
        terminalreporter.write_line(verdict)


def _measured() -> dict[str, dict[str, int]]:
    data = coverage.Coverage()
    data.load()
    with TemporaryDirectory() as folder:
        report = Path(folder) / "coverage.json"
        data.json_report(outfile=str(report), ignore_errors=True)
        files = json.loads(report.read_text())["files"]
    return {name: file["summary"] for name, file in files.items()}


def _shares(files: dict[str, dict[str, int]], layer: str) -> tuple[float, float]:
    """Percentages of the lines and of the branches under `layer` that ran; 0 when nothing is there."""
    summaries = [summary for name, summary in files.items() if name.startswith(layer)]
    return (
        _percent(summaries, "covered_lines", "num_statements"),
        _percent(summaries, "covered_branches", "num_branches"),
    )


def _percent(summaries: list[dict[str, int]], covered: str, total: str) -> float:
    everything = sum(summary[total] for summary in summaries)
    return 100 * sum(summary[covered] for summary in summaries) / everything if everything else 0.0
