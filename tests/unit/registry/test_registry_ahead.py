"""The first connection to a registry: begun before what speaks HTTP is loaded, and used by the first request."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from manifest_action.errors import NetworkError
from manifest_action.model.access import Access
from manifest_action.model.reference import Repository
from manifest_action.transport.registry.client import RegistryTransport
from manifest_action.transport.registry.dialer import Dialer
from manifest_action.transport.registry.endpoint import Endpoint
from manifest_action.transport.registry.limits import Limits
from manifest_action.transport.registry.options import RegistryOptions
from tests.support.certificates import Certificate, make_certificate
from tests.support.images import OCI_MANIFEST, image
from tests.support.servers import ROOT
from tests.unit.registry.listener import Events
from tests.unit.registry.scripted import Exchange, ScriptedServer

FAR = "registry.invalid"
IMAGE = image()


def serve(exchange: Exchange) -> None:
    exchange.answer(200, IMAGE.manifest_bytes, Content_Type=OCI_MANIFEST)


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return make_certificate(tmp_path, FAR)


@pytest.fixture
def server(certificate: Certificate) -> Iterator[ScriptedServer]:
    with ScriptedServer(serve, certificate).running() as server:
        yield server


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """FAR is on this machine; every name that is dialled before there is a request."""
    look_up, connect = socket.getaddrinfo, socket.create_connection
    names: list[str] = []

    def found(host: str, *rest: Any) -> Any:
        return look_up("127.0.0.1" if host == FAR else host, *rest)

    def noted(address: tuple[str, int], *rest: Any) -> socket.socket:
        names.append(address[0])
        return connect(address, *rest)

    monkeypatch.setattr(socket, "getaddrinfo", found)
    monkeypatch.setattr(socket, "create_connection", noted)
    return names


def transport(certificate: Certificate, environment: Mapping[str, str], **options: Any) -> RegistryTransport:
    trusting = {"SSL_CERT_FILE": str(certificate.ca_file), **environment}
    return RegistryTransport(RegistryOptions(environment=trusting, retry_budget=0.1, **options), Events(), Limits(2.0))


def repository(host: str, server: ScriptedServer) -> Repository:
    return Repository("docker", f"{host}:{server.host.rpartition(':')[2]}", "acme/app")


def test_the_first_request_goes_where_was_dialled(
    server: ScriptedServer, certificate: Certificate, dialled: list[str]
) -> None:
    there = repository(FAR, server)
    registries = transport(certificate, {})
    registries.prepare([Access(there)])
    for _ in range(3):
        assert registries.source(there).resolve("1").raw == IMAGE.manifest_bytes
    registries.close()
    assert dialled == [FAR]
    assert server.connections == 1


@pytest.mark.usefixtures("dialled")
def test_connections_for_later_leave_it_to_the_first_request(
    server: ScriptedServer, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    takers: list[str] = []
    take, open_one, answered = Dialer.take, Endpoint._open_one_ahead, threading.Event()

    def noted(self: Dialer, host: str, port: int) -> socket.socket | None:
        takers.append(threading.current_thread().name)
        return take(self, host, port)

    def late(self: Endpoint) -> None:
        # Here, where nothing is far, they would be ready before the first request asks for one.
        answered.wait(5)
        open_one(self)

    monkeypatch.setattr(Dialer, "take", noted)
    monkeypatch.setattr(Endpoint, "_open_one_ahead", late)
    there = repository(FAR, server)
    registries = transport(certificate, {})
    registries.prepare([Access(there, breadth=4)])
    assert registries.source(there).resolve("1").raw == IMAGE.manifest_bytes
    answered.set()
    deadline = time.monotonic() + 5
    while server.connections < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    registries.close()
    assert server.connections == 4
    assert takers == [threading.current_thread().name]


@pytest.mark.parametrize(
    ("host", "environment"),
    [("127.0.0.1", {}), (FAR, {"HTTPS_PROXY": "http://proxy.invalid:3128"})],
    ids=["on this machine", "behind a proxy"],
)
def test_nobody_is_dialled(
    host: str, environment: Mapping[str, str], server: ScriptedServer, certificate: Certificate, dialled: list[str]
) -> None:
    registries = transport(certificate, environment)
    registries.prepare([Access(repository(host, server))])
    registries.close()
    assert dialled == []
    assert server.connections == 0


def test_a_registry_that_is_not_there_is_told_as_ever(certificate: Certificate, dialled: list[str]) -> None:
    server = ScriptedServer(serve, certificate)
    server.stop_listening()
    there = repository(FAR, server)
    registries = transport(certificate, {})
    registries.prepare([Access(there)])
    with pytest.raises(NetworkError, match="Connection refused"):
        registries.source(there).resolve("1")
    registries.close()
    assert dialled == [FAR]


def test_an_insecure_registry_is_not_dialled(certificate: Certificate, dialled: list[str]) -> None:
    """What it speaks is found out on a connection of its own, and one that says nothing may block a simple server."""
    with ScriptedServer(serve).running() as server:
        there = repository(FAR, server)
        registries = transport(certificate, {}, insecure_registries=frozenset({f"http://{there.registry}/"}))
        registries.prepare([Access(there)])
        assert registries.source(there).resolve("1").raw == IMAGE.manifest_bytes
        registries.close()
    assert dialled == []


def test_it_is_dialled_before_http_is_loaded() -> None:
    code = (
        "import socket, sys\n"
        "from manifest_action.model.access import Access\n"
        "from manifest_action.model.reference import Repository\n"
        "from manifest_action.transport.registry.client import RegistryTransport\n"
        "from manifest_action.transport.registry.dialer import Dialer\n"
        "from manifest_action.transport.registry.options import RegistryOptions\n"
        "Dialer.dial = lambda self, host, port: print(host, port, {'urllib3', 'ssl', 'email'} & set(sys.modules))\n"
        "RegistryTransport(RegistryOptions(), None).prepare([Access(Repository('docker', 'docker.io', 'acme/app'))])\n"
        "print('ssl' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["registry-1.docker.io 443 set()", "True"], done.stderr
