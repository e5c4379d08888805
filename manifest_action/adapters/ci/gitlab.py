"""GitLab CI: a dotenv report for later jobs, sections in the log, the job's own login to the project's registry.

https://docs.gitlab.com/ci/yaml/artifacts_reports/#artifactsreportsdotenv
"""

import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

from manifest_action.adapters.ci.base import Log, Results
from manifest_action.adapters.ci.lines import LineLog
from manifest_action.adapters.ci.plain import FileResults, PlainSystem
from manifest_action.adapters.github.commands import Place
from manifest_action.model.credential import Credential

DOTENV_LIMIT = 5 * 1024 - 1
"""Bytes; GitLab refuses a dotenv report of 5 KiB or more, and the whole job with it."""


class GitLab(PlainSystem):
    """A job of GitLab CI, found by GITLAB_CI."""

    @property
    def workspace(self) -> Path:
        """The checkout."""
        return self._folder("CI_PROJECT_DIR")

    def credentials(self) -> Mapping[str, Credential]:
        """The login that every job has for the registry of its project."""
        found = [self._environment.get(f"CI_REGISTRY{end}", "") for end in ("", "_USER", "_PASSWORD")]
        host, user, password = found
        return {host: Credential(user, password, origin="CI_REGISTRY_PASSWORD")} if all(found) else {}

    def log(self, stream: TextIO, /) -> Log:
        """Sections that fold, and colours."""
        return GitLabLog(stream)

    def results(self, _log: Log, /) -> Results:
        """Files; `outputs.env` is a dotenv report."""
        return FileResults(self.workspace, env_limit=DOTENV_LIMIT)


class GitLabLog(LineLog):
    """Folds each step of the run; errors are red."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._section = ""
        self._sections = 0

    def _opening(self, title: str) -> str:
        self._sections += 1
        self._section = f"manifest_action_{self._sections}_{re.sub('[^a-z]', '', title.partition(' ')[0].lower())}"
        return f"\x1b[0Ksection_start:{int(time.time())}:{self._section}[collapsed=true]\r\x1b[0K{title}"

    def _closing(self) -> str:
        return f"\x1b[0Ksection_end:{int(time.time())}:{self._section}\r\x1b[0K"

    def _annotation(self, kind: str, message: str, title: str, place: Place) -> Iterator[str]:
        colour = "31" if kind == "error" else "33"
        first, *rest = super()._annotation(kind, message, title, place)
        yield f"\x1b[{colour};1m{first}\x1b[0m"
        yield from rest
