"""Sending blobs to a registry that fails in every way."""

import io
import random
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from threading import Event

import pytest

from manifest_action.errors import ContentError, ManifestActionError, NetworkError, RegistryError
from manifest_action.events import Transfer
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.transport.base import Readable, Source
from manifest_action.transport.registry.client import RegistryTransport
from tests.support.images import image
from tests.unit.registry.fake import NAME, FakeRegistry, Step, errors, hang_up, nothing, reset, status, talking
from tests.unit.registry.scripted import Exchange, ScriptedServer

CONTENT = random.Random(2).randbytes(5_000_000)
BLOB = Descriptor("application/octet-stream", Digest.of(CONTENT), len(CONTENT))


class Content:
    """Bytes that note where they were opened."""

    def __init__(self, content: bytes = CONTENT) -> None:
        self.content = content
        self.opened: list[int] = []

    @contextmanager
    def open(self, offset: int = 0, /) -> Iterator[io.BytesIO]:
        self.opened.append(offset)
        yield io.BytesIO(self.content[offset:])


@pytest.fixture
def registry() -> FakeRegistry:
    return FakeRegistry()


def push(
    transport: RegistryTransport,
    registry: FakeRegistry,
    content: Content | None = None,
    *,
    blob: Descriptor = BLOB,
    mount_from: str = "",
) -> Transfer:
    source = registry.repository(mount_from) if mount_from else None
    return transport.destination(registry.repository()).push_blob(blob, content or Content(), source)


def steps(registry: FakeRegistry) -> list[str]:
    return [each.method for each in registry.server.seen if each.path != "/token"]


def sent(registry: FakeRegistry) -> int:
    return sum(each.received for each in registry.server.seen)


def held(registry: FakeRegistry, blob: Descriptor = BLOB) -> bytes | None:
    return registry.blobs.get((NAME, str(blob.digest)))


def test_a_blob_that_is_there_is_not_sent(registry: FakeRegistry) -> None:
    registry.blobs[NAME, str(BLOB.digest)] = CONTENT
    content = Content()
    with talking(registry) as transport:
        assert push(transport, registry, content) is Transfer.PRESENT
    assert steps(registry) == ["HEAD"]
    assert content.opened == []


def test_something_of_another_size_under_the_digest_is_an_error(registry: FakeRegistry) -> None:
    registry.blobs[NAME, str(BLOB.digest)] = CONTENT[:-1]
    with talking(registry) as transport, pytest.raises(ContentError, match="4999999 bytes there"):
        push(transport, registry)


def test_a_blob_goes_in_one_piece_with_its_length(registry: FakeRegistry) -> None:
    with talking(registry) as transport:
        assert push(transport, registry) is Transfer.COPIED
    assert held(registry) == CONTENT
    assert steps(registry) == ["HEAD", "POST", "PUT"]
    put = registry.server.seen[-1]
    assert put.headers["content-length"] == "5000000"
    assert "transfer-encoding" not in put.headers
    assert put.headers["content-type"] == "application/octet-stream"
    assert put.target.endswith(f"?_state=a%2fb&digest={BLOB.digest}")


@pytest.mark.parametrize("content", [b"", b"{}"])
def test_small_and_empty_blobs(registry: FakeRegistry, content: bytes) -> None:
    blob = Descriptor("x/y", Digest.of(content), len(content))
    with talking(registry) as transport:
        assert push(transport, registry, Content(content), blob=blob) is Transfer.COPIED
    assert held(registry, blob) == content
    assert registry.server.seen[-1].headers["content-length"] == str(len(content))


class TestMounting:
    def test_a_mount_takes_one_request(self, registry: FakeRegistry) -> None:
        registry.blobs["acme/base", str(BLOB.digest)] = CONTENT
        content = Content()
        with talking(registry) as transport:
            assert push(transport, registry, content, mount_from="acme/base") is Transfer.MOUNTED
        assert steps(registry) == ["POST"]
        assert registry.server.seen[0].target == f"/v2/{NAME}/blobs/uploads/?mount={BLOB.digest}&from=acme/base"
        assert content.opened == []

    def test_a_session_that_is_opened_instead_is_used(self, registry: FakeRegistry) -> None:
        with talking(registry) as transport:
            assert push(transport, registry, mount_from="acme/base") is Transfer.COPIED
        assert steps(registry) == ["POST", "PUT"]
        assert held(registry) == CONTENT

    @pytest.mark.parametrize("code", [400, 401, 403, 404, 405, 415, 500, 501])
    def test_a_refusal_is_followed_by_an_upload(self, registry: FakeRegistry, code: int) -> None:
        registry.fail("POST", "mount=", status(code, errors("DENIED")))
        with talking(registry) as transport:
            assert push(transport, registry, mount_from="acme/base") is Transfer.COPIED
        assert steps(registry) == ["POST", "HEAD", "POST", "PUT"]
        assert held(registry) == CONTENT

    def test_a_token_server_that_refuses_both_scopes_is_asked_for_one(self, registry: FakeRegistry) -> None:
        def refuse(exchange: Exchange) -> None:
            if "acme/base" in exchange.target:
                exchange.answer(403, errors("DENIED"))

        registry.tokens = set()
        registry.fail("GET", "/token", *(refuse for _ in range(4)))
        with talking(registry, login=True) as transport:
            assert push(transport, registry, mount_from="acme/base") is Transfer.COPIED
        assert held(registry) == CONTENT


