"""The composition root."""

import sys
import threading
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest

from manifest_action.adapters import program
from manifest_action.adapters.cancellation import Cancellation
from manifest_action.adapters.program import as_bug, conclude, execute, guard_exceptions, guarded, is_debugging, look
from manifest_action.adapters.redaction import Redactor
from manifest_action.errors import AuthError, ManifestActionError
from manifest_action.events import Event, SecretLearned
from manifest_action.model.credential import Credential
from manifest_action.model.reference import parse_reference
from manifest_action.ops.outcome import Outcome
from manifest_action.plan.inputs import Request
from manifest_action.plan.plan import Plan
from manifest_action.plan.settings import Settings
from manifest_action.transport.registry.options import RegistryOptions
from tests.unit.adapters.outcomes import a_spec, a_success, same


class Events:
    """A reporter that keeps what it is told."""

    def __init__(self) -> None:
        self.all: list[Event] = []

    def emit(self, event: Event, /) -> None:
        self.all.append(event)


class Table:
    """A transport table that only knows whether it was closed."""

    made: ClassVar[list["Table"]] = []

    def __init__(self, options: RegistryOptions, _: object) -> None:
        self.options = options
        self.closed = False
        self.made.append(self)

    def close(self) -> None:
        self.closed = True


SETTINGS = Settings(
    credentials={
        "docker.io": Credential("me", "hunter22"),
        "quay.io": Credential(registry_token="bearer-token"),
        "ghcr.io": Credential(identity_token="identity-token"),
    },
    github_token="ghs_token",
    auth_file="/auth.json",
    insecure_registries=frozenset({"localhost:5000"}),
    ca_certificates="/ca.pem",
    jobs=3,
    retry_budget=60,
    push=False,
)


@pytest.fixture(autouse=True)
def table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> type[Table]:
    monkeypatch.setattr(program, "TransportTable", Table)
    monkeypatch.setattr(Table, "made", [])
    monkeypatch.chdir(tmp_path)
    return Table


def execute_with(outcome: Outcome | ManifestActionError, directory: Path, settings: Settings = SETTINGS) -> list[Event]:
    """Execute a request whose run ends in this way; the events before it."""
    events = Events()

    def run(
        plan: Plan,
        transport: object,
        reporter: object,
        *,
        jobs: int,
        push: bool,
        assembly: "partial[object]",
        opening: object,
        registries: object,
        build: object,
    ) -> Outcome:
        assert assembly.keywords["rules"].origin == settings.policy
        assert [index.main for index in plan.indexes] == [a_spec().main]
        assert isinstance(transport, Table)
        assert not transport.closed
        assert reporter is events
        assert registries is None
        assert (jobs, push) == (settings.jobs, settings.push)
        assert Path.cwd() == directory
        if isinstance(outcome, ManifestActionError):
            raise outcome
        return outcome

    policy = directory / "policy.json"
    policy.write_text('{"default": [{"type": "reject"}]}')
    settings = replace(settings, policy=str(policy))
    with pytest.MonkeyPatch.context() as patch, Cancellation() as cancellation:
        patch.setattr(program, "run", run)
        request = Request((a_spec(),), settings, str(directory))
        result = execute(request, {"GITHUB_ACTOR": "octocat"}, events, cancellation)
        assert result is outcome
    return events.all


def test_settings_reach_the_registries_and_the_run(tmp_path: Path, table: type[Table]) -> None:
    execute_with(a_success(), tmp_path)
    made = table.made[0]
    assert made.closed
    assert made.options == RegistryOptions(
        credentials=SETTINGS.credentials,
        github_token="ghs_token",
        github_actor="octocat",
        auth_file="/auth.json",
        insecure_registries=frozenset({"localhost:5000"}),
        ca_certificates="/ca.pem",
        jobs=3,
        retry_budget=60,
        environment={"GITHUB_ACTOR": "octocat"},
    )


def test_an_actor_that_was_given_is_kept(tmp_path: Path, table: type[Table]) -> None:
    execute_with(a_success(), tmp_path, replace(SETTINGS, github_actor="hubot"))
    assert table.made[0].options.github_actor == "hubot"


