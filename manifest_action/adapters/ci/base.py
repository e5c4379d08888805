"""What a CI system is to a step: one protocol, which every adapter of this folder has."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, TextIO

from manifest_action.adapters.github.commands import Place
from manifest_action.model.credential import Credential


class Log(Protocol):
    """The log of a step. Used by several threads at once; no text that is passed in can become a command."""

    def line(self, text: str, /) -> None:
        """Print a plain line."""

    def mask(self, secret: str, /) -> None:
        """Have the system replace a secret, which is one line, in everything that follows, if it can."""

    def group(self, title: str, /) -> None:
        """Begin a part that is folded where the system can fold, ending the one before."""

    def end_group(self) -> None:
        """End the folded part, if one is open."""

    def annotate(self, kind: str, message: str, /, *, title: str = "", place: Place | None = None) -> None:
        """Show a message (kind `error` or `warning`) where people look first."""


class Results(Protocol):
    """Where a step leaves what it found out."""

    def publish(self, values: Mapping[str, str], summary: str, /) -> None:
        """Hand on the outputs, by their names in `action.yml`, and a summary in Markdown. Raises StoreError."""


class System(Protocol):
    """One CI system, seen from a step that runs in it."""

    @property
    def workspace(self) -> Path:
        """Where the job's files are: relative paths begin here, and nothing outside of it is read."""

    def inputs(self) -> Mapping[str, str]:
        """The inputs that were given, by their names in `action.yml`."""

    def credentials(self) -> Mapping[str, Credential]:
        """The job's own logins by registry; they give way to every login that somebody made."""

    def log(self, stream: TextIO, /) -> Log:
        """The step's log, on standard output."""

    def results(self, log: Log, /) -> Results:
        """Where results go; files are opened now, before any work. Raises StoreError when that fails."""
