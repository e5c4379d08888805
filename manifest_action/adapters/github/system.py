"""GitHub Actions, and the forges that speak its language: Gitea and Forgejo."""

from collections.abc import Mapping
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

from manifest_action.adapters.ci.base import Log, Results
from manifest_action.adapters.github.commands import Log as CommandLog
from manifest_action.adapters.github.files import CommandFile, output_text
from manifest_action.adapters.github.inputs import read_inputs
from manifest_action.model.credential import Credential

_TOKEN = "github-token"  # noqa: S105 - the name of an input


class GitHub:
    """A step of GitHub Actions."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    @property
    def workspace(self) -> Path:
        """The job's workspace, as this process sees it."""
        return Path(self._environment.get("GITHUB_WORKSPACE") or Path.cwd())

    def inputs(self) -> Mapping[str, str]:
        """See `System.inputs`."""
        return read_inputs(self._environment)

    def credentials(self) -> Mapping[str, Credential]:
        """None: the job's token is an input, and the keychain knows that it is for ghcr.io."""
        return {}

    def log(self, stream: TextIO, /) -> Log:
        """Workflow commands."""
        return CommandLog(stream, obeyed=self._environment.get("GITHUB_ACTIONS") == "true")

    def results(self, _log: Log, /) -> Results:
        """The runner's own files."""
        return RunnerFiles(self._environment)


class RunnerFiles:
    """GITHUB_OUTPUT and GITHUB_STEP_SUMMARY, both opened when this is made."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._outputs = CommandFile(environment.get("GITHUB_OUTPUT", ""))
        self._summary = CommandFile(environment.get("GITHUB_STEP_SUMMARY", ""))

    def publish(self, values: Mapping[str, str], summary: str, /) -> None:
        """See `Results.publish`."""
        self._outputs.append(output_text(values))
        self._summary.append(summary)


class Gitea(GitHub):
    """A step of Gitea or Forgejo Actions. The job's token is theirs, and so are the packages it opens."""

    def inputs(self) -> Mapping[str, str]:
        """All but the token: it must not be shown to ghcr.io, which is a stranger here."""
        return {name: value for name, value in super().inputs().items() if name != _TOKEN}

    def credentials(self) -> Mapping[str, Credential]:
        """The job's token, for the registry of the forge itself."""
        token = super().inputs().get(_TOKEN, "").strip()
        host = urlsplit(self._environment.get("GITHUB_SERVER_URL", "")).netloc
        user = self._environment.get("GITHUB_ACTOR", "") or "token"
        return {host: Credential(user, token, origin=f"input {_TOKEN}")} if token and host else {}
