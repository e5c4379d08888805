"""`docker-daemon:name`: images of a Docker-compatible engine on this machine (Docker Engine API, "Images").

Reading spools what `GET /images/{name}/get` gives, and writing sends an archive to `POST /images/load`. Both are
archives of `docker save`, in temporary files; no image is ever in memory.
"""

import json
import os
import shutil
import socket
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from threading import Lock
from urllib.parse import quote, urlsplit

from manifest_action.errors import ResolveError, StoreError
from manifest_action.events import Transfer
from manifest_action.model.access import Access
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import Repository
from manifest_action.transport.archive.docker import SavedPlace, docker_archive
from manifest_action.transport.archive.file import Archive
from manifest_action.transport.archive.saved import SavedArchive
from manifest_action.transport.base import Content, Readable
from manifest_action.transport.layout.directory import failures_at

DEFAULT_HOST = "unix:///var/run/docker.sock"
TIMEOUT = 600.0
"""Seconds that an engine may be silent; it prepares a large image before it sends the first byte."""

_ANSWER_LIMIT = 4 * 1024 * 1024
_CHUNK = 1024 * 1024
_SHOWN = 300
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_ID_STARTS = ("sha256:", "sha512:")


class _UnixConnection(HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT)
        self.sock.connect(self._path)


class Engine:
    """The engine at `host`: `unix://path`, or `tcp://` with an address of this machine."""

    def __init__(self, host: str) -> None:
        self.host = host

    def identity(self, name: str) -> str | None:
        """The ID of an image, None when the engine has none of that name."""
        with self._answer("GET", f"/images/{quote(name)}/json") as response:
            if response.status == 404:
                return None
            found = self._document(response).get("Id")
            return found if isinstance(found, str) else None

    def save(self, name: str, file: Path) -> None:
        """Write the archive of an image into a new file; ResolveError when the engine does not have the image."""
        if self.identity(name) is None:
            hint = f"pull or build it first, or look with `docker image ls` what {self.host} has"
            raise ResolveError("the engine has no such image", where=f"docker-daemon:{name}", hint=hint)
        with (
            self._answer("GET", f"/images/{quote(name)}/get") as response,
            failures_at(file),
            file.open("xb") as target,
        ):
            if response.status != 200:
                raise self._refused(response.status, response.read(_ANSWER_LIMIT))
            while chunk := self._read(response):
                target.write(chunk)

    def load(self, file: Path) -> None:
        """Let the engine take the images of an archive; StoreError with what it says when it does not."""
        with failures_at(file), file.open("rb") as archive:
            headers = {"Content-Type": "application/x-tar", "Content-Length": str(file.stat().st_size)}
            with self._answer("POST", "/images/load?quiet=1", archive, headers) as response:
                said = response.read(_ANSWER_LIMIT)
        if response.status != 200 or b'"error"' in said:
            raise self._refused(response.status, said)

    def _document(self, response: HTTPResponse) -> Mapping[str, object]:
        said = response.read(_ANSWER_LIMIT)
        try:
            document = json.loads(said) if response.status == 200 else None
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise self._refused(response.status, said)
        return document

    def _read(self, response: HTTPResponse) -> bytes:
        try:
            return response.read(_CHUNK)
        except (HTTPException, OSError) as error:
            raise self._unreachable(error) from None

    @contextmanager
    def _answer(
        self, method: str, path: str, body: Readable | None = None, headers: Mapping[str, str] | None = None
    ) -> Iterator[HTTPResponse]:
        connection = self._connection()
        try:
            try:
                connection.request(method, path, body, headers or {})
                response = connection.getresponse()
            except (HTTPException, OSError) as error:
                raise self._unreachable(error) from None
            yield response
        finally:
            connection.close()

    def _connection(self) -> HTTPConnection:
        parts = urlsplit(self.host)
        if parts.scheme == "unix" and parts.path:
            return _UnixConnection(parts.path)
        if parts.scheme == "tcp" and parts.hostname in _LOOPBACK:
            return HTTPConnection(parts.hostname or "", parts.port or 2375, timeout=TIMEOUT)
        raise StoreError(
            "DOCKER_HOST names no engine on this machine",
            where=self.host[:_SHOWN],
            hint="use unix:///path/to/the.sock or tcp://127.0.0.1:port; images elsewhere travel through a registry",
        )

    def _unreachable(self, error: Exception) -> StoreError:
        return StoreError(
            "the engine cannot be reached or broke off",
            where=self.host,
            why=_printable(str(error)),
            hint="start Docker or Podman's service and set DOCKER_HOST to its socket; in a container, mount the socket",
        )

    def _refused(self, status: int, said: bytes) -> StoreError:
        why = _printable(said.decode(errors="replace"))
        return StoreError(f"the engine answered with status {status}", where=self.host, why=why)


