"""The order in which children and their blobs go to where they are missing."""

from collections.abc import Iterator
from dataclasses import replace

from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import Repository, parse_reference
from manifest_action.ops.account import Account
from manifest_action.ops.copy import Carrier, Child
from manifest_action.ops.waves import Waves
from tests.support.images import SyntheticImage, image
from tests.unit.ops.far import FarTransport
from tests.unit.ops.memory import MemoryTransport, Recorder
from tests.unit.ops.world import place

SOURCE = parse_reference("one.test/acme/base").repository
PLACES = [parse_reference(f"two.test/acme/{name}").repository for name in ("app", "other")]
SMALL, LARGE = image("linux/amd64", layer_size=1000), image("linux/arm64", layer_size=2000)


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


def test_layers_are_looked_for_before_any_is_sent_and_configs_are_not() -> None:
    transport = FarTransport()
    wanted = list(children(transport, PLACES[0]))
    present = transport[PLACES[0]]
    there = largest_layer(SMALL)
    content = SMALL.blobs[there]
    assert isinstance(content, bytes)
    present.blobs[there] = content
    configs = {str(config.digest) for child in wanted if (config := child.manifest.config)}
    layers = {*SMALL.blobs, *LARGE.blobs} - configs
    assert len(bring(transport, wanted, 1)) == 2
    calls = [(what, digest) for what, where, digest in transport.calls if where == str(PLACES[0])]
    looks = [place for place, (what, _) in enumerate(calls) if what == "has_blob"]
    sent = {digest: place for place, (what, digest) in enumerate(calls) if what == "upload"}
    assert {calls[place][1] for place in looks} == layers
    assert sent.keys() == (layers | configs) - {there}
    assert all(sent[layer] > max(looks) for layer in layers - {there})
    assert [what for what, _ in calls[-2:]] == ["push_manifest"] * 2


def test_what_was_asked_before_is_not_asked_again() -> None:
    transport = FarTransport()
    gone, there = (largest_layer(each) for each in (LARGE, SMALL))
    known = {(PLACES[0], Digest.parse(gone)): False, (PLACES[0], Digest.parse(there)): True}
    content = SMALL.blobs[there]
    assert isinstance(content, bytes)
    transport[PLACES[0]].blobs[there] = content
    wanted = [replace(child, present=known) for child in children(transport, PLACES[0])]
    assert len(bring(transport, wanted, 1)) == 2
    asked = {digest for what, _, digest in transport.calls if what == "has_blob"}
    assert asked.isdisjoint({gone, there})
    assert ("upload", str(PLACES[0]), gone) in transport.calls
    assert ("upload", str(PLACES[0]), there) not in transport.calls


def test_large_and_small_blobs_go_by_turns() -> None:
    transport = FarTransport()
    many = image("linux/s390x", layers=4, layer_size=500)
    place(transport, str(SOURCE), many)
    manifest = Manifest.parse(many.manifest_bytes, media_type=many.media_type)
    known = {(PLACES[0], blob.digest): False for blob in manifest.blobs}
    assert len(bring(transport, [Child(PLACES[0], SOURCE, manifest, {}, known)], 1)) == 1
    sizes = {str(blob.digest): blob.size for blob in manifest.blobs}
    sent = [sizes[digest] for what, _, digest in transport.calls if what == "upload"]
    rising = sorted(sizes.values())
    assert sent == [rising[4], rising[0], rising[3], rising[1], rising[2]]


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
