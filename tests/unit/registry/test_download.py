"""Reading blobs from a server that fails in every way."""

import random

import pytest

from manifest_action.errors import ContentError, ManifestActionError, NetworkError, RegistryError
from manifest_action.events import Retrying
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.transport.registry.client import RegistryTransport
from manifest_action.transport.registry.limits import Limits
from manifest_action.transport.registry.options import RegistryOptions
from manifest_action.transport.verify import VerifyingReader
from tests.unit.registry.fake import NAME, FakeRegistry, Step, cut_body, errors, hang_up, reset, status, talking
from tests.unit.registry.listener import Events
from tests.unit.registry.scripted import Exchange, ScriptedServer

CONTENT = random.Random(1).randbytes(3_000_000)
BLOB = Descriptor("application/octet-stream", Digest.of(CONTENT), len(CONTENT))
LAYER = f"/v2/{NAME}/blobs/{BLOB.digest}"


@pytest.fixture
def registry() -> FakeRegistry:
    registry = FakeRegistry()
    registry.blobs[NAME, str(BLOB.digest)] = CONTENT
    return registry


def read(transport: RegistryTransport, registry: FakeRegistry, offset: int = 0, blob: Descriptor = BLOB) -> bytes:
    with transport.source(registry.repository()).open(blob, offset) as stream:
        chunks = []
        while chunk := stream.read(65536):
            chunks.append(chunk)
        return b"".join(chunks)


def ranges(registry: FakeRegistry) -> list[str]:
    return [each.headers.get("range", "") for each in registry.server.requests("GET")]


def cut_range(sent: int) -> Step:
    """Serve a range properly, but break off after `sent` bytes of it."""

    def step(exchange: Exchange) -> None:
        first, _, last = exchange.headers["range"].removeprefix("bytes=").partition("-")
        part = CONTENT[int(first) : int(last) + 1]
        cut_body(part, sent, 206, Content_Range=f"bytes {first}-{last}/{len(CONTENT)}")(exchange)

    return step


def test_a_blob_is_read_in_one_request(registry: FakeRegistry) -> None:
    with talking(registry) as transport:
        assert read(transport, registry) == CONTENT
        with transport.source(registry.repository()).open(BLOB) as stream:
            assert stream.read() == CONTENT
            assert stream.read() == b""
    assert ranges(registry) == ["", ""]
    assert registry.server.seen[0].headers["accept-encoding"] == "identity"


def test_from_an_offset_with_a_closed_range(registry: FakeRegistry) -> None:
    with talking(registry) as transport:
        assert read(transport, registry, 1000) == CONTENT[1000:]
        assert read(transport, registry, len(CONTENT)) == b""
    assert ranges(registry) == ["bytes=1000-2999999"]


def test_an_interrupted_read_goes_on_where_it_stopped(registry: FakeRegistry) -> None:
    registry.fail("GET", LAYER, cut_body(CONTENT, 1_200_000), cut_range(600_000), cut_range(1), reset)
    events = Events()
    with talking(registry, events=events) as transport:
        assert read(transport, registry) == CONTENT
    sent = [f"bytes={start}-2999999" for start in (1_200_000, 1_800_000, 1_800_001, 1_800_001)]
    assert ranges(registry) == ["", *sent]
    assert len([event for event in events if isinstance(event, Retrying)]) == 4


@pytest.mark.parametrize(
    "answer",
    [
        status(200, CONTENT),
        status(206, CONTENT, Content_Range="bytes 0-2999999/3000000"),
        status(206, CONTENT[1_200_000:], Content_Range="bytes 1200000-2999999/3000001"),
        status(206, CONTENT[1_200_000:]),
        status(416, errors("RANGE_INVALID")),
    ],
)
def test_a_server_without_proper_ranges_is_read_from_the_start(registry: FakeRegistry, answer: Step) -> None:
    registry.ranges = False
    registry.fail("GET", LAYER, cut_body(CONTENT, 1_200_000), answer)
    with talking(registry) as transport:
        assert read(transport, registry) == CONTENT


def test_skipping_may_be_interrupted_too(registry: FakeRegistry) -> None:
    registry.ranges = False

    def without_length(exchange: Exchange) -> None:
        exchange.begin(200)
        exchange.send(CONTENT[:500_000])
        exchange.hang_up()

    registry.fail("GET", LAYER, cut_body(CONTENT, 1_200_000), cut_body(CONTENT, 600_000), without_length)
    with talking(registry) as transport:
        assert read(transport, registry) == CONTENT


