"""Starts `entrypoint.py` as GitHub's runner starts the container: inputs, files and paths in the environment."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.servers import ROOT


@dataclass(frozen=True)
class StepResult:
    """What a step left behind."""

    code: int
    log: str
    errors: str
    outputs: Mapping[str, str]
    summary: str

    def json(self, output: str) -> Any:
        """An output that is JSON."""
        return json.loads(self.outputs[output])


@dataclass
class Runner:
    """A job's workspace and the runner's own files."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def workspace(self) -> Path:
        """Where the job's files are; made when first asked for."""
        path = self.folder / "workspace"
        path.mkdir(exist_ok=True)
        return path

    def start(self, **inputs: str) -> "subprocess.Popen[str]":
        """Begin a step; underscores in the names of inputs stand for hyphens."""
        for name in ("output", "summary"):
            (self.folder / name).write_text("")
        (self.folder / "home").mkdir(exist_ok=True)
        return subprocess.Popen(
            [sys.executable, "-I", ROOT / "entrypoint.py"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.workspace,
            env=self._environment()
            | {f"INPUT_{name.upper().replace('_', '-')}": text for name, text in inputs.items()},
        )

    def finish(self, process: "subprocess.Popen[str]") -> StepResult:
        """Wait for a step and see what it left."""
        with process:
            log, errors = process.communicate(timeout=60)
        outputs = read_outputs((self.folder / "output").read_text())
        return StepResult(process.returncode, log, errors, outputs, (self.folder / "summary").read_text())

    def run(self, **inputs: str) -> StepResult:
        """One step from beginning to end."""
        return self.finish(self.start(**inputs))

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.folder / "home"),
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION": "__self",
            "GITHUB_ACTOR": "octocat",
            "GITHUB_WORKSPACE": str(self.workspace),
            "GITHUB_OUTPUT": str(self.folder / "output"),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
            # The runner passes the defaults of action.yml.
            "INPUT_PUSH": "true",
            "INPUT_GITHUB-TOKEN": "ghs_canary_job_token",
            "INPUT_JOBS": "8",
            "INPUT_RETRY-BUDGET": "900",
            "INPUT_TAGS": "",
            "INPUT_SOURCES": "",
        } | self.environment


def read_outputs(text: str) -> dict[str, str]:
    """Read GITHUB_OUTPUT as the runner does: the first of `=` and `<<` in a line decides."""
    values = {}
    lines = iter(text.split("\n"))
    for line in lines:
        equals, heredoc = line.find("="), line.find("<<")
        if heredoc >= 0 and (equals < 0 or heredoc < equals):
            name, _, delimiter = line.partition("<<")
            value = []
            while (each := next(lines)) != delimiter:
                value.append(each)
            values[name] = "\n".join(value)
        elif line:
            name, _, values[name] = line.partition("=")
    return values
