"""Systems whose later steps read a file: CircleCI sources one, Jenkins reads properties, Tekton one file a result."""

import os
from collections.abc import Mapping
from pathlib import Path

from manifest_action.adapters.ci.base import Log, Results
from manifest_action.adapters.ci.leaving import exports, leave, properties
from manifest_action.adapters.ci.plain import FileResults, PlainSystem
from manifest_action.adapters.github.files import CommandFile
from manifest_action.errors import StoreError

TEKTON_LIMIT = 3000
"""Bytes of all results of a task together; Tekton has 4096 for them and for what it adds itself."""
_TEKTON_RESULTS = "/tekton/results"


class CircleCI(PlainSystem):
    """A step of CircleCI, found by CIRCLECI: outputs are variables of the steps that follow in the job."""

    def results(self, _log: Log, /) -> Results:
        """Variables through the file that CircleCI's shells source first, and files."""
        return ShellResults(self.workspace, CommandFile(self._environment.get("BASH_ENV", "")))


class ShellResults(FileResults):
    """Adds lines to a file that a shell sources."""

    def __init__(self, workspace: Path, script: CommandFile) -> None:
        super().__init__(workspace)
        self._script = script

    def _hand_on(self, values: Mapping[str, str]) -> None:
        self._script.append(exports(values))


class Jenkins(PlainSystem):
    """A step of a Jenkins pipeline, found by JENKINS_URL: `readProperties` and `readJSON` read the outputs."""

    @property
    def workspace(self) -> Path:
        """The workspace of the build."""
        return self._folder("WORKSPACE")

    def results(self, _log: Log, /) -> Results:
        """Files, properties among them."""
        return PropertiesResults(self.workspace)


class PropertiesResults(FileResults):
    """Adds `outputs.properties`."""

    def __init__(self, workspace: Path) -> None:
        super().__init__(workspace)
        self._folder = workspace

    def _hand_on(self, values: Mapping[str, str]) -> None:
        leave(self._folder, "outputs.properties", properties(values))


class Tekton(PlainSystem):
    """A step of a Tekton task. Tekton sets no variables, so the task says MANIFEST_ACTION_SYSTEM=tekton."""

    def results(self, log: Log, /) -> Results:
        """A file for each result, and files in the workspace."""
        folder = self._environment.get("MANIFEST_ACTION_RESULTS") or _TEKTON_RESULTS
        return TektonResults(self.workspace, Path(folder), log)


class TektonResults(FileResults):
    """Adds a file for each result: the outputs, and IMAGE_URL and IMAGE_DIGEST, from which Tekton Chains signs."""

    def __init__(self, workspace: Path, folder: Path, log: Log) -> None:
        super().__init__(workspace)
        self._folder = folder
        self._log = log
        if not os.access(folder, os.W_OK | os.X_OK):
            raise StoreError(
                "the folder of results cannot be written",
                where=str(folder),
                hint="MANIFEST_ACTION_RESULTS names it; in a task it is /tekton/results",
            )

    def _hand_on(self, values: Mapping[str, str]) -> None:
        image, _, digest = values.get("image", "").rpartition("@")
        chains = {"IMAGE_URL": image, "IMAGE_DIGEST": digest} if image else {}
        left = TEKTON_LIMIT
        for name, value in {**chains, **values}.items():
            size = len(name) + len(value.encode())
            if size > left:
                self._log.line(f"the result {name} is too large for Tekton; outputs.json has it")
            else:
                left -= size
                self._write(name, value)

    def _write(self, name: str, value: str) -> None:
        try:
            (self._folder / name).write_text(value, encoding="utf-8")
        except OSError as error:
            raise StoreError("a result cannot be written", where=name, why=error.strerror or "") from None
