"""Checking streamed bytes against their descriptor while they pass."""

import hashlib
from dataclasses import dataclass

from manifest_action.errors import ContentError
from manifest_action.model.descriptor import Descriptor
from manifest_action.transport.base import Readable, Source


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a stream was read: its first `offset` bytes gave `hasher` its state."""

    offset: int
    hasher: "hashlib._Hash"


class VerifyingReader:
    """A stream that ends only if it is exactly what its descriptor says.

    The last bytes are held back until size and digest are right, so a consumer that has read everything
    has read verified content; ContentError is raised before them otherwise.

    start: where `stream` begins, when not at its first byte: a checkpoint of an earlier reader of the same content
    """

    def __init__(
        self, stream: Readable, descriptor: Descriptor, where: str, *, start: Checkpoint | None = None
    ) -> None:
        self._stream = stream
        self._descriptor = descriptor
        self._where = where
        self._hasher = start.hasher.copy() if start else descriptor.digest.hasher()
        self._left = descriptor.size - (start.offset if start else 0)
        if not self._left:
            self._check_end()

    def __len__(self) -> int:
        return self._left

    @property
    def checkpoint(self) -> Checkpoint:
        """The place reached so far, for a later reader to start at."""
        return Checkpoint(self._descriptor.size - self._left, self._hasher.copy())

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes; ContentError when the stream is short, long or different."""
        wanted = self._left if size < 0 else min(size, self._left)
        if not wanted:
            return b""
        chunk = self._stream.read(wanted)
        if not chunk:
            raise self._wrong(f"ended {self._left} bytes early")
        self._hasher.update(chunk)
        self._left -= len(chunk)
        if not self._left:
            self._check_end()
        return chunk

    def _check_end(self) -> None:
        if self._stream.read(1):
            raise self._wrong(f"has more than the {self._descriptor.size} bytes it should have")
        if self._hasher.hexdigest() != self._descriptor.digest.encoded:
            raise self._wrong(f"has digest {self._descriptor.digest.algorithm}:{self._hasher.hexdigest()}")

    def _wrong(self, how: str) -> ContentError:
        return ContentError(
            f"content {self._descriptor.digest} {how}",
            where=self._where,
            hint="the source is damaged or lies; push that image again",
        )


def read_blob(source: Source, blob: Descriptor, limit: int, where: str) -> bytes:
    """The verified bytes of a small blob; ContentError when it is over `limit` bytes or not what it should be."""
    if blob.size > limit:
        raise ContentError(f"blob {blob.digest} has {blob.size} bytes, over the limit of {limit}", where=where)
    with source.open(blob) as stream:
        reader = VerifyingReader(stream, blob, where)
        chunks = []
        while chunk := reader.read(limit):
            chunks.append(chunk)
        return b"".join(chunks)
