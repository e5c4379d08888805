"""Moving tags: the last writes of a run, after everything they lead to is in place."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from manifest_action.errors import (
    AuthError,
    ManifestActionError,
    Mark,
    NetworkError,
    PartialTagError,
    RateLimited,
    RegistryError,
)
from manifest_action.events import ManifestPushed, Reporter, TagSettled, TagState
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import Reference
from manifest_action.ops.account import Account
from manifest_action.ops.instance import AssembledIndex
from manifest_action.ops.outcome import TagReport
from manifest_action.ops.waves import Waves
from manifest_action.plan.spec import Existing
from manifest_action.transport.base import TaggedPusher, Transport

READ_BACK_DELAYS = (0.0, 1.0, 2.0, 4.0)


@dataclass(frozen=True, slots=True)
class _Move:
    """One tag that shall point to `manifest`.

    guarded: only if it still points to `previous` when its turn comes
    carries: the tag brings the manifest along, which is nowhere yet
    """

    reference: Reference
    manifest: Manifest
    previous: Digest | None
    guarded: bool
    carries: bool
    mark: Mark | None

    @property
    def done(self) -> TagReport:
        """The report of success."""
        return TagReport(self.reference, TagState.CREATED if self.previous is None else TagState.MOVED, self.previous)

    def failed(self, error: ManifestActionError, state: TagState = TagState.FAILED) -> TagReport:
        """The report of a failure, which points to the index's place in the spec."""
        error.mark = error.mark or self.mark
        return TagReport(self.reference, state, self.previous, error)


def tag(
    indexes: Sequence[AssembledIndex],
    transport: Transport,
    waves: Waves,
    reporter: Reporter,
    account: Account,
    *,
    carrying: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Let every tag point to its index, all tags at once, and read each moved tag back.

    A tag that is right already is left alone. One that cannot be moved does not hold up the others: its report
    has the error. Registries may take seconds to show a new tag, so the read-back is patient for seven.
    Where the index depends on what the tag was (`existing: append` and `keep-equal`), it is read once more just
    before it moves; registries offer no compare-and-swap, so this narrows the gap and does not close it.

    carrying: the indexes were not pushed before (`goes_with_its_tags`), so that the tags bring them along
    """
    moves = [_move(index, tag, carries=carrying) for index in indexes for tag in index.spec.tags]
    due = [move for move in moves if move.previous != move.manifest.digest]

    def put(move: _Move) -> TagReport:
        account.settled(TagReport(move.reference, TagState.UNKNOWN, move.previous))
        report = _put(move, transport)
        account.settled(report)
        return report

    def read_back(item: tuple[_Move, TagReport]) -> TagReport:
        report = _read_back(*item, transport, sleep)
        account.settled(report)
        return report

    reports = waves.map(read_back, list(zip(due, waves.map(put, due), strict=True)))
    states = {report.reference: report.state for report in reports}
    if carrying:
        _account_for_carried(due, states, reporter, account)
    for move in moves:
        state = states.get(move.reference, TagState.UNCHANGED)
        reporter.emit(TagSettled(move.reference, move.manifest.digest, state, move.previous))


def _account_for_carried(
    due: Sequence[_Move], states: Mapping[Reference, TagState], reporter: Reporter, account: Account
) -> None:
    """Write down the manifests that tags have brought along, each once."""
    arrived = [move for move in due if states[move.reference] in (TagState.CREATED, TagState.MOVED)]
    for repository, digest in dict.fromkeys((move.reference.repository, move.manifest.digest) for move in arrived):
        account.stored(repository, digest, present=False)
        reporter.emit(ManifestPushed(repository, digest, present=False))


def _move(index: AssembledIndex, reference: Reference, *, carries: bool) -> _Move:
    guarded = index.spec.existing is not Existing.REPLACE
    return _Move(reference, index.manifest, index.current.get(reference), guarded, carries, index.spec.mark)


def _put(move: _Move, transport: Transport) -> TagReport:
    destination = transport.destination(move.reference.repository)
    try:
        found = destination.tagged(move.reference.tag) if move.guarded else move.previous
        if found == move.manifest.digest:
            return TagReport(move.reference, TagState.UNCHANGED, found)
        if found != move.previous:
            return move.failed(_moved_meanwhile(move, found))
    except ManifestActionError as error:
        return move.failed(error)
    try:
        if move.carries and isinstance(destination, TaggedPusher):
            destination.push_tagged(move.manifest, move.reference.tag)
        else:
            destination.tag(move.manifest, move.reference.tag)
    except ManifestActionError as error:
        return move.failed(error, TagState.UNKNOWN if _leaves_doubt(error) else TagState.FAILED)
    return move.done


def _leaves_doubt(error: ManifestActionError) -> bool:
    """Whether the registry may have moved the tag all the same: its answer was lost, or it was an apology."""
    if isinstance(error, NetworkError):
        return True
    refused = isinstance(error, AuthError | RateLimited)
    return isinstance(error, RegistryError) and not refused and not 400 <= error.status < 500


def _read_back(move: _Move, report: TagReport, transport: Transport, sleep: Callable[[float], None]) -> TagReport:
    """The report after looking at the tag: it settles what is in doubt, and does not take success on trust."""
    if report.state in (TagState.FAILED, TagState.UNCHANGED):
        return report
    destination = transport.destination(move.reference.repository)
    found: Digest | None = None
    try:
        for delay in READ_BACK_DELAYS if report.error is None else READ_BACK_DELAYS[:1]:
            sleep(delay)
            found = destination.tagged(move.reference.tag)
            if found == move.manifest.digest:
                return move.done
    except ManifestActionError as error:
        return move.failed(report.error or error, TagState.UNKNOWN)
    return move.failed(report.error or _reads_otherwise(move, found))


def _moved_meanwhile(move: _Move, found: Digest | None) -> RegistryError:
    return RegistryError(
        f"the tag pointed to {move.previous or 'nothing'} when this run began, and now points to {found or 'nothing'}",
        where=str(move.reference),
        hint="another job moves the same tag; run this one again when it is done, and one at a time from then on",
    )


def _reads_otherwise(move: _Move, found: Digest | None) -> RegistryError:
    return RegistryError(
        f"the tag was set to {move.manifest.digest}, but reads back as {found or 'missing'}",
        where=str(move.reference),
        hint="another job may move the same tag; run this one again when it is done",
    )


def check_tags(reports: Sequence[TagReport]) -> None:
    """Raise when a tag failed: the tag's own error when none moved, PartialTagError when the rest did."""
    failed = [report for report in reports if report.error is not None]
    if not failed:
        return
    if len(failed) == len(reports) and failed[0].error is not None:
        error = failed[0].error
        error.others = tuple(report.error for report in failed[1:] if report.error is not None)
        raise error
    states = "; ".join(f"{report.reference} {report.state}" for report in reports)
    partial = PartialTagError(
        f"{len(failed)} of {len(reports)} tags did not move",
        where=str(failed[0].reference),
        why=states,
        hint="the image is in place under its digest; mend what the tag's error names and run again",
    )
    partial.others = tuple(report.error for report in failed if report.error is not None)
    raise partial
