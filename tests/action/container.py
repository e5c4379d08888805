"""Starts the built image as GitHub's runner does it: its mounts, HOME, files for commands, and paths as translated.

Follows `ContainerActionHandler` of actions/runner 2.336: everything of the runner belongs to the runner's user, the
container starts as root, and nothing of the host is in it but the workspace and the runner's own folders.
"""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scripts import image
from tests.action.runner import StepResult, read_outputs

RUNNER = (1001, 118)
"""User and group of GitHub's hosted runners."""


@dataclass
class ContainerRunner:
    """A job's workspace and the runner's own files, and the image that the step runs in.

    owner:       of all these files
    options:     more for `podman run`
    environment: more variables of the job
    """

    folder: Path
    image: str
    owner: tuple[int, int] = RUNNER
    options: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def workspace(self) -> Path:
        """Where the job's files are; made when first asked for."""
        return self._made("workspace")

    @property
    def temporary(self) -> Path:
        """RUNNER_TEMP."""
        return self._made("temporary")

    @property
    def home(self) -> Path:
        """What HOME is in the container."""
        return self._made("temporary/_github_home")

    @property
    def commands(self) -> Path:
        """Where the files for outputs and the summary are."""
        return self._made("temporary/_runner_file_commands")

    def start(self, *arguments: str, **inputs: str) -> "subprocess.Popen[str]":
        """Begin a step; underscores in the names of inputs stand for hyphens. Arguments go to the image's entry."""
        for name in ("set_output", "step_summary", "set_env", "add_path", "save_state"):
            (self.commands / name).write_text("")
        (self._made("temporary/_github_workflow") / "event.json").write_text("{}")
        self.home.mkdir(exist_ok=True)
        self.give(self.workspace)
        self.give(self.temporary)
        texts = {f"INPUT_{name.upper().replace('_', '-')}": text for name, text in inputs.items()}
        variables = {**_JOB, **self.environment, **texts}
        passed = [
            f"--env={name}={value}" if name in _OF_PODMAN_TOO else f"--env={name}" for name, value in variables.items()
        ]
        command = image.command(
            *("podman", "run", "--rm", "--network", "host", "--workdir", "/github/workspace"),
            *passed,
            *("--volume", f"{self.temporary}:/github/runner_temp", "--volume", f"{self.home}:/github/home"),
            *("--volume", f"{self._made('temporary/_github_workflow')}:/github/workflow"),
            *("--volume", f"{self.commands}:/github/file_commands"),
            *("--volume", f"{self.workspace}:/github/workspace", *self.options, self.image, *arguments),
        )
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # As the runner does it, values are handed on by name, so that none of them is in a command line.
            env={**image.environment(), **{name: variables[name] for name in variables.keys() - _OF_PODMAN_TOO}},
        )

    def finish(self, process: "subprocess.Popen[str]") -> StepResult:
        """Wait for a step and see what it left."""
        with process:
            log, errors = process.communicate(timeout=120)
        outputs = read_outputs((self.commands / "set_output").read_text())
        return StepResult(process.returncode, log, errors, outputs, (self.commands / "step_summary").read_text())

    def run(self, *arguments: str, **inputs: str) -> StepResult:
        """One step from beginning to end."""
        return self.finish(self.start(*arguments, **inputs))

    def give(self, path: Path) -> None:
        """Let a path, and everything below it, belong to the owner."""
        os.chown(path, *self.owner)
        for each in path.rglob("*"):
            os.chown(each, *self.owner, follow_symlinks=False)

    def owners(self) -> set[tuple[int, int]]:
        """Whose the files in the workspace are."""
        found = [path.lstat() for path in self.workspace.rglob("*")]
        return {(each.st_uid, each.st_gid) for each in found}

    def _made(self, name: str) -> Path:
        path = self.folder / name
        path.mkdir(parents=True, exist_ok=True)
        return path


_OF_PODMAN_TOO = {"DOCKER_CONFIG", "HOME"}

_JOB: Mapping[str, str] = {
    "HOME": "/github/home",
    "CI": "true",
    "GITHUB_ACTIONS": "true",
    "GITHUB_ACTION": "__self",
    "GITHUB_ACTOR": "octocat",
    "GITHUB_REPOSITORY": "acme/app",
    "GITHUB_EVENT_PATH": "/github/workflow/event.json",
    "GITHUB_WORKSPACE": "/github/workspace",
    "GITHUB_OUTPUT": "/github/file_commands/set_output",
    "GITHUB_STEP_SUMMARY": "/github/file_commands/step_summary",
    "GITHUB_ENV": "/github/file_commands/set_env",
    "GITHUB_PATH": "/github/file_commands/add_path",
    "GITHUB_STATE": "/github/file_commands/save_state",
    "RUNNER_TEMP": "/github/runner_temp",
    "RUNNER_OS": "Linux",
    "RUNNER_ARCH": "X64",
    "ACTIONS_RUNTIME_TOKEN": "canary-runtime",
    "ACTIONS_RUNTIME_URL": "http://127.0.0.1:1/",
    # The runner passes the defaults of action.yml.
    "INPUT_PUSH": "true",
    "INPUT_GITHUB-TOKEN": "ghs_canary_job_token",
    "INPUT_JOBS": "8",
    "INPUT_RETRY-BUDGET": "900",
    "INPUT_TAGS": "",
}
