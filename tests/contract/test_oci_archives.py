"""OCI archives beyond the contract: what skopeo makes of them, and what others have prepared."""

import gzip
import os
import random
import signal
import tarfile
import time
from pathlib import Path

import pytest

from manifest_action.errors import ContentError, ManifestActionError, ResolveError, StoreError
from manifest_action.model.reference import Repository
from manifest_action.transport.archive.oci import OciArchiveTransport
from manifest_action.transport.layout.directory import Directory
from tests.contract.places import files_of, manifest_of, push_all, read_all
from tests.support.images import Synthetic, SyntheticIndex, buildx_index, image, index, write_layout
from tests.support.peers import Peer
from tests.support.processes import run, start
from tests.support.tarballs import read_tar, tar_of, write_tar

KILLS = 60
KINDS: dict[str, Synthetic] = {
    "image": image(),
    "index": index([image(), image("linux/arm64"), image("windows/amd64:10.0.17763.1")]),
    "buildx": buildx_index([image(), image("linux/arm/v7")]),
    "large": image(layers=1, layer_size=3_000_000),
}


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> Synthetic:
    return KINDS[request.param]


def at(path: Path) -> Repository:
    return Repository("oci-archive", "", str(path))


def ours(path: Path, what: Synthetic, *names: str) -> Path:
    transport = OciArchiveTransport()
    destination = transport.destination(at(path))
    manifest = push_all(destination, what)
    for name in names:
        destination.tag(manifest, name)
    transport.close()
    return path


def theirs(tmp_path: Path, what: Synthetic) -> Path:
    """An archive as `tar` makes it of a layout."""
    return write_tar(tmp_path / "theirs.tar", files_of(write_layout(tmp_path / "layout", {"1.0": what})))


def check(path: Path, selector: str, what: Synthetic) -> None:
    source = OciArchiveTransport().source(at(path))
    top = source.resolve(selector)
    assert top == manifest_of(what)
    for manifest in (top, *(source.resolve(str(entry.digest)) for entry in top.entries)):
        for blob in manifest.blobs:
            assert blob.digest.matches(read_all(source, blob))


def test_skopeo_reads_what_we_write(tmp_path: Path, kind: Synthetic, skopeo: Peer) -> None:
    path = ours(tmp_path / "ours.tar", kind, "1.0", "latest")
    for name in ("1.0", "latest"):
        assert skopeo("inspect", "--raw", f"oci-archive:{path}:{name}") == kind.manifest_bytes
    skopeo("copy", "--all", "--preserve-digests", f"oci-archive:{path}:1.0", f"dir:{tmp_path / 'copy'}")
    assert (tmp_path / "copy" / "manifest.json").read_bytes() == kind.manifest_bytes


def test_we_read_what_skopeo_writes(tmp_path: Path, kind: Synthetic, skopeo: Peer) -> None:
    layout = write_layout(tmp_path / "before", {"1.0": kind})
    path = tmp_path / "theirs.tar"
    skopeo("copy", "--all", "--preserve-digests", f"oci:{layout}:1.0", f"oci-archive:{path}:2.0")
    for selector in ("", "2.0", kind.digest):
        check(path, selector, kind)


def test_an_archive_of_skopeo_keeps_its_image_when_we_add_one(tmp_path: Path, skopeo: Peer) -> None:
    layout = write_layout(tmp_path / "before", {"1.0": KINDS["buildx"]})
    path = tmp_path / "shared.tar"
    skopeo("copy", "--all", "--preserve-digests", f"oci:{layout}:1.0", f"oci-archive:{path}:theirs")
    ours(path, KINDS["index"], "ours")
    for name, what in (("theirs", KINDS["buildx"]), ("ours", KINDS["index"])):
        assert skopeo("inspect", "--raw", f"oci-archive:{path}:{name}") == what.manifest_bytes
        check(path, name, what)


def test_gzip_archives_are_read(tmp_path: Path) -> None:
    path = theirs(tmp_path, KINDS["index"])
    path.write_bytes(gzip.compress(path.read_bytes()))
    check(path, "1.0", KINDS["index"])
    ours(path, KINDS["image"], "also")
    check(path, "1.0", KINDS["index"])
    check(path, "also", KINDS["image"])


