"""What is attached to images that go to another repository, found where they come from.

Attached are referrers (OCI 1.1: signatures, SBOMs, attestations), what refers to those in turn, and the images under
cosign's tags `sha256-<hex>.sig`, `.att` and `.sbom`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from manifest_action.errors import ContentError, ResolveError
from manifest_action.events import Reporter, Warned
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import Repository
from manifest_action.ops.instance import AssembledIndex
from manifest_action.ops.waves import Waves
from manifest_action.plan.spec import Referrers
from manifest_action.signing.payload import is_signature
from manifest_action.transport.base import ReferrerKeeper, ReferrerLister, Transport

SIGNATURE_TAG = ".sig"
_TAGS = (SIGNATURE_TAG, ".att", ".sbom")
_DEPTH = 3
"""Referrers, what refers to those, and once more."""
_LIMIT = 1000
"""Artifacts about one subject."""
_MOST = 20_000
_MOST_EACH = 100
"""Artifacts, and what they list, of one link of all chains: in any case, and for each manifest that travels."""
_TAG_LIMIT = 128


@dataclass(frozen=True, slots=True)
class Trip:
    """A manifest that comes from one repository into another under the same digest."""

    destination: Repository
    origin: Repository
    digest: Digest
    signatures: bool


@dataclass(frozen=True, slots=True)
class Artifact:
    """Something attached to a manifest.

    root:    the manifest of the run that it is about, if by way of others
    subject: what it is about itself
    origin:  the repository that has it
    tag:     the tag that it is kept under; empty for a referrer
    parts:   the images that it lists, when it is an index
    made:    its blobs, when it was made in this run
    """

    root: Digest
    subject: Digest
    origin: Repository
    manifest: Manifest
    tag: str = ""
    parts: tuple[Manifest, ...] = ()
    made: Mapping[Digest, bytes] = field(default_factory=dict, hash=False, repr=False)

    @property
    def is_signature(self) -> bool:
        """Whether it is a signature, rather than a statement or a document about its subject."""
        return self.tag.endswith(SIGNATURE_TAG) if self.tag else is_signature(self.manifest)

    @property
    def type(self) -> str:
        """What it is, as a media type."""
        layers = [layer.media_type for layer in self.manifest.layers] if self.tag else []
        config = self.manifest.config.media_type if self.manifest.config else ""
        return (layers or [self.manifest.artifact_type or config or self.manifest.media_type])[0]


@dataclass(frozen=True, slots=True)
class Delivery:
    """An artifact that a destination shall have."""

    destination: Repository
    artifact: Artifact


def trips(indexes: Iterable[AssembledIndex], transport: Transport) -> list[Trip]:
    """What goes to another repository, and may have something attached that has to follow.

    An index counts when it is written with the very bytes that a source has; one that is made here is new, and
    what is attached to the indexes it was made from is not about it.
    """
    found: dict[tuple[Repository, Repository, Digest], Trip] = {}
    for index in indexes:
        if index.spec.referrers is Referrers.SKIP:
            continue
        for repository in filter(lambda place: _keeps(place, transport), index.spec.repositories):
            for origin, digest in _held(index):
                if origin != repository and isinstance(transport.source(origin), ReferrerLister):
                    key = (repository, origin, digest)
                    new = Trip(*key, signatures=not index.spec.remove_signatures)
                    found[key] = max(found.get(key, new), new, key=lambda trip: trip.signatures)
    return list(found.values())


def find(wanted: Iterable[Trip], transport: Transport, waves: Waves, reporter: Reporter) -> list[Delivery]:
    """Everything attached to what travels, in as few waves as there are links in its chains.

    Raises ResolveError when there is too much of it, and what the transports raise.
    """
    trips_by_root: dict[tuple[Repository, Digest], list[Trip]] = {}
    for trip in wanted:
        trips_by_root.setdefault((trip.origin, trip.digest), []).append(trip)
    level = [(origin, digest, digest) for origin, digest in trips_by_root]
    found: dict[tuple[Repository, Digest, Digest], Artifact] = {}
    most = _MOST + _MOST_EACH * len(trips_by_root)
    for _ in range(_DEPTH):
        new = [
            artifact
            for artifact in _about(level, most, transport, waves, reporter)
            if found.setdefault((artifact.origin, artifact.root, artifact.manifest.digest), artifact) is artifact
        ]
        # Nobody signs signatures.
        level = [(each.origin, each.root, each.manifest.digest) for each in new if not each.is_signature]
    return [
        Delivery(trip.destination, artifact)
        for artifact in found.values()
        for trip in trips_by_root[artifact.origin, artifact.root]
        if trip.signatures or not artifact.is_signature
    ]


def _keeps(repository: Repository, transport: Transport) -> bool:
    """Whether a place has room for what is attached: a registry, which lists it by itself, or a layout that can."""
    return isinstance(transport.destination(repository), ReferrerLister | ReferrerKeeper)


def _held(index: AssembledIndex) -> Iterator[tuple[Repository, Digest]]:
    """The manifests of an index, itself included, that a repository holds under the digest that they will have."""
    for instance in index.instances:
        if not instance.converted:
            yield instance.origin, instance.descriptor.digest
        if instance.source.digest == index.manifest.digest:
            yield instance.source.repository, index.manifest.digest


Subject = tuple[Repository, Digest, Digest]
"""Where something is, what it is about in the end, and its digest."""


def _about(
    subjects: Sequence[Subject], most: int, transport: Transport, waves: Waves, reporter: Reporter
) -> Iterator[Artifact]:
    """What is attached to these manifests: all lists and tags at once, then all manifests, then their parts."""
    asked = [(subject, kind) for subject in subjects for kind in ("", *_TAGS)]
    answers = waves.map(lambda each: _look(*each, transport), asked)
    listed = [(subject, entry) for (subject, _), answer in zip(asked, answers, strict=True) for entry in answer[0]]
    _refuse_excess(listed, most)
    read = waves.map(lambda each: _read(*each, transport, reporter), listed)
    referrers = [
        Artifact(root, digest, origin, each)
        for ((origin, root, digest), _), each in zip(listed, read, strict=True)
        if each
    ]
    yield from _with_parts(referrers, most, transport, waves, reporter)
    for ((origin, root, digest), kind), (_, tagged) in zip(asked, answers, strict=True):
        if tagged is not None:
            yield Artifact(root, digest, origin, tagged, f"{digest.algorithm}-{digest.encoded}{kind}")


def _refuse_excess(listed: Sequence[object], most: int) -> None:
    """Lists that lead to lists are a way to keep us busy for ever."""
    if len(listed) > most:
        raise ResolveError(
            f"what is attached leads to {len(listed)} manifests, more than {most}",
            hint="leave them behind with `referrers: skip`",
        )


def _look(subject: Subject, kind: str, transport: Transport) -> tuple[tuple[Descriptor, ...], Manifest | None]:
    """The referrers of a manifest (kind is empty), or what is under its tag of that kind."""
    origin, _, digest = subject
    source = transport.source(origin)
    if kind:
        try:
            found = (
                source.resolve(f"{digest.algorithm}-{digest.encoded}{kind}") if digest.algorithm == "sha256" else None
            )
        except ResolveError:
            found = None
        return (), None if found is None or found.is_index else found
    listed = source.referrers(digest, "") if isinstance(source, ReferrerLister) else ()
    if len(listed) > _LIMIT:
        raise ResolveError(
            f"{len(listed)} artifacts are attached, more than {_LIMIT}",
            where=f"{origin}@{digest}",
            hint="leave them behind with `referrers: skip`",
        )
    return listed, None


def _read(subject: Subject, entry: Descriptor, transport: Transport, reporter: Reporter) -> Manifest | None:
    """A listed manifest; None when it is gone or not what its list says, which a person should know."""
    origin, _, digest = subject
    why = "it is about something else"
    try:
        manifest = transport.source(origin).resolve(str(entry.digest))
        if manifest.subject and manifest.subject.digest == digest:
            return manifest
    except (ResolveError, ContentError) as error:
        why = str(error)
    reporter.emit(Warned(f"{origin}@{entry.digest}, listed as attached to {digest}, stays behind: {why}"))
    return None


def _with_parts(
    artifacts: Sequence[Artifact], most: int, transport: Transport, waves: Waves, reporter: Reporter
) -> Iterator[Artifact]:
    """The artifacts, those that are indexes with the images that they list."""
    wanted = [(each, entry) for each in artifacts for entry in each.manifest.entries]
    _refuse_excess(wanted, most)

    def read(item: tuple[Artifact, Descriptor]) -> Manifest | None:
        artifact, entry = item
        try:
            part = transport.source(artifact.origin).resolve(str(entry.digest))
        except (ResolveError, ContentError):
            return None
        return None if part.is_index else part

    parts: dict[Artifact, list[Manifest | None]] = {}
    for (artifact, _), part in zip(wanted, waves.map(read, wanted), strict=True):
        parts.setdefault(artifact, []).append(part)
    for each in artifacts:
        whole = [part for part in parts.get(each, []) if part is not None]
        if len(whole) == len(each.manifest.entries):
            yield Artifact(each.root, each.subject, each.origin, each.manifest, parts=tuple(whole))
        else:
            where = f"{each.origin}@{each.manifest.digest}"
            reporter.emit(Warned(f"{where}, attached to {each.subject}, stays behind: not all that it lists is there"))


def under_tag(repository: Repository, tag: str, transport: Transport) -> Manifest | None:
    """The manifest under a tag, None when there is none. Longer digests than sha256 are in no tag."""
    try:
        return transport.source(repository).resolve(tag) if len(tag) <= _TAG_LIMIT else None
    except ResolveError:
        return None
