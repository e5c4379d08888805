"""Archives of `docker save`: the contract as far as single images go, selection, damage, and skopeo beside us."""

import gzip
import hashlib
import json
import os
import random
import signal
import tarfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from manifest_action.errors import ContentError, ResolveError, StoreError
from manifest_action.events import Transfer
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import Repository
from manifest_action.transport.archive.docker import DockerArchiveTransport
from manifest_action.transport.base import Source
from tests.contract.places import BytesContent, blob_of, manifest_of, push_all, read_all
from tests.support.images import Layer, SyntheticImage, artifact, digest_of, image, index, write_layout
from tests.support.peers import Peer
from tests.support.processes import start
from tests.support.tarballs import read_tar, tar_of, write_tar

APP = "docker.io/acme/app:1"
OTHER = "ghcr.io/acme/other:2"


def at(path: Path) -> Repository:
    return Repository("docker-archive", "", str(path))


def source_of(path: Path) -> Source:
    return DockerArchiveTransport().source(at(path))


def saved(what: SyntheticImage, *names: str) -> tuple[dict[str, object], dict[str, bytes]]:
    """An image as `docker save` has it: its place in manifest.json, and its files."""
    manifest = manifest_of(what)
    assert manifest.config
    config = what.blobs[str(manifest.config.digest)]
    assert isinstance(config, bytes)
    files = {f"{manifest.config.digest.encoded}.json": config}
    layers = []
    for number, layer in enumerate(manifest.layers):
        content = what.blobs[str(layer.digest)]
        assert isinstance(content, bytes)
        layers.append(f"{manifest.config.digest.encoded[:12]}-{number}/layer.tar")
        files[layers[-1]] = gzip.decompress(content)
    return {"Config": next(iter(files)), "RepoTags": list(names), "Layers": layers}, files


def archive(*images: tuple[dict[str, object], dict[str, bytes]]) -> dict[str, bytes]:
    members = {name: content for _, files in images for name, content in files.items()}
    return members | {"manifest.json": json.dumps([document for document, _ in images]).encode()}


def ours(path: Path, what: SyntheticImage, *names: str) -> Path:
    transport = DockerArchiveTransport()
    destination = transport.destination(at(path))
    manifest = push_all(destination, what)
    for name in names:
        destination.tag(manifest, name)
        assert destination.tagged(name) == manifest.digest
    transport.close()
    return path


def check(path: Path, selector: str, what: SyntheticImage) -> Manifest:
    """The image of that name is `what`, with its layers unpacked."""
    source = source_of(path)
    manifest = source.resolve(selector)
    config = manifest_of(what).config
    assert manifest.config
    assert config
    assert manifest.config.digest == config.digest
    diff_ids = json.loads(read_all(source, manifest.config))["rootfs"]["diff_ids"]
    assert [str(layer.digest) for layer in manifest.layers] == diff_ids
    for layer in manifest.layers:
        assert layer.digest.matches(read_all(source, layer))
        assert layer.media_type == "application/vnd.docker.image.rootfs.diff.tar"
    return manifest


@pytest.fixture
def two(tmp_path: Path) -> Path:
    images = (saved(image(), "acme/app:1", "acme/app:latest"), saved(image("linux/arm64"), OTHER))
    return write_tar(tmp_path / "two.tar", archive(*images))


def test_images_are_found_by_name_by_position_and_by_digest(two: Path) -> None:
    first, second = check(two, APP, image()), check(two, OTHER, image("linux/arm64"))
    assert check(two, "docker.io/acme/app:latest", image()) == first
    assert (check(two, "@0", image()), check(two, "@1", image("linux/arm64"))) == (first, second)
    for manifest in (first, second):
        assert source_of(two).resolve(str(manifest.digest)) == manifest
    assert first.media_type == "application/vnd.docker.distribution.manifest.v2+json"


@pytest.mark.parametrize("selector", ["", "docker.io/acme/app:3", "@2", f"sha256:{'0' * 64}"])
def test_what_is_not_there_or_not_clear_is_a_resolve_error_with_the_names(two: Path, selector: str) -> None:
    with pytest.raises(ResolveError) as raised:
        source_of(two).resolve(selector)
    assert APP in raised.value.hint
    assert str(two) in raised.value.where


