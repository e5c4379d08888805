"""Connections that are begun before there is anything to say."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import pytest

from manifest_action.transport.registry import dialer
from manifest_action.transport.registry.dialer import Dialer


@contextmanager
def listening() -> Iterator[tuple[socket.socket, int]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)
        yield listener, listener.getsockname()[1]


def soon(happens: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 5
    while not happens() and time.monotonic() < deadline:
        time.sleep(0.01)
    return happens()


@pytest.fixture
def calls() -> Iterator[Dialer]:
    calls = Dialer(5.0)
    yield calls
    calls.close()


def test_a_connection_is_begun_at_once_and_given_once(calls: Dialer) -> None:
    with listening() as (listener, port):
        calls.dial("127.0.0.1", port)
        calls.dial("127.0.0.1", port)
        other, _ = listener.accept()
        taken = calls.take("127.0.0.1", port)
        assert taken is not None
        with other, taken:
            taken.sendall(b"hello")
            assert other.recv(10) == b"hello"
        assert calls.take("127.0.0.1", port) is None
        listener.settimeout(0.1)
        with pytest.raises(TimeoutError):
            listener.accept()


def test_where_nothing_was_begun_there_is_nothing(calls: Dialer) -> None:
    assert calls.take("127.0.0.1", 443) is None


@pytest.mark.parametrize("error", [ConnectionRefusedError(111, "Connection refused"), RuntimeError("anything")])
def test_what_goes_wrong_while_it_is_waited_for_is_raised(
    error: Exception, calls: Dialer, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()

    def fail(*_: object) -> NoReturn:
        go_on.wait(5)
        raise error

    monkeypatch.setattr(socket, "create_connection", fail)
    calls.dial("registry.invalid", 443)
    threading.Timer(0.1, go_on.set).start()
    with pytest.raises(OSError, match=r"refused|RuntimeError"):
        calls.take("registry.invalid", 443)
    assert calls.take("registry.invalid", 443) is None


def settled(calls: Dialer) -> bool:
    return all(call.done() for call in calls._calls.values())


@pytest.mark.parametrize("host", ["127.0.0.1", f"{'x' * 64}.example"], ids=["refused", "no name"])
def test_what_went_wrong_before_is_no_matter(host: str, calls: Dialer) -> None:
    with listening() as (_, port):
        pass
    calls.dial(host, port)
    assert soon(lambda: settled(calls))
    assert calls.take(host, port) is None


def test_one_that_was_hung_up_meanwhile_is_not_given(calls: Dialer) -> None:
    with listening() as (listener, port):
        calls.dial("127.0.0.1", port)
        assert soon(lambda: settled(calls))
        listener.accept()[0].close()
        time.sleep(0.05)
        assert calls.take("127.0.0.1", port) is None


def test_one_that_has_waited_long_is_not_given(calls: Dialer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialer, "FRESH", 0.0)
    with listening() as (listener, port):
        calls.dial("127.0.0.1", port)
        other, _ = listener.accept()
        with other:
            assert calls.take("127.0.0.1", port) is None
            assert other.recv(10) == b""


def test_those_that_nobody_wanted_are_hung_up() -> None:
    calls = Dialer(5.0)
    with listening() as (listener, port):
        calls.dial("127.0.0.1", port)
        other, _ = listener.accept()
        with other:
            calls.close()
            other.settimeout(5)
            assert other.recv(10) == b""
        assert calls.take("127.0.0.1", port) is None


def test_one_that_is_still_being_made_is_hung_up_when_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    connect = socket.create_connection

    def slow(address: tuple[str, int], timeout: float) -> socket.socket:
        go_on.wait(5)
        return connect(address, timeout)

    monkeypatch.setattr(socket, "create_connection", slow)
    calls = Dialer(5.0)
    with listening() as (listener, port):
        calls.dial("127.0.0.1", port)
        calls.close()
        go_on.set()
        other, _ = listener.accept()
        with other:
            other.settimeout(5)
            assert other.recv(10) == b""
