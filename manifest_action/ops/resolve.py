"""From references to instances: read every source once, pin it, and find out what it holds.

The reads of all indexes of a run go out together, in waves: sources and destination tags; what indexes list;
image configs. A source that needs none of a wave costs nothing there, and what a source leads to is read as soon as
it is known: an image's config does not wait for the manifests of others.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from manifest_action.errors import AuthError, ManifestActionError, ResolveError
from manifest_action.events import InstanceConverted, Reporter, SourceResolved
from manifest_action.model.attestation import is_attestation
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.platform import Platform
from manifest_action.model.reference import Reference, Repository
from manifest_action.ops.flatten import check_agrees, open_up, with_their_attestations
from manifest_action.ops.formats import is_converted
from manifest_action.ops.instance import NOTHING_MADE, Instance, ResolvedIndex
from manifest_action.ops.lookahead import Lookahead
from manifest_action.ops.platforms import check_found, is_wanted, settle_platform
from manifest_action.ops.reading import Key, Reading
from manifest_action.ops.waves import Task, Waves
from manifest_action.plan.spec import Attestations, Compression, Existing, Format, IndexSpec, SourceSpec
from manifest_action.transport.base import Source, Transport

Current = Mapping[Reference, Digest | None]


@dataclass(frozen=True, slots=True)
class _Opened:
    """A source after its indexes are open: the candidates it offers and where each can be read."""

    index: IndexSpec
    spec: SourceSpec
    pinned: Reference
    manifest: Manifest
    entries: tuple[Descriptor, ...]

    @property
    def is_existing(self) -> bool:
        """Whether this is the index that the tag points to now, and not a source of the spec."""
        return not any(self.spec is source for source in self.index.sources)

    @property
    def repository(self) -> Repository:
        return self.pinned.repository

    @property
    def images(self) -> tuple[Descriptor, ...]:
        return tuple(entry for entry in self.entries if not is_attestation(entry))

    @property
    def must_travel(self) -> bool:
        return any(repository != self.repository for repository in self.index.repositories)


def resolve(
    indexes: Sequence[IndexSpec],
    transport: Transport,
    waves: Waves,
    reporter: Reporter,
    *,
    pushing: bool = True,
    reading: Reading | None = None,
) -> tuple[ResolvedIndex, ...]:
    """Everything the indexes need to know, read from their sources and destinations.

    pushing: whether the indexes will be written; when not, a destination may be one that nobody is logged in to,
             as long as the index does not depend on what its tags are
    reading: what was read in this run before, for other indexes

    Raises ResolveError, ContentError, and what the transports raise; nothing has been written then.
    """
    reading = reading or Reading(transport, waves, sum(len(index.sources) for index in indexes))
    current = _first_wave(indexes, transport, waves, reading, pushing=pushing)
    bases = _read_bases(indexes, current, reading)
    opened = _open_sources(indexes, bases, reading)
    _read_details([source for sources in opened for source in sources], reading, pushing=pushing)
    resolved = []
    for index, sources, base in zip(indexes, opened, bases, strict=True):
        found = _resolved(index, sources, base, reading)
        tags = {tag: current.get(tag) for tag in index.tags}
        resolved.append(replace(found, current=tags, present=reading.presence))
        _announce(sources, found.instances, reading, reporter)
    return tuple(resolved)


def _announce(sources: Sequence[_Opened], instances: Sequence[Instance], reading: Reading, reporter: Reporter) -> None:
    for source in sources:
        platforms = tuple(
            instance.platform
            for instance in instances
            if instance.source == source.pinned and instance.platform and not instance.is_attestation
        )
        digest = source.manifest.digest
        conversion = reading.conversion(source.repository, digest)
        read = conversion[0].digest if conversion else digest
        reporter.emit(SourceResolved(source.spec.reference, read, platforms))
        if conversion:
            reporter.emit(InstanceConverted(source.pinned, read, digest, "Docker schema 2"))


def _optional(indexes: Sequence[IndexSpec]) -> frozenset[Reference]:
    """The tags that no index depends on; what they point to is only good to know."""
    return frozenset(tag for index in indexes if index.existing is Existing.REPLACE for tag in index.tags)


def _first_wave(
    indexes: Sequence[IndexSpec],
    transport: Transport,
    waves: Waves,
    reading: Reading,
    *,
    pushing: bool,
) -> Current:
    """Read sources, subjects and destination tags side by side; gives what the tags point to."""
    users: dict[Key, list[tuple[IndexSpec, SourceSpec]]] = {}
    for index in indexes:
        for source in index.sources:
            users.setdefault(_key(source.reference), []).append((index, source))
    references = [source.reference for index in indexes for source in index.sources]
    references += [index.subject for index in indexes if index.subject]
    selectors = {_key(reference): reference.selectors for reference in references}
    optional = frozenset() if pushing else _optional(indexes)
    marks = {_key(source.reference): source.mark for index in indexes for source in index.sources}
    tag_marks = {tag: index.mark for index in indexes for tag in index.tags}
    current: dict[Reference, Digest | None] = {}

    ahead = Lookahead(indexes if pushing else (), transport, reading)

    def read_source(key: Key) -> list[Task]:
        try:
            if reading.manifest(*key) is None:
                _read(transport.source(key[0]), selectors[key], key, reading)
        except ManifestActionError as error:
            error.mark = error.mark or marks.get(key)
            raise
        return [*_after_image(users.get(key, ()), reading, pushing=pushing), *ahead.after(key)]

    def read_tag(tag: Reference) -> list[Task]:
        try:
            current[tag] = transport.destination(tag.repository).tagged(tag.tag)
        except ManifestActionError as error:
            if not (tag in optional and isinstance(error, AuthError)):
                error.mark = error.mark or tag_marks.get(tag)
                raise
        return []

    sources = [partial(read_source, key) for key in selectors]
    tags = [partial(read_tag, tag) for tag in dict.fromkeys(tag for index in indexes for tag in index.tags)]
    waves.follow([*sources, *tags, *ahead.tasks])
    return current


def _read(source: Source, selectors: Sequence[str], key: Key, reading: Reading) -> None:
    """Read what the last of `selectors` leads to; what is of Docker's schema 1 is made an image of today at once."""
    *names, selector = selectors
    for name in names:
        source.resolve(name)
    manifest = source.resolve(selector)
    reading.remember(key, manifest)
    if manifest.is_schema1:
        from manifest_action.ops.schema1 import modernise  # noqa: PLC0415 - few images are that old

        reading.remember_conversion(key, manifest, modernise(source, manifest, f"{key[0]}@{manifest.digest}"))


