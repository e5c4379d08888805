"""Azure Pipelines: output variables, issues and secrets by logging commands on standard output.

https://learn.microsoft.com/azure/devops/pipelines/scripts/logging-commands
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

from manifest_action.adapters.ci.base import Log, Results
from manifest_action.adapters.ci.lines import LineLog
from manifest_action.adapters.ci.plain import FileResults, PlainSystem
from manifest_action.adapters.github.commands import MESSAGE_LIMIT, Place
from manifest_action.plan.inputs import UNDECODABLE

VALUE_LIMIT = 16 * 1024
"""Characters of an output variable; it is in the environment of the steps that follow."""


class AzurePipelines(PlainSystem):
    """A step of Azure Pipelines, found by TF_BUILD."""

    @property
    def workspace(self) -> Path:
        """Where the sources are."""
        return self._folder("BUILD_SOURCESDIRECTORY", "SYSTEM_DEFAULTWORKINGDIRECTORY")

    def log(self, stream: TextIO, /) -> Log:
        """Groups, issues, secrets."""
        return AzureLog(stream)

    def results(self, log: Log, /) -> Results:
        """Output variables, a page of the run, and files."""
        return AzureResults(self.workspace, log)


def command(name: str, message: str, **properties: str | int) -> str:
    """One logging command; properties that are empty are left out."""
    given = "".join(f"{key}={_escape(str(value))};" for key, value in properties.items() if value)
    return f"##vso[{name}{' ' if given else ''}{given}]{_escape(message)}"


def plain(text: str) -> str:
    """`text` as a line that the agent prints and never obeys: it looks for commands anywhere in a line."""
    return re.sub("#(?=#)", "# ", text)


def _escape(text: str) -> str:
    for character, code in (("%", "%AZP25"), (";", "%3B"), ("\r", "%0D"), ("\n", "%0A"), ("]", "%5D")):
        text = text.replace(character, code)
    return text


class AzureLog(LineLog):
    """Folds each step of the run; errors and warnings are issues of the run."""

    def mask(self, secret: str, /) -> None:
        """Have the agent replace a secret in everything that follows; what is no valid text no log can show."""
        if not UNDECODABLE.search(secret):
            self._write(command("task.setsecret", secret))

    def command(self, name: str, message: str, **properties: str | int) -> None:
        """Tell the agent something."""
        self._write(command(name, message, **properties))

    def _plain(self, text: str) -> str:
        return plain(text)

    def _opening(self, title: str) -> str:
        return f"##[group]{title}"

    def _closing(self) -> str:
        return "##[endgroup]"

    def _annotation(self, kind: str, message: str, title: str, place: Place) -> Iterator[str]:
        text = (f"{title}: {message}" if title else message)[:MESSAGE_LIMIT]
        yield command(
            "task.logissue", text, type=kind, sourcepath=place.file, linenumber=place.line, columnnumber=place.column
        )


class AzureResults(FileResults):
    """Adds an output variable for each output, and the summary as a page of the run."""

    def __init__(self, workspace: Path, log: Log) -> None:
        super().__init__(workspace)
        self._log = log

    def _summarise(self, summary: Path) -> None:
        self._tell("task.uploadsummary", str(summary))

    def _hand_on(self, values: Mapping[str, str]) -> None:
        for name, value in values.items():
            if len(value) <= VALUE_LIMIT:
                self._tell("task.setvariable", value, variable=name.replace("-", "_"), isOutput="true")

    def _tell(self, name: str, message: str, **properties: str | int) -> None:
        if isinstance(self._log, AzureLog):
            self._log.command(name, message, **properties)