def test_progress_keeps_a_read_alive_but_standing_still_does_not(registry: FakeRegistry) -> None:
    blob = Descriptor("x/y", Digest.of(CONTENT * 4), len(CONTENT) * 4)
    registry.blobs[NAME, str(blob.digest)] = CONTENT * 4
    sizes = [1_100_000] * 10

    def part(exchange: Exchange) -> None:
        first = int(exchange.headers.get("range", "bytes=0").removeprefix("bytes=").partition("-")[0])
        rest = (CONTENT * 4)[first:]
        head = {"Content_Range": f"bytes {first}-{blob.size - 1}/{blob.size}"} if first else {}
        cut_body(rest, 1_100_000, 206 if first else 200, **head)(exchange)

    registry.fail("GET", str(blob.digest), *(part for _ in sizes))
    with talking(registry) as transport:
        assert read(transport, registry, blob=blob) == CONTENT * 4
        registry.fail("GET", LAYER, cut_body(CONTENT, 900_000), *(reset for _ in range(6)))
        with pytest.raises(NetworkError, match="given up after 6 tries"):
            read(transport, registry)


@pytest.mark.parametrize("fault", [reset, hang_up, status(500), status(502), status(503), status(504), status(429)])
def test_passing_trouble_before_the_first_byte(registry: FakeRegistry, fault: Step) -> None:
    registry.fail("GET", LAYER, fault, fault)
    with talking(registry) as transport:
        assert read(transport, registry) == CONTENT
    assert len(registry.server.seen) == 3


@pytest.mark.parametrize("code", [400, 403, 404, 405, 501])
def test_a_refusal_is_final(registry: FakeRegistry, code: int) -> None:
    registry.fail("GET", LAYER, status(code, errors("DENIED", "no such luck")))
    with talking(registry) as transport, pytest.raises(RegistryError, match=f"HTTP {code} DENIED: no such luck"):
        read(transport, registry)
    assert len(registry.server.seen) == 1


@pytest.mark.parametrize("served", [CONTENT + b"x", CONTENT[:-1], b""])
def test_a_blob_of_another_size_is_refused_before_it_is_read(registry: FakeRegistry, served: bytes) -> None:
    registry.blobs[NAME, str(BLOB.digest)] = served
    with talking(registry) as transport, pytest.raises(ContentError, match=f"{len(served)} bytes"):
        read(transport, registry)
    assert len(registry.server.seen) == 1


@pytest.mark.parametrize("served", [CONTENT + b"x", CONTENT[:-1] + b"x", b"x" + CONTENT[1:]])
def test_wrong_bytes_without_a_stated_length_are_noticed_by_whoever_verifies(
    registry: FakeRegistry, served: bytes
) -> None:
    def step(exchange: Exchange) -> None:
        exchange.begin(200)
        exchange.send(served)
        exchange.hang_up()

    registry.fail("GET", LAYER, step)
    with talking(registry) as transport, transport.source(registry.repository()).open(BLOB) as stream:
        reader = VerifyingReader(stream, BLOB, "here")
        with pytest.raises(ContentError):
            while reader.read(65536):
                pass


def test_a_chunked_answer_is_as_good_and_its_end_is_known(registry: FakeRegistry) -> None:
    def chunked(end: bytes) -> Step:
        def step(exchange: Exchange) -> None:
            exchange.begin(200, Transfer_Encoding="chunked")
            exchange.send(b"%x\r\n%b\r\n%b" % (len(CONTENT), CONTENT, end))
            if not end:
                exchange.hang_up()

        return step

    registry.fail("GET", LAYER, chunked(b"0\r\n\r\n"), chunked(b""))
    with talking(registry) as transport:
        assert read(transport, registry) == CONTENT
        assert read(transport, registry) == CONTENT
    assert len(registry.server.seen) == 2


def test_an_encoded_answer_is_refused_unread(registry: FakeRegistry) -> None:
    def bomb(exchange: Exchange) -> None:
        exchange.begin(200, len(CONTENT), Content_Encoding="gzip")

    registry.fail("GET", LAYER, bomb)
    with talking(registry) as transport, pytest.raises(RegistryError, match="encoded"):
        read(transport, registry)


