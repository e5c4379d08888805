"""Upload sessions that nobody will go on with are cancelled, and nothing ever waits for that long."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from manifest_action.errors import ContentError, NetworkError, RegistryError
from manifest_action.transport.registry.client import RegistryTransport
from tests.unit.registry.fake import NAME, FakeRegistry, Step, errors, reset, status, talking
from tests.unit.registry.scripted import Exchange
from tests.unit.registry.test_upload import CONTENT, Content, held, push, steps

MOMENT = 2.5
"""Seconds: more than the one that is waited at most, less than anything else waits."""


@pytest.fixture
def registry() -> FakeRegistry:
    return FakeRegistry()


@pytest.fixture
def over() -> Iterator[threading.Event]:
    """Set when the test is over, for what stalls until then."""
    event = threading.Event()
    yield event
    event.set()


def stall(over: threading.Event) -> Step:
    def step(exchange: Exchange) -> None:
        over.wait(20)
        exchange.hang_up()

    return step


def fails(transport: RegistryTransport, registry: FakeRegistry, content: Content | None = None) -> Exception:
    with pytest.raises((RegistryError, ContentError)) as caught:
        push(transport, registry, content)
    return caught.value


def test_an_upload_that_is_given_up_is_cancelled_once(registry: FakeRegistry) -> None:
    registry.fail("PUT", "uploads", status(403, errors("DENIED", "never")))
    with talking(registry) as transport:
        assert "never" in str(fails(transport, registry))
    assert steps(registry) == ["HEAD", "POST", "PUT", "DELETE"]
    assert registry.server.seen[-1].target.startswith(f"/v2/{NAME}/blobs/uploads/")
    assert registry.uploads == {}


def test_so_is_one_whose_content_is_wrong(registry: FakeRegistry) -> None:
    with talking(registry) as transport:
        fails(transport, registry, content=Content(CONTENT[:-1] + b"x"))
    assert [each.method for each in registry.server.requests("DELETE")] == ["DELETE"]
    assert registry.uploads == {}


def test_a_session_that_a_mount_opened_is_cancelled_too(registry: FakeRegistry) -> None:
    registry.fail("PUT", "uploads", status(413))
    with talking(registry) as transport, pytest.raises(RegistryError):
        push(transport, registry, mount_from="acme/base")
    assert steps(registry) == ["POST", "PUT", "DELETE"]


def test_one_that_ends_well_is_not(registry: FakeRegistry) -> None:
    registry.fail("PUT", "uploads", registry.cut(2_000_000))
    with talking(registry) as transport:
        push(transport, registry)
    assert held(registry) == CONTENT
    assert not registry.server.requests("DELETE")


@pytest.mark.parametrize("code", ["BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID"])
def test_nor_is_a_session_that_the_registry_does_not_know(registry: FakeRegistry, code: str) -> None:
    registry.fail("PUT", "uploads", *(status(404, errors(code)) for _ in range(10)))
    with talking(registry, retry_budget=0.0) as transport:
        fails(transport, registry)
    assert steps(registry) == ["HEAD", "POST", "PUT"]


@pytest.mark.parametrize("answer", [status(401), status(405, errors("UNSUPPORTED")), status(500), reset])
def test_what_the_registry_makes_of_it_does_not_matter(registry: FakeRegistry, answer: Step) -> None:
    registry.fail("PUT", "uploads", status(403, errors("DENIED", "never")))
    registry.fail("DELETE", "uploads", answer)
    began = time.monotonic()
    with talking(registry) as transport:
        assert "never" in str(fails(transport, registry))
    assert time.monotonic() - began < MOMENT
    assert len(registry.server.requests("DELETE")) == 1


def test_a_registry_that_does_not_answer_is_not_waited_for(registry: FakeRegistry, over: threading.Event) -> None:
    registry.fail("PUT", "uploads", status(403, errors("DENIED", "never")))
    registry.fail("DELETE", "uploads", stall(over))
    with talking(registry) as transport:
        began = time.monotonic()
        assert "never" in str(fails(transport, registry))
        assert 0.9 < time.monotonic() - began < MOMENT
        over.set()


@pytest.mark.parametrize(("behind", "tries"), [(1, {2}), (3, {4}), (99, {4, 5, 6})])
def test_a_session_that_bytes_still_come_into_is_asked_for_again(
    registry: FakeRegistry, behind: int, tries: set[int]
) -> None:
    """One that never ends is given up after six tries, or a second, which are fewer where the processors are busy."""

    def say_where(exchange: Exchange) -> None:
        exchange.answer(204, Location=f"{exchange.path}?_state=a%2fb", Range="0-1")

    registry.fail("PUT", "uploads", status(403, errors("DENIED", "never")))
    registry.fail("DELETE", "uploads", *[status(416)] * behind)
    registry.fail("GET", "uploads", *[say_where] * behind)
    began = time.monotonic()
    with talking(registry) as transport:
        assert "never" in str(fails(transport, registry))
    assert time.monotonic() - began < MOMENT
    assert (registry.uploads == {}) is (behind < 99)
    assert len(registry.server.requests("DELETE")) in tries


def test_the_login_at_hand_is_used_and_no_other_is_asked_for(registry: FakeRegistry) -> None:
    registry.tokens = set()
    registry.fail("PUT", "uploads", status(403, errors("DENIED", "never")))
    with talking(registry, login=True) as transport:
        fails(transport, registry)
    (cancelled,) = registry.server.requests("DELETE")
    assert cancelled.headers["authorization"] == "Bearer token-1-canary"
    assert len(registry.token_requests) == 1
    assert registry.uploads == {}


def test_a_session_on_another_host_is_cancelled_there_without_the_login(registry: FakeRegistry) -> None:
    other = FakeRegistry()

    def elsewhere(exchange: Exchange) -> None:
        other.uploads["1"] = b""
        exchange.answer(202, Location=f"http://{other.host}/v2/{NAME}/blobs/uploads/1?_state=a%2fb")

    registry.tokens = set()
    registry.fail("POST", "uploads", elsewhere)
    other.fail("PUT", "uploads", status(403, errors("DENIED", "never")))
    with other.server.running(), talking(registry, login=True) as transport:
        fails(transport, registry)
    assert [each.method for each in other.server.seen] == ["PUT", "DELETE"]
    assert not any("authorization" in each.headers for each in other.server.seen)
    assert not registry.server.requests("DELETE")


@pytest.fixture
def sending(registry: FakeRegistry, over: threading.Event) -> Callable[[RegistryTransport], None]:
    """Begins three uploads that stall in the middle of their PUT."""
    reached = threading.Barrier(4, timeout=10)

    def hold(exchange: Exchange) -> None:
        exchange.read_body(1000)
        reached.wait()
        over.wait(20)
        exchange.hang_up()

    def begin(transport: RegistryTransport) -> None:
        registry.fail("PUT", "uploads", hold, hold, hold)
        pool = ThreadPoolExecutor(3)
        for _ in range(3):
            pool.submit(push, transport, registry)
        pool.shutdown(wait=False)
        reached.wait()

    return begin


def test_a_run_that_is_stopped_cancels_what_is_under_way(
    registry: FakeRegistry, sending: Callable[[RegistryTransport], None], over: threading.Event
) -> None:
    with talking(registry) as transport:
        sending(transport)
        assert len(registry.uploads) == 3
        began = time.monotonic()
        transport.close()
        assert time.monotonic() - began < MOMENT
        over.set()
        assert registry.uploads == {}
    assert len(registry.server.requests("DELETE")) == 3


def test_nor_does_a_stopped_run_wait_for_an_answer(
    registry: FakeRegistry, sending: Callable[[RegistryTransport], None], over: threading.Event
) -> None:
    registry.fail("DELETE", "uploads", *[stall(over)] * 3)
    with talking(registry) as transport:
        sending(transport)
        began = time.monotonic()
        transport.close()
        assert time.monotonic() - began < MOMENT
        over.set()
    assert len(registry.server.requests("DELETE")) == 3


def test_nothing_is_sent_after_a_run_has_ended(registry: FakeRegistry) -> None:
    with talking(registry) as transport:
        push(transport, registry)
        transport.close()
        with pytest.raises(NetworkError):
            push(transport, registry)
        transport.close()
    assert not registry.server.requests("DELETE")
