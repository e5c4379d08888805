"""Why a run failed, in words that are safe to show: the only way in which error text leaves the program."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from manifest_action.adapters.redaction import Redact
from manifest_action.adapters.text import printable
from manifest_action.errors import ConfigError, ManifestActionError, Mark
from manifest_action.ops.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that went wrong: what, where it happened, why, what to do, and the place in the user's own text.

    Every text is one printable line without secrets, except `hint`, which may have several lines.
    """

    what: str
    where: str = ""
    why: str = ""
    hint: str = ""
    mark: Mark | None = None

    @property
    def lines(self) -> tuple[str, ...]:
        """The finding for a log: what and where on the first line, then why, then what to do."""
        place = f"{self.mark}: " if self.mark else ""
        where = f"{self.where}: " if self.where else ""
        why = (f"  why: {self.why}",) if self.why else ()
        first, *rest = self.hint.splitlines() or [""]
        hint = (f"  do this: {first}", *(f"    {line}" for line in rest)) if first else ()
        return (f"{place}{where}{self.what}", *why, *hint)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that is wrong, most important first."""

    code: str
    exit_code: int
    findings: tuple[Finding, ...]


def explain(outcome: Outcome, redact: Redact) -> Explanation | None:
    """What ended the run and what else failed beside it; None when the run succeeded."""
    if outcome.error is None:
        return None
    findings = dict.fromkeys(finding for error in _errors(outcome) for finding in _findings(error, redact))
    return Explanation(outcome.error.code, outcome.error.exit_code, tuple(findings))


def finding(error: ManifestActionError, redact: Redact) -> Finding:
    """One error, made safe to show."""
    return _safe(Finding(error.what, error.where, error.why, error.hint, error.mark), redact)


def _errors(outcome: Outcome) -> Iterator[ManifestActionError]:
    if outcome.error is not None:
        yield from _with_others(outcome.error)
    for report in outcome.reports:
        for tag in report.tags:
            if tag.error is not None:
                yield from _with_others(tag.error)


def _with_others(error: ManifestActionError) -> Iterator[ManifestActionError]:
    yield error
    for other in error.others:
        yield from _with_others(other)


def _findings(error: ManifestActionError, redact: Redact) -> Iterable[Finding]:
    if not isinstance(error, ConfigError):
        return [finding(error, redact)]
    problems = (Finding(problem.what, problem.path, "", problem.hint, problem.mark) for problem in error.problems)
    return [_safe(problem, redact) for problem in problems]


def _safe(found: Finding, redact: Redact) -> Finding:
    what, where, why = (printable(redact(text)) for text in (found.what, found.where, found.why))
    hint = "\n".join(printable(line) for line in redact(found.hint).splitlines())
    mark = Mark(printable(redact(found.mark.file)), found.mark.line, found.mark.column) if found.mark else None
    return Finding(what, where, why, hint, mark)
