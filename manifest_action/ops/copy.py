"""Bringing children into the repositories that lack them: blobs first, manifests after, byte for byte."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from itertools import chain, zip_longest

from manifest_action.errors import RegistryError
from manifest_action.events import BlobTransferred, ManifestPushed, Reporter, Transfer
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import Repository
from manifest_action.ops.account import Account
from manifest_action.ops.instance import AssembledIndex, Instance
from manifest_action.ops.listing import list_referrers
from manifest_action.ops.watch import watched
from manifest_action.ops.waves import Task, Waves
from manifest_action.transport.base import BlobFinder, Content, Destination, Readable, Source, Transport

_LACKS_BLOBS = frozenset({"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN"})
"""What registries say when a manifest refers to a blob that they do not hold (distribution-spec 1.1, "Error Codes")."""


_Place = tuple[Repository, Digest]


@dataclass(frozen=True, slots=True)
class Child:
    """A manifest that `destination` must hold, and whose blobs `origin` has, but for those `made` in this run.

    present: whether a repository has it or a blob of it already, where that was asked
    """

    destination: Repository
    origin: Repository
    manifest: Manifest
    made: Mapping[Digest, bytes | Content]
    present: Mapping[_Place, bool] = field(default_factory=dict, hash=False, repr=False)


@dataclass(frozen=True, slots=True)
class _Parcel:
    """A blob on its way. `mount_from` is a repository of the destination's registry that holds it, if there is one.

    made: itself, when it was made in this run and is nowhere else
    is_there: whether the destination has it already, None when that was not asked
    """

    destination: Repository
    origin: Repository
    blob: Descriptor
    mount_from: Repository | None
    made: bytes | Content | None = None
    is_there: bool | None = None

    @property
    def place(self) -> _Place:
        """What it will be, and where."""
        return self.destination, self.blob.digest


@dataclass(frozen=True, slots=True)
class MadeContent:
    """A blob that was made in this run, as content."""

    made: bytes

    def open(self, offset: int = 0, /) -> AbstractContextManager[Readable]:
        """See `Content`."""
        return BytesIO(self.made[offset:])


@dataclass(frozen=True, slots=True)
class _BlobContent:
    """A blob as content that can be opened again, at any offset, when an upload must be repeated."""

    source: Source
    blob: Descriptor
    is_far: bool

    def open(self, offset: int = 0, /) -> AbstractContextManager[Readable]:
        return self.source.open(self.blob, offset)


def copy(
    indexes: Sequence[AssembledIndex], transport: Transport, waves: Waves, reporter: Reporter, account: Account
) -> None:
    """See that every destination repository holds every child of its indexes.

    A child that is there under its digest is taken as complete. Non-distributable layers with URLs stay where
    they are. Raises ContentError when bytes are not what they should be, and what the transports raise.
    """
    carrier = Carrier(transport, waves, reporter, account)
    children = _missing(_children(indexes), transport, waves, reporter)

    def push(child: Child) -> None:
        carrier.push(child)
        account.stored(child.destination, child.manifest.digest, present=False)
        reporter.emit(ManifestPushed(child.destination, child.manifest.digest, present=False))

    carrier.bring(children, push)
    list_referrers(((child.destination, child.manifest) for child in children), transport, waves)


class Carrier:
    """Brings manifests with their blobs to destinations; errors as `copy`."""

    def __init__(self, transport: Transport, waves: Waves, reporter: Reporter, account: Account) -> None:
        self._transport = transport
        self._waves = waves
        self._reporter = reporter
        self._account = account

    def send(self, children: Iterable[Child]) -> None:
        """See that the destinations have every blob of these manifests."""
        self.bring(children, lambda _: None)

    def bring(self, children: Iterable[Child], store: Callable[[Child], None]) -> None:
        """See that the destinations have every blob; `store` is given each child as soon as its own are there."""
        shipment = _Shipment(self, list(children), store)
        self._waves.follow(shipment.tasks)

    def push(self, child: Child) -> None:
        """Store a manifest whose blobs were sent."""
        destination = self._transport.destination(child.destination)
        try:
            destination.push_manifest(child.manifest)
        except RegistryError as error:
            if not _LACKS_BLOBS & set(error.codes):
                raise
            # Some registries collect blobs that no manifest refers to yet, even after saying that they hold them.
            for parcel in chain(*_parcels([child])):
                transfer = self.send_parcel(parcel)
                if transfer is not Transfer.PRESENT:
                    self.tell(parcel, transfer)
            destination.push_manifest(child.manifest)

    def send_parcel(self, parcel: _Parcel) -> Transfer:
        """See that a blob is there, one way or another."""
        return self.destination(parcel).push_blob(parcel.blob, self.content(parcel), parcel.mount_from)

    def destination(self, parcel: _Parcel) -> Destination:
        """Where it goes."""
        return self._transport.destination(parcel.destination)

    def content(self, parcel: _Parcel) -> Content:
        """Its bytes, watched on their way."""
        return watched(_content(parcel, self._transport), parcel.blob, parcel.destination, self._reporter)

    def tell(self, parcel: _Parcel, transfer: Transfer) -> None:
        """It is there."""
        self._account.transferred(parcel.destination, parcel.blob, transfer)
        self._reporter.emit(BlobTransferred(parcel.destination, parcel.blob.digest, parcel.blob.size, transfer))


class _Shipment:
    """The parcels of some children, as tasks that lead to each other. store: is given what is complete."""

    def __init__(self, carrier: Carrier, children: Sequence[Child], store: Callable[[Child], None]) -> None:
        self._carrier = carrier
        self._store = store
        self._first, rest = _parcels(children)
        self._followers: dict[tuple[Repository | None, Digest], list[_Parcel]] = {}
        for parcel in rest:
            self._followers.setdefault((parcel.mount_from, parcel.blob.digest), []).append(parcel)
        self._needed = _Needed(children, (parcel.place for parcel in chain(self._first, rest)))

    @property
    def tasks(self) -> list[Task]:
        """What can be begun now: what is known to be missing is sent while the rest is looked for."""
        certain = [parcel for parcel in self._first if parcel.is_there is not None]
        uncertain = [parcel for parcel in self._first if parcel.is_there is None]
        return [*self._beginning(_by_turns(certain, uncertain)), *self._storing(self._needed.complete)]

    def _beginning(self, parcels: Iterable[_Parcel]) -> list[Task]:
        return [partial(self._begin, parcel) for parcel in parcels]

    def _storing(self, children: Iterable[Child]) -> list[Task]:
        return [partial(self._finish, child) for child in children]

    def _begin(self, parcel: _Parcel) -> list[Task]:
        """Send a blob; where many can be looked for at once, that comes before the first of them is on its way."""
        destination = self._carrier.destination(parcel)
        if parcel.mount_from is not None or not isinstance(destination, BlobFinder):
            return self._arrived(parcel, self._carrier.send_parcel(parcel))
        if parcel.is_there is False:
            return self._upload(parcel, destination)
        if parcel.is_there or destination.has_blob(parcel.blob):
            return self._arrived(parcel, Transfer.PRESENT)
        return [partial(self._upload, parcel, destination)]

    def _upload(self, parcel: _Parcel, destination: BlobFinder) -> list[Task]:
        destination.upload(parcel.blob, self._carrier.content(parcel))
        return self._arrived(parcel, Transfer.COPIED)

    def _arrived(self, parcel: _Parcel, transfer: Transfer) -> list[Task]:
        self._carrier.tell(parcel, transfer)
        # A blob goes to one repository of each registry from afar; its neighbours there mount it from that one.
        followers = self._followers.get(parcel.place, ())
        return [*self._beginning(followers), *self._storing(self._needed.arrived(parcel.place))]

    def _finish(self, child: Child) -> list[Task]:
        self._store(child)
        return []


class _Needed:
    """Which children still lack blobs. `places` are those of the blobs that are on their way."""

    def __init__(self, children: Sequence[Child], places: Iterable[_Place]) -> None:
        self._lock = threading.Lock()
        self._users: dict[_Place, list[int]] = {place: [] for place in places}
        self._children = children
        self._lacking: list[int] = []
        for number, child in enumerate(children):
            wanted = {(child.destination, blob.digest) for blob in child.manifest.blobs} & self._users.keys()
            self._lacking.append(len(wanted))
            for place in wanted:
                self._users[place].append(number)

    @property
    def complete(self) -> list[Child]:
        """The children that lack nothing now."""
        return [child for child, lacking in zip(self._children, self._lacking, strict=True) if not lacking]

    def arrived(self, place: _Place) -> list[Child]:
        """A blob is there; gives the children that lack nothing any more."""
        with self._lock:
            users = self._users[place]
            for number in users:
                self._lacking[number] -= 1
            return [self._children[number] for number in users if not self._lacking[number]]


def _content(parcel: _Parcel, transport: Transport) -> Content:
    if parcel.made is not None:
        return MadeContent(parcel.made) if isinstance(parcel.made, bytes) else parcel.made
    return _BlobContent(transport.source(parcel.origin), parcel.blob, is_far=bool(parcel.origin.registry))


def _children(indexes: Iterable[AssembledIndex]) -> list[Child]:
    """Every child that has to be where it was not read from, each once; a converted one has to be everywhere."""
    found = {
        (repository, instance.descriptor.digest): Child(
            repository,
            instance.origin,
            _read(instance),
            instance.made,
            index.present,
        )
        for index in indexes
        for repository in index.spec.repositories
        for instance in index.instances
        if instance.converted or instance.origin != repository
    }
    at_home = {
        (instance.origin, instance.descriptor.digest)
        for index in indexes
        for instance in index.instances
        if not instance.converted
    }
    return [child for key, child in found.items() if key not in at_home]


def _read(instance: Instance) -> Manifest:
    if instance.manifest is None:
        raise LookupError(f"{instance.source} must travel, but its manifest was not read")
    return instance.manifest


def _missing(children: Sequence[Child], transport: Transport, waves: Waves, reporter: Reporter) -> list[Child]:
    def is_there(child: Child) -> bool:
        known = child.present.get((child.destination, child.manifest.digest))
        if known is not None:
            return known
        return transport.destination(child.destination).has_manifest(child.manifest.descriptor)

    present = waves.map(is_there, children)
    for child, there in zip(children, present, strict=True):
        if there:
            reporter.emit(ManifestPushed(child.destination, child.manifest.digest, present=True))
    return [child for child, there in zip(children, present, strict=True) if not there]


def _parcels(children: Iterable[Child]) -> tuple[list[_Parcel], list[_Parcel]]:
    """The blobs to send, each once per repository: those from afar, and those mounted from a neighbour after it.

    Large and small ones go by turns: neither one late giant nor the round trips of many small ones are waited for at
    the end, while the line is idle.
    """
    first: dict[tuple[Repository, Digest], _Parcel] = {}
    rest: dict[tuple[Repository, Digest], _Parcel] = {}
    holders: dict[tuple[str, str, Digest], Repository] = {}
    for child in children:
        for blob in child.manifest.blobs:
            key = (child.destination, blob.digest)
            if blob.lies_elsewhere or key in first or key in rest:
                continue
            neighbourhood = (child.destination.transport, child.destination.registry, blob.digest)
            if blob.digest in child.made:
                first[key] = _Parcel(child.destination, child.origin, blob, None, child.made[blob.digest])
                continue
            if child.origin == child.destination:
                continue
            if _mountable(child.origin, child.destination):
                first[key] = _Parcel(child.destination, child.origin, blob, child.origin)
            elif neighbourhood in holders and child.destination.registry:
                rest[key] = _Parcel(child.destination, child.origin, blob, holders[neighbourhood])
            else:
                # A config is as much an image's own as its manifest, and sending it costs little more than asking.
                is_there = False if blob == child.manifest.config else child.present.get(key)
                first[key] = _Parcel(child.destination, child.origin, blob, None, is_there=is_there)
            holders.setdefault(neighbourhood, child.destination)
    return _from_both_ends(first.values()), _from_both_ends(rest.values())


def _from_both_ends(parcels: Iterable[_Parcel]) -> list[_Parcel]:
    """The largest, the smallest, the next largest, the next smallest, and so on."""
    falling = sorted(parcels, key=lambda parcel: parcel.blob.size, reverse=True)
    half = (len(falling) + 1) // 2
    return _by_turns(falling[:half], reversed(falling[half:]))


def _by_turns(some: Iterable[_Parcel], others: Iterable[_Parcel]) -> list[_Parcel]:
    return [parcel for pair in zip_longest(some, others) for parcel in pair if parcel]


def _mountable(origin: Repository, destination: Repository) -> bool:
    here = (origin.transport, origin.registry)
    return bool(origin.registry) and here == (destination.transport, destination.registry)