def test_the_same_images_are_the_same_bytes_and_nothing_is_left_beside_them(tmp_path: Path) -> None:
    first = ours(tmp_path / "first.tar", KINDS["index"], "1.0", "1", "latest")
    second = ours(tmp_path / "second.tar", KINDS["index"], "latest", "1.0", "1")
    assert first.read_bytes() == second.read_bytes()
    with tarfile.open(first) as archive:
        entries = archive.getmembers()
    assert [entry.name for entry in entries] == sorted(entry.name for entry in entries)
    assert {(entry.mtime, entry.uid, entry.gid, entry.uname, entry.mode) for entry in entries} == {(0, 0, 0, "", 0o644)}
    assert names(tmp_path) == ["first.tar", "second.tar"]


def test_tagging_again_does_not_write_the_archive_again(tmp_path: Path) -> None:
    path = ours(tmp_path / "out.tar", KINDS["index"], "1.0")
    before = path.stat()
    ours(path, KINDS["index"], "1.0")
    assert path.stat().st_ino == before.st_ino
    assert path.stat().st_mtime_ns == before.st_mtime_ns


def test_an_image_is_not_part_of_the_archive_before_it_has_a_name(tmp_path: Path) -> None:
    path = ours(tmp_path / "out.tar", KINDS["image"], "1.0")
    before = path.read_bytes()
    ours(path, KINDS["index"])
    assert path.read_bytes() == before
    assert names(tmp_path) == ["out.tar"]


def test_what_a_damaged_archive_lacks_is_filled_in(tmp_path: Path) -> None:
    path = ours(tmp_path / "out.tar", KINDS["index"], "1.0")
    members = read_tar(path)
    layer = manifest_of(image()).layers[0]
    del members[f"blobs/sha256/{layer.digest.encoded}"]
    write_tar(path, members)
    with pytest.raises(ResolveError):
        check(path, "1.0", KINDS["index"])
    ours(path, KINDS["index"], "1.0")
    check(path, "1.0", KINDS["index"])


