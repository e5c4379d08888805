"""Logins, patience and the wire, at servers that behave in every way they should not."""

import base64
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from manifest_action.errors import AuthError, ConfigError, ManifestActionError, NetworkError, RateLimited, RegistryError
from manifest_action.events import Retrying, SecretLearned, Warned
from manifest_action.model.access import Access
from manifest_action.model.credential import Credential
from manifest_action.model.reference import Repository
from manifest_action.transport.registry.client import RegistryTransport
from manifest_action.transport.registry.limits import DEFAULT_LIMITS, Limits
from manifest_action.transport.registry.options import RegistryOptions
from manifest_action.transport.registry.trust import Trust
from tests.support.certificates import Certificate, make_certificate, shared_certificate
from tests.support.images import OCI_MANIFEST, image
from tests.unit.registry.fake import NAME, FakeRegistry, Step, errors, hang_up, nothing, reset, status, talking
from tests.unit.registry.listener import Events
from tests.unit.registry.scripted import Exchange, Handler, ScriptedServer

IMAGE = image()
PASSWORD = "s3cret-canary"


@pytest.fixture
def registry() -> FakeRegistry:
    registry = FakeRegistry()
    registry.put(IMAGE, *(str(number) for number in range(1, 33)))
    return registry


def resolve(transport: RegistryTransport, registry: FakeRegistry, tag: str = "1") -> None:
    assert transport.source(registry.repository()).resolve(tag).raw == IMAGE.manifest_bytes


def resolve_all(transport: RegistryTransport, registry: FakeRegistry, count: int = 8) -> None:
    with ThreadPoolExecutor(count) as pool:
        for each in [pool.submit(resolve, transport, registry, str(number + 1)) for number in range(count)]:
            each.result(30)


@contextmanager
def asking(
    handler: Handler, *, limits: Limits = DEFAULT_LIMITS, certificate: Certificate | None = None, **options: object
) -> Iterator[tuple[ScriptedServer, RegistryTransport, Repository]]:
    """A server that only does what the handler says."""
    server = ScriptedServer(handler, certificate)
    with server.running():
        transport = RegistryTransport(RegistryOptions(**options), Events(), limits)  # type: ignore[arg-type]
        try:
            yield server, transport, Repository("docker", server.host, NAME)
        finally:
            transport.close()