def test_a_single_image_needs_no_name(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "one.tar", archive(saved(image(), "acme/app:1")))
    assert check(path, "", image()) == check(path, APP, image())
    nameless = write_tar(tmp_path / "nameless.tar", archive(saved(image())))
    check(nameless, "", image())


def test_one_name_for_two_images_is_refused(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "x.tar", archive(saved(image(), "a:1"), saved(image("linux/arm64"), "a:1")))
    with pytest.raises(ResolveError, match="2 images named"):
        source_of(path).resolve("docker.io/library/a:1")


def test_gzip_archives_and_gzip_layers_are_read(two: Path, tmp_path: Path) -> None:
    plain = source_of(two).resolve(APP)
    packed = tmp_path / "two.tgz"
    packed.write_bytes(gzip.compress(two.read_bytes()))
    assert check(packed, APP, image()) == plain
    members = archive(saved(image(), "acme/app:1"))
    layers = {name: gzip.compress(content, mtime=0) for name, content in members.items() if name.endswith(".tar")}
    source = source_of(write_tar(tmp_path / "layers.tar", members | layers))
    manifest = source.resolve("")
    assert manifest.config == plain.config
    assert [str(layer.digest) for layer in manifest.layers] == [digest_of(content) for content in layers.values()]
    assert {layer.media_type for layer in manifest.layers} == {"application/vnd.docker.image.rootfs.diff.tar.gzip"}
    assert [read_all(source, layer) for layer in manifest.layers] == list(layers.values())


def test_an_archive_that_is_an_oci_layout_too_is_read_by_its_listing(tmp_path: Path) -> None:
    what = image()
    document, files = saved(what, "acme/app:1")
    moved = {name: f"blobs/sha256/{hashlib.sha256(content).hexdigest()}" for name, content in files.items()}
    layers = document["Layers"]
    assert isinstance(layers, list)
    document |= {"Config": moved[str(document["Config"])], "Layers": [moved[layer] for layer in layers]}
    members = {moved[name]: content for name, content in files.items()}
    members |= {"manifest.json": json.dumps([document]).encode(), "oci-layout": b"{}", "index.json": b"{}"}
    check(write_tar(tmp_path / "both.tar", members), APP, what)


def test_layers_may_be_links_to_other_members_but_to_nothing_else(tmp_path: Path) -> None:
    what = image(layers=1)
    document, files = saved(what, "acme/app:1")
    config, layer = files
    for target in ("../real.tar", "/etc/passwd", "../../x"):
        link = tarfile.TarInfo(layer)
        link.type = tarfile.SYMTYPE
        link.linkname = target
        members = {config: files[config], "real.tar": files[layer], "manifest.json": json.dumps([document]).encode()}
        path = tmp_path / "links.tar"
        path.write_bytes(tar_of(members, [link]))
        if target == "../real.tar":
            check(path, APP, what)
            continue
        with pytest.raises(StoreError, match="leads to no file"):
            source_of(path).resolve(APP)


def changed(**members: object) -> Mapping[str, bytes]:
    document, files = saved(image(), "acme/app:1")
    return archive((document | members, files))


def without(end: str) -> Mapping[str, bytes]:
    members = archive(saved(image(), "acme/app:1"))
    name = next(name for name in members if name.endswith(end))
    return {key: content for key, content in members.items() if key != name}


def with_config(**fields: object) -> Mapping[str, bytes]:
    document, files = saved(image(), "acme/app:1")
    config = next(iter(files))
    files["config"] = json.dumps(json.loads(files[config]) | fields).encode()
    return archive((document | {"Config": "config"}, files))


