from pathlib import Path

import pytest

from manifest_action.errors import StoreError
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import Repository
from manifest_action.transport.layout.destination import LayoutDestination
from manifest_action.transport.layout.transport import LayoutTransport
from tests.support.images import SyntheticImage, image, write_layout

AMD64, ARM64 = image("linux/amd64"), image("linux/arm64")


def layout(path: Path) -> LayoutDestination:
    return LayoutTransport().destination(Repository("oci", "", str(path)))


def manifest(made: SyntheticImage) -> Manifest:
    return Manifest.parse(made.manifest_bytes)


def test_the_image_without_a_name_is_a_place_of_its_own(tmp_path: Path) -> None:
    write_layout(tmp_path / "out", {"": AMD64, "named": ARM64})
    out = layout(tmp_path / "out")
    assert str(out.tagged("")) == AMD64.digest
    out.tag(manifest(ARM64), "")
    assert str(out.tagged("")) == ARM64.digest
    assert str(out.tagged("named")) == ARM64.digest


def test_several_images_without_a_name_are_not_added_to(tmp_path: Path) -> None:
    write_layout(tmp_path / "one", {"": AMD64})
    out = layout(tmp_path / "one")
    index = tmp_path / "one" / "index.json"
    other = write_layout(tmp_path / "two", {"": ARM64})
    both = index.read_text().replace("]}", "," + (other / "index.json").read_text().partition("[")[2])
    index.write_text(both)
    assert out.tagged("") is None
    with pytest.raises(StoreError, match="several images without a name"):
        out.tag(manifest(AMD64), "")