class EngineSource:
    """Images of one name in an engine, as a `Source`. Each is saved once, when it is first asked for."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self._name = name
        self._saved: dict[str, SavedArchive] = {}
        self._lock = Lock()

    def resolve(self, selector: str, /) -> Manifest:
        """The manifest of a tag, of the image ID (empty selector), or of a digest that was resolved before.

        An engine keeps no manifests: they are made here as for `docker-archive:`.
        """
        if selector.startswith(_ID_STARTS):
            found = (saved.with_digest(Digest.parse(selector)) for saved in self._saved.values())
            manifest = next((each for each in found if each), None)
            if manifest is None:
                hint = "an engine keeps no manifest digests; name the image by its tag or its ID"
                raise ResolveError(f"nothing with the digest {selector} was read", where=self._label, hint=hint)
            return manifest
        name = f"{self._name}:{selector}" if selector else self._name
        with self._lock:
            if name not in self._saved:
                self._saved[name] = self._save(name)
        saved = self._saved[name]
        return saved.manifest(next(iter(saved.named(name)), 0))

    @contextmanager
    def open(self, blob: Descriptor, offset: int = 0, /) -> Iterator[Readable]:
        """The raw bytes of a config or layer of an image that was resolved. Errors as `Source.open`."""
        found = (saved.blob(blob.digest) for saved in tuple(self._saved.values()))
        stream = next((each for each in found if each), None)
        if stream is None:
            raise ResolveError(f"no image that was read has {blob.digest}", where=self._label, hint="run again")
        stream.seek(offset)
        yield stream

    @property
    def _label(self) -> str:
        return f"docker-daemon:{self._name}"

    def _save(self, name: str) -> SavedArchive:
        # The open archive keeps the bytes when its name is gone.
        with tempfile.TemporaryDirectory(prefix="manifest-action-") as folder:
            file = Path(folder) / "saved.tar"
            self._engine.save(name, file)
            saved = SavedArchive(Archive(file, links=True), where=f"docker-daemon:{name}")
        if not saved.images:
            raise ResolveError("the engine saved no image", where=f"docker-daemon:{name}")
        return saved


class EngineDestination:
    """Images of one name in an engine, as a `Destination` for single images."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self._name = name
        folder = Path(tempfile.mkdtemp(prefix="manifest-action-"))
        self._remove = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self._place = SavedPlace(folder / "loaded.tar")
        self._archive = docker_archive(self._place, f"docker-daemon:{name}")
        self._loaded: dict[str, tuple[str, Digest]] = {}
        self._lock = Lock()

    def has_manifest(self, target: Descriptor, /) -> bool:
        """Whether the image waits to be loaded, whole."""
        return self._archive.has_manifest(target)

    def push_blob(self, blob: Descriptor, content: Content, mount_from: Repository | None, /) -> Transfer:
        """See `Destination.push_blob`. What arrives waits in temporary files."""
        return self._archive.push_blob(blob, content, mount_from)

    def push_manifest(self, manifest: Manifest, /) -> None:
        """See `Destination.push_manifest`; StoreError for an index, and for what is no image."""
        self._archive.push_manifest(manifest)

    def tagged(self, tag: str, /) -> Digest | None:
        """See `Destination.tagged`: the digest of the manifest that was loaded here, else the image ID."""
        identity = self._engine.identity(self._full_name(tag))
        if identity is None:
            return None
        known, digest = self._loaded.get(tag, ("", None))
        return digest if digest and known == identity else Digest.parse(identity)

    def tag(self, manifest: Manifest, tag: str, /) -> None:
        """See `Destination.tag`: the engine loads the image under this name."""
        name = self._full_name(tag)
        with self._lock:
            self._archive.tag(manifest, name)
            try:
                self._engine.load(self._place.path)
            finally:
                self._place.path.unlink()
        self._loaded[tag] = (self._engine.identity(name) or "", manifest.digest)

    def close(self) -> None:
        """Remove what was never loaded."""
        self._place.close()
        self._remove()

    def _full_name(self, tag: str) -> str:
        if self._name.startswith(_ID_STARTS) or not tag:
            raise StoreError(
                "an image is loaded under a name with a tag",
                where=f"docker-daemon:{self._name}",
                hint="write docker-daemon:name:tag",
            )
        return f"{self._name}:{tag}"


class EngineTransport:
    """The `docker-daemon` transport: a repository's name is that of images, or an image ID.

    host: as in `DOCKER_HOST`; empty takes that variable, else the default socket
    """

    def __init__(self, host: str = "") -> None:
        self._engine = Engine(host or os.environ.get("DOCKER_HOST") or DEFAULT_HOST)
        self._sources: dict[str, EngineSource] = {}
        self._destinations: dict[str, EngineDestination] = {}
        self._lock = Lock()

    def source(self, repository: Repository, /) -> EngineSource:
        """The images of that name for reading; the engine is not asked yet."""
        with self._lock:
            return self._sources.setdefault(repository.name, EngineSource(self._engine, repository.name))

    def destination(self, repository: Repository, /) -> EngineDestination:
        """The images of that name for writing; the engine is not asked yet."""
        with self._lock:
            if repository.name not in self._destinations:
                self._destinations[repository.name] = EngineDestination(self._engine, repository.name)
            return self._destinations[repository.name]

    def prepare(self, accesses: Iterable[Access], /) -> None:
        """Nothing has to be asked for."""

    def close(self) -> None:
        """Let go of the temporary files."""
        with self._lock:
            self._sources.clear()
            for destination in self._destinations.values():
                destination.close()
            self._destinations.clear()


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text[:_SHOWN]).strip()