class TestLogins:
    def test_one_challenge_and_one_token_for_any_number_of_threads(self, registry: FakeRegistry) -> None:
        registry.tokens = set()
        registry.fail("GET", "/manifests/", lambda _: time.sleep(0.2))
        with talking(registry, login=True) as transport:
            transport.prepare([Access(registry.repository(), push=True), Access(registry.repository("acme/base"))])
            resolve_all(transport, registry)
            resolve_all(transport, registry)
        assert len(registry.token_requests) == 1
        refused = [each for each in registry.server.requests("GET", "/manifests/") if each.status == 401]
        assert len(refused) == 1
        assert [each.method for each in registry.server.seen[:2]] == ["GET", "GET"]
        assert registry.server.seen[1].path == "/token"
        scopes = registry.token_requests[0].target
        assert f"&scope=repository:{NAME}:pull,push&scope=repository:acme/base:pull&" in scopes

    def test_a_token_that_ends_is_renewed_once_for_all_threads(self, registry: FakeRegistry) -> None:
        registry.tokens = set()
        with talking(registry, login=True) as transport:
            resolve(transport, registry)
            registry.tokens.clear()
            resolve_all(transport, registry)
        assert len(registry.token_requests) == 2

    def test_a_registry_that_refuses_every_token_is_asked_a_few_times_in_all(self, registry: FakeRegistry) -> None:
        registry.tokens = set()
        forgetful = registry.tokens.clear

        def forget(exchange: Exchange) -> None:
            registry.token_requests.append(exchange)
            forgetful()
            exchange.answer(200, b'{"token": "token-canary"}')

        registry.fail("GET", "/token", *(forget for _ in range(50)))
        with talking(registry, login=True) as transport:
            for _ in range(5):
                with pytest.raises(AuthError, match="HTTP 401"):
                    resolve(transport, registry)
        assert len(registry.token_requests) <= 5
        assert len(registry.server.requests("GET", "/manifests/")) <= 13

    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            (status(401, b'{"details": "incorrect username or password"}'), "incorrect username or password"),
            (status(403, errors("DENIED")), "HTTP 403 DENIED"),
            (status(400, errors("X")), "HTTP 400"),
            (status(404), "HTTP 404"),
            (status(200, b"{}"), "no token"),
            (status(200, b"<html>"), "not JSON"),
            (status(200, json.dumps({"token": "a\r\nEvil: x"}).encode()), "no token"),
            (status(302, Location="http://127.0.0.1:1/"), "HTTP 302"),
        ],
    )
    def test_a_token_server_that_gives_none(self, registry: FakeRegistry, answer: Step, words: str) -> None:
        registry.tokens = set()
        registry.fail("GET", "/token", *(answer for _ in range(4)))
        with talking(registry, login=True) as transport, pytest.raises(AuthError, match=words) as caught:
            resolve(transport, registry)
        assert "input registries" in caught.value.hint
        assert len(registry.server.requests("GET", "/token")) == 1

    def test_a_refused_login_is_tried_once_for_all_threads(self, registry: FakeRegistry) -> None:
        registry.tokens = set()
        registry.fail("GET", "/manifests/", lambda _: time.sleep(0.2))
        registry.fail("GET", "/token", *(status(401) for _ in range(20)))
        with talking(registry, login=True) as transport, ThreadPoolExecutor(8) as pool:
            for each in [pool.submit(resolve, transport, registry, str(number + 1)) for number in range(8)]:
                with pytest.raises(AuthError):
                    each.result(10)
        assert len(registry.server.requests("GET", "/token")) == 1

    def test_passing_trouble_of_the_token_server(self, registry: FakeRegistry) -> None:
        registry.tokens = set()
        registry.fail("GET", "/token", status(500), reset, status(429, Retry_After="1"))
        with talking(registry, login=True) as transport:
            resolve(transport, registry)

    def test_a_token_server_without_the_post_form(self, registry: FakeRegistry) -> None:
        registry.tokens = set()
        registry.fail("POST", "/token", status(405))
        credentials = {registry.host: Credential(identity_token="identity-canary")}
        with talking(registry, credentials=credentials) as transport:
            resolve(transport, registry)
        assert [each.method for each in registry.server.seen if each.path == "/token"] == ["POST", "GET"]

    def test_a_token_without_end_is_refused(self, registry: FakeRegistry) -> None:
        registry.tokens = set()
        registry.fail("GET", "/token", status(200, b'{"token": "' + b"a" * 70_000 + b'"}'))
        with talking(registry, login=True) as transport, pytest.raises(RegistryError, match="more than 65536 bytes"):
            resolve(transport, registry)

    def test_basic_is_tried_once_and_never_again(self, registry: FakeRegistry) -> None:
        refuse = status(401, WWW_Authenticate='Basic realm="x"')
        registry.fail("GET", "/manifests/", refuse, refuse, refuse)
        with talking(registry, login=True) as transport, pytest.raises(AuthError, match="HTTP 401"):
            resolve(transport, registry)
        pair = base64.b64encode(f"jane:{PASSWORD}".encode()).decode()
        assert [each.headers.get("authorization", "") for each in registry.server.seen] == ["", f"Basic {pair}"]

    def test_basic_is_kept_from_then_on(self, registry: FakeRegistry) -> None:
        registry.fail("GET", "/manifests/", status(401, WWW_Authenticate='Basic realm="x"'))
        with talking(registry, login=True) as transport:
            resolve(transport, registry)
            resolve(transport, registry)
        assert [each.headers.get("authorization", "")[:5] for each in registry.server.seen] == ["", "Basic", "Basic"]

    @pytest.mark.parametrize("header", ["", "Negotiate", 'Basic realm="x"'])
    def test_without_a_login_a_challenge_is_final(self, registry: FakeRegistry, header: str) -> None:
        registry.fail("GET", "/manifests/", status(401, WWW_Authenticate=header))
        with talking(registry) as transport, pytest.raises(AuthError, match="HTTP 401"):
            resolve(transport, registry)
        assert len(registry.server.seen) == 1

    @pytest.mark.parametrize(
        "realm",
        [
            "http://169.254.169.254/token",
            "http://2852039166/token",
            "http://10.0.0.1/token",
            "file:///etc/passwd",
            "http://u:p@h/",
        ],
    )
    def test_an_evil_realm_is_not_asked(self, registry: FakeRegistry, realm: str) -> None:
        registry.fail("GET", "/manifests/", status(401, WWW_Authenticate=f'Bearer realm="{realm}"'))
        with talking(registry, login=True) as transport, pytest.raises(AuthError, match="token server"):
            resolve(transport, registry)
        assert len(registry.server.seen) == 1

    def test_a_netrc_is_not_read(self, registry: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / ".netrc").write_text("machine 127.0.0.1 login netrc password canary\n")
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
        registry.tokens = set()
        with talking(registry, login=True) as transport:
            resolve(transport, registry)
        sent = [each.headers.get("authorization", "") for each in registry.server.seen]
        assert sent == ["", "Basic " + base64.b64encode(f"jane:{PASSWORD}".encode()).decode(), "Bearer token-1-canary"]

    def test_cookies_are_not_kept(self, registry: FakeRegistry) -> None:
        registry.fail("GET", "/manifests/", status(503, Set_Cookie="session=1; Path=/"))
        with talking(registry) as transport:
            resolve(transport, registry)
        assert all("cookie" not in each.headers for each in registry.server.seen)


