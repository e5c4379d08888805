"""The composition root: puts the parts together for one run and sees that it ends in an outcome, always."""

import os
import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import manifest_action
from manifest_action.adapters.cancellation import Cancellation
from manifest_action.adapters.policyfiles import read_places, read_rules
from manifest_action.adapters.redaction import Redact
from manifest_action.adapters.text import printable
from manifest_action.errors import UNEXPECTED_EXIT_CODE, ManifestActionError
from manifest_action.events import Reporter, SecretLearned
from manifest_action.model.credential import Credential
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import Reference
from manifest_action.ops.assembly import assemble_sources
from manifest_action.ops.inspect import inspect
from manifest_action.ops.outcome import EntryReport, Outcome
from manifest_action.ops.run import run
from manifest_action.plan.inputs import Request
from manifest_action.plan.plan import Plan, make_plan
from manifest_action.plan.settings import Settings
from manifest_action.plan.shards import select
from manifest_action.plan.spec import SignerSpec
from manifest_action.signing.material import Material
from manifest_action.transport.registry.options import RegistryOptions
from manifest_action.transport.table import TransportTable

if TYPE_CHECKING:
    from manifest_action.signing.base import Signer
    from manifest_action.signing.provenance import Build

_DEBUG_VARIABLES = ("RUNNER_DEBUG", "ACTIONS_STEP_DEBUG", "MANIFEST_ACTION_DEBUG")
_TRACE_LIMIT = 200


def execute(
    request: Request, environment: Mapping[str, str], reporter: Reporter, cancellation: Cancellation
) -> Outcome:
    """Carry out what was asked for, in its working directory.

    Raises ManifestActionError for what fails before the run can account for it.
    """
    os.chdir(request.directory)
    make_plan(request.specs)  # what is wrong with all of it is wrong in every shard
    plan = make_plan(select(request.specs, request.settings.shard))
    rules = read_rules(request.settings.policy, environment)
    signers = {signer.name for spec in plan.indexes for signer in spec.sign}
    registries = read_places(request.settings.policy, environment) if "gpg" in signers else None
    with opened(request.settings, environment, reporter) as transport, Material(environment, reporter) as material:
        outcome = run(
            plan,
            transport,
            reporter,
            jobs=request.settings.jobs,
            push=request.settings.push,
            assembly=partial(assemble_sources, rules=rules, pushing=request.settings.push),
            opening=_opening(material),
            registries=registries,
            build=_build(plan, environment),
        )
        cancellation.settle()
        return outcome


def _build(plan: Plan, environment: Mapping[str, str]) -> "Build | None":
    """On whose behalf this is done, if a statement will say so."""
    if not any(spec.provenance for spec in plan.indexes):
        return None
    from manifest_action.adapters.workflow import build_of  # noqa: PLC0415

    return build_of(environment)


def _opening(material: Material) -> "Callable[[SignerSpec], Signer]":
    """How signers come by their keys in this process."""

    def opening(wanted: SignerSpec) -> "Signer":
        # A run that does not sign never loads what signing needs.
        from manifest_action.signing.table import open_signer  # noqa: PLC0415

        return open_signer(wanted.name, wanted.options, material)

    return opening


def look(
    reference: Reference, settings: Settings, environment: Mapping[str, str], reporter: Reporter
) -> tuple[Manifest, tuple[EntryReport, ...]]:
    """The manifest under a reference and what it lists; errors as `ops.inspect`."""
    with opened(settings, environment, reporter) as transport:
        return inspect(reference, transport, settings.jobs)


@contextmanager
def opened(settings: Settings, environment: Mapping[str, str], reporter: Reporter) -> Iterator[TransportTable]:
    """Every transport as the settings want it, for a block. The reporter knows the secrets by then."""
    announce_secrets(settings, reporter)
    transport = _transport(settings, environment, reporter)
    try:
        yield transport
    finally:
        transport.close()


def conclude(job: Callable[[], Outcome], environment: Mapping[str, str], redact: Redact) -> Outcome:
    """The outcome of `job`, also when it raises: whatever happens can then be reported in the same way."""
    try:
        return job()
    except ManifestActionError as error:
        return Outcome((), error)
    except Exception as error:  # noqa: BLE001 - the last line of defence: a bug is reported, not shown raw
        if is_debugging(environment):
            print_trace(error, redact)
        return Outcome((), as_bug(error))