def named(indexes: Iterable[IndexSpec]) -> Iterator[Key]:
    """What is read for indexes because their specs name it: their sources and subjects."""
    for index in indexes:
        yield from (_key(source.reference) for source in index.sources)
        if index.subject:
            yield _key(index.subject)


def _after_image(users: Sequence[tuple[IndexSpec, SourceSpec]], reading: Reading, *, pushing: bool) -> Iterator[Task]:
    """What can be asked once a source is read that is an image itself: its config, and whether it has to travel."""
    for index, spec in users:
        manifest = _read_before(spec.reference, reading)
        if manifest.is_index:
            continue
        source, _ = _open(index, spec, manifest, reading)
        (entry,) = source.entries
        if manifest.is_image and manifest.config and _needs_config(source, entry):
            yield _silently(partial(reading.read_platform, source.repository, manifest.config))
        if pushing:
            yield from _presence(source, reading)


def _presence(source: _Opened, reading: Reading) -> Iterator[Task]:
    """Ask every destination that is elsewhere for what may be taken from a source, unless it will be converted."""
    for entry in source.entries:
        if _may_be_wanted(source, entry) and not is_converted(source.index, entry.media_type):
            for repository in source.index.repositories:
                if repository != source.repository:
                    yield _silently(partial(reading.ask_presence, repository, entry))


def _silently(call: Callable[[], None]) -> Task:
    """A task that leads to nothing else."""

    def task() -> list[Task]:
        call()
        return []

    return task


def _key(reference: Reference) -> Key:
    return reference.repository, reference.selector


