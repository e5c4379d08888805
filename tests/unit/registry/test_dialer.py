"""Connections that are begun before there is anything to say."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from manifest_action.transport.registry import dialer
from manifest_action.transport.registry.dialer import Dialer


@contextmanager
def listening() -> Iterator[tuple[socket.socket, int]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)
        yield listener, listener.getsockname()[1]


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


def test_what_went_wrong_is_raised_when_it_matters(calls: Dialer) -> None:
    with listening() as (_, port):
        pass
    calls.dial("127.0.0.1", port)
    with pytest.raises(ConnectionRefusedError):
        calls.take("127.0.0.1", port)
    assert calls.take("127.0.0.1", port) is None


def test_a_name_that_cannot_be_one_is_not_known(calls: Dialer) -> None:
    name = f"{'x' * 64}.example"
    calls.dial(name, 443)
    with pytest.raises(socket.gaierror):
        calls.take(name, 443)


def test_one_that_has_waited_long_is_not_given(calls: Dialer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialer, "_FRESH", 0.0)
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
