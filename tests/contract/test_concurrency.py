"""Sources and destinations are used from several threads at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from manifest_action.transport.base import Destination, Source
from tests.contract.places import NAMED_PLACES, BytesContent, Place, blob_of, manifest_of, push_all, read_all
from tests.support.images import image, index

WORKERS = 8
Result = TypeVar("Result")


def at_once(task: Callable[[int], Result], times: int = WORKERS) -> list[Result]:
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(task, range(times)))


def test_readers_do_not_disturb_each_other(place: Place, source: Source) -> None:
    what = image(layers=1, layer_size=200_000)
    place.fill(place.tag, what)
    layer = manifest_of(what).layers[0]
    whole = what.blobs[str(layer.digest)]
    assert isinstance(whole, bytes)

    def read(number: int) -> bool:
        offset = number * 1000
        return (
            source.resolve(place.tag).raw == what.manifest_bytes and read_all(source, layer, offset) == whole[offset:]
        )

    assert all(at_once(read, 24))


def test_many_push_the_same_blob(place: Place, destination: Destination) -> None:
    content = b"the same for all" * 20_000
    at_once(lambda _: destination.push_blob(blob_of(content), BytesContent(content), None))
    assert place.stored(str(blob_of(content).digest)) == content


@pytest.mark.parametrize("place", NAMED_PLACES, indirect=True)
def test_many_push_different_images_and_tag_them(destination: Destination, source: Source) -> None:
    images = [image(f"linux/arch{number}", seed="many") for number in range(16)]

    def publish(number: int) -> None:
        destination.tag(push_all(destination, images[number]), f"t{number}")

    at_once(publish, len(images))
    for number, what in enumerate(images):
        assert source.resolve(f"t{number}").raw == what.manifest_bytes


def test_readers_see_an_old_or_a_new_tag_while_it_moves(place: Place, destination: Destination, source: Source) -> None:
    whole = push_all(destination, index([image(), image("linux/arm64")]))
    single = push_all(destination, image())
    destination.tag(single, place.tag)

    def move_or_read(number: int) -> bool:
        if number % 2:
            destination.tag(whole if number % 4 == 1 else single, place.tag)
            return True
        return source.resolve(place.tag) in (whole, single) and destination.tagged(place.tag) is not None

    assert all(at_once(move_or_read, 48))