def announce_secrets(settings: Settings, reporter: Reporter) -> None:
    """Tell the reporter every secret the user gave, so that nothing printed later can show one."""
    for credential in (*settings.credentials.values(), *settings.job_credentials.values()):
        for secret in _secrets(credential):
            reporter.emit(SecretLearned(secret))
    if settings.github_token:
        reporter.emit(SecretLearned(settings.github_token))


def _secrets(credential: Credential) -> tuple[str, ...]:
    pair = f"{credential.username}:{credential.password}" if credential.password else ""
    secrets = (credential.password, pair, credential.identity_token, credential.registry_token)
    return tuple(secret for secret in secrets if secret)


def _transport(settings: Settings, environment: Mapping[str, str], reporter: Reporter) -> TransportTable:
    options = RegistryOptions(
        credentials=settings.credentials,
        github_token=settings.github_token,
        github_actor=settings.github_actor or environment.get("GITHUB_ACTOR", ""),
        job_credentials=settings.job_credentials,
        auth_file=settings.auth_file,
        insecure_registries=settings.insecure_registries,
        ca_certificates=settings.ca_certificates,
        jobs=settings.jobs,
        retry_budget=settings.retry_budget,
        environment=environment,
    )
    return TransportTable(options, reporter)


def is_debugging(environment: Mapping[str, str]) -> bool:
    """Whether the person or the CI system asked for details of failures."""
    return any(environment.get(name, "").lower() in ("1", "true") for name in _DEBUG_VARIABLES)


def as_bug(error: BaseException) -> ManifestActionError:
    """An unexpected exception as an error; its message is left out, as it may hold anything."""
    cause = getattr(error, "strerror", None)
    return ManifestActionError(
        f"this is a bug in Manifest Action {manifest_action.__version__}: {type(error).__name__}",
        where=_place(error.__traceback__),
        why=cause if isinstance(cause, str) else "",
        hint="run it again with MANIFEST_ACTION_DEBUG=1 (on GitHub: re-run with debug logging) for the details, "
        "and report it with them",
    )


def _place(trace: TracebackType | None) -> str:
    """File and line of the innermost frame that is our own, such as `ops/run.py:51`."""
    home = Path(manifest_action.__file__).parent
    frames = [frame for frame in traceback.extract_tb(trace) if Path(frame.filename).is_relative_to(home)]
    return f"{Path(frames[-1].filename).relative_to(home)}:{frames[-1].lineno}" if frames else ""


def print_trace(error: BaseException, redact: Redact) -> None:
    """Print a traceback on standard error, every line indented and none of them a command to any CI system."""
    text = "".join(traceback.format_exception(error))
    for line in redact(text).splitlines()[-_TRACE_LIMIT:]:
        # Two of these begin a command wherever they are in a line, at Azure Pipelines and older runners of GitHub.
        harmless = re.sub("#(?=#)", "# ", printable(line))
        print(f"| {harmless}", file=sys.stderr)  # noqa: T201 - the one place besides the adapters' printers


def guarded(job: Callable[[], int]) -> int:
    """The exit code of `job`; when an exception escapes it, that of a bug, and standard error names the exception."""
    guard_exceptions()
    try:
        return job()
    except Exception as error:  # noqa: BLE001 - behind the last line of defence, as when a bug cannot be reported
        sys.excepthook(type(error), error, error.__traceback__)
        return UNEXPECTED_EXIT_CODE


def guard_exceptions() -> None:
    """Whatever escapes everything else is named without its message: that may hold secrets or commands."""

    def hook(kind: type[BaseException], _: BaseException, trace: TracebackType | None) -> None:
        place = _place(trace)
        sys.stderr.write(f"unexpected {kind.__name__}{f' at {place}' if place else ''}\n")

    def thread_hook(arguments: threading.ExceptHookArgs) -> None:
        if arguments.exc_value is not None:
            hook(arguments.exc_type, arguments.exc_value, arguments.exc_traceback)

    sys.excepthook = hook
    threading.excepthook = thread_hook
