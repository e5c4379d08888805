"""`docker-daemon:` against podman's Docker-compatible service, and against engines that answer badly."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from manifest_action.errors import ContentError, ManifestActionError, ResolveError, StoreError
from manifest_action.model.reference import Repository
from manifest_action.transport.archive.docker import DockerArchiveTransport
from manifest_action.transport.engine import EngineTransport
from tests.contract.places import manifest_of, push_all, read_all
from tests.contract.test_docker_archives import archive, saved
from tests.support.images import image, index
from tests.support.loopback import LoopbackServer
from tests.support.peers import Podman
from tests.support.tarballs import tar_of

APP = Repository("docker-daemon", "", "docker.io/acme/app")


@pytest.fixture
def engine(podman: Podman, tmp_path: Path) -> Iterator[EngineTransport]:
    """podman's service on a socket of its own."""
    with podman.serving(tmp_path / "engine.sock") as host:
        transport = EngineTransport(host)
        yield transport
        transport.close()


def test_images_are_loaded_found_and_saved_again(engine: EngineTransport, podman: Podman) -> None:
    what = image()
    destination = engine.destination(APP)
    assert destination.tagged("1.0") is None
    with pytest.raises(ResolveError, match="no such image"):
        engine.source(APP).resolve("1.0")
    manifest = push_all(destination, what)
    assert destination.has_manifest(manifest.descriptor)
    for tag in ("1.0", "latest"):
        destination.tag(manifest, tag)
        assert destination.tagged(tag) == manifest.digest
    assert json.loads(podman("image", "inspect", "docker.io/acme/app:1.0"))[0]["Architecture"] == "amd64"

    source = engine.source(APP)
    found = source.resolve("1.0")
    assert found.config
    assert manifest.config
    assert found.config.digest == manifest.config.digest
    assert source.resolve(str(found.digest)) == found
    assert source.resolve("latest") == found
    assert all(blob.digest.matches(read_all(source, blob)) for blob in found.blobs)
    by_id = engine.source(Repository("docker-daemon", "", str(manifest.config.digest)))
    assert by_id.resolve("") == found


def test_a_name_moves_to_another_image(engine: EngineTransport) -> None:
    destination = engine.destination(APP)
    for what in (image(), image(seed="other")):
        manifest = push_all(destination, what)
        destination.tag(manifest, "1.0")
        assert destination.tagged("1.0") == manifest.digest
    fresh = engine.source(APP).resolve("1.0")
    assert fresh.config
    assert fresh.config == manifest_of(image(seed="other", docker=True)).config


def test_an_index_and_an_image_id_are_no_destinations(tmp_path: Path) -> None:
    transport = EngineTransport(f"unix://{tmp_path / 'none.sock'}")
    with pytest.raises(StoreError, match="is an index"):
        push_all(transport.destination(APP), index([image()]))
    for name in (f"sha256:{'0' * 64}", APP.name):
        with pytest.raises(StoreError, match="under a name"):
            transport.destination(Repository("docker-daemon", "", name)).tagged("")
    transport.close()


def test_an_engine_that_is_not_there_is_said_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be reached") as raised:
        EngineTransport(f"unix://{tmp_path / 'none.sock'}").source(APP).resolve("1.0")
    assert "DOCKER_HOST" in raised.value.hint


@pytest.mark.parametrize("host", ["tcp://192.0.2.1:2375", "ssh://me@build", "https://127.0.0.1", "unix://", "x"])
def test_only_engines_on_this_machine_are_asked(host: str) -> None:
    with pytest.raises(StoreError, match="no engine on this machine"):
        EngineTransport(host).source(APP).resolve("1.0")


def test_the_environment_names_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/engine.sock")
    with pytest.raises(StoreError) as raised:
        EngineTransport().source(APP).resolve("1.0")
    assert raised.value.where == "unix:///nowhere/engine.sock"


@contextmanager
def answering(**bodies: tuple[int, bytes]) -> Iterator[EngineTransport]:
    """An engine with fixed answers, by the last word of the path."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            word = self.path.partition("?")[0].rpartition("/")[2]
            status, body = bodies.get(word, (200, b'{"Id":"sha256:0"}'))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body) + (999 if word == "get" and status == 206 else 0)))
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = True

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = LoopbackServer(Handler)
    with server.running():
        transport = EngineTransport(f"tcp://{server.host}")
        yield transport
        transport.close()


@pytest.mark.parametrize(
    ("answers", "error", "complaint"),
    [
        ({"json": (500, b'{"message":"out of order\x1b[2J"}')}, StoreError, "status 500"),
        ({"json": (200, b"nonsense")}, StoreError, "nonsense"),
        ({"json": (404, b"{}")}, ResolveError, "no such image"),
        ({"get": (500, b"cannot save")}, StoreError, "cannot save"),
        ({"get": (200, b"no archive" * 99)}, StoreError, "cannot be used as an archive"),
        ({"get": (200, tar_of({"manifest.json": b"[]"}))}, ResolveError, "no image"),
        ({"get": (200, tar_of({"manifest.json": b"{}"}))}, ContentError, "docker-daemon:docker.io/acme/app:1.0"),
    ],
)
def test_bad_answers_are_errors_that_can_be_printed(
    answers: dict[str, tuple[int, bytes]], error: type[ManifestActionError], complaint: str
) -> None:
    with answering(**answers) as transport:
        with pytest.raises(error, match=complaint) as raised:
            transport.source(APP).resolve("1.0")
        assert str(raised.value).isprintable()


def test_what_an_engine_says_about_an_image_it_does_not_take_is_shown() -> None:
    with answering(load=(200, b'{"error":"no space left on device"}')) as transport:
        destination = transport.destination(APP)
        manifest = push_all(destination, image())
        with pytest.raises(StoreError, match="no space left"):
            destination.tag(manifest, "1.0")


def test_readers_of_one_image_share_what_was_saved() -> None:
    members = archive(saved(image(), "acme/app:1.0"))
    with answering(get=(200, tar_of(members))) as transport:
        source = transport.source(APP)
        results: list[bool] = []

        def read() -> None:
            layers = source.resolve("1.0").layers
            results.append(all(layer.digest.matches(read_all(source, layer)) for layer in layers))

        threads = [threading.Thread(target=read) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == [True] * 8


def test_podman_loads_what_docker_archive_writes(podman: Podman, tmp_path: Path) -> None:
    transport = DockerArchiveTransport()
    path = tmp_path / "out.tar"
    destination = transport.destination(Repository("docker-archive", "", str(path)))
    destination.tag(push_all(destination, image()), "docker.io/acme/app:1")
    transport.close()
    podman("load", "--input", path)
    assert json.loads(podman("image", "inspect", "docker.io/acme/app:1"))[0]["Os"] == "linux"
    podman("save", "--output", tmp_path / "theirs.tar", "docker.io/acme/app:1")
    theirs = DockerArchiveTransport().source(Repository("docker-archive", "", str(tmp_path / "theirs.tar")))
    assert theirs.resolve("docker.io/acme/app:1").config == manifest_of(image(docker=True)).config
