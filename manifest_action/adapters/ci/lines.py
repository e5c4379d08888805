"""Logs of systems that read a step's standard output line by line."""

import threading
from collections.abc import Iterator
from typing import TextIO

from manifest_action.adapters.github.commands import Place


class LineLog:
    """A log of plain lines, for systems that obey nothing in it. Others change what they have words for."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.RLock()
        self._grouped = False

    def line(self, text: str, /) -> None:
        """Print a plain line."""
        self._write(self._plain(text))

    def mask(self, secret: str, /) -> None:
        """Nothing: what this program prints has its secrets blanked out already."""

    def group(self, title: str, /) -> None:
        """Begin a part of the log, ending the one before."""
        with self._lock:
            self.end_group()
            self._grouped = True
            self._write(self._opening(self._plain(title)))

    def end_group(self) -> None:
        """End the part, if one is open."""
        with self._lock:
            if self._grouped:
                self._grouped = False
                if closing := self._closing():
                    self._write(closing)

    def annotate(self, kind: str, message: str, /, *, title: str = "", place: Place | None = None) -> None:
        """Print a message (kind `error` or `warning`), its first line after the kind."""
        with self._lock:
            for line in self._annotation(kind, message, title, place or Place()):
                self._write(line)

    def _plain(self, text: str) -> str:
        """`text` as a line that the system prints and never obeys."""
        return text

    def _opening(self, title: str) -> str:
        return title

    def _closing(self) -> str:
        """What ends a part; nothing is printed when it is empty."""
        return ""

    def _annotation(self, kind: str, message: str, title: str, place: Place) -> Iterator[str]:  # noqa: ARG002
        first, *rest = message.splitlines() or [""]
        yield self._plain(f"{kind}: {first}")
        yield from map(self._plain, rest)

    def _write(self, line: str) -> None:
        with self._lock:
            self._stream.write(f"{line}\n")
            self._stream.flush()
