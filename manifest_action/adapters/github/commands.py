"""What the runner understands on standard output: workflow commands, and lines that must not be taken for one.

https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
"""

import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from manifest_action.errors import Mark
from manifest_action.plan.inputs import UNDECODABLE

MESSAGE_LIMIT = 4096
"""Characters of an annotation; the runner cuts what is longer. Masks have no limit, and must not be cut."""
ANNOTATION_LIMIT = 10
"""Annotations of one kind that a step may make; the runner drops the rest."""


def command(name: str, message: str, **properties: str | int) -> str:
    """One workflow command; properties that are empty are left out."""
    given = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items() if value)
    return f"::{name}{' ' if given else ''}{given}::{_data(message)}"


def plain(text: str) -> str:
    """`text` as a line that the runner prints and never obeys, neither in the current form nor in the old one."""
    text = text.replace("##[", "## [")
    return text.replace("::", ": :", 1) if text.lstrip().startswith("::") else text


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a file of the repository; an empty file means nowhere in particular."""

    file: str = ""
    line: int = 0
    column: int = 0

    @classmethod
    def of(cls, mark: Mark | None, workspace: Path) -> "Place":
        """The place of a mark, if its file is one of the workspace; else nowhere."""
        if mark is None:
            return cls()
        path, root = (workspace / mark.file).resolve(), workspace.resolve()
        if not path.is_file() or not path.is_relative_to(root):
            return cls()
        return cls(str(path.relative_to(root)), mark.line, mark.column)


class Log:
    """The step's log. Used by several threads at once.

    obeyed: whether somebody obeys commands here; elsewhere masks would show the secrets they are to hide
    """

    def __init__(self, stream: TextIO, *, obeyed: bool) -> None:
        self._stream = stream
        self._obeyed = obeyed
        self._lock = threading.RLock()
        self._grouped = False
        self._annotations: Counter[str] = Counter()

    def line(self, text: str) -> None:
        """Print a plain line."""
        self._write(plain(text))

    def mask(self, secret: str) -> None:
        """Have the runner replace a secret, which is one line, in everything that follows.

        What is no valid text is left out: no log can show it, and no stream takes it.
        """
        if self._obeyed and not UNDECODABLE.search(secret):
            self._write(command("add-mask", secret))

    def group(self, title: str) -> None:
        """Begin a part that is folded in the log, ending the one before."""
        with self._lock:
            self.end_group()
            self._grouped = True
            self._write(command("group", title))

    def end_group(self) -> None:
        """End the folded part, if one is open."""
        with self._lock:
            if self._grouped:
                self._grouped = False
                self._write("::endgroup::")

    def annotate(self, kind: str, message: str, *, title: str = "", place: Place | None = None) -> None:
        """Show the first 4096 characters of a message (kind `error` or `warning`) with the run.

        Past ten of a kind it is plain lines.
        """
        where = place or Place()
        with self._lock:
            self._annotations[kind] += 1
            if self._annotations[kind] <= ANNOTATION_LIMIT:
                shown = message[:MESSAGE_LIMIT]
                self._write(command(kind, shown, file=where.file, line=where.line, col=where.column, title=title))
            else:
                for part in message.splitlines():
                    self.line(part)

    def _write(self, line: str) -> None:
        with self._lock:
            self._stream.write(f"{line}\n")
            self._stream.flush()
