"""Any other system, or none: inputs from `INPUT_` variables, results as files in the workspace."""

from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from manifest_action.adapters.ci.base import Log, Results
from manifest_action.adapters.ci.leaving import as_json, dotenv, leave
from manifest_action.adapters.ci.lines import LineLog
from manifest_action.adapters.github.inputs import read_inputs
from manifest_action.model.credential import Credential


class PlainSystem:
    """A system that is only known to have variables and files; the others differ from it in a few points."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    @property
    def workspace(self) -> Path:
        """The working directory of the process."""
        return Path.cwd()

    def inputs(self) -> Mapping[str, str]:
        """`INPUT_IMAGE`, `INPUT_RETRY_BUDGET` and so on."""
        return read_inputs(self._environment)

    def credentials(self) -> Mapping[str, Credential]:
        """None: nothing is known of the job's own logins."""
        return {}

    def log(self, stream: TextIO, /) -> Log:
        """Plain lines."""
        return LineLog(stream)

    def results(self, _log: Log, /) -> Results:
        """Files in the workspace."""
        return FileResults(self.workspace)

    def _folder(self, *names: str) -> Path:
        """The folder that the first of these variables names; the working directory when there is none."""
        return next((Path(path) for name in names if (path := self._environment.get(name))), Path.cwd())


class FileResults:
    """`outputs.json`, `outputs.env` and `summary.md` beside the report. Systems add their own form to these."""

    def __init__(self, workspace: Path, *, env_limit: int = 1 << 30) -> None:
        """env_limit: bytes that `outputs.env` may have."""
        self._workspace = workspace
        self._env_limit = env_limit

    def publish(self, values: Mapping[str, str], summary: str, /) -> None:
        """See `Results.publish`."""
        leave(self._workspace, "outputs.json", as_json(values))
        leave(self._workspace, "outputs.env", dotenv(values, self._env_limit))
        self._summarise(leave(self._workspace, "summary.md", summary))
        self._hand_on(values)

    def _summarise(self, summary: Path) -> None:
        """Tell the system of the file with the summary."""

    def _hand_on(self, values: Mapping[str, str]) -> None:
        """Tell the system the outputs in its own way."""
