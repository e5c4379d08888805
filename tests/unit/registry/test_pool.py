"""Connections: which are kept, which are not, and what is sent over them."""

import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NoReturn

import pytest

from manifest_action.transport.registry import connection
from manifest_action.transport.registry.address import Zone
from manifest_action.transport.registry.connection import Answer
from manifest_action.transport.registry.dialer import Dialer
from manifest_action.transport.registry.limits import Limits
from manifest_action.transport.registry.message import Body, Broken, NotTLS
from manifest_action.transport.registry.pool import Connections
from manifest_action.transport.registry.proxy import Proxies
from manifest_action.transport.registry.url import Url
from tests.support.certificates import Certificate, shared_certificate
from tests.unit.registry.scripted import Exchange, Handler, ScriptedServer

LIMITS = Limits(connect=2, idle=2, answer=5)
TARGET = "/v2/../%2e%2e/a%2fb%2F?x=%3a&y=a+b~<>|\"'{}"


def hello(exchange: Exchange) -> None:
    exchange.answer(200, b"hello", X_Target=exchange.target.replace("\r", ""))


@contextmanager
def connected(
    handler: Handler = hello, certificate: Certificate | None = None, limits: Limits = LIMITS
) -> Iterator[tuple[ScriptedServer, Connections, Url]]:
    server = ScriptedServer(handler, certificate)
    context = certificate.client_context() if certificate else ssl.create_default_context()
    connections = Connections(lambda _: context, Proxies({}), Dialer(limits.connect), limits)
    with server.running():
        try:
            yield server, connections, Url.parse(server.url)
        finally:
            connections.close()


def ask(connections: Connections, url: Url, method: str = "GET", body: bytes | Body = b"") -> Answer:
    headers = [("Host", url.authority)]
    if method != "GET":
        headers.append(("Content-Length", str(len(body))))
    return connections.ask(method, url, headers, body, answer_timeout=2)


def read(answer: Answer) -> bytes:
    return b"".join(iter(lambda: answer.read(1000), b""))


@pytest.fixture(params=["http", "https"])
def certificate(request: pytest.FixtureRequest) -> Certificate | None:
    return shared_certificate() if request.param == "https" else None


def test_a_connection_is_used_again_once_its_answer_was_read(certificate: Certificate | None) -> None:
    with connected(certificate=certificate) as (server, connections, url):
        for _ in range(5):
            assert read(ask(connections, url)) == b"hello"
        assert server.connections == 1


def test_one_that_was_opened_beforehand_is_used(certificate: Certificate | None) -> None:
    with connected(certificate=certificate) as (server, connections, url):
        connections.open(url)
        time.sleep(0.1)
        assert read(ask(connections, url)) == b"hello"
        assert server.connections == 1


def test_several_can_be_opened_beforehand(certificate: Certificate | None) -> None:
    everybody = threading.Barrier(3)

    def together(exchange: Exchange) -> None:
        everybody.wait(5)
        hello(exchange)

    with connected(together, certificate) as (server, connections, url), ThreadPoolExecutor(3) as pool:
        for _ in range(3):
            connections.open(url)
        time.sleep(0.1)
        assert server.connections == 3
        assert [read(each) for each in pool.map(lambda _: ask(connections, url), range(3))] == [b"hello"] * 3
        assert server.connections == 3


def test_an_answer_that_was_not_read_costs_its_connection(certificate: Certificate | None) -> None:
    with connected(certificate=certificate) as (server, connections, url):
        ask(connections, url).close()
        assert read(ask(connections, url)) == b"hello"
        assert server.connections == 2


def test_many_at_once_have_a_connection_each(certificate: Certificate | None) -> None:
    everybody = threading.Barrier(8)

    def together(exchange: Exchange) -> None:
        everybody.wait(5)
        hello(exchange)

    with connected(together, certificate) as (server, connections, url), ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            assert [read(each) for each in pool.map(lambda _: ask(connections, url), range(8))] == [b"hello"] * 8
        assert server.connections == 8


def test_a_request_target_goes_out_as_it_is(certificate: Certificate | None) -> None:
    with connected(certificate=certificate) as (server, connections, url):
        read(ask(connections, url.at(TARGET)))
        assert server.seen[0].target == TARGET
        assert server.seen[0].headers["host"] == url.authority


