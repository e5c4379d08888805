"""TLS through memory, with the standard library's sockets at the other end."""

import random
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from manifest_action.transport.registry.tls import TlsContext, TlsStream
from tests.support.certificates import Certificate, shared_certificate

Served = Callable[[ssl.SSLSocket], object]
CONTENT = random.Random("tls").randbytes(3 * 1024 * 1024 + 17)


def trusting(certificate: Certificate) -> TlsContext:
    context = TlsContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(certificate.ca_file)
    return context


@contextmanager
def talking(served: Served, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> Iterator[TlsStream]:
    """A stream to a server of one connection, which is over when the server has done its part."""
    certificate = shared_certificate()
    settings = certificate.server_context()
    settings.maximum_version = version
    here, there = socket.socketpair()
    here.settimeout(10)

    def serve() -> None:
        with settings.wrap_socket(there, server_side=True, suppress_ragged_eofs=False) as sock:
            served(sock)

    with ExitStack() as stack:
        thread = threading.Thread(target=serve)
        thread.start()
        stack.callback(thread.join, 10)
        stack.callback(here.close)
        stream = trusting(certificate).wrap_socket(here, server_hostname="localhost")
        assert stream.version() == {"TLSv1_3": "TLSv1.3", "TLSv1_2": "TLSv1.2"}[version.name]
        yield stream


def received(stream: TlsStream, size: int = 100_000) -> bytes:
    room = bytearray(size)
    return b"".join(iter(lambda: bytes(room[: stream.recv_into(room)]), b""))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("size", [1000, 16 * 1024, 300_000])
def test_what_is_sent_arrives(version: ssl.TLSVersion, size: int) -> None:
    def send(sock: ssl.SSLSocket) -> None:
        sock.sendall(CONTENT)
        sock.unwrap()

    with talking(send, version) as stream:
        assert received(stream, size) == CONTENT
        stream.unwrap()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_and_the_other_way(version: ssl.TLSVersion) -> None:
    arrived = bytearray()

    def receive(sock: ssl.SSLSocket) -> None:
        while len(arrived) < len(CONTENT):
            arrived.extend(sock.recv(50_000))
        sock.sendall(b"done")

    with talking(receive, version) as stream:
        stream.sendall(CONTENT)
        room = bytearray(100)
        assert room[: stream.recv_into(room)] == b"done"
    assert arrived == CONTENT


def test_what_is_there_is_given_without_waiting_for_more() -> None:
    over = threading.Event()

    def send(sock: ssl.SSLSocket) -> None:
        sock.sendall(b"first")
        over.wait(10)

    with talking(send) as stream:
        began = time.monotonic()
        room = bytearray(1000)
        assert room[: stream.recv_into(room)] == b"first"
        assert time.monotonic() - began < 5
        over.set()


def test_an_end_without_a_farewell_is_an_end() -> None:
    def break_off(sock: ssl.SSLSocket) -> None:
        sock.sendall(CONTENT[:70_000])
        sock.shutdown(socket.SHUT_RDWR)

    with talking(break_off) as stream:
        assert received(stream) == CONTENT[:70_000]


def test_waiting_ends_in_time() -> None:
    over = threading.Event()
    with talking(lambda _: over.wait(10)) as stream:
        stream.settimeout(0.1)
        with pytest.raises(TimeoutError):
            stream.recv_into(bytearray(10))
        over.set()


def test_another_thread_can_break_it() -> None:
    over = threading.Event()
    with talking(lambda _: over.wait(10)) as stream:
        threading.Timer(0.1, stream.shutdown, [socket.SHUT_RDWR]).start()
        assert stream.recv_into(bytearray(10)) == 0
        over.set()


def test_damaged_records_are_refused() -> None:
    def send(sock: ssl.SSLSocket) -> None:
        sock.sendall(b"good")
        raw = socket.socket(fileno=sock.detach())
        raw.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
        raw.close()

    with talking(send) as stream:
        room = bytearray(100)
        assert room[: stream.recv_into(room, 4)] == b"good"
        with pytest.raises(ssl.SSLError):
            stream.recv_into(room)


def test_a_certificate_for_another_name_is_refused() -> None:
    certificate = shared_certificate()
    here, there = socket.socketpair()

    def serve() -> None:
        with pytest.raises(OSError), certificate.server_context().wrap_socket(there, server_side=True) as sock:
            sock.recv(1)

    thread = threading.Thread(target=serve)
    thread.start()
    with here, pytest.raises(ssl.SSLCertVerificationError):
        trusting(certificate).wrap_socket(here, server_hostname="elsewhere.test")
    here.close()
    thread.join(10)
