"""What a layout looks like after writing, and what becomes of writing where it cannot be done."""

import errno
import fcntl
import json
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from manifest_action.errors import ContentError, ManifestActionError, StoreError
from manifest_action.events import Transfer
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import Repository
from manifest_action.transport.layout.destination import LayoutDestination
from manifest_action.transport.layout.transport import LayoutTransport
from tests.contract.places import BytesContent, blob_of, manifest_of, push_all
from tests.support.images import image, index, write_layout
from tests.support.servers import ROOT

CONTENT = b"content" * 1000
IMAGE = image()


def destination(path: Path) -> LayoutDestination:
    return LayoutTransport().destination(Repository("oci", "", str(path)))


def push(path: Path, content: bytes = CONTENT) -> Transfer:
    return destination(path).push_blob(blob_of(content), BytesContent(content), None)


def blob_file(path: Path, content: bytes = CONTENT) -> Path:
    return path / "blobs" / "sha256" / blob_of(content).digest.encoded


def files(path: Path) -> set[str]:
    return {str(each.relative_to(path)) for each in path.rglob("*") if each.is_file()}


def test_a_new_layout_has_exactly_what_the_specification_asks_for(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "layout"
    there = destination(path)
    there.tag(push_all(there, IMAGE), "1.0")
    blobs = {f"blobs/sha256/{digest.partition(':')[2]}" for digest in (IMAGE.digest, *IMAGE.blobs)}
    assert files(path) == {"oci-layout", "index.json"} | blobs
    assert json.loads((path / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}


def test_two_layouts_of_the_same_content_are_the_same_bytes(tmp_path: Path) -> None:
    for name, tags in (("a", ("1.0", "latest", "2")), ("b", ("latest", "2", "1.0"))):
        there = destination(tmp_path / name)
        manifest = push_all(there, index([IMAGE, image("linux/arm64")]))
        for tag in tags:
            there.tag(manifest, tag)
    assert files(tmp_path / "a") == files(tmp_path / "b")
    for name in files(tmp_path / "a"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize(("umask", "modes"), [(0o022, (0o644, 0o755)), (0o077, (0o600, 0o700)), (0, (0o644, 0o755))])
def test_modes_are_the_usual_ones_within_the_umask(tmp_path: Path, umask: int, modes: tuple[int, int]) -> None:
    path = tmp_path / "layout"
    before = os.umask(umask)
    try:
        there = destination(path)
        there.tag(push_all(there, IMAGE), "1.0")
    finally:
        os.umask(before)
    found = {stat.S_IMODE(each.stat().st_mode): each.is_dir() for each in (path, *path.rglob("*"))}
    assert found == {modes[0]: False, modes[1]: True}


def test_nothing_is_created_by_looking(tmp_path: Path) -> None:
    there = destination(tmp_path / "layout")
    assert there.tagged("1.0") is None
    assert not there.has_manifest(manifest_of(IMAGE).descriptor)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_directory_becomes_a_layout(tmp_path: Path) -> None:
    assert destination(tmp_path).tagged("1.0") is None
    assert push(tmp_path) is Transfer.COPIED


def test_a_directory_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(StoreError, match="neither an OCI layout nor an empty directory"):
        push(tmp_path)
    with pytest.raises(StoreError, match="neither an OCI layout nor an empty directory"):
        destination(tmp_path).tagged("1.0")
    assert files(tmp_path) == {"thesis.txt"}


def test_a_layout_of_another_version_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "oci-layout").write_text('{"imageLayoutVersion":"3.0.0"}')
    with pytest.raises(StoreError, match=r"3\.0\.0"):
        push(tmp_path)
    assert files(tmp_path) == {"oci-layout"}


def test_other_files_of_a_layout_stay(tmp_path: Path) -> None:
    path = write_layout(tmp_path / "layout", {"kept": IMAGE})
    (path / "NOTES").write_text("extra")
    there = destination(path)
    there.tag(push_all(there, image("linux/arm64")), "new")
    assert (path / "NOTES").read_text() == "extra"
    assert there.tagged("kept") == manifest_of(IMAGE).digest


@pytest.mark.parametrize("stop", ["oci-layout", "blobs", "index.json"])
def test_a_layout_whose_creation_was_cut_short_is_completed(tmp_path: Path, stop: str) -> None:
    parts = ["oci-layout", "blobs", "index.json"]
    push(tmp_path / "whole")
    half = tmp_path / "half"
    half.mkdir()
    for name in parts[: parts.index(stop)]:
        if name == "blobs":
            (half / name).mkdir()
        else:
            (half / name).write_bytes((tmp_path / "whole" / name).read_bytes())
    assert push(half) is Transfer.COPIED
    assert files(half) == files(tmp_path / "whole")


@pytest.mark.parametrize("wrong", [b"", CONTENT[:-1], CONTENT + b"x"])
def test_a_blob_of_the_wrong_size_is_replaced(tmp_path: Path, wrong: bytes) -> None:
    push(tmp_path)
    blob_file(tmp_path).write_bytes(wrong)
    assert push(tmp_path) is Transfer.COPIED
    assert blob_file(tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("damage", ["flipped", "short", "gone"])
def test_a_damaged_manifest_is_not_there_and_is_mended_by_pushing(tmp_path: Path, damage: str) -> None:
    there = destination(tmp_path)
    manifest = push_all(there, IMAGE)
    file = blob_file(tmp_path, manifest.raw)
    file.unlink()
    if damage != "gone":
        file.write_bytes(manifest.raw[:-1] + (b"x" if damage == "flipped" else b""))
    assert not there.has_manifest(manifest.descriptor)
    there.push_manifest(manifest)
    assert there.has_manifest(manifest.descriptor)


def test_an_image_without_one_of_its_blobs_is_not_there(tmp_path: Path) -> None:
    there = destination(tmp_path)
    whole = push_all(there, index([IMAGE]))
    (tmp_path / "blobs" / "sha256" / manifest_of(IMAGE).layers[0].digest.encoded).unlink()
    assert not there.has_manifest(manifest_of(IMAGE).descriptor)
    assert there.has_manifest(whole.descriptor)


def test_a_layer_that_lies_elsewhere_is_not_asked_for(tmp_path: Path) -> None:
    layer = {
        "mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "digest": f"sha256:{'7' * 64}",
        "size": 12345,
        "urls": ["https://example.com/layer"],
    }
    document = json.loads(IMAGE.manifest_bytes)
    document["layers"].append(layer)
    there = destination(tmp_path)
    push_all(there, IMAGE)
    there.push_manifest(Manifest.parse(json.dumps(document).encode()))
    del layer["urls"]
    with pytest.raises(StoreError, match="7777"):
        there.push_manifest(Manifest.parse(json.dumps(document).encode()))


def test_an_index_that_gives_a_wrong_size_for_a_child_is_refused(tmp_path: Path) -> None:
    there = destination(tmp_path)
    push_all(there, IMAGE)
    document = json.loads(index([IMAGE]).manifest_bytes)
    document["manifests"][0]["size"] += 1
    with pytest.raises(StoreError, match=IMAGE.digest):
        there.push_manifest(Manifest.parse(json.dumps(document).encode()))


def test_a_name_whose_manifest_is_gone_counts_as_none_and_a_damaged_one_is_an_error(tmp_path: Path) -> None:
    there = destination(tmp_path)
    manifest = push_all(there, IMAGE)
    there.tag(manifest, "1.0")
    file = blob_file(tmp_path, manifest.raw)
    file.write_bytes(b"{" + manifest.raw[1:-1] + b"!")
    with pytest.raises(ContentError):
        there.tagged("1.0")
    file.unlink()
    assert there.tagged("1.0") is None


def test_an_index_that_would_grow_too_large_stays_as_it_is(tmp_path: Path) -> None:
    there = destination(tmp_path)
    manifest = push_all(there, IMAGE)
    there.tag(manifest, "1.0")
    file = tmp_path / "index.json"
    document = json.loads(file.read_bytes()) | {"padding": ""}
    room = 4 * 1024 * 1024 - len(json.dumps(document))
    file.write_text(json.dumps(document | {"padding": "x" * room}))
    before = file.read_bytes()
    with pytest.raises(StoreError, match="more than"):
        there.tag(manifest, "y" * 100)
    assert file.read_bytes() == before


def test_a_layout_that_vanishes_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "layout"
    there = destination(path)
    push_all(there, IMAGE)
    path.rename(tmp_path / "moved")
    with pytest.raises(StoreError, match="gone"):
        there.push_blob(blob_of(CONTENT), BytesContent(CONTENT), None)


def test_what_is_there_is_not_written_again(tmp_path: Path) -> None:
    def publish() -> dict[str, int]:
        there = destination(tmp_path)
        there.tag(push_all(there, index([IMAGE])), "1.0")
        return {name: (tmp_path / name).stat().st_ino for name in files(tmp_path)}

    assert publish() == publish()


def test_names_are_given_after_the_bytes_are_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    push(tmp_path)
    there = destination(tmp_path)
    log: list[tuple[str, str]] = []
    fsync, rename = os.fsync, os.rename

    def spying_fsync(fd: int) -> None:
        log.append(("sync", Path(f"/proc/self/fd/{fd}").readlink().name))
        fsync(fd)

    def spying_rename(old: str, new: str, **fds: int) -> None:
        assert log[-1] == ("sync", old)
        log.append(("rename", new))
        rename(old, new, **fds)

    monkeypatch.setattr(os, "fsync", spying_fsync)
    monkeypatch.setattr(os, "rename", spying_rename)
    there.tag(push_all(there, IMAGE), "1.0")
    names = [(what, name) for what, name in log if not name.startswith(".manifest-action-")]
    assert [what for what, _ in names] == ["rename"] * 4 + ["sync", "rename", "sync"]
    assert names[4:] == [("sync", "sha256"), ("rename", "index.json"), ("sync", tmp_path.name)]


def test_leftovers_of_a_killed_writer_are_removed_by_the_next(tmp_path: Path) -> None:
    push(tmp_path)
    leftover = tmp_path / ".manifest-action-0123456789abcdef"
    leftover.write_bytes(b"half a blob")
    (tmp_path / ".other").write_bytes(b"not ours")
    push(tmp_path)
    assert files(tmp_path) & {leftover.name, ".other"} == {".other"}


def test_leftovers_stay_while_somebody_else_is_writing(tmp_path: Path) -> None:
    push(tmp_path)
    unfinished = tmp_path / ".manifest-action-0123456789abcdef"
    unfinished.write_bytes(b"somebody is at it")
    other = os.open(tmp_path / "blobs", os.O_RDONLY)
    try:
        fcntl.flock(other, fcntl.LOCK_SH)
        push(tmp_path, b"meanwhile")
        assert unfinished.exists()
    finally:
        os.close(other)


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    push(tmp_path)
    before = files(tmp_path)
    with pytest.raises(ContentError):
        destination(tmp_path).push_blob(blob_of(b"promised"), BytesContent(b"deliverd"), None)
    assert files(tmp_path) == before


@contextmanager
def an_ordinary_user() -> Iterator[None]:
    """Root may write anywhere, so root stops being root for a while."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_a_directory_without_permission_is_named_with_a_hint(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with an_ordinary_user(), pytest.raises(StoreError, match="Permission denied") as raised:
        push(tmp_path / "layout")
    tmp_path.chmod(0o755)
    assert str(tmp_path / "layout") in raised.value.where
    assert "let this user" in raised.value.hint


def test_a_layout_without_permission_is_an_error_for_readers_and_writers(tmp_path: Path) -> None:
    path = write_layout(tmp_path / "layout", {"1.0": IMAGE})
    path.chmod(0)
    with an_ordinary_user():
        with pytest.raises(StoreError, match="Permission denied"):
            push(path)
        with pytest.raises(StoreError, match="Permission denied"):
            destination(path).tagged("1.0")
    path.chmod(0o755)


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_file_in_the_way_is_an_error(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(StoreError) as raised:
        push(tmp_path / place)
    assert raised.value.hint
    assert (tmp_path / "file").read_bytes() == b"x"


def test_a_full_disk_is_named_and_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    push(tmp_path)
    before = files(tmp_path)

    def full(fd: int, content: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StoreError, match="No space left") as raised:
        push(tmp_path, b"more")
    monkeypatch.undo()
    assert "free some space" in raised.value.hint
    assert files(tmp_path) == before


def test_a_file_that_may_not_grow_is_an_error_and_leaves_nothing_behind(tmp_path: Path) -> None:
    push(tmp_path)
    before = files(tmp_path)
    code = (
        "import sys; from pathlib import Path; from tests.unit.transport.test_layout_destination import cramped_push;"
        "cramped_push(Path(sys.argv[1]))"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path], cwd=ROOT, check=True, timeout=60)
    assert files(tmp_path) == before


def cramped_push(path: Path) -> None:
    """Run in a process of its own: the limit is the process's."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    content = os.urandom(2_000_000)
    try:
        push(path, content)
    except ManifestActionError as error:
        assert isinstance(error, StoreError), error
        assert "File too large" in error.why, error
    else:
        raise AssertionError("2 MB went into a file of 100 kB")
