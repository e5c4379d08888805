"""What people see in a terminal: progress and errors on standard error, results on standard output."""

import threading
from collections.abc import Iterable, Mapping
from typing import TextIO

from manifest_action.adapters.explanation import Explanation
from manifest_action.adapters.narration import narrate
from manifest_action.adapters.redaction import Redactor
from manifest_action.adapters.streams import silence
from manifest_action.adapters.text import bytes_text, count
from manifest_action.errors import StoreError
from manifest_action.events import (
    BlobProgress,
    BlobTransferred,
    Event,
    SecretLearned,
    StageStarted,
    TagSettled,
    TagState,
    Warned,
)
from manifest_action.model.digest import Digest
from manifest_action.model.reference import Repository

_CLEAR = "\r\x1b[K"
_BOLD, _RED, _YELLOW, _GREEN = "1", "31", "33", "32"


class Console:
    """Two streams. The second is coloured only when it is a terminal that can show it and NO_COLOR is not set.

    On such a terminal, coloured or not, its last line may be a status, which later lines push down.
    """

    def __init__(self, out: TextIO, err: TextIO, environment: Mapping[str, str], redactor: Redactor) -> None:
        self._out = out
        self._err = err
        self._redactor = redactor
        self._lock = threading.Lock()
        self.is_terminal = environment.get("TERM") != "dumb" and err.isatty()
        self._colours = self.is_terminal and not environment.get("NO_COLOR")
        self._status = ""

    def result(self, text: str) -> None:
        """Print a result and a line end. A reader that has gone away, as `head` does, is no failure.

        Raises StoreError when the stream does not take it, as on a full disk.
        """
        self.results([text] if text else ())

    def results(self, pieces: Iterable[str]) -> None:
        """Print a result that comes in pieces, as `result`; nothing when there are none."""
        self.status("")
        is_empty = True
        try:
            for piece in pieces:
                self._out.write(piece)
                is_empty = False
            self._out.write("" if is_empty else "\n")
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
        with self._lock:
            shown = f"\x1b[{colour}m{text}\x1b[0m\n" if colour and self._colours else f"{text}\n"
            self._write(f"{_CLEAR}{shown}{self._status}" if self._status else shown)

    def status(self, text: str) -> None:
        """Show what is under way on the last line of a terminal, in the place of what was there; empty clears it."""
        with self._lock:
            if self.is_terminal and text != self._status:
                self._status = text
                self._write(f"{_CLEAR}{text}")

    def _write(self, text: str) -> None:
        try:
            self._err.write(text)
            self._err.flush()
        except OSError:
            silence(self._err)

    def explain(self, explanation: Explanation) -> None:
        """Say what went wrong: what, where, why, and what to do."""
        self.status("")
        for finding in explanation.findings:
            first, *rest = finding.lines
            self.note(f"error: {first}", _RED)
            for line in rest:
                self.note(line)


class ConsoleReporter:
    """Shows events as lines, and large blobs on their way as a status; `quiet` leaves only warnings."""

    def __init__(self, console: Console, redactor: Redactor, *, quiet: bool) -> None:
        self._console = console
        self._redactor = redactor
        self._quiet = quiet
        self._lock = threading.Lock()
        self._under_way: dict[tuple[Repository, Digest], BlobProgress] = {}

    def emit(self, event: Event, /) -> None:
        """Show one event."""
        if isinstance(event, SecretLearned):
            self._redactor.learn(event.value)
        elif isinstance(event, BlobProgress):
            self._progress(event)
        elif isinstance(event, Warned):
            self._console.note(f"warning: {narrate(event)}", _YELLOW)
        elif not self._quiet and (line := narrate(event)):
            self._settle(event)
            self._console.note(f"{'' if isinstance(event, StageStarted) else '  '}{line}", _colour(event))

    def _progress(self, event: BlobProgress) -> None:
        with self._lock:
            self._under_way[event.repository, event.digest] = event
            self._show()

    def _settle(self, event: Event) -> None:
        """Forget what is no longer on its way: a blob that arrived, or all of them when the next step begins."""
        with self._lock:
            if isinstance(event, BlobTransferred):
                self._under_way.pop((event.repository, event.digest), None)
            elif isinstance(event, StageStarted):
                self._under_way.clear()
            self._show()

    def _show(self) -> None:
        done = sum(event.done for event in self._under_way.values())
        size = sum(event.size for event in self._under_way.values())
        blobs = count(len(self._under_way), "large blob")
        share = f"{bytes_text(done)} of {bytes_text(size)}, {100 * done // size} %" if size else ""
        self._console.status(f"  {blobs} on the way: {share}" if share and not self._quiet else "")


def _colour(event: Event) -> str:
    if isinstance(event, StageStarted):
        return _BOLD
    if isinstance(event, TagSettled):
        return _RED if event.state is TagState.FAILED else _GREEN
    return ""
