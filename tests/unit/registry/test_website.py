"""Files that a host has beside its registry, which is where lookasides are."""

import pytest

from manifest_action.errors import RegistryError
from manifest_action.transport.base import Website
from manifest_action.transport.registry.client import RegistryTransport
from tests.unit.registry.fake import FakeRegistry, Step, hang_up, status, talking

TARGET = "/sigs/acme/app@sha256=00/signature-1"


def read(registry: FakeRegistry, transport: RegistryTransport, limit: int = 5) -> bytes | None:
    source = transport.source(registry.repository())
    assert isinstance(source, Website)
    return source.read_file(TARGET, limit)


@pytest.mark.parametrize(
    ("steps", "content"),
    [
        ([status(200, b"12345")], b"12345"),
        ([status(404, b"none")], None),
        ([status(503), hang_up, status(200, b"1")], b"1"),
    ],
)
def test_a_file_is_there_or_it_is_not(steps: list[Step], content: bytes | None) -> None:
    registry = FakeRegistry()
    registry.fail("GET", "/sigs/", *steps)
    with talking(registry) as transport:
        assert read(registry, transport) == content
    assert {request.target for request in registry.server.seen} == {TARGET}


@pytest.mark.parametrize("step", [status(200, b"123456"), status(403), status(500)])
def test_anything_else_is_an_error(step: Step) -> None:
    registry = FakeRegistry()
    registry.fail("GET", "/sigs/", *[step] * 9)
    with talking(registry) as transport, pytest.raises(RegistryError, match="cannot read the file"):
        read(registry, transport)
