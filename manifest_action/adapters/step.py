"""One step of a CI job, from its environment to its outputs; the same whichever system starts it."""

import os
import sys
from collections.abc import MutableMapping
from dataclasses import replace
from typing import TextIO

from manifest_action.adapters.cancellation import Cancellation
from manifest_action.adapters.ci.base import Results, System
from manifest_action.adapters.ci.detect import find_system
from manifest_action.adapters.ci.plain import PlainSystem
from manifest_action.adapters.ci.reporter import StepReporter
from manifest_action.adapters.explanation import explain
from manifest_action.adapters.github.commands import Place
from manifest_action.adapters.github.files import write_report
from manifest_action.adapters.github.inputs import secrets
from manifest_action.adapters.github.outputs import outputs
from manifest_action.adapters.github.summary import summary
from manifest_action.adapters.metadata import with_metadata
from manifest_action.adapters.privileges import (
    engine_groups,
    forget_identity,
    forget_runtime,
    give_up,
    settle_temporary,
)
from manifest_action.adapters.program import conclude, execute, guarded
from manifest_action.adapters.redaction import Redactor
from manifest_action.adapters.report import outcome_text
from manifest_action.adapters.request import read_request
from manifest_action.adapters.streams import fill_closed
from manifest_action.adapters.tables import outcome_lines
from manifest_action.adapters.text import count
from manifest_action.errors import ConfigError, StoreError
from manifest_action.events import SecretLearned, Warned
from manifest_action.ops.outcome import Outcome

_KEYLESS = "keyless"


def main(*, confined: bool = False) -> int:
    """Run the step in this process's environment; gives the exit code.

    confined: in a container of its own, where root's rights are given up before the work begins
    """
    fill_closed()
    return guarded(lambda: _step(os.environ, sys.stdout, Cancellation()).run(confined=confined))


def _step(environment: MutableMapping[str, str], stream: TextIO, cancellation: Cancellation) -> "Step":
    """The step in the system that the environment tells of; one that is not known is said in plain lines."""
    try:
        return Step(find_system(environment), environment, stream, cancellation)
    except ConfigError as error:
        return Step(PlainSystem(environment), environment, stream, cancellation, refusal=error)


class Step:
    """One run of the action."""

    def __init__(
        self,
        system: System,
        environment: MutableMapping[str, str],
        stream: TextIO,
        cancellation: Cancellation,
        *,
        refusal: ConfigError | None = None,
    ) -> None:
        """refusal: why the step ends before it begins."""
        self._system = system
        self._environment = environment
        self._cancellation = cancellation
        self._refusal = refusal
        self._redactor = Redactor()
        self._log = system.log(stream)
        self._workspace = system.workspace
        self._inputs = system.inputs()
        self._reporter = StepReporter(self._log, self._redactor, self._workspace)

    def run(self, *, confined: bool = False) -> int:
        """Do the work and report it everywhere; gives the exit code."""
        for secret in secrets(self._inputs):
            self._reporter.emit(SecretLearned(secret))
        try:
            results = self._system.results(self._log)
            if confined:
                self._confine()
        except StoreError as error:
            return self._explain(Outcome((), error))
        with self._cancellation:
            outcome = conclude(self._work, self._environment, self._redactor)
            self._cancellation.settle()
            return self._cancellation.leave(self._explain(self._publish(outcome, results)))

    def _confine(self) -> None:
        forget_runtime(self._environment)
        give_up(self._workspace, engine_groups(self._inputs, self._workspace))
        settle_temporary(self._environment)

    def _work(self) -> Outcome:
        if self._refusal is not None:
            raise self._refusal
        request = read_request(with_metadata(self._inputs, self._environment), self._workspace)
        if not any(signer.name == _KEYLESS for spec in request.specs for signer in spec.sign):
            forget_identity(self._environment)
        settings = replace(request.settings, job_credentials=self._system.credentials())
        return execute(replace(request, settings=settings), self._environment, self._reporter, self._cancellation)

    def _publish(self, outcome: Outcome, results: Results) -> Outcome:
        """Show the outcome, and hand it to the system; the outcome becomes an error if that fails."""
        self._log.end_group()
        for line in outcome_lines(outcome):
            self._log.line(self._redactor(line))
        try:
            values = outputs(outcome, self._leave_report(outcome), self._redactor)
            results.publish(values, summary(outcome, self._redactor))
        except StoreError as error:
            return replace(outcome, error=outcome.error or error)
        return outcome

    def _leave_report(self, outcome: Outcome) -> str:
        text = "".join(outcome_text(outcome, self._redactor, ascii_only=True))
        try:
            return write_report(self._workspace, self._environment.get("GITHUB_ACTION", ""), text)
        except OSError as error:
            self._reporter.emit(Warned(f"the JSON report could not be written: {error.strerror}"))
            return ""

    def _explain(self, outcome: Outcome) -> int:
        """Say why the run failed, as the last thing in the log; gives the exit code."""
        explanation = explain(outcome, self._redactor)
        if explanation is None:
            return 0
        for finding in explanation.findings:
            place = Place.of(finding.mark, self._workspace)
            self._log.annotate("error", "\n".join(finding.lines), title="Manifest Action", place=place)
        problems = count(len(explanation.findings), "problem")
        self._log.line(f"Manifest Action failed: {problems}, {explanation.code}, exit code {explanation.exit_code}")
        return explanation.exit_code
