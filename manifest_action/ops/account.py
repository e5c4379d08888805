"""The account of a run: what was done is written down the moment it is, so that even an interrupted run tells it truly.

Its methods are called from several threads.
"""

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from operator import itemgetter

from manifest_action.events import CleanupState, TagState, Transfer
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.reference import Reference, Repository
from manifest_action.ops.instance import AssembledIndex, Instance
from manifest_action.ops.outcome import (
    ArtifactReport,
    CleanupReport,
    EntryReport,
    IndexReport,
    SignatureReport,
    TagReport,
    Totals,
)
from manifest_action.plan.spec import IndexSpec, Protection

_WRITTEN = (TagState.CREATED, TagState.MOVED, TagState.UNKNOWN)


class Account:
    """What a run has achieved, index by index."""

    def __init__(self, specs: Sequence[IndexSpec]) -> None:
        self._specs = tuple(specs)
        self._assembled: tuple[AssembledIndex, ...] = ()
        self._transfers: defaultdict[Repository, dict[Digest, tuple[Transfer, int]]] = defaultdict(dict)
        self._manifests: dict[tuple[Repository, Digest], bool] = {}
        self._signatures: defaultdict[Digest, list[tuple[int, SignatureReport]]] = defaultdict(list)
        self._numbers = itertools.count()
        self._attached: defaultdict[Digest, list[tuple[ArtifactReport, frozenset[Digest]]]] = defaultdict(list)
        self._tags: dict[Reference, TagReport] = {}
        self._protected: dict[Reference, tuple[Digest, TagState]] = {}
        self._cleanups: dict[Reference, CleanupReport] = {}

    def assembled(self, indexes: Sequence[AssembledIndex]) -> None:
        """The bytes of every index are known."""
        self._assembled = tuple(indexes)

    def transferred(self, repository: Repository, blob: Descriptor, transfer: Transfer) -> None:
        """A blob is in a repository."""
        self._transfers[repository][blob.digest] = (transfer, blob.size)

    def stored(self, repository: Repository, digest: Digest, *, present: bool) -> None:
        """A manifest is in a repository, and was there before (`present`) or not."""
        self._manifests[repository, digest] = not present

    def signed(self, signature: SignatureReport) -> None:
        """A signature is in place."""
        self._signatures[signature.subject].append((next(self._numbers), signature))

    def attached(self, artifact: ArtifactReport, blobs: frozenset[Digest]) -> None:
        """Something attached is in place, which has these blobs."""
        self._attached[artifact.root].append((artifact, blobs))

    def settled(self, tag: TagReport) -> None:
        """The state of a tag, as far as it is known."""
        self._tags[tag.reference] = tag

    def protected(self, reference: Reference, digest: Digest, state: TagState) -> None:
        """A child has a tag of its own."""
        self._protected[reference] = (digest, state)

    def cleaned(self, report: CleanupReport) -> None:
        """What became of a temporary tag."""
        self._cleanups[report.reference] = report

    @property
    def reports(self) -> tuple[IndexReport, ...]:
        """Every index as far as it got, in the order of the specs."""
        if not self._assembled:
            return tuple(IndexReport(spec, tags=_pending(spec)) for spec in self._specs)
        return tuple(map(self._report, self._assembled))

    def _report(self, index: AssembledIndex) -> IndexReport:
        digest, repositories = index.manifest.digest, index.spec.repositories
        report = IndexReport(
            index.spec,
            index.manifest,
            tuple(map(_entry_report, index.instances)),
            tuple(self._tags.get(tag, _untouched(tag, index)) for tag in index.spec.tags),
            self._totals(index),
            pushed=all((repository, digest) in self._manifests for repository in repositories),
            signatures=self._own_signatures(index),
            protected=tuple(self._own_protected(index)),
            cleanups=tuple(self._cleanups[tag] for tag in index.spec.cleanup if tag in self._cleanups),
            attached=tuple(artifact for artifact, _ in self._own_artifacts(index)),
        )
        return replace(report, changed=self._is_changed(report, index))

    def _totals(self, index: AssembledIndex) -> Totals:
        """How the blobs of one index came to its repositories, all of these together."""
        blobs = {blob.digest for instance in index.instances if instance.manifest for blob in instance.manifest.blobs}
        blobs |= {blob for _, own in self._own_artifacts(index) for blob in own}
        totals = Totals()
        for repository in index.spec.repositories:
            transfers = self._transfers.get(repository, {})
            for digest in blobs & transfers.keys():
                totals = _plus(totals, *transfers[digest])
        return totals

    def _is_changed(self, report: IndexReport, index: AssembledIndex) -> bool:
        digests = _digests(index)
        return (
            bool(report.totals.copied_blobs or report.totals.mounted_blobs)
            or any(self._manifests.get((place, digest)) for place in index.spec.repositories for digest in digests)
            or any(signature.added for signature in report.signatures)
            or any(artifact.added for artifact in report.attached)
            or any(tag.state in _WRITTEN for tag in report.tags)
            or any(state in _WRITTEN for state in self._own_protected(index).values())
            or any(cleanup.state is CleanupState.REMOVED for cleanup in report.cleanups)
        )

    def _own_protected(self, index: AssembledIndex) -> dict[Reference, TagState]:
        if index.spec.protect is Protection.NO:
            return {}
        order = {instance.descriptor.digest: place for place, instance in enumerate(index.instances)}
        places = {repository: place for place, repository in enumerate(index.spec.repositories)}
        own = [
            (places[reference.repository], order[digest], reference, state)
            for reference, (digest, state) in list(self._protected.items())
            if digest in order and reference.repository in places
        ]
        return {reference: state for _, _, reference, state in sorted(own, key=lambda each: each[:2])}

    def _own_signatures(self, index: AssembledIndex) -> tuple[SignatureReport, ...]:
        if not index.spec.sign:
            return ()
        listed = (index.manifest.digest, *(instance.descriptor.digest for instance in index.instances))
        digests = dict.fromkeys(listed)
        found = [numbered for digest in digests for numbered in list(self._signatures.get(digest, ()))]
        in_order = (signature for _, signature in sorted(found, key=itemgetter(0)))
        return tuple(each for each in in_order if each.location.repository in index.spec.repositories)

    def _own_artifacts(self, index: AssembledIndex) -> list[tuple[ArtifactReport, frozenset[Digest]]]:
        digests = dict.fromkeys((index.manifest.digest, *(instance.descriptor.digest for instance in index.instances)))
        return [
            (artifact, blobs)
            for digest in digests
            for artifact, blobs in list(self._attached.get(digest, ()))
            if artifact.location.repository in index.spec.repositories
        ]