class TestInterruptions:
    def test_an_upload_goes_on_where_the_registry_got_to(self, registry: FakeRegistry) -> None:
        registry.fail("PUT", "uploads", registry.cut(2_000_000))
        with talking(registry) as transport:
            assert push(transport, registry) is Transfer.COPIED
        assert held(registry) == CONTENT
        assert steps(registry) == ["HEAD", "POST", "PUT", "HEAD", "GET", "PATCH", "PUT"]
        assert sent(registry) == len(CONTENT)
        assert registry.server.requests("PATCH")[0].headers["content-range"] == "2000000-4999999"

    def test_it_goes_on_in_pieces_that_every_registry_takes(self, registry: FakeRegistry) -> None:
        content = random.Random(3).randbytes(40_000_000)
        blob = Descriptor("x/y", Digest.of(content), len(content))
        source = Content(content)
        registry.fail("PUT", "uploads", registry.cut(19_000_000))
        registry.fail("PATCH", "uploads", nothing, nothing, registry.cut(1_000_000))
        with talking(registry) as transport:
            assert push(transport, registry, source, blob=blob) is Transfer.COPIED
        assert held(registry, blob) == content
        lengths = [int(each.headers["content-length"]) for each in registry.server.requests("PATCH")]
        assert max(lengths) == 4 * 1024 * 1024
        assert sent(registry) == len(content)
        assert source.opened[0] == 0
        assert all(offset > 0 for offset in source.opened[1:]), "only what follows a checkpoint is read again"
        assert len(source.opened) == 3

    def test_a_registry_may_want_larger_pieces(self, registry: FakeRegistry) -> None:
        content = random.Random(4).randbytes(20_000_000)
        blob = Descriptor("x/y", Digest.of(content), len(content))

        def start(exchange: Exchange) -> None:
            registry.uploads["1"] = b""
            place = f"/v2/{NAME}/blobs/uploads/1?_state=a%2fb"
            exchange.answer(202, Location=place, OCI_Chunk_Min_Length="10000000")

        registry.fail("POST", "uploads", start)
        registry.fail("PUT", "uploads", registry.cut(2_000_000))
        with talking(registry) as transport:
            push(transport, registry, Content(content), blob=blob)
        lengths = [int(each.headers["content-length"]) for each in registry.server.requests("PATCH")]
        assert lengths == [10_000_000, 8_000_000]

    def test_a_registry_may_take_less_of_a_piece_than_it_was_sent(self, registry: FakeRegistry) -> None:
        def take_some(exchange: Exchange) -> None:
            (upload,) = registry.uploads
            registry.uploads[upload] += exchange.read_body()[:1_000_000]
            exchange.answer(202, Location=exchange.target, Range=f"0-{len(registry.uploads[upload]) - 1}")

        registry.fail("PUT", "uploads", registry.cut(2_000_000))
        registry.fail("PATCH", "uploads", take_some)
        with talking(registry) as transport:
            assert push(transport, registry) is Transfer.COPIED
        assert held(registry) == CONTENT

    @pytest.mark.parametrize("says", ["0-1999999", "0-1", "0-5000000", "0-999999999"])
    def test_a_registry_that_counts_wrongly_is_not_trusted(self, registry: FakeRegistry, says: str) -> None:
        registry.fail("PUT", "uploads", registry.cut(2_000_000))
        registry.fail("PATCH", "uploads", lambda exchange: exchange.answer(202, Range=says))
        with talking(registry) as transport, pytest.raises(RegistryError, match="says it holds"):
            push(transport, registry)
        assert held(registry) is None

    def test_a_session_that_claims_more_than_there_is_is_begun_anew(self, registry: FakeRegistry) -> None:
        registry.fail("PUT", "uploads", registry.cut(2_000_000))
        registry.fail("GET", "uploads", status(204, Range="0-5000000"))
        with talking(registry) as transport:
            assert push(transport, registry) is Transfer.COPIED
        assert steps(registry) == ["HEAD", "POST", "PUT", "HEAD", "GET", "POST", "PUT"]

    def test_a_session_that_is_lost_is_begun_anew(self, registry: FakeRegistry) -> None:
        registry.forgets = True
        registry.fail("PUT", "uploads", registry.cut(2_000_000), registry.cut(4_000_000))
        with talking(registry) as transport:
            assert push(transport, registry) is Transfer.COPIED
        assert held(registry) == CONTENT
        assert steps(registry) == ["HEAD", "POST", *["PUT", "HEAD", "GET", "POST"] * 2, "PUT"]

    def test_a_session_that_never_works_is_given_up(self, registry: FakeRegistry) -> None:
        registry.forgets = True
        registry.fail("PUT", "uploads", *(registry.cut(4_000_000) for _ in range(10)))
        with talking(registry) as transport, pytest.raises(NetworkError, match="given up after 6 tries"):
            push(transport, registry)
        assert len(registry.server.requests("PUT")) == 6
        assert held(registry) is None

    def test_an_upload_whose_answer_is_lost_is_not_sent_again(self, registry: FakeRegistry) -> None:
        def take_in(exchange: Exchange) -> None:
            registry.blobs[NAME, str(BLOB.digest)] = exchange.read_body()
            exchange.reset()

        registry.fail("PUT", "uploads", take_in)
        with talking(registry) as transport:
            assert push(transport, registry) is Transfer.COPIED
        assert steps(registry) == ["HEAD", "POST", "PUT", "HEAD"]

    def test_a_range_that_is_refused_is_answered_by_one_new_session(self, registry: FakeRegistry) -> None:
        registry.fail("PUT", "uploads", status(416, errors("RANGE_INVALID")))
        with talking(registry) as transport:
            assert push(transport, registry) is Transfer.COPIED
        assert steps(registry) == ["HEAD", "POST", "PUT", "POST", "PUT"]

    def test_a_range_that_is_refused_twice_is_an_error(self, registry: FakeRegistry) -> None:
        registry.fail("PUT", "uploads", *(status(416) for _ in range(3)))
        with talking(registry) as transport, pytest.raises(RegistryError, match="HTTP 416"):
            push(transport, registry)
        assert len(registry.server.requests("PUT")) == 2

    @pytest.mark.parametrize(
        "fault", [reset, hang_up, status(500), status(502), status(429), status(503, Retry_After="1")]
    )
    @pytest.mark.parametrize("method", ["HEAD", "POST", "PUT"])
    def test_passing_trouble_at_every_step(self, registry: FakeRegistry, method: str, fault: Step) -> None:
        registry.fail(method, "blobs", fault)
        with talking(registry) as transport:
            assert push(transport, registry) is Transfer.COPIED
        assert held(registry) == CONTENT

    @pytest.mark.parametrize("code", [400, 403, 404, 405, 409, 412, 413, 415])
    @pytest.mark.parametrize("method", ["POST", "PUT"])
    def test_a_refusal_at_every_step_is_final(self, registry: FakeRegistry, method: str, code: int) -> None:
        registry.fail(method, "uploads", status(code, errors("UNSUPPORTED", "never")))
        with talking(registry) as transport, pytest.raises(RegistryError, match=f"HTTP {code} UNSUPPORTED: never"):
            push(transport, registry)
        assert len(registry.server.requests(method)) == 1
        assert held(registry) is None

    def test_a_refusal_before_the_end_of_the_body_is_heard(self, registry: FakeRegistry) -> None:
        def refuse(exchange: Exchange) -> None:
            exchange.read_body(1000)
            exchange.begin(413, 0, Connection="close")
            exchange.hang_up()

        content = random.Random(5).randbytes(30_000_000)
        blob = Descriptor("x/y", Digest.of(content), len(content))
        registry.fail("PUT", "uploads", *(refuse for _ in range(6)))
        with talking(registry) as transport, pytest.raises(RegistryError, match="HTTP 413"):
            push(transport, registry, Content(content), blob=blob)

    @pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "PATCH", "GET"])
    def test_a_token_that_ends_at_any_step_is_renewed_once(self, registry: FakeRegistry, method: str) -> None:
        registry.tokens = set()

        def expire(_: Exchange) -> None:
            assert registry.tokens is not None
            registry.tokens.clear()

        if method in ("PATCH", "GET"):
            registry.fail("PUT", "uploads", registry.cut(2_000_000))
        registry.fail(method, "/v2/", *([nothing] if method == "HEAD" else []), expire)
        with talking(registry, login=True) as transport:
            assert push(transport, registry) is Transfer.COPIED
        assert held(registry) == CONTENT
        assert len(registry.token_requests) == 2


