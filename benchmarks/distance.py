"""Registries at a distance: docker-registry 2.8 with tokens behind the latency proxy, under names of their own.

The names matter: most clients speak plain HTTP to `localhost` and `127.0.0.1`, and are measured at something else.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

from tests.support.certificates import Certificate
from tests.support.servers import ROOT, Registry, docker_registry

HOSTS = ("rega.bench.test", "regb.bench.test")
_GO = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/local/go/bin", str(ROOT / ".cache/go/go/bin")))
_SOURCE = Path(__file__).with_name("proxy")


@dataclass(frozen=True)
class Request:
    """One request as the proxy saw it. start, end: seconds; connection: the client's end of it."""

    method: str
    path: str
    status: int
    start: float
    end: float
    connection: str
    sent: int
    received: int


@dataclass(frozen=True)
class Traffic:
    """What a proxy saw since it was asked last."""

    requests: Sequence[Request]
    connections: int


@dataclass(frozen=True)
class Far:
    """A registry at a distance.

    near: the registry itself, for preparing and for looking
    host: its name and port as clients write them
    """

    near: Registry
    host: str
    control: str

    def move(self, milliseconds: float) -> None:
        """Let new connections have this round trip time."""
        _ask(f"{self.control}/rtt?us={round(milliseconds * 1000)}")

    def take(self) -> Traffic:
        """What was asked since the last call."""
        document = json.loads(_ask(f"{self.control}/log"))
        return Traffic([Request(**each) for each in document["requests"]], document["connections"])

    def fork(self, repository: str, new: str) -> None:
        """A copy of a repository under another name, made in the registry's storage."""
        root = self.near.storage / "docker/registry/v2/repositories"
        shutil.copytree(root / repository, root / new)

    def forget(self, repository: str) -> None:
        """Remove a repository from the registry's storage; its blobs stay."""
        shutil.rmtree(self.near.storage / "docker/registry/v2/repositories" / repository, ignore_errors=True)


def build_proxy(folder: Path) -> Path:
    """The latency proxy, built with the machine's Go. FileNotFoundError without one."""
    go = shutil.which("go", path=_GO)
    if go is None:
        raise FileNotFoundError("the latency proxy needs Go; `.venv/bin/python scripts/peers.py` shows how it is had")
    program = folder / "latency-proxy"
    environment = os.environ | {"GO111MODULE": "off"}
    subprocess.run([go, "build", "-o", program], check=True, env=environment, cwd=_SOURCE)
    return program


@contextmanager
def far_registries(folder: Path, certificate: Certificate, *, http2: bool) -> Iterator[tuple[Far, Far]]:
    """Two registries, A and B, for a block."""
    program = build_proxy(folder)
    with ExitStack() as stack:
        first, second = (
            stack.enter_context(_far(program, stack.enter_context(docker_registry("token")), name, certificate, http2))
            for name in HOSTS
        )
        yield first, second


@contextmanager
def _far(program: Path, near: Registry, name: str, certificate: Certificate, http2: bool) -> Iterator[Far]:  # noqa: FBT001
    if near.tokens is None:
        raise ValueError("a registry without tokens is not what is measured")
    command: list[str | Path] = [program, "-upstream", near.host, "-tokens", urlsplit(near.tokens.url).netloc]
    command += ["-certificate", certificate.certificate_file, "-key", certificate.key_file]
    if http2:
        command.append("-http2")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout is None:
                raise RuntimeError("the proxy says nothing")
            port, control = process.stdout.readline().split()
            yield Far(near, f"{name}:{port}", f"http://127.0.0.1:{control}")
        finally:
            process.terminate()


def _ask(url: str) -> bytes:
    with urlopen(url, timeout=30) as answer:  # a loopback address that was made here
        body: bytes = answer.read()
        return body


def named(near: Registry, host: str) -> Registry:
    """The registry under the name that clients see, for writing logins."""
    return replace(near, host=host)