@pytest.mark.parametrize(
    ("members", "error", "complaint"),
    [
        ({"x": b""}, StoreError, r"no manifest\.json"),
        ({"manifest.json": b"{"}, ContentError, "not JSON"),
        ({"manifest.json": b"{}"}, ContentError, "list of images"),
        ({"manifest.json": b'[],"x":1'}, ContentError, "list of images"),
        ({"manifest.json": b"[1]"}, ContentError, "object with a Config"),
        ({"manifest.json": json.dumps([{}] * 1001).encode()}, ContentError, "over the limit"),
        ({"manifest.json": b" " * (4 * 1024 * 1024 + 1)}, StoreError, "more than"),
        (changed(Layers="x"), ContentError, "list of strings"),
        (changed(Layers=["x"] * 1001), ContentError, "over the limit"),
        (changed(Layers=["../../etc/passwd"]), ContentError, "leads outside"),
        (changed(Config="/etc/passwd"), ContentError, "leads outside"),
        (changed(Layers=[]), ContentError, "states 2 layers"),
        (without(".json"), ResolveError, "does not have"),
        (without("-1/layer.tar"), ResolveError, "does not have"),
        (with_config(rootfs=None), ContentError, "no rootfs"),
        (with_config(rootfs={"diff_ids": ["x", "y"]}), ContentError, "digest"),
        (with_config(rootfs={"diff_ids": []}), ContentError, "states 0 layers"),
    ],
)
def test_damaged_archives_are_refused(
    tmp_path: Path, members: Mapping[str, bytes], error: type[Exception], complaint: str
) -> None:
    path = write_tar(tmp_path / "bad.tar", dict(members))
    with pytest.raises(error, match=complaint):
        source_of(path).resolve("")


def test_a_config_or_layer_with_other_bytes_is_never_used(tmp_path: Path) -> None:
    members = archive(saved(image(), "acme/app:1"))
    config = next(name for name in members if len(name) == 69)
    with pytest.raises(ContentError, match="has digest"):
        source_of(write_tar(tmp_path / "config.tar", members | {config: members[config] + b" "})).resolve("")
    layer = next(name for name in members if name.endswith("layer.tar"))
    path = write_tar(tmp_path / "layer.tar", members | {layer: members[layer][:-1] + b"!"})
    source = source_of(path)
    bad = source.resolve("").layers[0]
    with pytest.raises(ContentError, match=str(bad.digest)):
        DockerArchiveTransport().destination(at(tmp_path / "x.tar")).push_blob(
            bad, BytesContent(read_all(source, bad)), None
        )


def test_a_layer_in_zstd_is_refused(tmp_path: Path) -> None:
    members = archive(saved(image(), "acme/app:1"))
    layer = next(name for name in members if name.endswith("layer.tar"))
    with pytest.raises(ContentError, match="zstd"):
        source_of(write_tar(tmp_path / "x.tar", members | {layer: b"\x28\xb5\x2f\xfd" + bytes(99)})).resolve("")


def test_an_archive_cut_anywhere_is_refused(two: Path, tmp_path: Path) -> None:
    whole = two.read_bytes()
    path = tmp_path / "cut.tar"
    for size in random.Random(5).sample(range(1, whole.rindex(b"RepoTags")), 60):
        path.write_bytes(whole[:size])
        with pytest.raises((StoreError, ResolveError, ContentError)):
            check(path, APP, image())


def test_there_may_be_no_archive(tmp_path: Path) -> None:
    with pytest.raises(ResolveError, match="no archive"):
        source_of(tmp_path / "none.tar").resolve("")
    assert DockerArchiveTransport().destination(at(tmp_path / "none.tar")).tagged(APP) is None


def test_readers_do_not_disturb_each_other(two: Path) -> None:
    transport = DockerArchiveTransport()
    layers = transport.source(at(two)).resolve(APP).layers

    def read(number: int) -> bool:
        source = transport.source(at(two))
        layer = layers[number % len(layers)]
        return layer.digest.matches(read_all(source, layer)) and source.resolve(OTHER).config is not None

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(48)))


def test_several_runs_add_images_and_move_names(tmp_path: Path) -> None:
    path = ours(tmp_path / "out.tar", image(), APP, "docker.io/acme/app:latest")
    ours(path, image("linux/arm64"), OTHER)
    check(path, APP, image())
    check(path, OTHER, image("linux/arm64"))
    ours(path, image("linux/arm64"), "docker.io/acme/app:latest")
    check(path, "docker.io/acme/app:latest", image("linux/arm64"))
    check(path, APP, image())
    ours(path, image("linux/s390x"), APP)
    listing = json.loads(read_tar(path)["manifest.json"])
    assert [entry["RepoTags"] for entry in listing] == [["docker.io/acme/app:latest", OTHER], [APP]]
    assert len(read_tar(path)) == 1 + 2 * 3
    assert [file.name for file in tmp_path.iterdir()] == ["out.tar"]