@pytest.mark.parametrize(
    "wrong",
    [CONTENT[:-1], CONTENT + b"x", b"x" + CONTENT[1:], CONTENT[:-1] + b"x", b""],
    ids=["short", "long", "first", "last", "empty"],
)
def test_wrong_content_is_never_completed(registry: FakeRegistry, wrong: bytes) -> None:
    with talking(registry) as transport, pytest.raises(ContentError):
        push(transport, registry, Content(wrong))
    assert held(registry) is None
    # The client has left already, and the server may still be about to read what it had sent.
    deadline = time.monotonic() + 10
    while not registry.server.requests("PUT") and time.monotonic() < deadline:
        time.sleep(0.01)
    assert sent(registry) < len(CONTENT)
    assert len(registry.server.requests("PUT")) == 1


def test_content_that_changes_between_two_tries_is_noticed(registry: FakeRegistry) -> None:
    content = Content(random.Random(6).randbytes(20_000_000))
    blob = Descriptor("x/y", Digest.of(content.content), 20_000_000)

    def swap(exchange: Exchange) -> None:
        content.content = bytes(20_000_000)
        registry.cut(9_000_000)(exchange)

    registry.fail("PUT", "uploads", swap)
    with talking(registry) as transport, pytest.raises(ContentError):
        push(transport, registry, content, blob=blob)
    assert held(registry, blob) is None