def test_the_run_happens_in_the_working_directory(tmp_path: Path) -> None:
    directory = tmp_path / "sub"
    directory.mkdir()
    execute_with(a_success(), directory)


def test_every_secret_is_announced_before_the_run(tmp_path: Path) -> None:
    assert execute_with(a_success(), tmp_path) == [
        SecretLearned("hunter22"),
        SecretLearned("me:hunter22"),
        SecretLearned("bearer-token"),
        SecretLearned("identity-token"),
        SecretLearned("ghs_token"),
    ]


def test_transports_are_closed_after_a_failure_too(tmp_path: Path, table: type[Table]) -> None:
    with pytest.raises(AuthError):
        execute_with(AuthError("may not"), tmp_path)
    assert table.made[0].closed


def test_looking_closes_transports_too(table: type[Table], monkeypatch: pytest.MonkeyPatch) -> None:
    def inspect(*_: object) -> None:
        raise AuthError("may not")

    monkeypatch.setattr(program, "inspect", inspect)
    with pytest.raises(AuthError):
        look(parse_reference("ghcr.io/acme/app"), SETTINGS, {}, Events())
    assert table.made[0].closed


def failing(error: BaseException) -> Outcome:
    raise error


def test_an_expected_failure_becomes_an_outcome() -> None:
    error = AuthError("may not")
    assert conclude(lambda: failing(error), {}, same) == Outcome((), error)


def test_a_bug_is_an_outcome_without_its_message(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = conclude(lambda: failing(KeyError("hunter22")), {}, same)
    assert outcome.error is not None
    assert (outcome.error.exit_code, outcome.error.code) == (70, "unexpected")
    assert outcome.error.what.endswith("KeyError")
    assert outcome.error.where.startswith("adapters/program.py:")
    assert "MANIFEST_ACTION_DEBUG=1" in outcome.error.hint
    assert capsys.readouterr().err == ""


def test_debugging_shows_the_trace_harmless_and_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    redactor = Redactor()
    redactor.learn("hunter22")
    conclude(lambda: failing(KeyError("hunter22\n::error::x\x1b ###vso[task.x]y")), {"RUNNER_DEBUG": "1"}, redactor)
    err = capsys.readouterr().err
    assert "KeyError" in err
    assert "hunter22" not in err
    assert "##" not in err, "what follows may be a command, wherever it is in a line"
    assert all(line.startswith("| ") for line in err.splitlines())


@pytest.mark.parametrize(
    ("environment", "debugging"),
    [
        ({}, False),
        ({"RUNNER_DEBUG": "1"}, True),
        ({"ACTIONS_STEP_DEBUG": "true"}, True),
        ({"MANIFEST_ACTION_DEBUG": "1"}, True),
        ({"MANIFEST_ACTION_DEBUG": "0"}, False),
    ],
)
def test_who_asks_for_details_gets_them(environment: Mapping[str, str], *, debugging: bool) -> None:
    assert is_debugging(environment) is debugging


def test_a_bug_of_the_system_keeps_the_reason_that_cannot_hold_secrets() -> None:
    assert as_bug(OSError(28, "No space left on device", "/secret/path")).why == "No space left on device"
    assert as_bug(ValueError("hunter22")).why == ""


def test_what_escapes_everything_is_named_without_its_message(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    guard_exceptions()
    thread = threading.Thread(target=failing, args=(ValueError("hunter22"),))
    thread.start()
    thread.join()
    sys.excepthook(ValueError, ValueError("hunter22"), None)
    assert capsys.readouterr().err == "unexpected ValueError\nunexpected ValueError\n"


def test_what_escapes_ends_as_a_bug_and_shows_no_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)

    def failing() -> int:
        raise ValueError("hunter22")

    assert guarded(failing) == 70
    said = capsys.readouterr().err
    assert said.startswith("unexpected ValueError at adapters/program.py:")
    assert "hunter22" not in said
    assert guarded(lambda: 3) == 3
