"""Real registry servers on 127.0.0.1, each with its own storage, stopped when their block ends."""

import base64
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPMessage, HTTPSConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, Literal

import bcrypt

from tests.support.certificates import Certificate, shared_certificate
from tests.support.tokens import ALL_ACTIONS, SERVICE, Grant, TokenServer
from tests.support.tokens import ISSUER as TOKEN_ISSUER

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / ".cache" / "peers" / "bin"
USERNAME = "release"
PASSWORD = "correct horse battery staple"
LOGIN = (USERNAME, PASSWORD)
MANIFEST_TYPES = (
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json"
)

Auth = Literal["htpasswd", "token"] | None


class MissingProgram(Exception):
    """A program that a test needs is not on this machine."""


@dataclass(frozen=True)
class Response:
    """An answer, read to its end."""

    status: int
    headers: HTTPMessage
    body: bytes


@dataclass(frozen=True)
class Registry:
    """A running registry, and ways to look into it that do not use the product.

    host:     `127.0.0.1:port`, as references write it
    url:      scheme and host, without a final slash
    storage:  the folder of its storage driver
    username, password: of the one user it knows, empty without authentication
    certificate: what it serves TLS with; None is plain HTTP
    tokens:   its token server; None without token authentication
    """

    host: str
    storage: Path
    username: str = ""
    password: str = ""
    certificate: Certificate | None = None
    tokens: TokenServer | None = None

    @property
    def url(self) -> str:
        """Scheme and host."""
        return f"{'https' if self.certificate else 'http'}://{self.host}"

    @property
    def ca_file(self) -> Path | None:
        """The authority to trust, None for plain HTTP."""
        return self.certificate.ca_file if self.certificate else None

    def request(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: bytes | BinaryIO | None = None
    ) -> Response:
        """One request on a connection of its own, as the known user with every right."""
        connection = self._connect()
        try:
            connection.request(method, path, body=body, headers=self._authorization(path) | dict(headers or {}))
            response = connection.getresponse()
            return Response(response.status, response.headers, response.read())
        finally:
            connection.close()

    def tags(self, repository: str) -> list[str]:
        """The tags of a repository, sorted; empty when there is no such repository."""
        answer = self.request("GET", f"/v2/{repository}/tags/list")
        return sorted(json.loads(answer.body)["tags"] or []) if answer.status == 200 else []

    def manifest(self, repository: str, selector: str) -> Response:
        """The answer to asking for a manifest by tag or digest, whatever its status."""
        return self.request("GET", f"/v2/{repository}/manifests/{selector}", headers={"Accept": MANIFEST_TYPES})

    def manifest_bytes(self, repository: str, selector: str) -> bytes | None:
        """A manifest's bytes, None when there is none."""
        answer = self.manifest(repository, selector)
        return answer.body if answer.status == 200 else None

    def has_blob(self, repository: str, digest: str) -> bool:
        """Whether the repository serves the blob."""
        return self.request("HEAD", f"/v2/{repository}/blobs/{digest}").status == 200

    def blob(self, repository: str, digest: str) -> bytes:
        """A blob's bytes; it must be there."""
        answer = self.request("GET", f"/v2/{repository}/blobs/{digest}")
        assert answer.status == 200, (answer.status, answer.body[:200])
        return answer.body

    def write_login(self, folder: Path) -> Path:
        """Add this registry's login to the `config.json` in `folder`, as `docker login` does; the file's path."""
        text = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        file = folder / "config.json"
        known = json.loads(file.read_text()).get("auths", {}) if file.exists() else {}
        file.write_text(json.dumps({"auths": {**known, self.host: {"auth": text}} if self.username else known}))
        return file

    def _connect(self) -> HTTPConnection:
        if self.certificate:
            return HTTPSConnection(self.host, timeout=60, context=self.certificate.client_context())
        return HTTPConnection(self.host, timeout=60)

    def _authorization(self, path: str) -> dict[str, str]:
        if self.tokens:
            repository = path.removeprefix("/v2/")
            for end in ("/manifests/", "/blobs/", "/tags/", "/referrers/"):
                repository = repository.partition(end)[0]
            access: dict[str, object] = {"type": "repository", "name": repository, "actions": sorted(ALL_ACTIONS)}
            return {"Authorization": f"Bearer {self.tokens.token(self.username, [access])}"}
        if self.username:
            pair = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
            return {"Authorization": f"Basic {pair}"}
        return {}


