"""What is asked of far destinations while the sources are still being read."""

import pytest

from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import parse_reference
from manifest_action.ops.instance import ResolvedIndex
from manifest_action.ops.resolve import resolve
from manifest_action.ops.waves import Waves
from manifest_action.plan.plan import COPYING
from manifest_action.plan.spec import Format, IndexSpec
from tests.support.images import SyntheticImage, image, index
from tests.unit.ops.far import FarTransport
from tests.unit.ops.memory import Recorder
from tests.unit.ops.world import HOME, place, spec

AWAY = "other.test/acme/build"
IMAGE = image("linux/amd64", layers=3)


@pytest.fixture
def transport() -> FarTransport:
    return FarTransport()


def resolved(transport: FarTransport, index: IndexSpec, *, pushing: bool = True) -> ResolvedIndex:
    with Waves(4) as waves:
        return resolve([index], transport, waves, Recorder(), pushing=pushing)[0]


def asked(transport: FarTransport, what: str, where: str = HOME) -> list[str]:
    return sorted(str(digest) for name, place, digest in transport.calls if (name, place) == (what, where))


def layers(which: SyntheticImage) -> list[str]:
    manifest = Manifest.parse(which.manifest_bytes, media_type=which.media_type)
    return sorted(str(layer.digest) for layer in manifest.layers)


def test_an_image_named_by_digest_and_then_its_layers_are_looked_for(transport: FarTransport) -> None:
    found = resolved(transport, spec([place(transport, AWAY, IMAGE)]))
    assert asked(transport, "has_digest") == [IMAGE.digest]
    assert asked(transport, "has_blob") == layers(IMAGE)
    assert not asked(transport, "has_manifest")
    home = parse_reference(HOME).repository
    assert found.present == {(home, Digest.parse(each)): False for each in (IMAGE.digest, *layers(IMAGE))}


def test_of_an_image_that_is_there_no_layer_is_looked_for(transport: FarTransport) -> None:
    place(transport, HOME, IMAGE)
    found = resolved(transport, spec([place(transport, AWAY, IMAGE)]))
    assert not asked(transport, "has_blob")
    assert list(found.present.values()) == [True]


def test_a_layer_that_is_there_is_noted(transport: FarTransport) -> None:
    there = layers(IMAGE)[0]
    transport[parse_reference(HOME).repository].blobs[there] = b"x"
    found = resolved(transport, spec([place(transport, AWAY, IMAGE)]))
    assert found.present[parse_reference(HOME).repository, Digest.parse(there)]


def test_a_tag_is_read_first(transport: FarTransport) -> None:
    place(transport, f"{AWAY}:1", IMAGE)
    resolved(transport, spec([f"{AWAY}:1"]))
    assert not asked(transport, "has_digest")
    assert not asked(transport, "has_blob")
    assert asked(transport, "has_manifest") == [IMAGE.digest]


def test_an_index_has_no_layers(transport: FarTransport) -> None:
    whole = index([IMAGE])
    resolved(transport, spec([place(transport, AWAY, whole)]))
    assert asked(transport, "has_digest") == [whole.digest]
    assert not asked(transport, "has_blob")


@pytest.mark.parametrize("case", ["same registry", "converted", "not pushed"])
def test_where_it_is_of_no_use_nothing_is_asked(transport: FarTransport, case: str) -> None:
    where = "registry.test/acme/build" if case == "same registry" else AWAY
    wanted = spec([place(transport, where, IMAGE)], format=Format.OCI if case == "converted" else Format.AUTO)
    resolved(transport, wanted, pushing=case != "not pushed")
    assert not asked(transport, "has_digest")
    assert not asked(transport, "has_blob")


def test_of_two_repositories_at_a_registry_the_first_is_asked(transport: FarTransport) -> None:
    second = "registry.test/acme/second"
    resolved(transport, spec([place(transport, AWAY, IMAGE)], f"{HOME}:1", f"{second}:1"))
    assert asked(transport, "has_blob") == layers(IMAGE)
    assert not asked(transport, "has_blob", second)


def test_no_more_layers_are_looked_for_than_can_be_on_their_way_at_once(transport: FarTransport) -> None:
    many = [image("linux/amd64", layers=3, layer_size=1000, seed=str(number)) for number in range(8)]
    resolved(transport, spec([place(transport, AWAY, each) for each in many]))
    assert len(set(asked(transport, "has_blob"))) == COPYING
    assert len(asked(transport, "has_digest")) == len(many)