def _digests(index: AssembledIndex) -> frozenset[Digest]:
    return frozenset({index.manifest.digest, *(instance.descriptor.digest for instance in index.instances)})


def _plus(totals: Totals, transfer: Transfer, size: int) -> Totals:
    match transfer:
        case Transfer.PRESENT:
            return replace(totals, present_blobs=totals.present_blobs + 1, present_bytes=totals.present_bytes + size)
        case Transfer.MOUNTED:
            return replace(totals, mounted_blobs=totals.mounted_blobs + 1, mounted_bytes=totals.mounted_bytes + size)
        case Transfer.COPIED:
            return replace(totals, copied_blobs=totals.copied_blobs + 1, copied_bytes=totals.copied_bytes + size)


def _pending(spec: IndexSpec) -> tuple[TagReport, ...]:
    return tuple(TagReport(reference, TagState.PENDING) for reference in spec.tags)


def _untouched(tag: Reference, index: AssembledIndex) -> TagReport:
    previous = index.current.get(tag)
    state = TagState.UNCHANGED if previous == index.manifest.digest else TagState.PENDING
    return TagReport(tag, state, previous)


def _entry_report(instance: Instance) -> EntryReport:
    descriptor = instance.descriptor
    return EntryReport(
        descriptor.digest,
        descriptor.media_type,
        descriptor.platform,
        instance.source,
        instance.image_size,
        instance.is_attestation,
    )
