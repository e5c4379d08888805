"""Changing an index that exists: read once, changed, and put back under its name, as the steps of every run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from manifest_action.errors import AssembleError, ConfigError, Problem, ResolveError
from manifest_action.events import Reporter, SourceResolved, Stage, StageStarted
from manifest_action.model.attestation import is_attestation
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.index import Index
from manifest_action.model.manifest import Manifest
from manifest_action.model.platform import Platform
from manifest_action.model.reference import Reference
from manifest_action.ops.admit import admit
from manifest_action.ops.flatten import check_agrees
from manifest_action.ops.instance import AssembledIndex, Instance, ResolvedIndex
from manifest_action.ops.outcome import Outcome
from manifest_action.ops.reading import Reading
from manifest_action.ops.rules import Rules
from manifest_action.ops.run import run
from manifest_action.ops.waves import Waves
from manifest_action.plan.plan import Plan, make_plan
from manifest_action.plan.spec import IndexSpec, SourceSpec
from manifest_action.transport.base import Transport

Edit = Callable[[Index], Index]
"""From what an index is to what it shall be. LookupError: it does not list what is meant; ValueError: it cannot be."""


@dataclass(frozen=True, slots=True)
class IndexEdit:
    """What to do to an index.

    reference:    the index; what its name points to must be what is read
    edit:         what changes
    destinations: where the result goes instead of back; images that are not there are copied
    expected:     the digest that the index must have now, None for any
    """

    reference: Reference
    edit: Edit
    destinations: tuple[Reference, ...] = ()
    expected: Digest | None = None


def edit_index(
    wanted: IndexEdit,
    transport: Transport,
    reporter: Reporter,
    *,
    jobs: int,
    push: bool = True,
    rules: Rules | None = None,
) -> Outcome:
    """Change an index where it is, or bring the changed index elsewhere: by digest first, names last.

    An index that the edit leaves as it is keeps its bytes; when its names point to it, nothing is written.

    jobs:  how many requests are under way at once, 1 to 64
    push:  False stops before the first write
    rules: say which images may stay or be copied; None asks nobody

    Raises ConfigError when there is no name to put the result under. An expected failure ends up in
    `Outcome.error`, as in `ops.run`.
    """
    spec = IndexSpec(wanted.destinations or (_own_name(wanted.reference),), (SourceSpec(wanted.reference),))

    def assembly(_: Plan, transport: Transport, waves: Waves, reporter: Reporter) -> tuple[AssembledIndex, ...]:
        reporter.emit(StageStarted(Stage.RESOLVE, "1 index"))
        reading = Reading(transport, waves)
        before = _read(wanted, reading)
        tags = spec.tags
        found = waves.map(lambda tag: transport.destination(tag.repository).tagged(tag.tag), tags)
        current = dict(zip(tags, found, strict=True))
        _check_current(wanted, before, current)
        reporter.emit(SourceResolved(wanted.reference, before.digest, _platforms(before)))
        reporter.emit(StageStarted(Stage.ASSEMBLE, "1 index"))
        after = _edited(wanted, before)
        instances = _instances(wanted.reference.pinned(before.digest), after.entries, spec, reading)
        if rules is not None:
            admit([ResolvedIndex(spec, instances)], rules, transport, waves, reporter)
        return (AssembledIndex(spec, after, instances, current),)

    return run(make_plan([spec]), transport, reporter, jobs=jobs, push=push, assembly=assembly)


def _own_name(reference: Reference) -> Reference:
    """The name an index is put back under."""
    if reference.digest and not reference.tag:
        problem = Problem(
            "names an index by digest alone, so there is no name to put the result under",
            path=str(reference),
            hint="add the tag to the reference, or say with --tag where the result goes",
        )
        raise ConfigError([problem])
    is_plain = not reference.tag and reference.selector
    return reference.with_tag(reference.selector if is_plain else reference.tag)


def _read(wanted: IndexEdit, reading: Reading) -> Manifest:
    reference = wanted.reference
    reading.fetch_manifests([(reference.repository, reference.selector)])
    manifest = reading.manifest(reference.repository, reference.selector)
    if manifest is None:
        raise LookupError(f"{reference} was read, but is not remembered")
    if not manifest.is_index:
        raise ResolveError(
            "is a single image, not an index", where=str(reference), hint="`manifest-action push` makes an index of it"
        )
    if wanted.expected not in (None, manifest.digest):
        raise _points_elsewhere(reference, manifest.digest, wanted.expected)
    return manifest


def _check_current(wanted: IndexEdit, before: Manifest, current: Mapping[Reference, Digest | None]) -> None:
    """ResolveError when the name that the result goes back to is not that of the index that was read."""
    if wanted.destinations:
        return
    own = _own_name(wanted.reference)
    if current[own] is None:
        raise ResolveError(
            "has no index under this very name",
            where=str(own),
            hint="give the name that it has there, such as oci:./out:1.4.2, or say with --tag where the result goes",
        )
    if current[own] != before.digest:
        raise _points_elsewhere(own, current[own], before.digest)


def _points_elsewhere(reference: Reference, found: Digest | None, expected: Digest | None) -> ResolveError:
    return ResolveError(
        f"points to {found}, not to {expected}",
        where=str(reference),
        hint="somebody has changed it; look at it with `manifest-action inspect` and decide again",
    )


def _platforms(index: Manifest) -> tuple[Platform, ...]:
    return tuple(entry.platform for entry in index.entries if entry.platform and not is_attestation(entry))


def _edited(wanted: IndexEdit, before: Manifest) -> Manifest:
    """The bytes of the changed index; those it has when nothing changes."""
    where = str(wanted.reference)
    old = Index.of(before)
    try:
        new = wanted.edit(old)
        return before if new == old else new.manifest()
    except LookupError as error:
        offered = ", ".join(dict.fromkeys(map(str, _platforms(before))))
        raise ResolveError(
            str(error),
            where=where,
            why=f"its platforms are {offered}" if offered else "",
            hint="`manifest-action inspect` shows what it lists",
        ) from None
    except ValueError as error:
        hint = "`manifest-action push --format oci` makes an OCI index of it" if "Docker" in str(error) else ""
        raise AssembleError(str(error), where=where, hint=hint) from None


def _instances(
    pinned: Reference, entries: Sequence[Descriptor], spec: IndexSpec, reading: Reading
) -> tuple[Instance, ...]:
    """What the changed index lists, with the manifests of images that have to be copied."""
    origin = pinned.repository
    if any(repository != origin for repository in spec.repositories):
        reading.fetch_manifests((origin, str(entry.digest)) for entry in entries)
    return tuple(_instance(pinned, entry, reading) for entry in entries)


def _instance(pinned: Reference, entry: Descriptor, reading: Reading) -> Instance:
    manifest = reading.manifest(pinned.repository, str(entry.digest))
    if manifest is not None:
        check_agrees(entry, manifest)
        if manifest.is_index or manifest.is_schema1:
            raise ResolveError(
                f"the index lists {entry.digest}, which is {'an index' if manifest.is_index else 'of schema 1'}",
                where=str(pinned),
                hint="change the index where it is, or copy it with `manifest-action push` first",
            )
    return Instance(entry, pinned.repository, pinned, manifest)