class Stream:
    def __init__(self, content: bytes) -> None:
        self.content = content

    def __len__(self) -> int:
        return len(self.content)

    def read(self, size: int, /) -> bytes:
        chunk, self.content = self.content[:size], self.content[size:]
        return chunk


@pytest.mark.parametrize("size", [0, 1, 1_000_000])
def test_a_stream_goes_out_with_its_length(certificate: Certificate | None, size: int) -> None:
    bodies = []

    def take(exchange: Exchange) -> None:
        bodies.append(exchange.read_body())
        hello(exchange)

    with connected(take, certificate) as (server, connections, url):
        for body in (Stream(bytes(size)), bytes(size)):
            assert read(ask(connections, url, "PUT", body)) == b"hello"
            assert bodies.pop() == bytes(size)
        for request in server.seen:
            assert request.headers["content-length"] == str(size)
            assert "transfer-encoding" not in request.headers


def test_an_error_of_the_stream_is_passed_on_and_costs_the_connection(certificate: Certificate | None) -> None:
    class Failing(Stream):
        def read(self, size: int, /) -> bytes:
            if len(self) < 900_000:
                raise KeyError("the source")
            return super().read(size)

    with connected(certificate=certificate) as (server, connections, url):
        with pytest.raises(KeyError, match="the source"):
            ask(connections, url, "PUT", Failing(bytes(1_000_000)))
        assert read(ask(connections, url)) == b"hello"
        assert server.connections == 2


def test_nothing_is_said_to_a_place_that_is_not_wanted(certificate: Certificate | None) -> None:
    peers = []

    def refuse(peer: Zone | None) -> None:
        peers.append(peer)
        raise Broken("not there", permanent=True)

    with connected(certificate=certificate) as (server, connections, url):
        read(ask(connections, url))
        with pytest.raises(Broken, match="not there"):
            connections.ask("GET", url, [("Authorization", "canary")], b"", answer_timeout=2, check=refuse)
        assert peers == [Zone.LOOPBACK]
        assert len(server.seen) == 1


def test_plain_http_is_told_from_tls() -> None:
    with connected() as (_, connections, url):
        with pytest.raises(NotTLS):
            connections.open(Url.parse(f"https://{url.authority}"))
        connections.warm(Url.parse(f"https://{url.authority}"))


def test_one_that_was_opened_long_ago_may_have_been_closed_meanwhile(
    certificate: Certificate | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connected(certificate=certificate) as (server, connections, url):
        connections.open(url)
        while not server.connections:
            time.sleep(0.01)
        server.hang_up()
        monkeypatch.setattr(connection, "FRESH", 0)
        assert read(ask(connections, url)) == b"hello"
        assert server.connections == 2


@pytest.mark.parametrize("how", [ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionResetError])
def test_a_server_that_hangs_up_on_a_handshake_speaks_no_tls_however_python_calls_it(
    how: type[OSError], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python 3.11.2 with OpenSSL 3.0, which is Debian 12's, says that the connection was closed in order."""

    def hang_up(_: ssl.SSLSocket, block: bool = False) -> NoReturn:
        error = how(1, "the end")
        if isinstance(error, ssl.SSLError):
            error.reason = ""
        raise error

    monkeypatch.setattr(ssl.SSLSocket, "do_handshake", hang_up)
    with connected(certificate=shared_certificate()) as (_, connections, url), pytest.raises(NotTLS):
        ask(connections, url)


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n",
        b"HTTP/1.1 201 Created\r\nDocker-Content-Dig",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK",
        b"HT",
    ],
)
def test_a_head_that_is_cut_short_is_no_answer(raw: bytes, certificate: Certificate | None) -> None:
    def cut(exchange: Exchange) -> None:
        exchange.send(raw)
        exchange.hang_up()

    with connected(cut, certificate) as (_, connections, url), pytest.raises(Broken):
        ask(connections, url)


def test_closing_breaks_what_is_under_way(certificate: Certificate | None) -> None:
    patient = Limits(connect=60, idle=60, answer=60)
    with connected(lambda exchange: exchange.begin(200, 5), certificate, patient) as (_, connections, url):
        answer = ask(connections, url)
        threading.Timer(0.2, connections.close).start()
        start = time.monotonic()
        with pytest.raises(Broken):
            answer.read(5)
        assert time.monotonic() - start < 30
        with pytest.raises(Broken, match="stopped"):
            ask(connections, url)
