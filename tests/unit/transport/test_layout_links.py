"""A layout that was prepared to lead elsewhere leads nowhere: links, pipes and odd files inside are refused."""

import os
import socket
from pathlib import Path

import pytest

from manifest_action.errors import ManifestActionError, StoreError
from manifest_action.model.reference import Repository
from manifest_action.transport.layout.transport import LayoutTransport
from tests.contract.places import BytesContent, blob_of, manifest_of, push_all, read_all
from tests.support.images import image, write_layout

IMAGE = image()
LAYER = manifest_of(IMAGE).layers[0]
PARTS = {
    "marker": "oci-layout",
    "index": "index.json",
    "blobs": "blobs",
    "algorithm": "blobs/sha256",
    "manifest": f"blobs/sha256/{manifest_of(IMAGE).digest.encoded}",
    "layer": f"blobs/sha256/{LAYER.digest.encoded}",
}


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    return write_layout(tmp_path / "layout", {"1.0": IMAGE})


def repository(path: Path) -> Repository:
    return Repository("oci", "", str(path))


def read(path: Path) -> bytes:
    source = LayoutTransport().source(repository(path))
    return source.resolve("1.0").raw + read_all(source, LAYER)


def replace_with_link(part: Path, target: Path) -> None:
    part.rename(target)
    part.symlink_to(target)


@pytest.mark.parametrize("part", list(PARTS))
def test_a_link_in_place_of_a_part_is_not_followed(layout: Path, tmp_path: Path, part: str) -> None:
    assert read(layout)
    replace_with_link(layout / PARTS[part], tmp_path / "elsewhere")
    with pytest.raises(StoreError) as raised:
        read(layout)
    assert str(layout / PARTS[part]) in raised.value.where
    assert "link" in f"{raised.value} {raised.value.hint}"


@pytest.mark.parametrize("part", list(PARTS))
def test_a_link_that_leads_nowhere_is_refused_too(layout: Path, part: str) -> None:
    target = layout / PARTS[part]
    if target.is_dir():
        target.rename(layout.parent / "moved")
    else:
        target.unlink()
    target.symlink_to("/nonexistent")
    with pytest.raises(StoreError):
        read(layout)


@pytest.mark.parametrize("part", ["marker", "index", "manifest", "layer"])
@pytest.mark.parametrize("kind", ["pipe", "socket", "directory"])
def test_odd_files_are_refused_at_once(layout: Path, part: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place = layout / PARTS[part]
    place.unlink()
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "directory":
        place.mkdir()
    else:
        monkeypatch.chdir(place.parent)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(place.name)
    with pytest.raises(StoreError, match=r"is not a regular file|No such device") as raised:
        read(layout)
    assert str(place) in raised.value.where


@pytest.mark.parametrize("part", ["marker", "index", "blobs", "algorithm"])
def test_nothing_is_written_through_a_link(layout: Path, tmp_path: Path, part: str) -> None:
    replace_with_link(layout / PARTS[part], tmp_path / "elsewhere")
    before = snapshot(tmp_path)
    destination = LayoutTransport().destination(repository(layout))
    with pytest.raises(StoreError):
        destination.tag(push_all(destination, image("linux/arm64")), "2.0")
    assert snapshot(tmp_path) == before


def test_a_link_under_a_blobs_name_is_neither_taken_for_the_blob_nor_written_through(layout: Path) -> None:
    victim = layout.parent / "victim"
    content = b"new blob"
    victim.write_bytes(b"12345678")
    (layout / "blobs" / "sha256" / blob_of(content).digest.encoded).symlink_to(victim)
    with pytest.raises(StoreError, match="symbolic link"):
        LayoutTransport().destination(repository(layout)).push_blob(blob_of(content), BytesContent(content), None)
    assert victim.read_bytes() == b"12345678"


def test_a_hard_link_elsewhere_keeps_its_content(layout: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    content = b"the right content"
    shared.write_bytes(b"wrong size")
    name = layout / "blobs" / "sha256" / blob_of(content).digest.encoded
    os.link(shared, name)
    LayoutTransport().destination(repository(layout)).push_blob(blob_of(content), BytesContent(content), None)
    assert (shared.read_bytes(), name.read_bytes()) == (b"wrong size", content)


def test_a_path_may_itself_be_a_link(layout: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(layout)
    assert read(tmp_path / "link") == read(layout)


@pytest.mark.parametrize("name", ["../layout", "/etc", "inside/../../layout", "link", "link/deeper", ".."])
def test_a_root_is_not_left(layout: Path, tmp_path: Path, name: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(tmp_path)
    transport = LayoutTransport(root)
    for open_it in (transport.source, transport.destination):
        with pytest.raises(StoreError, match="leaves the directory"):
            open_it(Repository("oci", "", name))


def test_paths_below_a_root_start_from_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_layout(tmp_path / "root" / "inner", {"1.0": IMAGE})
    monkeypatch.chdir("/")
    transport = LayoutTransport(tmp_path / "root")
    for name in ("inner", "./inner", "other/../inner", str(tmp_path / "root" / "inner")):
        assert transport.source(Repository("oci", "", name)).resolve("1.0").raw == IMAGE.manifest_bytes


def test_paths_without_a_root_start_from_the_current_directory(layout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(layout.parent)
    assert read(Path("layout")) == read(layout)


def snapshot(folder: Path) -> dict[str, object]:
    """Every file below `folder` with its content, links with their targets, directories with their modes."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = path.readlink()
        else:
            found[name] = path.read_bytes() if path.is_file() else oct(path.stat().st_mode)
    return found


def test_errors_about_foreign_files_are_expected_errors(layout: Path) -> None:
    (layout / "blobs" / "sha256").rename(layout / "blobs" / "kept")
    (layout / "blobs" / "sha256").write_bytes(b"a file in place of a directory")
    with pytest.raises(ManifestActionError) as raised:
        read(layout)
    assert raised.value.hint