def _read_bases(indexes: Sequence[IndexSpec], current: Current, reading: Reading) -> list[Manifest | None]:
    """The existing indexes that are to be extended, by the digests their tags had a moment ago."""
    digests = [current.get(index.main) if index.existing is Existing.APPEND else None for index in indexes]
    keys = [(index.main.repository, str(digest)) for index, digest in zip(indexes, digests, strict=True)]
    reading.fetch_manifests(key for key, digest in zip(keys, digests, strict=True) if digest)
    return [reading.manifest(*key) if digest else None for key, digest in zip(keys, digests, strict=True)]


def _open_sources(
    indexes: Sequence[IndexSpec], bases: Sequence[Manifest | None], reading: Reading
) -> list[list[_Opened]]:
    """Every source with its indexes opened; the existing index that is extended counts as a source of its own."""
    tops: list[list[tuple[IndexSpec, SourceSpec, Manifest]]] = []
    for index, base in zip(indexes, bases, strict=True):
        sources = [SourceSpec(index.main.pinned(base.digest))] if base is not None and base.is_index else []
        sources += index.sources
        tops.append([(index, source, _read_before(source.reference, reading)) for source in sources])
    while True:
        opened = [[_open(*top, reading) for top in group] for group in tops]
        unread = [key for group in opened for _, keys in group for key in keys]
        if not unread:
            return [[source for source, _ in group] for group in opened]
        reading.fetch_manifests(unread)


def _read_before(reference: Reference, reading: Reading) -> Manifest:
    manifest = reading.manifest(*_key(reference))
    if manifest is None:
        raise LookupError(f"{reference} was not read in the first wave")
    return manifest


def _open(index: IndexSpec, spec: SourceSpec, manifest: Manifest, reading: Reading) -> tuple[_Opened, list[Key]]:
    repository = spec.reference.repository
    conversion = reading.conversion(repository, manifest.digest)
    pinned = spec.reference.pinned(conversion[0].digest if conversion else manifest.digest)
    if not manifest.is_index:
        # An entry for a digest that the spec names has that one, so that it is not kept twice.
        digest = spec.reference.digest if spec.reference.digest == manifest.digest else manifest.digest
        entry = replace(manifest.descriptor, digest=digest)
        return _Opened(index, spec, pinned, manifest, (entry,)), []
    leaves = open_up(manifest, lambda digest: reading.manifest(repository, str(digest)))
    return (
        _Opened(index, spec, pinned, manifest, leaves.entries),
        [(repository, str(entry.digest)) for entry in leaves.unread],
    )


def _read_details(sources: Sequence[_Opened], reading: Reading, *, pushing: bool) -> None:
    """Read the manifests of instances where they are needed, then the configs of those that need them."""
    asking = [task for source in sources for task in _presence(source, reading)] if pushing else []
    reading.fetch_manifests(
        (
            (source.repository, str(entry.digest))
            for source in sources
            for entry in source.entries
            if _may_be_wanted(source, entry) and _needs_bytes(source, entry)
        ),
        beside=asking,
    )
    configs = []
    for source in sources:
        for entry in source.images:
            manifest = reading.manifest(source.repository, str(entry.digest))
            if manifest is not None and manifest.is_image and manifest.config and _needs_config(source, entry):
                configs.append((source.repository, manifest.config))
    reading.fetch_platforms(configs)
    reading.fetch_configs(
        (source.repository, manifest.config)
        for source in sources
        for entry in source.images
        if _needs_config_bytes(source.index) and _may_be_wanted(source, entry)
        if (manifest := reading.manifest(source.repository, str(entry.digest)))
        and manifest.is_image
        and manifest.config
    )


def _may_be_wanted(source: _Opened, entry: Descriptor) -> bool:
    """Whether an entry can still turn out to be taken; an entry that states no platform can."""
    if is_attestation(entry):
        return source.index.attestations is Attestations.KEEP
    return entry.platform is None or is_wanted(source.spec, entry.platform, several=len(source.images) > 1)


