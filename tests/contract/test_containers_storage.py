"""`containers-storage:` in a private store, with podman to look into it."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from manifest_action.errors import ResolveError, StoreError
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import Repository, parse_reference
from manifest_action.transport.containers_storage import ContainersStorageTransport
from tests.contract.places import manifest_of, push_all, read_all
from tests.support.images import image, index
from tests.support.peers import Peer, Podman

NAME = "docker.io/acme/app"


@pytest.fixture
def repository_there(podman: Podman) -> Repository:
    """A name in podman's own store; podman is asked first, so that the store exists."""
    podman("image", "ls")
    store = f"[vfs@{podman.home / 'root'}+{podman.home / 'runroot'}]"
    return parse_reference(f"containers-storage:{store}{NAME}:1.0").repository


def test_images_are_stored_found_and_read_again(repository_there: Repository, podman: Podman, skopeo: Peer) -> None:
    assert skopeo("--version")
    transport = ContainersStorageTransport()
    destination = transport.destination(repository_there)
    assert destination.tagged("1.0") is None
    with pytest.raises(ResolveError, match="no such image"):
        transport.source(repository_there).resolve("1.0")
    manifest = push_all(destination, image())
    assert destination.has_manifest(manifest.descriptor)
    for tag in ("1.0", "latest"):
        destination.tag(manifest, tag)
        assert destination.tagged(tag) == manifest.digest
    assert json.loads(podman("image", "inspect", f"{NAME}:1.0"))[0]["Digest"] == str(manifest.digest)

    source = transport.source(repository_there)
    found = source.resolve("1.0")
    assert found.config == manifest.config
    assert source.resolve(str(found.digest)) == found
    assert all(blob.digest.matches(read_all(source, blob)) for blob in found.blobs)
    assert all(read_all(source, layer).startswith(b"\x1f\x8b") for layer in found.layers)
    assert found.config
    store = repository_there.name.removesuffix(NAME)
    by_id = Repository("containers-storage", "", f"{store}{found.config.digest.encoded}")
    assert transport.source(by_id).resolve("").config == manifest.config
    transport.close()


def test_a_name_moves_to_another_image(repository_there: Repository, skopeo: Peer) -> None:
    assert skopeo("--version")
    transport = ContainersStorageTransport()
    destination = transport.destination(repository_there)
    for what in (image(), image(seed="other")):
        destination.tag(push_all(destination, what), "1.0")
        assert destination.tagged("1.0") == manifest_of(what).digest
    assert transport.source(repository_there).resolve("1.0").config == manifest_of(image(seed="other")).config
    transport.close()


def test_digests_and_blobs_of_elsewhere_are_not_found(repository_there: Repository) -> None:
    transport = ContainersStorageTransport()
    source = transport.source(repository_there)
    with pytest.raises(ResolveError, match="nothing with the digest"):
        source.resolve(f"sha256:{'0' * 64}")
    with pytest.raises(ResolveError, match="no image that was read"):
        read_all(source, manifest_of(image()).layers[0])
    transport.close()


def test_readers_at_once_share_one_copy(repository_there: Repository, skopeo: Peer) -> None:
    assert skopeo("--version")
    writer = ContainersStorageTransport()
    destination = writer.destination(repository_there)
    destination.tag(push_all(destination, image()), "1.0")
    writer.close()
    transport = ContainersStorageTransport()
    source = transport.source(repository_there)

    def read(_: int) -> Manifest:
        found = source.resolve("1.0")
        assert all(blob.digest.matches(read_all(source, blob)) for blob in found.blobs)
        return found

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(read, range(12)))) == 1
    assert len(source._copies) == 1
    transport.close()


def test_an_index_is_refused_with_what_to_use_instead() -> None:
    transport = ContainersStorageTransport()
    with pytest.raises(StoreError, match="only single images") as raised:
        push_all(transport.destination(Repository("containers-storage", "", NAME)), index([image()]))
    assert "oci-archive:" in raised.value.hint
    transport.close()


def test_an_image_id_is_no_destination() -> None:
    transport = ContainersStorageTransport()
    with pytest.raises(StoreError, match="name with a tag"):
        transport.destination(Repository("containers-storage", "", "0" * 64)).tagged("")
    transport.close()


def test_a_missing_program_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    transport = ContainersStorageTransport()
    with pytest.raises(StoreError, match="skopeo is needed") as raised:
        transport.source(Repository("containers-storage", "", NAME)).resolve("1.0")
    assert "install" in raised.value.hint
    transport.close()


def test_a_store_that_cannot_be_used_is_said(skopeo: Peer, tmp_path: Path) -> None:
    assert skopeo("--version")
    (tmp_path / "file").touch()
    store = f"[vfs@{tmp_path / 'file' / 'root'}+{tmp_path / 'run'}]"
    transport = ContainersStorageTransport()
    with pytest.raises(StoreError, match="could not read or write") as raised:
        transport.source(Repository("containers-storage", "", f"{store}{NAME}")).resolve("1.0")
    assert raised.value.why.isprintable()
    transport.close()
