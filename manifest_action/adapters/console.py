"""What people see in a terminal: progress and errors on standard error, results on standard output."""

import threading
from collections.abc import Mapping
from typing import TextIO

from manifest_action.adapters.explanation import Explanation
from manifest_action.adapters.narration import narrate
from manifest_action.adapters.redaction import Redactor
from manifest_action.adapters.streams import silence
from manifest_action.errors import StoreError
from manifest_action.events import Event, SecretLearned, StageStarted, TagSettled, TagState, Warned

_BOLD, _RED, _YELLOW, _GREEN = "1", "31", "33", "32"


class Console:
    """Two streams. A stream is coloured only when it is a terminal that can show it and NO_COLOR is not set."""

    def __init__(self, out: TextIO, err: TextIO, environment: Mapping[str, str], redactor: Redactor) -> None:
        self._out = out
        self._err = err
        self._redactor = redactor
        self._lock = threading.Lock()
        self._colours = not environment.get("NO_COLOR") and environment.get("TERM") != "dumb" and err.isatty()

    def result(self, text: str) -> None:
        """Print a result and a line end. A reader that has gone away, as `head` does, is no failure.

        Raises StoreError when the stream does not take it, as on a full disk.
        """
        try:
            self._out.write(f"{text}\n" if text else "")
            self._out.flush()
        except BrokenPipeError:
            silence(self._out)
        except OSError as error:
            silence(self._out)
            raise StoreError(
                "the result cannot be written",
                where="standard output",
                why=error.strerror or str(error),
                hint="what was to be done is not undone; send the result to where it fits and run it again",
            ) from None

    def note(self, line: str, colour: str = "") -> None:
        """Print a line about what is going on."""
        text = self._redactor(line)
        try:
            with self._lock:
                self._err.write(f"\x1b[{colour}m{text}\x1b[0m\n" if colour and self._colours else f"{text}\n")
                self._err.flush()
        except OSError:
            silence(self._err)

    def explain(self, explanation: Explanation) -> None:
        """Say what went wrong: what, where, why, and what to do."""
        for finding in explanation.findings:
            first, *rest = finding.lines
            self.note(f"error: {first}", _RED)
            for line in rest:
                self.note(line)


class ConsoleReporter:
    """Shows events as lines; `quiet` leaves only warnings."""

    def __init__(self, console: Console, redactor: Redactor, *, quiet: bool) -> None:
        self._console = console
        self._redactor = redactor
        self._quiet = quiet

    def emit(self, event: Event, /) -> None:
        """Show one event."""
        if isinstance(event, SecretLearned):
            self._redactor.learn(event.value)
        elif isinstance(event, Warned):
            self._console.note(f"warning: {narrate(event)}", _YELLOW)
        elif not self._quiet and (line := narrate(event)):
            self._console.note(f"{'' if isinstance(event, StageStarted) else '  '}{line}", _colour(event))


def _colour(event: Event) -> str:
    if isinstance(event, StageStarted):
        return _BOLD
    if isinstance(event, TagSettled):
        return _RED if event.state is TagState.FAILED else _GREEN
    return ""
