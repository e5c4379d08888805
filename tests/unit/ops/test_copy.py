"""The order in which children and their blobs go to where they are missing."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Event

from manifest_action.model.descriptor import Descriptor
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import Repository, parse_reference
from manifest_action.ops.account import Account
from manifest_action.ops.copy import Carrier, Child
from manifest_action.ops.waves import Waves
from manifest_action.transport.base import Content
from tests.support.images import SyntheticImage, image
from tests.unit.ops.memory import MemoryRepository, MemoryTransport, Recorder
from tests.unit.ops.world import place

SOURCE = parse_reference("one.test/acme/base").repository
PLACES = [parse_reference(f"two.test/acme/{name}").repository for name in ("app", "other")]
SMALL, LARGE = image("linux/amd64", layer_size=1000), image("linux/arm64", layer_size=2000)


@dataclass
class FarRepository(MemoryRepository):
    """A repository that is asked first. One blob may have to wait until `others` are done."""

    slow: str = ""
    others: Event = field(default_factory=Event)

    def has_blob(self, blob: Descriptor, /) -> bool:
        self._called("has_blob", blob.digest)
        return str(blob.digest) in self.blobs

    def upload(self, blob: Descriptor, content: Content, /) -> None:
        if str(blob.digest) == self.slow:
            assert self.others.wait(10)
        self._called("upload", blob.digest)
        with content.open() as stream:
            self.blobs[str(blob.digest)] = stream.read()

    def push_manifest(self, manifest: Manifest, /) -> None:
        super().push_manifest(manifest)
        self.others.set()


class FarTransport(MemoryTransport):
    """Repositories that are far away."""

    def __getitem__(self, repository: Repository) -> FarRepository:
        known = self.repositories
        found = known.setdefault(repository, FarRepository(repository, self.calls, known))
        assert isinstance(found, FarRepository)
        return found


def children(transport: MemoryTransport, *places: Repository) -> Iterator[Child]:
    for each in (SMALL, LARGE):
        place(transport, str(SOURCE), each)
        for destination in places:
            yield Child(destination, SOURCE, Manifest.parse(each.manifest_bytes, media_type=each.media_type), {})


def bring(transport: MemoryTransport, wanted: list[Child], workers: int) -> list[Child]:
    stored: list[Child] = []
    with Waves(workers) as waves:
        carrier = Carrier(transport, waves, Recorder(), Account(()))

        def store(child: Child) -> None:
            carrier.push(child)
            stored.append(child)

        carrier.bring(wanted, store)
    return stored


def names(transport: MemoryTransport, place: Repository) -> list[str]:
    return [what for what, where, _ in transport.calls if where == str(place)]


def largest_layer(which: SyntheticImage) -> str:
    layers = Manifest.parse(which.manifest_bytes, media_type=which.media_type).layers
    return str(max(layers, key=lambda layer: layer.size).digest)


def test_everything_is_looked_for_before_anything_is_sent() -> None:
    transport = FarTransport()
    wanted = list(children(transport, PLACES[0]))
    present = transport[PLACES[0]]
    there = largest_layer(SMALL)
    content = SMALL.blobs[there]
    assert isinstance(content, bytes)
    present.blobs[there] = content
    assert len(bring(transport, wanted, 1)) == 2
    number = len({*SMALL.blobs, *LARGE.blobs})
    assert names(transport, PLACES[0]) == ["has_blob"] * number + ["upload"] * (number - 1) + ["push_manifest"] * 2
    assert ("upload", str(PLACES[0]), there) not in transport.calls


def test_a_child_does_not_wait_for_the_blobs_of_others() -> None:
    transport = FarTransport()
    wanted = list(children(transport, PLACES[0]))
    transport[PLACES[0]].slow = largest_layer(LARGE)
    stored = bring(transport, wanted, 2)
    assert [str(child.manifest.digest) for child in stored] == [SMALL.digest, LARGE.digest]


def test_neighbours_mount_what_came_from_afar_and_each_child_waits_for_its_own_place() -> None:
    transport = FarTransport()
    wanted = list(children(transport, *PLACES))
    stored = bring(transport, wanted, 4)
    assert len(stored) == 4
    assert transport.count("upload") == len({*SMALL.blobs, *LARGE.blobs})
    assert names(transport, PLACES[1]).count("push_blob") == len({*SMALL.blobs, *LARGE.blobs})


def test_an_image_whose_blobs_are_all_elsewhere_is_stored_at_once() -> None:
    transport = FarTransport()
    manifest = Manifest.parse(SMALL.manifest_bytes, media_type=SMALL.media_type)
    transport[PLACES[0]].blobs = {digest: blob for digest, blob in SMALL.blobs.items() if isinstance(blob, bytes)}
    assert len(bring(transport, [Child(PLACES[0], PLACES[0], manifest, {})], 1)) == 1
    assert names(transport, PLACES[0]) == ["push_manifest"]