def test_an_image_without_a_name_is_the_one_that_has_none(tmp_path: Path) -> None:
    path = ours(tmp_path / "out.tar", image(), "")
    check(path, "", image())
    ours(path, image("linux/arm64"), OTHER)
    ours(path, image("linux/s390x"), "")
    check(path, OTHER, image("linux/arm64"))
    assert [entry["RepoTags"] for entry in json.loads(read_tar(path)["manifest.json"])] == [[OTHER], []]


def test_the_same_image_is_the_same_bytes_and_is_not_written_again(tmp_path: Path) -> None:
    first, second = ours(tmp_path / "1.tar", image(), APP), ours(tmp_path / "2.tar", image(docker=True), APP)
    before = first.stat().st_ino
    assert ours(first, image(), APP).stat().st_ino == before
    names = [set(read_tar(path)) for path in (first, second)]
    assert len(names[0] & names[1]) == 4
    assert first.read_bytes() == second.read_bytes()


def test_an_archive_of_others_keeps_its_images_in_what_we_write(two: Path) -> None:
    ours(two, image("linux/s390x"), "docker.io/acme/new:1")
    for name, what in ((APP, image()), (OTHER, image("linux/arm64")), ("docker.io/acme/new:1", image("linux/s390x"))):
        check(two, name, what)


def test_what_is_no_single_image_is_refused_with_what_to_do(tmp_path: Path) -> None:
    transport = DockerArchiveTransport()
    destination = transport.destination(at(tmp_path / "out.tar"))
    for what, word in ((index([image()]), "index"), (artifact(), "no image")):
        with pytest.raises(StoreError, match=word) as raised:
            push_all(destination, what)
        assert "oci-archive:" in raised.value.hint
    transport.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["1.0", "acme/app:1", "@0"])
def test_only_full_names_are_written(tmp_path: Path, name: str) -> None:
    destination = DockerArchiveTransport().destination(at(tmp_path / "out.tar"))
    with pytest.raises(StoreError, match="no full name"):
        destination.tagged(name)


def test_blobs_are_copied_once_and_never_with_other_bytes(tmp_path: Path) -> None:
    destination = DockerArchiveTransport().destination(at(tmp_path / "out.tar"))
    content = b"a layer" * 1000
    assert destination.push_blob(blob_of(content), BytesContent(content), None) is Transfer.COPIED
    assert destination.push_blob(blob_of(content), BytesContent(content), None) is Transfer.PRESENT
    for wrong in (content[:-1], content[:-1] + b"!", content + b"!"):
        with pytest.raises(ContentError):
            destination.push_blob(blob_of(content + b"?"), BytesContent(wrong), None)
    with pytest.raises(StoreError, match="refers to"):
        destination.push_manifest(manifest_of(image()))
    with pytest.raises(StoreError, match="was not pushed"):
        destination.tag(manifest_of(image()), APP)


def test_a_layer_that_unpacks_to_something_else_is_refused(tmp_path: Path) -> None:
    lie = Layer("application/vnd.oci.image.layer.v1.tar+gzip", "", 0, b"", str(Digest.of(b"something else")))
    for content, complaint in (
        (gzip.compress(b"x" * 9999), "has digest"),
        (gzip.compress(bytes(99_999))[:50], "too early"),
        (gzip.compress(bytes(9999))[:12] + b"\xff" * 50, "cannot be unpacked"),
        (b"plain", "has digest"),
    ):
        layer = Layer(lie.media_type, digest_of(content), len(content), content, lie.diff_id)
        with pytest.raises(ContentError, match=complaint):
            ours(tmp_path / "out.tar", image(layers=0, extra_layers=[layer]), APP)
    assert not (tmp_path / "out.tar").exists()


