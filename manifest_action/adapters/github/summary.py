"""The job summary: Markdown in which everything that is not ours is inside code spans."""

from collections.abc import Iterable, Sequence

from manifest_action.adapters.explanation import Explanation, Finding, explain
from manifest_action.adapters.github.files import SUMMARY_LIMIT
from manifest_action.adapters.github.picture import picture
from manifest_action.adapters.redaction import Redact
from manifest_action.adapters.report import images
from manifest_action.adapters.tables import TYPE_NAMES, entry_name, size_text, source_text, tag_state, transfer_text
from manifest_action.adapters.text import bytes_text, count, printable
from manifest_action.model.reference import DOCKER
from manifest_action.ops.outcome import IndexReport, Outcome

_FINDINGS_SHOWN = 50


def summary(outcome: Outcome, redact: Redact, limit: int = SUMMARY_LIMIT) -> str:
    """The whole run in at most `limit` bytes; indexes that no longer fit are counted in a last line."""
    explanation = explain(outcome, redact)
    parts = [_errors(explanation)] if explanation else []
    parts += [_index(report, dry_run=outcome.dry_run) for report in outcome.reports]
    return _fit(parts, limit)


def code(text: str) -> str:
    """`text` as a code span that neither ends early nor breaks a table."""
    text = printable(text).replace("|", "\\|")
    fence = "`"
    while fence in text:
        fence += "`"
    space = " " if "`" in text else ""
    return f"{fence}{space}{text}{space}{fence}"


def _fit(parts: Sequence[str], limit: int) -> str:
    note = "\n_{} more not shown; the report has them all._\n"
    room = limit - len(note) - 20
    text = ""
    for number, part in enumerate(parts):
        room -= len(part.encode())
        if room < 0:
            return text + note.format(len(parts) - number)
        text += part
    return text


def _errors(explanation: Explanation) -> str:
    shown = explanation.findings[:_FINDINGS_SHOWN]
    more = len(explanation.findings) - len(shown)
    lines = [line for finding in shown for line in _finding(finding)]
    return "\n".join(["### Manifest Action failed", "", *lines, *([f"- and {more} more"] if more else []), "", ""])


def _finding(finding: Finding) -> Iterable[str]:
    place = f"{code(str(finding.mark))}: " if finding.mark else ""
    where = f"{code(finding.where)}: " if finding.where else ""
    yield f"- {place}{where}{code(finding.what)}"
    if finding.why:
        yield f"  - why: {code(finding.why)}"
    for line in finding.hint.splitlines():
        yield f"  - {code(line)}"


def _index(report: IndexReport, *, dry_run: bool) -> str:
    lines = [f"### {code(str(report.spec.main))}", ""]
    if report.manifest is not None:
        kind = TYPE_NAMES.get(report.manifest.media_type, report.manifest.media_type)
        size = bytes_text(len(report.manifest.raw))
        lines += [f"{code(str(report.manifest.digest))}, {kind}, {size}{', not pushed' * (not report.pushed)}", ""]
        rows = [
            (code(entry_name(entry)), code(str(entry.digest)), size_text(entry), code(source_text(entry)))
            for entry in report.entries
        ]
        lines += [*_table(("Platform", "Digest", "Size", "Source"), rows), *picture(report)]
    states = [(code(str(tag.reference)), tag_state(tag, dry_run=dry_run)) for tag in report.tags]
    lines += _table(("Tag", "State"), states)
    if report.pushed and not report.changed:
        lines += ["Nothing changed: all of it was there already.", ""]
    elif transfers := transfer_text(report.totals):
        lines += [f"{transfers[0].upper()}{transfers[1:]}.", ""]
    if report.protected:
        lines += [f"{count(len(report.protected), 'tag')} of their own keep the images from being pruned.", ""]
    temporary = [
        (code(str(each.reference)), f"{each.state}: {code(each.reason)}" if each.reason else each.state.value)
        for each in report.cleanups
    ]
    lines += _table(("Temporary tag", "State"), temporary)
    return "\n".join([*lines, *_pull(report), *_beside(report), ""])


def _pull(report: IndexReport) -> list[str]:
    if not report.pushed or report.spec.main.repository.transport != DOCKER:
        return []
    return ["```sh", f"docker pull {images(report)[0]}", "```", ""]


def _beside(report: IndexReport) -> list[str]:
    """What is said of signatures and of what is attached."""
    if not report.signatures and not report.attached:
        return []
    from manifest_action.adapters.github.attached import attached_lines, provenance_lines  # noqa: PLC0415
    from manifest_action.adapters.github.signing import signing_lines  # noqa: PLC0415

    return [*signing_lines(report), *provenance_lines(report), *attached_lines(report)]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    if not rows:
        return []
    return [_row(head), _row(["---"] * len(head)), *map(_row, rows), ""]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
