"""Pushing a saved list: its instances come from where they were found, pinned by digest."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from manifest_action.errors import AssembleError, ResolveError
from manifest_action.events import Reporter, Stage, StageStarted
from manifest_action.model import mediatype
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.index import Index
from manifest_action.model.instances import find, typed
from manifest_action.model.manifest import Manifest
from manifest_action.model.platform import Platform
from manifest_action.model.reference import Reference, Repository
from manifest_action.model.selection import choose
from manifest_action.ops.admit import admit
from manifest_action.ops.compress import add_compressed
from manifest_action.ops.convert import convert
from manifest_action.ops.flatten import check_agrees
from manifest_action.ops.formats import is_converted
from manifest_action.ops.instance import AssembledIndex, Instance, ResolvedIndex
from manifest_action.ops.lists.find import system_for
from manifest_action.ops.outcome import Outcome
from manifest_action.ops.reading import Reading
from manifest_action.ops.rules import Rules
from manifest_action.ops.run import run
from manifest_action.ops.waves import Waves
from manifest_action.plan.plan import Plan, make_plan
from manifest_action.plan.spec import Compression, Format, IndexSpec, SourceSpec
from manifest_action.store import SavedList
from manifest_action.transport.base import Transport

_MEDIA_TYPES = {
    Format.OCI: mediatype.OCI_INDEX,
    Format.DOCKER: mediatype.DOCKER_LIST,
    Format.SCHEMA1: mediatype.DOCKER_LIST,
}


class Selection(StrEnum):
    """What of a list is pushed.

    all:    the list and every instance
    system: only the image for one system, which is what the destination names then
    listed: the list and some instances; the others must be at the destination already
    """

    ALL = "all"
    SYSTEM = "system"
    LISTED = "listed"


@dataclass(frozen=True, slots=True)
class ListPush:
    """Where a list goes, and how.

    instances: for the selection `listed`; none means the list alone
    system:    for the selection `system`; what it does not state is this machine's
    format:    `auto` pushes the bytes as they are saved; others convert the list and its instances
    lossy:     leave out what the format cannot hold, instead of an error
    remove_signatures: leave signatures behind of what is attached to the instances
    compression: `add zstd` needs the selection `all`
    """

    destinations: tuple[Reference, ...]
    selection: Selection = Selection.ALL
    instances: tuple[Digest, ...] = ()
    system: Platform | None = None
    format: Format = Format.AUTO
    lossy: bool = False
    remove_signatures: bool = False
    compression: Compression = Compression.KEEP


def push_list(
    saved: SavedList,
    home: Repository,
    wanted: ListPush,
    transport: Transport,
    reporter: Reporter,
    *,
    jobs: int,
    push: bool = True,
    rules: Rules | None = None,
) -> Outcome:
    """Bring a list to its destinations: children first, then the list by digest, tags last.

    home:  the store as a layout, where instances are that have no location
    jobs:  how many requests are under way at once, 1 to 64
    push:  False stops before the first write
    rules: say which instances may be pushed; None asks nobody

    An expected failure ends up in `Outcome.error`, as in `ops.run`.
    """
    locations = [_location(saved, home, entry) for entry in saved.index.entries]
    sources = tuple(SourceSpec(location) for location in dict.fromkeys(locations))
    spec = IndexSpec(
        wanted.destinations,
        sources,
        format=wanted.format,
        lossy=wanted.lossy,
        compression=wanted.compression,
        remove_signatures=wanted.remove_signatures,
    )

    def assembly(plan: Plan, transport: Transport, waves: Waves, reporter: Reporter) -> tuple[AssembledIndex, ...]:
        reporter.emit(StageStarted(Stage.RESOLVE, f"{len(locations)} instances"))
        resolved = _resolve(saved, home, wanted, plan.indexes[0], Reading(transport, waves))
        if rules is not None:
            admit([resolved], rules, transport, waves, reporter)
        tags = plan.indexes[0].tags
        found = waves.map(lambda tag: transport.destination(tag.repository).tagged(tag.tag), tags)
        reporter.emit(StageStarted(Stage.ASSEMBLE, "1 list"))
        converted = convert(replace(resolved, current=dict(zip(tags, found, strict=True))), reporter)
        (complete,) = add_compressed([converted], transport, waves, reporter)
        return (_assembled(complete, saved, wanted),)

    return run(make_plan([spec]), transport, reporter, jobs=jobs, push=push, assembly=assembly)


def _location(saved: SavedList, home: Repository, entry: Descriptor) -> Reference:
    return saved.locations.get(entry.digest) or Reference(home, digest=entry.digest)


def _resolve(saved: SavedList, home: Repository, wanted: ListPush, spec: IndexSpec, reading: Reading) -> ResolvedIndex:
    """The instances to push, with the manifests that will travel or change."""
    chosen = _chosen(saved, wanted)
    if wanted.selection is Selection.LISTED and any(is_converted(spec, e.media_type) for e in saved.index.entries):
        raise AssembleError(
            "the list has instances that would have to be converted, so all have to be copied",
            where=str(spec.main),
            hint="push all instances, or leave the format as it is",
        )
    places = {entry.digest: _location(saved, home, entry) for entry in chosen}
    needed = [entry for entry in chosen if _is_needed(entry, places[entry.digest].repository, wanted, spec)]
    reading.fetch(places[entry.digest].pinned(entry.digest) for entry in needed)
    instances = tuple(_instance(entry, places[entry.digest], reading) for entry in chosen)
    return ResolvedIndex(spec, _with_configs(instances, spec, reading), whole=saved.manifest)


def _with_configs(instances: Sequence[Instance], spec: IndexSpec, reading: Reading) -> tuple[Instance, ...]:
    """The instances with their configs, which images of schema 1 and those with zstd layers are made from."""
    if spec.format is not Format.SCHEMA1 and spec.compression is Compression.KEEP:
        return tuple(instances)
    configs = {each: each.manifest.config for each in instances if each.manifest and each.manifest.config}
    reading.fetch_configs((each.origin, config) for each, config in configs.items())
    return tuple(
        replace(each, config=reading.config(each.origin, configs[each])) if each in configs else each
        for each in instances
    )


def _chosen(saved: SavedList, wanted: ListPush) -> tuple[Descriptor, ...]:
    name = saved.names[0]
    if not saved.index.entries:
        raise AssembleError("the list is empty", where=name, hint="add an image with `list add`")
    try:
        match wanted.selection:
            case Selection.ALL:
                return saved.index.entries
            case Selection.SYSTEM:
                return (choose(saved.index, system_for(wanted.system or Platform())),)
            case Selection.LISTED:
                return tuple(find(saved.index, digest) for digest in wanted.instances)
    except LookupError as error:
        raise ResolveError(str(error), where=name, hint="`list inspect` shows what it has") from None


def _is_needed(entry: Descriptor, origin: Repository, wanted: ListPush, spec: IndexSpec) -> bool:
    travels = any(repository != origin for repository in spec.repositories)
    made_of = wanted.selection is Selection.SYSTEM or spec.compression is Compression.ADD_ZSTD
    return travels or made_of or is_converted(spec, entry.media_type)


def _instance(entry: Descriptor, location: Reference, reading: Reading) -> Instance:
    manifest = reading.manifest(location.repository, str(entry.digest))
    if manifest is not None:
        check_agrees(entry, manifest)
    return Instance(entry, location.repository, location.pinned(entry.digest), manifest)


def _assembled(resolved: ResolvedIndex, saved: SavedList, wanted: ListPush) -> AssembledIndex:
    return AssembledIndex(resolved.spec, _manifest(resolved, saved, wanted), resolved.instances, resolved.current)


def _manifest(resolved: ResolvedIndex, saved: SavedList, wanted: ListPush) -> Manifest:
    """What the destinations will name."""
    whole = resolved.whole
    if whole is None:
        raise LookupError(f"{saved.names[0]} was never saved")
    if wanted.selection is Selection.SYSTEM:
        return _only(resolved.instances, saved)
    entries = whole.entries if wanted.selection is Selection.LISTED else _descriptors(resolved.instances)
    if wanted.format not in _MEDIA_TYPES and entries == whole.entries:
        return whole
    media_type = _MEDIA_TYPES.get(wanted.format, whole.media_type)
    try:
        return typed(replace(Index.of(whole), entries=entries), media_type).manifest()
    except ValueError as error:
        raise AssembleError(str(error), where=saved.names[0], hint="use `--format oci`") from None


def _only(instances: Iterable[Instance], saved: SavedList) -> Manifest:
    for instance in instances:
        if instance.manifest is not None:
            return instance.manifest
    raise AssembleError("no image is left to push", where=saved.names[0], hint="use `--format oci`")


def _descriptors(instances: Iterable[Instance]) -> tuple[Descriptor, ...]:
    return tuple(instance.descriptor for instance in instances)