class TestPatience:
    @pytest.mark.parametrize("code", [429, 503])
    @pytest.mark.parametrize("as_date", [False, True])
    def test_nobody_asks_while_the_registry_wants_a_pause(
        self, registry: FakeRegistry, code: int, as_date: bool
    ) -> None:
        asked: list[float] = []

        def slow_down(exchange: Exchange) -> None:
            moment = datetime.now(UTC) + timedelta(seconds=2)
            asked.append(time.monotonic() + (moment.replace(microsecond=0) - datetime.now(UTC)).total_seconds())
            exchange.answer(code, Retry_After=format_datetime(moment, usegmt=True) if as_date else "2")

        arrivals: list[float] = []

        def arrive(_: Exchange) -> None:
            arrivals.append(time.monotonic())
            time.sleep(0.05)

        with talking(registry, jobs=4) as transport:
            resolve(transport, registry)
            registry.fail("GET", "/manifests/7", slow_down)
            registry.fail("GET", "/manifests/", *(arrive for _ in range(60)))
            start = time.monotonic()
            with ThreadPoolExecutor(12) as pool:
                for each in [pool.submit(resolve, transport, registry, str(number + 1)) for number in range(24)]:
                    each.result(30)
        opened = asked[0] if as_date else start + 2
        quiet = [moment for moment in arrivals if asked[0] - 0.6 < moment < opened - 0.05 and moment > start + 0.35]
        assert quiet == []
        assert len(arrivals) >= 23

    def test_asking_for_too_much_patience_fails_at_once(self, registry: FakeRegistry) -> None:
        registry.fail("GET", "/manifests/", status(429, Retry_After="999999"))
        start = time.monotonic()
        with talking(registry) as transport, pytest.raises(RateLimited, match="wait 999999 s"):
            resolve(transport, registry)
        assert time.monotonic() - start < 30

    def test_trouble_without_end_uses_up_the_budget_and_no_more(
        self, registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("manifest_action.transport.registry.patience._BASE", 1.0)
        registry.fail("GET", "/manifests/", *(status(503) for _ in range(50)))
        start = time.monotonic()
        with talking(registry, retry_budget=3.0) as transport, pytest.raises(RegistryError, match="HTTP 503"):
            resolve(transport, registry)
        assert time.monotonic() - start <= 3.3

    def test_retries_are_told(self, registry: FakeRegistry) -> None:
        events = Events()
        registry.fail("GET", "/manifests/", status(502), status(500))
        with talking(registry, events=events) as transport:
            resolve(transport, registry)
        told = [event for event in events if isinstance(event, Retrying)]
        assert [(event.host, event.attempt) for event in told] == [(registry.host, 1), (registry.host, 2)]
        assert told[0].reason == "HTTP 502"

    def test_a_connection_that_was_closed_while_idle_costs_no_wait(self, registry: FakeRegistry) -> None:
        def answer_and_close(exchange: Exchange) -> None:
            exchange.answer(200, IMAGE.manifest_bytes, Content_Type=OCI_MANIFEST)
            exchange.hang_up()

        def close_unanswered(exchange: Exchange) -> None:
            if registry.server.seen[-2].connection == exchange.connection:
                exchange.hang_up()

        events = Events()
        registry.fail("GET", "/manifests/", answer_and_close, nothing, close_unanswered)
        with talking(registry, events=events) as transport:
            for _ in range(4):
                resolve(transport, registry)
        assert not [event for event in events if isinstance(event, Retrying)]

    def test_closing_ends_waits_and_exchanges(self, registry: FakeRegistry) -> None:
        stalled = threading.Event()

        def stall(exchange: Exchange) -> None:
            stalled.set()
            exchange.begin(200, 1000)
            exchange._socket.recv(1)

        with talking(registry) as transport, ThreadPoolExecutor(2) as pool:
            resolve(transport, registry)
            registry.fail("GET", "/manifests/2", stall)
            registry.fail("GET", "/manifests/3", status(429, Retry_After="60"))
            waiting = [pool.submit(resolve, transport, registry, tag) for tag in ("2", "3")]
            assert stalled.wait(30)
            time.sleep(0.2)
            start = time.monotonic()
            transport.close()
            for each in waiting:
                with pytest.raises(NetworkError):
                    each.result(30)
            assert time.monotonic() - start < 30
            with pytest.raises(NetworkError, match="stopped"):
                resolve(transport, registry)


class TestWire:
    BODY = IMAGE.manifest_bytes
    OK = f"HTTP/1.1 200 OK\r\nContent-Type: {OCI_MANIFEST}\r\n".encode()

    def expect(self, raw: bytes, *, good: bool, close: bool = True) -> None:
        """Whether an answer with exactly these bytes is taken."""

        def handler(exchange: Exchange) -> None:
            exchange.send(raw)
            if close:
                exchange.hang_up()

        with asking(handler) as (_, transport, repository):
            if good:
                assert transport.source(repository).resolve("1").raw == self.BODY
                return
            with pytest.raises(NetworkError):
                transport.source(repository).resolve("1")

    def test_a_body_that_ends_with_the_connection(self) -> None:
        self.expect(self.OK + b"\r\n" + self.BODY, good=True)

    def test_bare_line_feeds(self) -> None:
        self.expect(self.OK.replace(b"\r", b"") + b"Content-Length: %d\n\n" % len(self.BODY) + self.BODY, good=True)

    def test_a_continue_before_the_answer(self) -> None:
        head = b"HTTP/1.1 100 Continue\r\n\r\n" + self.OK
        self.expect(head + b"Content-Length: %d\r\n\r\n" % len(self.BODY) + self.BODY, good=True)

    @pytest.mark.parametrize(
        "head",
        [
            b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
            b"SSH-2.0-OpenSSH\r\n",
            b"\r\n\r\n",
            b"HTTP/1.1 abc\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
            b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
            b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
            b"HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\nhello",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
            b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhello",
            b"HTTP/1.1 200",
            b"",
        ],
    )
    def test_what_is_no_proper_answer_is_a_network_error(self, head: bytes) -> None:
        self.expect(head, good=False)

    def test_a_head_that_trickles_in_ends_in_time(self) -> None:
        def trickle(exchange: Exchange) -> None:
            for byte in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1000:
                exchange.send(bytes([byte]))
                time.sleep(0.05)

        limits = Limits(connect=1, idle=0.5, answer=1)
        with asking(trickle, limits=limits, retry_budget=1.0) as (_, transport, repository):
            start = time.monotonic()
            with pytest.raises(NetworkError):
                transport.source(repository).resolve("1")
            assert time.monotonic() - start < 25

    def test_a_server_that_says_nothing_is_given_up_in_time(self) -> None:
        def nothing_at_all(exchange: Exchange) -> None:
            exchange._socket.recv(1)

        limits = Limits(connect=1, idle=0.3, answer=1)
        with asking(nothing_at_all, limits=limits, retry_budget=1.0) as (server, transport, repository):
            with pytest.raises(NetworkError, match="stopped answering"):
                transport.source(repository).resolve("1")
            assert 2 <= len(server.seen) <= 3

    def test_warnings_are_told_once(self, registry: FakeRegistry) -> None:
        events = Events()
        warn = status(503, Warning='299 - "this registry closes in May ::error::"')
        registry.fail("GET", "/manifests/", warn, warn)
        with talking(registry, events=events) as transport:
            resolve(transport, registry)
        (text,) = [event.text for event in events if isinstance(event, Warned)]
        assert text == f"{registry.host} warns: this registry closes in May ::error::"

    def test_proxies_of_the_process_are_not_used(self, registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        with talking(registry) as transport:
            resolve(transport, registry)


class TestTLS:
    def serve(self, exchange: Exchange) -> None:
        exchange.answer(200, IMAGE.manifest_bytes, Content_Type=OCI_MANIFEST)

    def test_an_authority_of_the_users_own(self) -> None:
        certificate = shared_certificate()
        with asking(self.serve, certificate=certificate, ca_certificates=str(certificate.ca_file)) as (
            _,
            transport,
            repository,
        ):
            assert transport.source(repository).resolve("1").raw == IMAGE.manifest_bytes

    @pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
    def test_an_authority_of_the_environment(self, name: str) -> None:
        certificate = shared_certificate()
        environment = {name: str(certificate.ca_file)}
        with asking(self.serve, certificate=certificate, environment=environment) as (_, transport, repository):
            assert transport.source(repository).resolve("1").raw == IMAGE.manifest_bytes

    def test_authorities_in_a_folder(self, tmp_path: Path) -> None:
        certificate = shared_certificate()
        for name in ("SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"):
            with (
                asking(self.serve, certificate=certificate, environment={name: str(tmp_path)}) as (_, transport, place),
                pytest.raises(NetworkError, match="certificate is not accepted"),
            ):
                transport.source(place).resolve("1")

    def test_an_unknown_authority_is_refused_at_once_and_never_replaced_by_plain_http(self, tmp_path: Path) -> None:
        other = make_certificate(tmp_path)
        start = time.monotonic()
        with (
            asking(self.serve, certificate=shared_certificate(), ca_certificates=str(other.ca_file)) as (
                server,
                transport,
                repository,
            ),
            pytest.raises(NetworkError, match="certificate is not accepted") as caught,
        ):
            transport.source(repository).resolve("1")
        assert "ca-certificates" in caught.value.hint
        assert server.seen == []
        assert time.monotonic() - start < 2

    def test_a_host_named_insecure_need_not_have_a_certificate(self) -> None:
        server = ScriptedServer(self.serve, shared_certificate())
        with server.running():
            options = RegistryOptions(insecure_registries=frozenset({server.host}))
            transport = RegistryTransport(options, Events())
            assert transport.source(Repository("docker", server.host, NAME)).resolve("1").raw == IMAGE.manifest_bytes
            transport.close()

    @pytest.mark.parametrize("name", ["ca-certificates", "SSL_CERT_FILE"])
    def test_a_file_that_holds_no_certificates_is_an_error(self, tmp_path: Path, name: str) -> None:
        file = tmp_path / "ca.pem"
        file.write_text("canary")
        given = str(file) if name == "ca-certificates" else ""
        environment = {} if given else {name: str(file)}
        with (
            asking(self.serve, certificate=shared_certificate(), ca_certificates=given, environment=environment) as (
                _,
                transport,
                repository,
            ),
            pytest.raises(ConfigError, match=name) as caught,
        ):
            transport.source(repository).resolve("1")
        assert "canary" not in str(caught.value)

    def test_who_waits_for_the_introduction_connects_meanwhile(
        self, registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A new connection takes two round trips; eight of them at once take no longer than one."""
        look_up = socket.getaddrinfo
        trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trusting.check_hostname = False
        trusting.verify_mode = ssl.CERT_NONE
        monkeypatch.setattr(socket, "getaddrinfo", lambda *place, **more: look_up("127.0.0.1", *place[1:], **more))
        monkeypatch.setattr(Trust, "context", lambda *_, **__: trusting)
        server = ScriptedServer(registry._handle, shared_certificate())
        connected: list[int] = []

        def first(_: Exchange) -> None:
            deadline = time.monotonic() + 5
            while server.connections < 8 and time.monotonic() < deadline:
                time.sleep(0.01)
            connected.append(server.connections)

        registry.fail("GET", "/manifests/", first)
        registry.server.stop_listening()
        with server.running():
            transport = RegistryTransport(RegistryOptions(), Events())
            place = Repository("docker", f"registry.example:{server.host.rpartition(':')[2]}", NAME)
            source = transport.source(place)
            with ThreadPoolExecutor(8) as pool:
                found = list(pool.map(source.resolve, map(str, range(1, 9))))
            transport.close()
        assert connected == [8]
        assert server.connections == 8
        assert {each.raw for each in found} == {IMAGE.manifest_bytes}


class TestProxies:
    """Names that no DNS knows are reached by a proxy that knows them."""

    ENVIRONMENT = "http://jane:proxy-canary@{}"

    def test_a_plain_request_goes_through_with_its_whole_address(self) -> None:
        def serve(exchange: Exchange) -> None:
            exchange.answer(200, IMAGE.manifest_bytes, Content_Type=OCI_MANIFEST)

        tunnel = ScriptedServer(
            lambda exchange: exchange.answer(502) if exchange.method == "CONNECT" else serve(exchange)
        )
        with tunnel.running():
            options = RegistryOptions(
                environment={"HTTP_PROXY": self.ENVIRONMENT.format(tunnel.host)},
                insecure_registries=frozenset({"registry.invalid:5000"}),
            )
            events = Events()
            transport = RegistryTransport(options, events)
            plain = Repository("docker", "registry.invalid:5000", NAME)
            endpoint = transport._repositories._session.endpoint(plain.registry)
            endpoint._url = endpoint._secure_url.parse("http://registry.invalid:5000")
            assert transport.source(plain).resolve("1").raw == IMAGE.manifest_bytes
            transport.close()
        (request,) = tunnel.seen
        assert request.target == f"http://registry.invalid:5000/v2/{NAME}/manifests/1"
        assert request.headers["host"] == "registry.invalid:5000"
        assert request.headers["proxy-authorization"] == "Basic " + base64.b64encode(b"jane:proxy-canary").decode()
        assert SecretLearned("proxy-canary") in events

    def test_a_secure_request_goes_through_a_tunnel(self) -> None:
        certificate = shared_certificate()
        tls = certificate.server_context()

        def tunnel(exchange: Exchange) -> None:
            exchange.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with tls.wrap_socket(exchange._socket, server_side=True) as secure:
                inner.append(secure.recv(65536).decode())
                head = f"HTTP/1.1 200 OK\r\nContent-Type: {OCI_MANIFEST}\r\nContent-Length: {len(IMAGE.manifest_bytes)}"
                secure.sendall(f"{head}\r\n\r\n".encode() + IMAGE.manifest_bytes)
                secure.recv(1)
            exchange.hang_up()

        inner: list[str] = []
        proxy = ScriptedServer(tunnel)
        with proxy.running():
            options = RegistryOptions(
                environment={"HTTPS_PROXY": self.ENVIRONMENT.format(proxy.host)},
                insecure_registries=frozenset({"registry.invalid"}),
            )
            transport = RegistryTransport(options, Events())
            source = transport.source(Repository("docker", "registry.invalid", NAME))
            assert source.resolve("1").raw == IMAGE.manifest_bytes
            transport.close()
        (connect,) = proxy.seen
        assert (connect.method, connect.target) == ("CONNECT", "registry.invalid:443")
        assert connect.headers["proxy-authorization"].startswith("Basic ")
        assert inner[0].startswith(f"GET /v2/{NAME}/manifests/1 HTTP/1.1\r\nHost: registry.invalid\r\n")
        assert "proxy-authorization" not in inner[0].lower()

    def test_a_proxy_that_refuses_is_named(self) -> None:
        proxy = ScriptedServer(lambda exchange: exchange.answer(407, b"canary"))
        with proxy.running():
            options = RegistryOptions(environment={"HTTPS_PROXY": f"http://{proxy.host}"}, retry_budget=0.5)
            transport = RegistryTransport(options, Events())
            with pytest.raises(NetworkError, match=r"proxy refused to connect \(407\)") as caught:
                transport.source(Repository("docker", "registry.invalid", NAME)).resolve("1")
            transport.close()
        assert "canary" not in str(caught.value)


FAULTS: Mapping[str, Step] = {
    "401": status(401, errors("UNAUTHORIZED", f"jane:{PASSWORD} token-1-canary")),
    "403": status(403, errors("DENIED", base64.b64encode(f"jane:{PASSWORD}".encode()).decode())),
    "400": status(400, f"Bearer token-1-canary Basic {PASSWORD}".encode()),
    "302": status(302, Location=f"http://jane:{PASSWORD}@169.254.169.254/"),
    "warning": status(404, errors("X"), Warning=f'299 - "token-1-canary {PASSWORD}"'),
    "hang up": hang_up,
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
@pytest.mark.parametrize("where", ["/token", "/manifests/"])
def test_no_secret_is_shown_whatever_goes_wrong(registry: FakeRegistry, where: str, fault: Step) -> None:
    registry.tokens = set()
    steps = [nothing] if where == "/manifests/" else []
    registry.fail("GET", where, *steps, *(fault for _ in range(9)))
    events = Events()
    with talking(registry, login=True, events=events) as transport, pytest.raises(ManifestActionError) as caught:
        resolve(transport, registry)
    error = caught.value
    chain = "".join(repr(each) + str(each) for each in (error, error.__cause__, error.__context__))
    warnings = "".join(each.text for each in events if isinstance(each, Warned))
    shown = f"{chain}{error.hint}{error.why}{events!r}{warnings}"
    issued = ["token-1-canary"] if where == "/manifests/" else []
    for secret in (PASSWORD, base64.b64encode(f"jane:{PASSWORD}".encode()).decode(), *issued):
        assert secret not in shown
