"""Taking away the temporary tags of a build, after everything else has succeeded. Nothing but tags is removed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from manifest_action.errors import ManifestActionError
from manifest_action.events import CleanupState, Reporter, TagRemoved, Warned
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import Reference, Repository
from manifest_action.ops.account import Account
from manifest_action.ops.instance import AssembledIndex
from manifest_action.ops.outcome import CleanupReport
from manifest_action.ops.protect import child_manifest
from manifest_action.ops.waves import Waves
from manifest_action.transport.base import TagRemover, Transport

_FOREIGN = "it points to something that is no part of this index"
_PROTECTING = "it protects a child of this run"
_STILL_THERE = "the registry said that it is gone, and it is still there"
_UNABLE = "this kind of place cannot take a tag away by itself"


@dataclass(frozen=True, slots=True)
class _Place:
    """A repository that loses tags of one index: those, and what they may point to."""

    repository: Repository
    tags: tuple[Reference, ...]
    known: frozenset[Digest]


def cleanup(
    indexes: Sequence[AssembledIndex], transport: Transport, waves: Waves, reporter: Reporter, account: Account
) -> None:
    """Take away the tags that the specs name, where they still point to what these indexes were made from.

    A tag that cannot be taken away stays, with a warning: the image is complete all the same. So does one that
    protects a child. Some registries remove an image together with its last tag; so every child of these and of
    the other indexes that could be concerned is looked for afterwards, and put back if it is gone.
    Raises what the transports raise while children are read or put back.
    """
    places = [place for index in indexes for place in _places(index)]
    repositories = dict.fromkeys(place.repository for place in places)
    children = {repository: _children(repository, places, indexes, transport) for repository in repositories}
    protecting = {tag for report in account.reports for tag in report.protected}

    def remove(item: tuple[_Place, Reference]) -> None:
        place, reference = item
        kept = CleanupReport(reference, CleanupState.KEPT, _PROTECTING)
        report = kept if reference in protecting else _removed(place, reference, transport)
        account.cleaned(report)
        reporter.emit(TagRemoved(reference, report.state, report.reason))
        if report.state is CleanupState.KEPT:
            reporter.emit(Warned(f"the tag {reference} stays: {report.reason}"))

    waves.map(remove, [(place, reference) for place in places for reference in place.tags])
    for repository, manifests in children.items():
        _put_back(repository, manifests.values(), transport, reporter)


def _children(
    repository: Repository, places: Sequence[_Place], indexes: Sequence[AssembledIndex], transport: Transport
) -> Mapping[Digest, Manifest]:
    """What has to stay in a repository: what tags may lead to there, as far as an index that goes there has it."""
    known = {digest for place in places if place.repository == repository for digest in place.known}
    instances = {
        each.descriptor.digest: each
        for index in indexes
        if repository in index.spec.repositories
        for each in index.instances
        if each.descriptor.digest in known
    }
    return {digest: child_manifest(each, transport) for digest, each in instances.items()}


def _places(index: AssembledIndex) -> Iterable[_Place]:
    by_repository: dict[Repository, list[Reference]] = {}
    for reference in index.spec.cleanup:
        by_repository.setdefault(reference.repository, []).append(reference)
    found = (instance.source.digest for instance in index.instances)
    known = {digest for digest in found if digest} | {each.descriptor.digest for each in index.instances}
    for repository, tags in by_repository.items():
        yield _Place(repository, tuple(tags), frozenset(known))


def _removed(place: _Place, reference: Reference, transport: Transport) -> CleanupReport:
    destination = transport.destination(reference.repository)
    if not isinstance(destination, TagRemover):
        return CleanupReport(reference, CleanupState.KEPT, _UNABLE)
    try:
        found = destination.tagged(reference.tag)
        if found is None:
            return CleanupReport(reference, CleanupState.ABSENT)
        if found not in place.known:
            return CleanupReport(reference, CleanupState.KEPT, _FOREIGN)
        destination.remove_tag(reference.tag)
        if destination.tagged(reference.tag) is not None:
            return CleanupReport(reference, CleanupState.KEPT, _STILL_THERE)
    except ManifestActionError as error:
        return CleanupReport(reference, CleanupState.KEPT, error.why or error.what)
    return CleanupReport(reference, CleanupState.REMOVED)


def _put_back(repository: Repository, manifests: Iterable[Manifest], transport: Transport, reporter: Reporter) -> None:
    destination = transport.destination(repository)
    for manifest in manifests:
        if not destination.has_manifest(manifest.descriptor):
            destination.push_manifest(manifest)
            where = f"{repository}@{manifest.digest}"
            reporter.emit(Warned(f"the registry removed {where} together with its tag; it is put back"))
