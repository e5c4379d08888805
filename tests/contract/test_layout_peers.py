"""Layouts pass between this program and skopeo in both directions."""

from pathlib import Path

import pytest

from manifest_action.errors import ContentError
from manifest_action.model.reference import Repository
from manifest_action.transport.layout.transport import LayoutTransport
from tests.contract.places import BytesContent, manifest_of, push_all, read_all
from tests.support.images import Synthetic, buildx_index, image, index, write_layout
from tests.support.peers import Peer

KINDS: dict[str, Synthetic] = {
    "image": image(),
    "index": index([image(), image("linux/arm64"), image("windows/amd64:10.0.17763.1")]),
    "buildx": buildx_index([image(), image("linux/arm/v7")]),
    "large": image(layers=1, layer_size=3_000_000),
}


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> Synthetic:
    return KINDS[request.param]


def ours(path: Path, what: Synthetic, *names: str) -> Path:
    destination = LayoutTransport().destination(Repository("oci", "", str(path)))
    manifest = push_all(destination, what)
    for name in names:
        destination.tag(manifest, name)
    return path


def test_skopeo_reads_what_we_write(tmp_path: Path, kind: Synthetic, skopeo: Peer) -> None:
    path = ours(tmp_path / "ours", kind, "1.0", "latest")
    for name in ("1.0", "latest"):
        assert skopeo("inspect", "--raw", f"oci:{path}:{name}") == kind.manifest_bytes
    skopeo("copy", "--all", "--preserve-digests", f"oci:{path}:1.0", f"oci:{tmp_path / 'copy'}:1.0")
    assert blobs(tmp_path / "copy") == blobs(path)


def test_we_read_what_skopeo_writes(tmp_path: Path, kind: Synthetic, skopeo: Peer) -> None:
    path = write_layout(tmp_path / "before", {"1.0": kind})
    skopeo("copy", "--all", "--preserve-digests", f"oci:{path}:1.0", f"oci:{tmp_path / 'theirs'}:2.0")
    source = LayoutTransport().source(Repository("oci", "", str(tmp_path / "theirs")))
    top = manifest_of(kind)
    for selector in ("", "2.0", kind.digest):
        assert source.resolve(selector) == top
    for manifest in (top, *(source.resolve(str(entry.digest)) for entry in top.entries)):
        for blob in manifest.blobs:
            assert blob.digest.matches(read_all(source, blob))


def test_we_and_skopeo_write_into_the_same_layout(tmp_path: Path, skopeo: Peer) -> None:
    path = ours(tmp_path / "shared", KINDS["index"], "ours")
    other = write_layout(tmp_path / "other", {"x": KINDS["buildx"]})
    skopeo("copy", "--all", "--preserve-digests", f"oci:{other}:x", f"oci:{path}:theirs")
    ours(path, KINDS["image"], "also-ours", "theirs-too")
    found = {name: skopeo("inspect", "--raw", f"oci:{path}:{name}") for name in ("ours", "theirs", "also-ours")}
    assert found == {
        "ours": KINDS["index"].manifest_bytes,
        "theirs": KINDS["buildx"].manifest_bytes,
        "also-ours": KINDS["image"].manifest_bytes,
    }


def test_an_image_without_a_name_is_what_skopeo_reads_without_one(tmp_path: Path, skopeo: Peer) -> None:
    path = ours(tmp_path / "ours", KINDS["index"], "")
    assert skopeo("inspect", "--raw", f"oci:{path}") == KINDS["index"].manifest_bytes


def test_a_damaged_layer_is_refused_by_both(tmp_path: Path, skopeo: Peer) -> None:
    what = image()
    path = ours(tmp_path / "ours", what, "1.0")
    layer = manifest_of(what).layers[0]
    file = path / "blobs" / "sha256" / layer.digest.encoded
    file.write_bytes(bytes(layer.size))
    target = LayoutTransport().destination(Repository("oci", "", str(tmp_path / "copy")))
    source = LayoutTransport().source(Repository("oci", "", str(path)))
    with pytest.raises(ContentError, match=str(layer.digest)):
        target.push_blob(layer, BytesContent(read_all(source, layer)), None)
    assert skopeo.run("copy", f"oci:{path}:1.0", f"dir:{tmp_path / 'theirs'}").returncode != 0
    assert not (tmp_path / "copy" / "blobs" / "sha256" / layer.digest.encoded).exists()


def blobs(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.glob("blobs/sha256/*")}
