"""Systems that start a container as a plugin, with its settings in variables: Drone, Woodpecker, Buildkite."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

from manifest_action.adapters.ci.base import Log, Results
from manifest_action.adapters.ci.leaving import VALUE_LIMIT, dotenv
from manifest_action.adapters.ci.lines import LineLog
from manifest_action.adapters.ci.plain import FileResults, PlainSystem
from manifest_action.adapters.github.commands import Place
from manifest_action.adapters.github.files import CommandFile
from manifest_action.adapters.github.inputs import INPUTS, read_inputs

_BUILDKITE_PREFIX = "BUILDKITE_PLUGIN_MANIFEST_ACTION_"
_ITEMS_LIMIT = 1000
_AGENT = "buildkite-agent"
_AGENT_PATIENCE = 60.0


class Drone(PlainSystem):
    """A step of Drone (DRONE) or Woodpecker (CI=woodpecker): settings are PLUGIN_ variables.

    Lists arrive with commas between their items, mappings as JSON; the inputs take both.
    """

    @property
    def workspace(self) -> Path:
        """The checkout."""
        return self._folder("DRONE_WORKSPACE", "CI_WORKSPACE")

    def inputs(self) -> Mapping[str, str]:
        """`settings` of the step."""
        return read_inputs(self._environment, "PLUGIN_")

    def results(self, _log: Log, /) -> Results:
        """Files, and the file that Harness's Drone gives to plugins."""
        return DroneResults(self.workspace, CommandFile(self._environment.get("DRONE_OUTPUT", "")))


class DroneResults(FileResults):
    """Adds lines to DRONE_OUTPUT, where there is one; Woodpecker has none."""

    def __init__(self, workspace: Path, output: CommandFile) -> None:
        super().__init__(workspace)
        self._output = output

    def _hand_on(self, values: Mapping[str, str]) -> None:
        self._output.append(dotenv(values))


class Buildkite(PlainSystem):
    """A step of Buildkite, found by BUILDKITE: options of a plugin, or `INPUT_` variables."""

    @property
    def workspace(self) -> Path:
        """The checkout, if this process sees it; in a container it is where the process starts."""
        folder = self._folder("BUILDKITE_BUILD_CHECKOUT_PATH")
        return folder if folder.is_dir() else Path.cwd()

    def inputs(self) -> Mapping[str, str]:
        """Options of a plugin, whose lists are numbered variables; `INPUT_` variables where it has none."""
        plugin = {name: self._option(name) for name in INPUTS}
        return {**read_inputs(self._environment), **{name: value for name, value in plugin.items() if value.strip()}}

    def log(self, stream: TextIO, /) -> Log:
        """Parts that fold."""
        return BuildkiteLog(stream)

    def results(self, log: Log, /) -> Results:
        """Meta-data and an annotation of the build, through the agent's program, and files."""
        return BuildkiteResults(self.workspace, log, self._environment)

    def _option(self, name: str) -> str:
        variable = f"{_BUILDKITE_PREFIX}{name.upper().replace('-', '_')}"
        items: list[str] = []
        while len(items) < _ITEMS_LIMIT and (item := self._environment.get(f"{variable}_{len(items)}")) is not None:
            items.append(item)
        return self._environment.get(variable) or "\n".join(items)


class BuildkiteLog(LineLog):
    """Folds each step of the run; the part that holds an error is open."""

    def _plain(self, text: str) -> str:
        return f" {text}" if text.startswith(("---", "+++", "~~~", "^^^")) else text

    def _opening(self, title: str) -> str:
        return f"--- {title}"

    def _annotation(self, kind: str, message: str, title: str, place: Place) -> Iterator[str]:
        if kind == "error":
            yield "^^^ +++"
        yield from super()._annotation(kind, message, title, place)


class BuildkiteResults(FileResults):
    """Adds meta-data `manifest-action-digest` and so on, and the summary as an annotation."""

    def __init__(self, workspace: Path, log: Log, environment: Mapping[str, str]) -> None:
        super().__init__(workspace)
        self._log = log
        self._environment = environment
        self._agent = shutil.which(_AGENT, path=environment.get("PATH"))
        if self._agent is None:
            log.line(f"{_AGENT} is not here, so results are files in the workspace only")

    def _summarise(self, summary: Path) -> None:
        text = summary.read_text(encoding="utf-8")
        if text:
            self._tell(("annotate", "--context", "manifest-action"), text)

    def _hand_on(self, values: Mapping[str, str]) -> None:
        for name, value in values.items():
            if len(value) <= VALUE_LIMIT:
                self._tell(("meta-data", "set", f"manifest-action-{name}"), value)

    def _tell(self, arguments: tuple[str, ...], text: str) -> None:
        """Start the agent's program with a text on its standard input; what it cannot do is said, and is no failure."""
        if self._agent is None:
            return
        import subprocess  # noqa: PLC0415 - no other system's results are handed to a program

        try:
            subprocess.run(
                [self._agent, *arguments],
                input=text.encode(),
                capture_output=True,
                check=True,
                timeout=_AGENT_PATIENCE,
                env=dict(self._environment),
            )
        except (OSError, subprocess.SubprocessError):
            self._log.line(f"warning: {_AGENT} {' '.join(arguments[:2])} failed; the files in the workspace have it")
