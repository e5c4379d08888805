"""The action's step, from the runner's environment to its outputs."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from manifest_action.adapters.cancellation import Cancellation
from manifest_action.adapters.explanation import explain
from manifest_action.adapters.github.commands import Log, Place
from manifest_action.adapters.github.files import CommandFile, output_text, write_report
from manifest_action.adapters.github.inputs import read_inputs, secrets
from manifest_action.adapters.github.outputs import outputs
from manifest_action.adapters.github.reporter import GitHubReporter
from manifest_action.adapters.github.summary import summary
from manifest_action.adapters.program import conclude, execute, guarded
from manifest_action.adapters.redaction import Redactor
from manifest_action.adapters.report import outcome_document
from manifest_action.adapters.request import read_request
from manifest_action.adapters.streams import fill_closed
from manifest_action.adapters.tables import outcome_lines
from manifest_action.adapters.text import count
from manifest_action.errors import StoreError
from manifest_action.events import SecretLearned, Warned
from manifest_action.ops.outcome import Outcome


def main() -> int:
    """Run the step in this process's environment; gives the exit code."""
    fill_closed()

    def step() -> int:
        with Cancellation() as cancellation:
            return cancellation.leave(Step(os.environ, sys.stdout, cancellation).run())

    return guarded(step)


class Step:
    """One run of the action."""

    def __init__(self, environment: Mapping[str, str], stream: TextIO, cancellation: Cancellation) -> None:
        self._environment = environment
        self._cancellation = cancellation
        self._redactor = Redactor()
        self._log = Log(stream, obeyed=environment.get("GITHUB_ACTIONS") == "true")
        self._workspace = Path(environment.get("GITHUB_WORKSPACE") or Path.cwd())
        self._reporter = GitHubReporter(self._log, self._redactor, self._workspace)

    def run(self) -> int:
        """Do the work and report it everywhere; gives the exit code."""
        for secret in secrets(self._environment):
            self._reporter.emit(SecretLearned(secret))
        try:
            output_file = CommandFile(self._environment.get("GITHUB_OUTPUT", ""))
            summary_file = CommandFile(self._environment.get("GITHUB_STEP_SUMMARY", ""))
        except StoreError as error:
            return self._explain(Outcome((), error))
        outcome = conclude(self._work, self._environment, self._redactor)
        self._cancellation.settle()
        return self._explain(self._publish(outcome, output_file, summary_file))

    def _work(self) -> Outcome:
        request = read_request(read_inputs(self._environment), self._workspace)
        return execute(request, self._environment, self._reporter, self._cancellation)

    def _publish(self, outcome: Outcome, output_file: CommandFile, summary_file: CommandFile) -> Outcome:
        """Show the outcome, and hand it to the runner; the outcome becomes an error if that fails."""
        self._log.end_group()
        for line in outcome_lines(outcome):
            self._log.line(self._redactor(line))
        try:
            output_file.append(output_text(outputs(outcome, self._leave_report(outcome), self._redactor)))
            summary_file.append(summary(outcome, self._redactor))
        except StoreError as error:
            return replace(outcome, error=outcome.error or error)
        return outcome

    def _leave_report(self, outcome: Outcome) -> str:
        text = json.dumps(outcome_document(outcome, self._redactor), indent=2)
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