class TestRedirects:
    def test_the_login_stays_at_the_registry(self, registry: FakeRegistry) -> None:
        elsewhere = ScriptedServer(lambda exchange: exchange.answer(200, CONTENT))
        registry.tokens = set()
        with elsewhere.running(), talking(registry, login=True) as transport:
            target = f"{elsewhere.url}/x?Signature=a%2b"
            registry.fail("GET", LAYER, lambda _: None, status(307, Location=target))
            assert read(transport, registry) == CONTENT
        (request,) = elsewhere.seen
        assert request.target == "/x?Signature=a%2b"
        assert "authorization" not in request.headers
        assert "cookie" not in request.headers
        assert "authorization" in registry.server.seen[-1].headers

    def test_nor_does_it_come_back_with_a_redirect_to_the_registry(self, registry: FakeRegistry) -> None:
        registry.tokens = set()
        back = f"{registry.server.url}/back"
        elsewhere = ScriptedServer(lambda exchange: exchange.answer(302, Location=back))
        registry.fail("GET", "/back", status(200, CONTENT))
        with elsewhere.running(), talking(registry, login=True) as transport:
            registry.fail("GET", LAYER, lambda _: None, status(302, Location=elsewhere.url))
            assert read(transport, registry) == CONTENT
        assert "authorization" not in registry.server.requests("GET", "/back")[0].headers

    def test_a_login_that_the_other_host_asks_for_is_not_given(self, registry: FakeRegistry) -> None:
        registry.tokens = set()
        challenge = f'Bearer realm="{registry.server.url}/token"'
        elsewhere = ScriptedServer(lambda exchange: exchange.answer(401, WWW_Authenticate=challenge))
        with elsewhere.running(), talking(registry, login=True) as transport:
            registry.fail("GET", LAYER, lambda _: None, status(302, Location=elsewhere.url))
            with pytest.raises(ManifestActionError, match="HTTP 401"):
                read(transport, registry)
        assert len(elsewhere.seen) == 1
        assert len(registry.token_requests) == 1

    def test_on_the_same_host_it_is_kept(self, registry: FakeRegistry) -> None:
        registry.tokens = set()
        registry.fail("GET", "/moved", status(200, CONTENT))
        registry.fail("GET", LAYER, lambda _: None, status(308, Location="/moved"))
        with talking(registry, login=True) as transport:
            assert read(transport, registry) == CONTENT
        assert "authorization" in registry.server.requests("GET", "/moved")[0].headers

    @pytest.mark.parametrize(
        "location",
        ["http://169.254.169.254/latest", "http://10.0.0.1/", "file:///etc/passwd", "", "http://2852039166/"],
    )
    def test_some_places_are_never_asked(self, registry: FakeRegistry, location: str) -> None:
        registry.fail("GET", LAYER, status(307, Location=location))
        with talking(registry) as transport, pytest.raises(RegistryError, match="sends us"):
            read(transport, registry)
        assert len(registry.server.seen) == 1

    def test_a_circle_ends(self, registry: FakeRegistry) -> None:
        registry.fail("GET", LAYER, *(status(302, Location=LAYER) for _ in range(20)))
        with talking(registry) as transport, pytest.raises(RegistryError, match="more than 5 redirects"):
            read(transport, registry)
        assert len(registry.server.seen) == 6

    def test_an_interruption_elsewhere_is_met_by_asking_the_registry_again(self, registry: FakeRegistry) -> None:
        steps = [cut_body(CONTENT, 1_000_000), cut_range(2_000_000)]

        def next_step(exchange: Exchange) -> None:
            steps.pop(0)(exchange)

        elsewhere = ScriptedServer(next_step)
        with elsewhere.running(), talking(registry) as transport:
            registry.fail("GET", LAYER, *(status(307, Location=elsewhere.url) for _ in range(2)))
            assert read(transport, registry) == CONTENT
        assert elsewhere.seen[1].headers["range"] == "bytes=1000000-2999999"


class TestSlowServers:
    LIMITS = Limits(connect=1, idle=0.3, answer=1.0, least_rate=10_000, rate_window=0.5)

    def check(self, registry: FakeRegistry, *steps: Step) -> None:
        registry.fail("GET", LAYER, *steps)
        with registry.server.running():
            transport = RegistryTransport(RegistryOptions(), Events(), self.LIMITS)
            try:
                assert read(transport, registry) == CONTENT
            finally:
                transport.close()
        assert len(registry.server.requests("GET")) == len(steps) + 1

    def test_silence_in_the_middle_of_a_body(self, registry: FakeRegistry) -> None:
        def stall(exchange: Exchange) -> None:
            exchange.begin(200, len(CONTENT))
            exchange.send(CONTENT[:1000])
            while exchange._socket.recv(1):
                pass

        self.check(registry, stall)

    def test_a_trickle(self, registry: FakeRegistry) -> None:
        def trickle(exchange: Exchange) -> None:
            exchange.begin(200, len(CONTENT))
            for place in range(len(CONTENT)):
                exchange.send(CONTENT[place : place + 1])
                exchange._socket.settimeout(0.02)
                try:
                    assert exchange._socket.recv(1) == b""
                except TimeoutError:
                    continue
                return

        self.check(registry, trickle)
