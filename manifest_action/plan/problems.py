"""Collecting what a person got wrong, so that everything is said at once."""

from collections.abc import Sequence
from typing import NoReturn

from manifest_action.errors import ConfigError, Mark, Problem

LIMIT = 100


class Problems:
    """The problems found so far, each once.

    Nobody reads more than a hundred, so the hundredth ends the reading with a ConfigError.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[Mark | None, str], Problem] = {}

    def add(self, what: str, mark: Mark | None = None, *, path: str = "", hint: str = "") -> None:
        """Note a problem; what was said of the same place before is not said again."""
        self._found.setdefault((mark, what), Problem(what, mark, path, hint))
        if len(self._found) >= LIMIT:
            self.raise_all()

    def absorb(self, error: ConfigError) -> None:
        """Take over the problems of an error that ended a part of the reading."""
        for problem in error.problems:
            self.add(problem.what, problem.mark, path=problem.path, hint=problem.hint)

    def fail(self, what: str, mark: Mark | None = None, *, path: str = "", hint: str = "") -> NoReturn:
        """Note a problem after which nothing else makes sense, and raise them all."""
        self._found.setdefault((mark, what), Problem(what, mark, path, hint))
        raise ConfigError(_in_order(list(self._found.values())))

    def raise_all(self) -> None:
        """Raise one ConfigError with every problem, in the order of the text; nothing when there is none."""
        if self._found:
            raise ConfigError(_in_order(list(self._found.values())))


def _in_order(problems: Sequence[Problem]) -> list[Problem]:
    """By line and column within each file, files in the order in which they were first seen."""
    files = {problem.mark.file: 0 for problem in problems if problem.mark}
    ranks = {file: rank for rank, file in enumerate(files)}

    def place(problem: Problem) -> tuple[int, int, int]:
        mark = problem.mark
        return (ranks[mark.file], mark.line, mark.column) if mark else (len(ranks), 0, 0)

    return sorted(problems, key=place)