def test_an_image_that_came_from_such_an_archive_gets_a_second_name(tmp_path: Path) -> None:
    source = source_of(ours(tmp_path / "a.tar", image(), APP))
    manifest = source.resolve(APP)
    for name in (APP, OTHER):
        transport = DockerArchiveTransport()
        destination = transport.destination(at(tmp_path / "b.tar"))
        assert not destination.has_manifest(manifest.descriptor)
        for blob in manifest.blobs:
            destination.push_blob(blob, BytesContent(read_all(source, blob)), None)
        destination.push_manifest(manifest)
        assert destination.has_manifest(manifest.descriptor)
        destination.tag(manifest, name)
        transport.close()
    fresh = DockerArchiveTransport().destination(at(tmp_path / "b.tar"))
    assert fresh.tagged(APP) == fresh.tagged(OTHER) == manifest.digest


@pytest.mark.parametrize(
    ("config", "complaint"),
    [(b"[]", "cannot be used"), (b"{}", "no rootfs"), (b'{"rootfs":{"diff_ids":[]}}', "states 0 layers")],
)
def test_an_image_whose_config_does_not_fit_is_refused(tmp_path: Path, config: bytes, complaint: str) -> None:
    what = image(layers=1)
    document = json.loads(what.manifest_bytes)
    document["config"] |= {"digest": digest_of(config), "size": len(config)}
    raw = json.dumps(document).encode()
    with pytest.raises(ContentError, match=complaint):
        ours(
            tmp_path / "out.tar",
            SyntheticImage(raw, what.media_type, {**what.blobs, digest_of(config): config}, {}),
            APP,
        )
    assert not (tmp_path / "out.tar").exists()


def test_a_zstd_layer_says_what_to_install_or_to_use_instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "zstandard", None)
    content = b"\x28\xb5\x2f\xfd" + bytes(50)
    media_type = "application/vnd.oci.image.layer.v1.tar+zstd"
    layer = Layer(media_type, digest_of(content), len(content), content, digest_of(b"x"))
    with pytest.raises(StoreError, match="zstd") as raised:
        ours(tmp_path / "out.tar", image(layers=0, extra_layers=[layer]), APP)
    assert "zstandard" in raised.value.hint


def test_a_place_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError) as raised:
        ours(tmp_path / "file" / "out.tar", image(), APP)
    assert raised.value.hint


def test_skopeo_reads_what_we_write(tmp_path: Path, skopeo: Peer) -> None:
    path = ours(tmp_path / "out.tar", image(), APP, "docker.io/acme/app:latest")
    ours(path, image("linux/arm64"), OTHER)
    for name, architecture in ((APP, "amd64"), ("docker.io/acme/app:latest", "amd64"), (OTHER, "arm64")):
        found = json.loads(skopeo("inspect", f"docker-archive:{path}:{name}"))
        assert found["Architecture"] == architecture
        skopeo("copy", f"docker-archive:{path}:{name}", f"dir:{tmp_path / architecture}")
    assert json.loads(skopeo("inspect", "--config", f"docker-archive:{path}:@1"))["architecture"] == "arm64"


def test_we_read_what_skopeo_writes(tmp_path: Path, skopeo: Peer) -> None:
    what = image()
    layout = write_layout(tmp_path / "layout", {"1.0": what})
    skopeo("copy", f"oci:{layout}:1.0", f"docker-archive:{tmp_path / 'theirs.tar'}:acme/app:1")
    check(tmp_path / "theirs.tar", APP, what)
    ours(tmp_path / "theirs.tar", image("linux/arm64"), OTHER)
    assert json.loads(skopeo("inspect", f"docker-archive:{tmp_path / 'theirs.tar'}:{APP}"))["Architecture"] == "amd64"


def test_a_killed_writer_leaves_the_old_archive(tmp_path: Path) -> None:
    path = ours(tmp_path / "out.tar", image(), APP)
    before = path.read_bytes()
    assert start(__file__, "write_and_be_killed", path).wait(60) == -signal.SIGKILL
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2
    ours(path, image("linux/arm64"), OTHER)
    assert [file.name for file in tmp_path.iterdir()] == ["out.tar"]


def write_and_be_killed(path: str) -> None:
    destination = DockerArchiveTransport().destination(at(Path(path)))
    push_all(destination, image("linux/arm64"))
    os.kill(os.getpid(), signal.SIGKILL)
