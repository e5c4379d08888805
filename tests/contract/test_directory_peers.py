"""`dir:` passes between this program and skopeo in both directions, also by way of a registry."""

from pathlib import Path

import pytest

from manifest_action.errors import StoreError
from manifest_action.model.reference import Repository
from manifest_action.transport.directory import DirectoryTransport
from tests.contract.places import manifest_of, push_all, read_all
from tests.support.images import Synthetic, buildx_index, image, index, write_directory, write_layout
from tests.support.peers import Peer
from tests.support.servers import Registry

KINDS: dict[str, Synthetic] = {
    "image": image(),
    "docker": image(docker=True),
    "index": index([image(), image("linux/arm64"), image("windows/amd64:10.0.17763.1")]),
    "buildx": buildx_index([image(), image("linux/arm/v7")]),
}


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> Synthetic:
    return KINDS[request.param]


def ours(path: Path, what: Synthetic) -> Path:
    destination = DirectoryTransport().destination(Repository("dir", "", str(path)))
    destination.tag(push_all(destination, what), "")
    return path


def check(path: Path, what: Synthetic) -> None:
    source = DirectoryTransport().source(Repository("dir", "", str(path)))
    top = source.resolve("")
    assert top == manifest_of(what)
    for manifest in (top, *(source.resolve(str(entry.digest)) for entry in top.entries)):
        for blob in manifest.blobs:
            assert blob.digest.matches(read_all(source, blob))


def test_skopeo_takes_what_we_write_to_a_registry_and_back(
    tmp_path: Path, kind: Synthetic, skopeo: Peer, registry: Registry, repository: str
) -> None:
    path = ours(tmp_path / "ours", kind)
    image_there = f"docker://{registry.host}/{repository}:1.0"
    skopeo("copy", "--all", "--preserve-digests", "--dest-tls-verify=false", f"dir:{path}", image_there)
    assert skopeo("inspect", "--raw", "--tls-verify=false", image_there) == kind.manifest_bytes
    skopeo("copy", "--all", "--preserve-digests", "--src-tls-verify=false", image_there, f"dir:{tmp_path / 'theirs'}")
    check(tmp_path / "theirs", kind)


def test_our_files_are_those_that_skopeo_writes(tmp_path: Path, skopeo: Peer) -> None:
    what = KINDS["index"]
    layout = write_layout(tmp_path / "layout", {"1.0": what})
    skopeo("copy", "--all", "--preserve-digests", f"oci:{layout}:1.0", f"dir:{tmp_path / 'theirs'}")
    path = ours(tmp_path / "ours", what)
    top = f"{manifest_of(what).digest.encoded}.manifest.json"
    assert (path / top).read_bytes() == what.manifest_bytes
    assert {name: content for name, content in files(path).items() if name != top} == files(tmp_path / "theirs")


def test_skopeo_and_we_write_into_one_directory_in_turn(tmp_path: Path, skopeo: Peer) -> None:
    layout = write_layout(tmp_path / "layout", {"1.0": KINDS["buildx"]})
    path = ours(tmp_path / "shared", KINDS["index"])
    skopeo("copy", "--all", "--preserve-digests", f"oci:{layout}:1.0", f"dir:{path}")
    check(path, KINDS["buildx"])
    ours(path, KINDS["image"])
    assert skopeo("inspect", "--raw", f"dir:{path}") == KINDS["image"].manifest_bytes


def test_a_directory_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    destination = DirectoryTransport().destination(Repository("dir", "", str(tmp_path / "mine")))
    with pytest.raises(StoreError, match="neither an image directory nor empty"):
        destination.tagged("")
    with pytest.raises(StoreError, match="neither an image directory nor empty"):
        push_all(destination, KINDS["image"])
    assert list(files(tmp_path / "mine")) == ["thesis.txt"]


def test_a_directory_of_another_version_is_left_alone(tmp_path: Path) -> None:
    path = write_directory(tmp_path / "later", KINDS["image"])
    (path / "version").write_text("Directory Transport Version: 2.0\n")
    with pytest.raises(StoreError, match="unknown version"):
        ours(path, KINDS["index"])


def test_a_name_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    destination = DirectoryTransport().destination(Repository("dir", "", str(tmp_path / "out")))
    with pytest.raises(StoreError, match=r"no names.*1\.0") as raised:
        destination.tagged("1.0")
    assert "oci:path:name" in raised.value.hint
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["manifest.json", "a blob"])
def test_links_inside_are_not_followed(tmp_path: Path, name: str) -> None:
    path = write_directory(tmp_path / "out", KINDS["image"])
    layer = manifest_of(KINDS["image"]).layers[0]
    file = path / ("manifest.json" if name == "manifest.json" else layer.digest.encoded)
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    source = DirectoryTransport().source(Repository("dir", "", str(path)))
    with pytest.raises(StoreError, match="symbolic link"):
        read_all(source, source.resolve("").layers[0])


def test_the_image_of_before_is_there_until_the_new_one_is_complete(tmp_path: Path) -> None:
    path = ours(tmp_path / "out", KINDS["image"])
    destination = DirectoryTransport().destination(Repository("dir", "", str(path)))
    manifest = push_all(destination, KINDS["index"])
    check(path, KINDS["image"])
    destination.tag(manifest, "")
    check(path, KINDS["index"])


def files(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir()}
