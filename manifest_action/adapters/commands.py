"""What the command line's commands do.

Commands beside the main job are imported where they are carried out: starting is a part of every run's time.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from manifest_action.adapters.arguments import LISTS, VALUES
from manifest_action.adapters.cancellation import Cancellation
from manifest_action.adapters.console import Console, ConsoleReporter
from manifest_action.adapters.explanation import explain
from manifest_action.adapters.metadata import with_metadata
from manifest_action.adapters.program import conclude, execute, guarded, look
from manifest_action.adapters.redaction import Redactor
from manifest_action.adapters.report import inspect_document, outcome_text
from manifest_action.adapters.request import read_request, read_settings
from manifest_action.adapters.tables import inspect_lines, outcome_lines
from manifest_action.errors import ConfigError, Problem, StoreError
from manifest_action.events import SecretLearned
from manifest_action.model.reference import Reference, parse_reference
from manifest_action.ops.outcome import Outcome
from manifest_action.plan.inputs import Request
from manifest_action.plan.plan import make_plan
from manifest_action.plan.settings import Settings
from manifest_action.plan.shards import SHARDS_LIMIT, Shard, matrix

if TYPE_CHECKING:
    from manifest_action.adapters.signing_commands import SigningCommand

_PASSWORD_LIMIT = 64 * 1024


def run_command(arguments: argparse.Namespace) -> int:
    """Carry out parsed arguments in this process's environment; gives the exit code."""

    def command() -> int:
        with Cancellation() as cancellation:
            return cancellation.leave(Command(arguments, os.environ, cancellation).run())

    return guarded(command)


class Command:
    """One run of the command."""

    def __init__(
        self, arguments: argparse.Namespace, environment: Mapping[str, str], cancellation: Cancellation
    ) -> None:
        self._arguments = arguments
        self._environment = environment
        self._cancellation = cancellation
        self._redactor = Redactor()
        self._console = Console(sys.stdout, sys.stderr, environment, self._redactor)
        self._reporter = ConsoleReporter(self._console, self._redactor, quiet=arguments.quiet)

        self._is_told = False
        """Whether the result is printed already, also when it is a failure."""

    def run(self) -> int:
        """Do the work and print what came of it; gives the exit code."""
        looks = {
            "inspect": self._inspect,
            "index": self._index,
            "list": self._list,
            "verify": self._verify,
            "keygen": self._keygen,
            "report": self._merge,
        }
        job = looks.get(self._arguments.command, self._push)
        outcome = conclude(job, self._environment, self._redactor)
        self._cancellation.settle()
        if not self._is_told and (outcome.error or outcome.reports or job == self._push):
            outcome = self._shown(outcome)
        explanation = explain(outcome, self._redactor)
        if explanation is None:
            return 0
        self._console.explain(explanation)
        return explanation.exit_code

    def _push(self) -> Outcome:
        values = with_metadata(self._values(), self._environment)
        request = read_request(values, Path.cwd(), root=Path("/"))
        if vars(self._arguments).get("matrix"):
            return self._matrix(request)
        return execute(request, self._environment, self._reporter, self._cancellation)

    def _matrix(self, request: Request) -> Outcome:
        """Print a job matrix; nobody is asked anything."""
        make_plan(request.specs)
        try:
            count = Shard.parse(f"1/{self._arguments.matrix}").count
        except ValueError:
            what = f"{self._arguments.matrix[:40]!r} is not a whole number from 1 to {SHARDS_LIMIT}"
            raise ConfigError([Problem(what, path="--matrix")]) from None
        self._is_told = True
        self._console.result(json.dumps(matrix(request.specs, count)))
        return Outcome(())

    def _merge(self) -> Outcome:
        """Print the reports of several runs as one."""
        from manifest_action.adapters.report_merge import failure, merged, read_parts  # noqa: PLC0415

        parts = read_parts(self._arguments.reports)
        self._is_told = True
        self._console.result(_json(merged(parts)))
        return Outcome((), failure(parts))

    def _inspect(self) -> Outcome:
        reference = self._reference()
        settings = read_settings(self._values(), Path.cwd(), [reference])
        manifest, entries = look(reference, settings, self._environment, self._reporter)
        if self._arguments.json:
            self._console.result(_json(inspect_document(manifest, entries)))
        else:
            self._console.result("\n".join(inspect_lines(reference, manifest, entries)))
        return Outcome(())

    def _verify(self) -> Outcome:
        reference = self._reference()
        outcome = self._signing().verify(reference, read_settings(self._values(), Path.cwd(), [reference]))
        self._is_told = True
        return outcome

    def _keygen(self) -> Outcome:
        return self._signing().keygen()

    def _signing(self) -> "SigningCommand":
        from manifest_action.adapters.signing_commands import SigningCommand  # noqa: PLC0415

        return SigningCommand(self._arguments, self._environment, self._console, self._reporter)

    def _reference(self) -> Reference:
        try:
            return parse_reference(self._arguments.reference)
        except ValueError as error:
            raise ConfigError([Problem(str(error), path="REFERENCE")]) from None

    def _list(self) -> Outcome:
        from manifest_action.adapters.list_commands import ListCommand  # noqa: PLC0415

        return ListCommand(self._arguments, self._environment, self._console, self._reporter, self._settings).run()

    def _index(self) -> Outcome:
        from manifest_action.adapters.index_commands import IndexCommand  # noqa: PLC0415

        return IndexCommand(self._arguments, self._environment, self._reporter, self._settings).run()

    def _settings(self, references: Sequence[Reference]) -> Settings:
        return read_settings(self._values(), Path.cwd(), references)

    def _shown(self, outcome: Outcome) -> Outcome:
        """Print the outcome; it becomes an error if that fails."""
        try:
            self._show(outcome)
        except StoreError as error:
            return replace(outcome, error=outcome.error or error)
        return outcome

    def _show(self, outcome: Outcome) -> None:
        if self._arguments.json:
            self._console.results(outcome_text(outcome, self._redactor))
            return
        self._console.result("\n".join(outcome_lines(outcome)))
        if outcome.dry_run:
            for report in outcome.reports:
                if report.manifest is not None:
                    self._console.result(report.manifest.raw.decode())

    def _values(self) -> dict[str, str]:
        """The arguments as the action's inputs, so that both are read by the same rules."""
        given = vars(self._arguments)
        values = {name: given.get(name.replace("-", "_")) for name in VALUES}
        values |= {name: "\n".join(given.get(name) or ()) for name in ("spec", *LISTS)}
        if given.get("dry_run") or self._arguments.command == "plan":
            values["push"] = "false"
        if given.get("password_stdin"):
            password = sys.stdin.read(_PASSWORD_LIMIT).rstrip("\r\n")
            self._reporter.emit(SecretLearned(password))
            values["password"] = password
        return {name: value for name, value in values.items() if value}


def _json(document: Mapping[str, object]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False)
