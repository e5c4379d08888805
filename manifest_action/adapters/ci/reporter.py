"""Events of a run in a step's log."""

from pathlib import Path

from manifest_action.adapters.ci.base import Log
from manifest_action.adapters.github.commands import Place
from manifest_action.adapters.narration import narrate
from manifest_action.adapters.redaction import Redactor
from manifest_action.events import Event, SecretLearned, StageStarted, Warned


class StepReporter:
    """One folded group for each step of the run, where the system folds; warnings are annotations."""

    def __init__(self, log: Log, redactor: Redactor, workspace: Path) -> None:
        self._log = log
        self._redactor = redactor
        self._workspace = workspace

    def emit(self, event: Event, /) -> None:
        """Show one event."""
        if isinstance(event, SecretLearned):
            for form in self._redactor.learn(event.value):
                # The runner looks at one line at a time, and each line of a secret is a form of its own.
                if not {"\n", "\r"} & set(form):
                    self._log.mask(form)
            return
        line = self._redactor(narrate(event))
        if isinstance(event, StageStarted):
            self._log.group(line)
        elif isinstance(event, Warned):
            self._log.annotate("warning", line, place=Place.of(event.mark, self._workspace))
        elif line:
            self._log.line(line)