class AskedMeanwhile:
    """Content that asks its source while it is being sent, as after a break, and when somebody else asks it too."""

    def __init__(self, source: Source, pool: ThreadPoolExecutor) -> None:
        self._source = source
        self._pool = pool
        self._open = ExitStack()
        self._stream: Readable | None = None
        self.other: Future[Manifest] | None = None

    @contextmanager
    def open(self, _: int = 0, /) -> Iterator[Readable]:
        with self._open:
            yield self

    def read(self, size: int = -1, /) -> bytes:
        if self._stream is None:
            self.other = self._pool.submit(self._source.resolve, "1")
            time.sleep(0.2)
            self._stream = self._open.enter_context(self._source.open(BLOB))
        return self._stream.read(size)


def test_a_token_that_the_only_upload_waits_for_needs_no_place(registry: FakeRegistry) -> None:
    """The token is being fetched by another thread, which must not wait for the upload's place in turn."""
    registry.tokens = set()
    registry.put(image(), "1", name="acme/base")
    registry.blobs["acme/base", str(BLOB.digest)] = CONTENT
    with ThreadPoolExecutor(2) as pool, talking(registry, jobs=1) as transport:
        content = AskedMeanwhile(transport.source(registry.repository("acme/base")), pool)
        upload = pool.submit(transport.destination(registry.repository()).push_blob, BLOB, content, None)
        assert upload.result(10) is Transfer.COPIED
        assert content.other
        content.other.result(10)
    assert held(registry) == CONTENT


def test_an_error_of_the_source_is_passed_on_at_once(registry: FakeRegistry) -> None:
    class Gone(io.BytesIO):
        def read(self, _: int | None = -1, /) -> bytes:
            raise NetworkError("the source is gone")

    class Broken(Content):
        @contextmanager
        def open(self, offset: int = 0, /) -> Iterator[io.BytesIO]:
            self.opened.append(offset)
            yield Gone()

    with talking(registry) as transport, pytest.raises(NetworkError, match="the source is gone"):
        push(transport, registry, Broken())
    assert len(registry.server.requests("PUT")) == 1


class FarAway(Content):
    """Content that takes as long to open as `ready` takes; `error` is what comes of it then."""

    is_far = True

    def __init__(self, error: ManifestActionError | None = None) -> None:
        super().__init__()
        self.error = error
        self.asked, self.ready, self.closed = Event(), Event(), Event()

    @contextmanager
    def open(self, offset: int = 0, /) -> Iterator[io.BytesIO]:
        self.asked.set()
        assert self.ready.wait(10)
        if self.error:
            raise self.error
        with super().open(offset) as stream:
            yield stream
        self.closed.set()