@contextmanager
def docker_registry(
    auth: Auth = None, *, tls: bool = False, schema1: bool = False, login: tuple[str, str] = LOGIN
) -> Iterator[Registry]:
    """docker-registry 2.8 as Debian packages it; with "token" its own token server runs beside it.

    schema1: take and give manifests of schema 1 too
    login:   name and password of the one user it knows
    """
    with _registry(find_program("docker-registry"), auth, tls=tls, schema1=schema1, login=login) as registry:
        yield registry


@contextmanager
def distribution(auth: Auth = None, *, tls: bool = False) -> Iterator[Registry]:
    """CNCF distribution v3."""
    with _registry(find_program("registry"), auth, tls=tls) as registry:
        yield registry


@contextmanager
def referrers_registry() -> Iterator[Registry]:
    """The registry of go-containerregistry, which lists referrers by itself; its storage is in memory."""
    program, host = find_program("referrers"), f"127.0.0.1:{free_port()}"
    with TemporaryDirectory(prefix="manifest-action-registry-") as name:
        registry, log = Registry(host, Path(name)), Path(name) / "log"
        with (
            log.open("wb") as output,
            subprocess.Popen([program, host], stdin=subprocess.DEVNULL, stdout=output, stderr=output) as process,
        ):
            try:
                _wait_until_ready(registry, process, log)
                yield registry
            finally:
                process.kill()


def find_program(name: str) -> Path:
    """The program from the project's own peers or from PATH; MissingProgram says how to get it."""
    found = shutil.which(name, path=f"{PEERS}{os.pathsep}{os.environ.get('PATH', os.defpath)}")
    if found is None:
        raise MissingProgram(name)
    return Path(found)


@contextmanager
def _registry(
    program: Path, auth: Auth, *, tls: bool, schema1: bool = False, login: tuple[str, str] = LOGIN
) -> Iterator[Registry]:
    with TemporaryDirectory(prefix="manifest-action-registry-") as name:
        folder = Path(name)
        certificate = shared_certificate() if tls else None
        if auth != "token":
            with _serving(program, folder, auth, certificate, None, schema1=schema1, login=login) as registry:
                yield registry
            return
        grants = [Grant(login[0], "*", ALL_ACTIONS), Grant("", "public/*", frozenset({"pull"}))]
        with (
            TokenServer(folder, {login[0]: login[1]}, grants).running() as tokens,
            _serving(program, folder, auth, certificate, tokens, login=login) as registry,
        ):
            yield registry


@contextmanager
def _serving(
    program: Path,
    folder: Path,
    auth: Auth,
    certificate: Certificate | None,
    tokens: TokenServer | None,
    *,
    schema1: bool = False,
    login: tuple[str, str] = LOGIN,
) -> Iterator[Registry]:
    host = f"127.0.0.1:{free_port()}"
    settings = _settings(host, folder, certificate, tokens)
    if auth == "htpasswd":
        settings["auth"] = _htpasswd(folder, login)
    if schema1:
        settings["compatibility"] = {"schema1": {"enabled": True}}
    (folder / "config.yml").write_text(json.dumps(settings))
    environment = {"PATH": os.defpath, "HOME": str(folder), "OTEL_TRACES_EXPORTER": "none"}
    user = login if auth else ("", "")
    registry = Registry(host, folder / "storage", *user, certificate, tokens)
    log = folder / "log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [program, "serve", folder / "config.yml"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            cwd=folder,
        ) as process,
    ):
        try:
            _wait_until_ready(registry, process, log)
            yield registry
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


def _settings(
    host: str, folder: Path, certificate: Certificate | None, tokens: TokenServer | None
) -> dict[str, object]:
    http: dict[str, object] = {"addr": host, "secret": "one instance only"}
    if certificate:
        http["tls"] = {"certificate": str(certificate.certificate_file), "key": str(certificate.key_file)}
    settings: dict[str, object] = {
        "version": "0.1",
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(folder / "storage")},
            "delete": {"enabled": True},
            "maintenance": {"uploadpurging": {"enabled": False}},
        },
        "http": http,
    }
    if tokens:
        settings["auth"] = {
            "token": {
                "realm": tokens.realm,
                "service": SERVICE,
                "issuer": TOKEN_ISSUER,
                "rootcertbundle": str(tokens.certificate_file),
            }
        }
    return settings


def _htpasswd(folder: Path, login: tuple[str, str]) -> dict[str, object]:
    username, password = login
    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4, b"2a")).decode()
    (folder / "htpasswd").write_text(f"{username}:{hashed}\n")
    return {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}}


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_ready(registry: Registry, process: subprocess.Popen[bytes], log: Path, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            registry.request("GET", "/v2/")
        except OSError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{registry.url} does not serve:\n{log.read_text()[-2000:]}") from error
            time.sleep(0.02)
        else:
            return