def _needs_bytes(source: _Opened, entry: Descriptor) -> bool:
    """Whether an entry's manifest is needed: to travel, to lead to its config, or to be converted or compressed."""
    return (
        source.must_travel
        or _needs_config(source, entry)
        or is_converted(source.index, entry.media_type)
        or source.index.compression is Compression.ADD_ZSTD
    )


def _needs_config_bytes(index: IndexSpec) -> bool:
    """Whether something is made from what the configs say, beside platforms."""
    return index.format is Format.SCHEMA1 or index.compression is Compression.ADD_ZSTD


def _needs_config(source: _Opened, entry: Descriptor) -> bool:
    """Whether the image's own word on its platform is needed: nobody else says it, or the spec must be checked."""
    if is_attestation(entry) or not _may_be_wanted(source, entry):
        return False
    stated = source.spec.platform
    complete = stated is not None and bool(stated.os and stated.architecture)
    if source.spec.override and complete:
        return False
    return entry.platform is None or (stated is not None and len(source.images) == 1)


def _resolved(index: IndexSpec, sources: Sequence[_Opened], base: Manifest | None, reading: Reading) -> ResolvedIndex:
    only = sources[0].manifest if len(sources) == 1 and base is None else None
    subject = reading.manifest(*_key(index.subject)) if index.subject else None
    return ResolvedIndex(
        spec=index,
        instances=tuple(instance for source in sources for instance in _instances(source, reading)),
        whole=only if only is not None and only.is_index else None,
        base=base,
        subject=subject.descriptor if subject else None,
    )


def _instances(source: _Opened, reading: Reading) -> list[Instance]:
    """The instances taken from a source, with their platforms settled and their attestations beside them."""
    several = len(source.images) > 1
    settled = [
        (entry, _platform(source, entry, reading))
        for entry in source.entries
        if not is_attestation(entry) and _may_be_wanted(source, entry)
    ]
    images = [(entry, platform) for entry, platform in settled if is_wanted(source.spec, platform, several=several)]
    if source.spec.platforms or (several and source.spec.platform):
        offered = [entry.platform for entry in source.images] + [platform for _, platform in settled]
        check_found(source.spec, [platform for _, platform in images], list(dict.fromkeys(offered)))
    keep_attestations = source.index.attestations is Attestations.KEEP
    taken = with_their_attestations(source.entries, images, attestations=keep_attestations)
    return [_instance(source, entry, platform, reading) for entry, platform in taken]


def _platform(source: _Opened, entry: Descriptor, reading: Reading) -> Platform | None:
    several = len(source.images) > 1
    manifest = reading.manifest(source.repository, str(entry.digest))
    config = manifest.config if manifest is not None and manifest.is_image else None
    from_config = reading.platform(source.repository, config) if config else None
    spec = replace(source.spec, platform=None) if several else source.spec
    return settle_platform(spec, entry.platform, from_config, f"{source.repository}@{entry.digest}")


def _instance(source: _Opened, entry: Descriptor, platform: Platform | None, reading: Reading) -> Instance:
    manifest = reading.manifest(source.repository, str(entry.digest))
    if manifest is not None:
        check_agrees(entry, manifest)
        _refuse_schema1(manifest, source)
    conversion = reading.conversion(source.repository, entry.digest)
    annotations = entry.annotations
    if source.spec.annotations and not is_attestation(entry):
        annotations = {**annotations, **source.spec.annotations}
    descriptor = replace(entry, platform=platform, annotations=annotations)
    return Instance(
        descriptor,
        source.repository,
        source.pinned,
        manifest,
        source.spec.mark,
        config=reading.config(source.repository, manifest.config) if manifest and manifest.config else None,
        converted=conversion is not None,
        made=conversion[1].blobs if conversion else NOTHING_MADE,
        is_existing=source.is_existing,
    )


def _refuse_schema1(manifest: Manifest, source: _Opened) -> None:
    if manifest.is_schema1:
        raise ResolveError(
            f"image {manifest.digest} of schema 1 within a list is neither converted nor copied",
            where=str(source.pinned),
            hint=f"name it as a source of its own: {source.repository}@{manifest.digest}",
            mark=source.spec.mark,
        )
