"""What all seven transports promise of a single image, also those that keep no manifests: engines, stores, archives.

Those that keep manifests promise more, in `test_reading.py` and `test_writing.py`; what is damaged in files and
answers is tried on each kind by itself.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from manifest_action.errors import ContentError, ManifestActionError, ResolveError
from manifest_action.model.digest import Digest
from manifest_action.model.reference import Repository
from manifest_action.transport.archive.docker import DockerArchiveTransport
from manifest_action.transport.base import Transport
from manifest_action.transport.containers_storage import ContainersStorageTransport
from manifest_action.transport.engine import EngineTransport
from tests.contract.places import BytesContent, Place, blob_of, manifest_of, push_all, read_all
from tests.support.images import image
from tests.support.peers import Peer, Podman

NAME = "docker.io/acme/app"
ABSENT = f"sha256:{'0' * 64}"
TRANSPORTS = (
    *(pytest.param("docker", marks=pytest.mark.server), "oci", "oci-archive", "dir", "docker-archive"),
    *("docker-daemon", "containers-storage"),
)


@dataclass(frozen=True)
class Anywhere:
    """A repository of some transport.

    fresh:      a transport that reaches it, as another process would have it
    name:       under which an image can be kept there
    unwritable: the same where nothing can be written
    """

    fresh: Callable[[], Transport]
    repository: Repository
    name: str
    unwritable: Callable[[], tuple[Transport, Repository]]


@pytest.fixture
def docker_archive_anywhere(tmp_path: Path) -> Anywhere:
    (tmp_path / "file").touch()
    there, nowhere = (Repository("docker-archive", "", str(tmp_path / name)) for name in ("a.tar", "file/a.tar"))
    return Anywhere(DockerArchiveTransport, there, f"{NAME}:1.0", lambda: (DockerArchiveTransport(), nowhere))


@pytest.fixture
def docker_daemon_anywhere(podman: Podman, tmp_path: Path) -> Iterator[Anywhere]:
    there = Repository("docker-daemon", "", NAME)
    gone = f"unix://{tmp_path / 'gone.sock'}"
    with podman.serving(tmp_path / "engine.sock") as host:
        yield Anywhere(lambda: EngineTransport(host), there, "1.0", lambda: (EngineTransport(gone), there))


@pytest.fixture
def containers_storage_anywhere(podman: Podman, skopeo: Peer, tmp_path: Path) -> Anywhere:
    podman("image", "ls")  # so that the store exists
    (tmp_path / "file").touch()
    stores = ((podman.home / "root", podman.home / "runroot"), (tmp_path / "file" / "root", tmp_path / "file" / "run"))
    there, nowhere = (Repository("containers-storage", "", f"[vfs@{root}+{run}]{NAME}") for root, run in stores)
    assert skopeo("--version")
    return Anywhere(ContainersStorageTransport, there, "1.0", lambda: (ContainersStorageTransport(), nowhere))


@pytest.fixture(params=TRANSPORTS)
def anywhere(request: pytest.FixtureRequest) -> Anywhere:
    """One repository of each transport in turn."""
    name = request.param.replace("-", "_")
    if request.param in {"docker-archive", "docker-daemon", "containers-storage"}:
        found: Anywhere = request.getfixturevalue(f"{name}_anywhere")
        return found
    place: Place = request.getfixturevalue(f"{name}_place")
    return Anywhere(
        place.fresh_transport, place.repository, place.tag, lambda: (place.fresh_transport(), place.unwritable)
    )


def keep(anywhere: Anywhere, seed: str = "") -> Digest:
    """Push an image under the name; gives the digest of its config, which every place keeps as it is."""
    what = image(seed=seed)
    with closing(anywhere.fresh()) as transport:
        destination = transport.destination(anywhere.repository)
        manifest = push_all(destination, what)
        assert destination.has_manifest(manifest.descriptor)
        destination.tag(manifest, anywhere.name)
        assert destination.tagged(anywhere.name) == manifest.digest
    assert manifest.config
    return manifest.config.digest


def test_an_image_is_kept_under_a_name_and_found_by_others(anywhere: Anywhere) -> None:
    with closing(anywhere.fresh()) as transport:
        assert transport.destination(anywhere.repository).tagged(anywhere.name) is None
    kept = keep(anywhere)
    with closing(anywhere.fresh()) as transport:
        source = transport.source(anywhere.repository)
        found = source.resolve(anywhere.name)
        assert found.config
        assert found.config.digest == kept
        assert source.resolve(str(found.digest)) == found
        assert all(blob.digest.matches(read_all(source, blob)) for blob in found.blobs)


def test_a_name_moves_to_another_image(anywhere: Anywhere) -> None:
    keep(anywhere)
    last = keep(anywhere, seed="another")
    with closing(anywhere.fresh()) as transport:
        found = transport.source(anywhere.repository).resolve(anywhere.name)
        assert found.config
        assert found.config.digest == last


def test_what_is_not_there_is_a_resolve_error(anywhere: Anywhere) -> None:
    keep(anywhere)
    absent = f"{NAME}:absent" if anywhere.repository.transport == "docker-archive" else "absent"
    for selector in (absent, ABSENT):
        with closing(anywhere.fresh()) as transport, pytest.raises(ResolveError) as raised:
            transport.source(anywhere.repository).resolve(selector)
        assert raised.value.where


def test_a_blob_that_is_missing_is_an_error(anywhere: Anywhere) -> None:
    keep(anywhere)
    with closing(anywhere.fresh()) as transport:
        source = transport.source(anywhere.repository)
        source.resolve(anywhere.name)
        with pytest.raises(ManifestActionError):
            read_all(source, blob_of(b"nobody has stored this"))


@pytest.mark.parametrize("wrong", [b"a layer" * 999, b"a layer" * 999 + b"something", b"", b"a layer" * 1001])
def test_content_with_another_digest_is_refused(anywhere: Anywhere, wrong: bytes) -> None:
    with closing(anywhere.fresh()) as transport, pytest.raises(ContentError):
        content = BytesContent(wrong)
        transport.destination(anywhere.repository).push_blob(blob_of(b"a layer" * 1000), content, None)


def test_an_image_without_its_blobs_is_refused(anywhere: Anywhere) -> None:
    with closing(anywhere.fresh()) as transport:
        destination = transport.destination(anywhere.repository)
        with pytest.raises(ManifestActionError):
            destination.push_manifest(manifest_of(image()))
        assert destination.tagged(anywhere.name) is None


def test_a_place_that_cannot_be_written_says_so(anywhere: Anywhere) -> None:
    transport, repository = anywhere.unwritable()
    with closing(transport), pytest.raises(ManifestActionError) as raised:
        destination = transport.destination(repository)
        destination.tag(push_all(destination, image()), anywhere.name)
    assert raised.value.where or raised.value.why
    assert raised.value.hint


def test_readers_at_once_do_not_disturb_each_other(anywhere: Anywhere) -> None:
    kept = keep(anywhere)
    with closing(anywhere.fresh()) as transport:
        source = transport.source(anywhere.repository)

        def read(_: int) -> Digest | None:
            found = source.resolve(anywhere.name)
            assert all(blob.digest.matches(read_all(source, blob)) for blob in found.blobs)
            return found.config.digest if found.config else None

        with ThreadPoolExecutor(4) as pool:
            assert set(pool.map(read, range(8))) == {kept}
