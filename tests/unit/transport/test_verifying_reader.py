"""Streams are checked while they pass: a consumer that reaches the end has read what was promised."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifest_action.errors import ContentError
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.transport.base import Readable
from manifest_action.transport.verify import VerifyingReader, read_blob

CONTENT = b"0123456789"


def _descriptor(content: bytes, size: int | None = None, algorithm: str = "sha256") -> Descriptor:
    return Descriptor("application/x", Digest.of(content, algorithm), len(content) if size is None else size)


def _drain(reader: VerifyingReader, size: int) -> bytes:
    return b"".join(iter(lambda: reader.read(size), b""))


class Trickle:
    """A stream that gives one byte at a time, as slow sockets do."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def read(self, size: int = -1, /) -> bytes:
        return self._content.read(min(size, 1))


class OneBlob:
    """A source that gives the same bytes for everything."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.opened: list[Descriptor] = []

    def resolve(self, selector: str, /) -> Manifest:
        raise AssertionError(selector)

    @contextmanager
    def open(self, blob: Descriptor, offset: int = 0, /) -> Iterator[Readable]:
        self.opened.append(blob)
        yield io.BytesIO(self.content[offset:])


@given(st.binary(max_size=300), st.integers(1, 400), st.sampled_from(["sha256", "sha512"]))
def test_right_content_passes_in_any_portions(content: bytes, portion: int, algorithm: str) -> None:
    reader = VerifyingReader(io.BytesIO(content), _descriptor(content, algorithm=algorithm), "here")
    assert len(reader) == len(content)
    assert _drain(reader, portion) == content
    assert len(reader) == 0
    assert reader.read() == reader.read(5) == b""


def test_everything_at_once_and_nothing_at_all() -> None:
    reader = VerifyingReader(io.BytesIO(CONTENT), _descriptor(CONTENT), "here")
    assert reader.read(0) == b""
    assert reader.read() == CONTENT
    assert VerifyingReader(io.BytesIO(b""), _descriptor(b""), "here").read() == b""


def test_slow_streams_pass() -> None:
    assert _drain(VerifyingReader(Trickle(CONTENT), _descriptor(CONTENT), "here"), 4) == CONTENT


@given(st.binary(min_size=1, max_size=50), st.integers(0, 49), st.integers(1, 60))
def test_a_changed_byte_is_noticed_before_the_last_portion_is_given(content: bytes, place: int, portion: int) -> None:
    place %= len(content)
    changed = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
    reader = VerifyingReader(io.BytesIO(changed), _descriptor(content), "here")
    given_out = 0
    with pytest.raises(ContentError, match="has digest sha256:"):
        while chunk := reader.read(portion):
            given_out += len(chunk)
    assert given_out < len(content)


@pytest.mark.parametrize(
    ("content", "descriptor", "complaint"),
    [
        (CONTENT[:-1], _descriptor(CONTENT), "ended 1 bytes early"),
        (b"", _descriptor(CONTENT), "ended 10 bytes early"),
        (CONTENT + b"x", _descriptor(CONTENT), "has more than the 10 bytes"),
        (CONTENT, _descriptor(CONTENT, 9), "has more than the 9 bytes"),
        (CONTENT, _descriptor(CONTENT, 11), "ended 1 bytes early"),
        (b"x" * 10, _descriptor(CONTENT), "has digest sha256:"),
    ],
)
def test_wrong_content_is_refused(content: bytes, descriptor: Descriptor, complaint: str) -> None:
    reader = VerifyingReader(io.BytesIO(content), descriptor, "ghcr.io/acme/app")
    with pytest.raises(ContentError, match=complaint) as caught:
        _drain(reader, 4)
    assert caught.value.where == "ghcr.io/acme/app"
    assert caught.value.hint


@pytest.mark.parametrize("descriptor", [_descriptor(CONTENT, 0), _descriptor(b"", 0)])
def test_an_empty_blob_is_checked_too(descriptor: Descriptor) -> None:
    with pytest.raises(ContentError, match="has more than the 0 bytes"):
        VerifyingReader(io.BytesIO(CONTENT), descriptor, "here")


def test_a_digest_of_something_is_not_the_digest_of_nothing() -> None:
    with pytest.raises(ContentError, match="has digest sha256:e3b0c44"):
        VerifyingReader(io.BytesIO(b""), _descriptor(CONTENT, 0), "here")


def test_small_blobs_are_read_whole() -> None:
    assert read_blob(OneBlob(CONTENT), _descriptor(CONTENT), 10, "here") == CONTENT
    assert read_blob(OneBlob(b""), _descriptor(b""), 10, "here") == b""
    with pytest.raises(ContentError, match="has digest"):
        read_blob(OneBlob(b"x" * 10), _descriptor(CONTENT), 10, "here")


def test_blobs_over_the_limit_are_not_opened() -> None:
    source = OneBlob(CONTENT)
    with pytest.raises(ContentError, match="has 10 bytes, over the limit of 9"):
        read_blob(source, _descriptor(CONTENT), 9, "here")
    assert not source.opened