def test_an_empty_file_is_no_archive_yet(tmp_path: Path) -> None:
    path = tmp_path / "out.tar"
    path.touch()
    with pytest.raises(ResolveError, match="no OCI archive"):
        OciArchiveTransport().source(at(path)).resolve("")
    ours(path, KINDS["image"], "")
    check(path, "", KINDS["image"])


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"years of work", "cannot be used as an archive"),
        (tar_of({"manifest.json": b"[]"}), "holds no OCI layout"),
        (tar_of({"oci-layout": b'{"imageLayoutVersion":"9"}'}), "version '9'"),
        (tar_of({"oci-layout": b"{", "index.json": b"{}"}), "damaged"),
        (tar_of({"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}), "damaged"),
        (tar_of({"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": b"[]"}), "damaged"),
        (b"BZh91AY&SY" + bytes(600), "compressed with bzip2"),
        (gzip.compress(b"years of work"), "cannot be used as an archive"),
        (gzip.compress(bytes(99_999))[:60], "cannot be used as an archive"),
        (gzip.compress(bytes(99_999))[:-8] + bytes(8), "cannot be used as an archive"),
    ],
)
def test_other_files_are_refused_and_left_alone(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "out.tar"
    path.write_bytes(content)
    transport = OciArchiveTransport()
    with pytest.raises(StoreError, match=complaint):
        transport.source(at(path)).resolve("")
    with pytest.raises(StoreError, match=complaint):
        transport.destination(at(path)).tagged("1.0")
    with pytest.raises(StoreError, match=complaint):
        push_all(transport.destination(at(path)), KINDS["image"])
    transport.close()
    assert path.read_bytes() == content
    assert names(tmp_path) == ["out.tar"]


def test_a_directory_or_pipe_in_the_place_of_an_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "pipe"):
        with pytest.raises(StoreError, match="not a regular file"):
            OciArchiveTransport().source(at(tmp_path / name)).resolve("")


@pytest.mark.parametrize("kind_of_link", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_links_are_refused(tmp_path: Path, kind_of_link: bytes) -> None:
    members = read_tar(theirs(tmp_path, KINDS["image"]))
    link = tarfile.TarInfo("blobs/sha256/evil")
    link.type = kind_of_link
    link.linkname = "/etc/passwd"
    (tmp_path / "bad.tar").write_bytes(tar_of(members, [link]))
    with pytest.raises(StoreError, match="link") as raised:
        OciArchiveTransport().source(at(tmp_path / "bad.tar")).resolve("")
    assert str(tmp_path / "bad.tar") in raised.value.where


def test_an_archive_cut_anywhere_is_never_taken_for_a_whole_one(tmp_path: Path) -> None:
    whole = ours(tmp_path / "whole.tar", KINDS["index"], "1.0").read_bytes()
    path = tmp_path / "cut.tar"
    last_member = len(whole) - 3 * 512
    for size in sorted({*range(0, last_member, 512), *random.Random(3).sample(range(last_member), 60)}):
        path.write_bytes(whole[:size])
        with pytest.raises((StoreError, ResolveError, ContentError)):
            check(path, "1.0", KINDS["index"])


def test_readers_keep_the_archive_that_they_have_opened(tmp_path: Path) -> None:
    path = ours(tmp_path / "out.tar", KINDS["large"], "1.0")
    source = OciArchiveTransport().source(at(path))
    layer = manifest_of(KINDS["large"]).layers[0]
    with source.open(layer) as stream:
        start = stream.read(1000)
        path.unlink()
        ours(path, KINDS["image"], "1.0")
        rest = stream.read()
    assert layer.digest.matches(start + rest)
    assert source.resolve("1.0") == manifest_of(KINDS["image"])


def test_writers_of_several_processes_lose_no_name(tmp_path: Path) -> None:
    path = tmp_path / "shared.tar"
    writers = [start(__file__, "write_names", path, number) for number in range(4)]
    assert [writer.wait(120) for writer in writers] == [0] * 4
    for number in range(4):
        for turn in range(4):
            check(path, f"t{number}-{turn}", version(number * 4 + turn))
    assert names(tmp_path) == ["shared.tar"]


def test_what_another_writer_removes_meanwhile_disturbs_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed, gone = Directory.names, ".manifest-staging-gone"
    monkeypatch.setattr(Directory, "names", lambda at: [*listed(at), *([gone] if at.path == tmp_path else [])])
    check(ours(tmp_path / "out.tar", KINDS["image"], "1.0"), "1.0", KINDS["image"])


def write_names(path: str, number: str) -> None:
    for turn in range(4):
        ours(Path(path), version(int(number) * 4 + turn), f"t{number}-{turn}")


def test_a_killed_writer_leaves_the_old_archive_or_the_new_one(tmp_path: Path) -> None:
    run(__file__, "kill_writers", tmp_path)


def kill_writers(folder: str) -> None:
    tmp_path = Path(folder)
    chance, span, outcomes = random.Random(11), 0.05, set()
    path = ours(tmp_path / "out.tar", version(0), "latest")
    before = 0
    for attempt in range(1, KILLS):
        writer = os.fork()
        if writer == 0:
            try:
                ours(path, version(attempt), "latest")
                signal.pause()
            finally:
                os._exit(1)
        time.sleep(chance.uniform(0, span))
        os.kill(writer, signal.SIGKILL)
        assert os.WIFSIGNALED(os.waitpid(writer, 0)[1])
        after = found(path, (attempt, before))
        outcomes.add(after == attempt)
        span *= 0.8 if after == attempt else 1.1
        before = after
    assert outcomes == {True, False}
    ours(path, version(KILLS), "latest")
    check(path, "latest", version(KILLS))
    assert names(tmp_path) == ["out.tar"]


def version(number: int) -> SyntheticIndex:
    return index([image(seed=str(number), layer_size=50_000), image("linux/arm64", seed=str(number), layer_size=50)])


def found(path: Path, candidates: tuple[int, ...]) -> int:
    for number in candidates:
        try:
            check(path, "latest", version(number))
        except (AssertionError, ManifestActionError):
            continue
        return number
    raise AssertionError("neither the old nor the new")


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())