class TestContentFromAfar:
    def test_it_is_opened_while_the_upload_is(self, registry: FakeRegistry) -> None:
        content = FarAway()

        def wait(_: Exchange) -> None:
            assert content.asked.wait(10)
            content.ready.set()

        registry.fail("POST", "uploads", wait)
        with talking(registry) as transport:
            assert push(transport, registry, content) is Transfer.COPIED
        assert held(registry) == CONTENT
        assert content.opened == [0]
        assert content.closed.is_set()

    def test_it_is_opened_again_where_an_upload_goes_on(self, registry: FakeRegistry) -> None:
        content = FarAway()
        content.ready.set()
        registry.fail("PUT", "uploads", registry.cut(2_000_000))
        with talking(registry) as transport:
            assert push(transport, registry, content) is Transfer.COPIED
        assert held(registry) == CONTENT
        assert len(content.opened) == 2

    def test_what_goes_wrong_with_it_is_told(self, registry: FakeRegistry) -> None:
        content = FarAway(NetworkError("the source is gone"))
        content.ready.set()
        with talking(registry) as transport, pytest.raises(NetworkError, match="the source is gone"):
            push(transport, registry, content)
        assert not registry.server.requests("PUT")

    @pytest.mark.parametrize("at_once", [True, False])
    def test_it_is_left_to_itself_when_there_is_no_upload(self, registry: FakeRegistry, *, at_once: bool) -> None:
        content = FarAway()

        def refuse(exchange: Exchange) -> None:
            assert content.asked.wait(10)
            if at_once:
                content.ready.set()
            status(403, errors("DENIED", "never"))(exchange)

        registry.fail("POST", "uploads", refuse)
        with talking(registry) as transport:
            with pytest.raises(RegistryError, match="HTTP 403"):
                push(transport, registry, content)
            content.ready.set()
            assert content.closed.wait(10)


class TestLocations:
    def test_an_upload_may_go_to_another_host_without_the_login(self, registry: FakeRegistry) -> None:
        bodies = []

        def take_in(exchange: Exchange) -> None:
            bodies.append(exchange.read_body())
            exchange.answer(201)

        registry.tokens = set()
        elsewhere = ScriptedServer(take_in)
        with elsewhere.running(), talking(registry, login=True) as transport:
            registry.fail("POST", "uploads", status(202, Location=f"{elsewhere.url}/u?X-Amz-Signature=a%2b"))
            assert push(transport, registry) is Transfer.COPIED
        (request,) = elsewhere.seen
        assert bodies == [CONTENT]
        assert request.target == f"/u?X-Amz-Signature=a%2b&digest={BLOB.digest}"
        assert "authorization" not in request.headers

    @pytest.mark.parametrize(
        "location",
        [
            "",
            "//169.254.169.254/latest",
            "http://10.0.0.1/u",
            "file:///etc/passwd",
            "http://a b/",
            "http://u:canary@127.0.0.1/",
        ],
    )
    def test_some_places_are_never_written_to(self, registry: FakeRegistry, location: str) -> None:
        registry.fail("POST", "uploads", status(202, Location=location))
        with talking(registry) as transport, pytest.raises(ManifestActionError) as caught:
            push(transport, registry)
        assert "sends us" in str(caught.value)
        assert "canary" not in str(caught.value)

    def test_an_upload_may_be_sent_on(self, registry: FakeRegistry) -> None:
        bodies = []

        def take_in(exchange: Exchange) -> None:
            bodies.append(exchange.read_body())
            exchange.answer(201)

        elsewhere = ScriptedServer(take_in)
        with elsewhere.running(), talking(registry) as transport:
            registry.fail("PUT", "uploads", status(307, Location=f"{elsewhere.url}/final"))
            assert push(transport, registry) is Transfer.COPIED
        assert bodies == [CONTENT]
        assert elsewhere.seen[0].target == "/final"

    def test_an_upload_is_not_sent_on_for_ever(self, registry: FakeRegistry) -> None:
        registry.fail("PUT", "", *(status(307, Location="/again") for _ in range(10)))
        with talking(registry) as transport, pytest.raises(RegistryError, match="more than 5 redirects"):
            push(transport, registry)
        assert len(registry.server.requests("PUT")) == 5

    def test_an_upload_is_not_turned_into_a_read(self, registry: FakeRegistry) -> None:
        registry.fail("PUT", "uploads", status(303, Location="/elsewhere"))
        with talking(registry) as transport, pytest.raises(RegistryError, match="turn it into a GET"):
            push(transport, registry)
