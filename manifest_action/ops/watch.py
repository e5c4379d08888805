"""Watching large blobs on their way, so that a person can see that something happens."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from manifest_action.events import BlobProgress, Reporter
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.reference import Repository
from manifest_action.transport.base import Content, FarContent, Readable

LARGE = 16 * 1024 * 1024
"""Bytes from which on a blob is worth watching."""
STEP = 4 * 1024 * 1024


def watched(content: Content, blob: Descriptor, repository: Repository, reporter: Reporter) -> Content:
    """The content of a blob that goes to `repository`; a large one tells the reporter every 4 MiB how far it is."""
    return _Watched(content, blob, repository, reporter) if blob.size >= LARGE else content


@dataclass(frozen=True, slots=True)
class _Watched:
    content: Content
    blob: Descriptor
    repository: Repository
    reporter: Reporter

    @property
    def is_far(self) -> bool:
        """See `FarContent`."""
        return isinstance(self.content, FarContent) and self.content.is_far

    def open(self, offset: int = 0, /) -> AbstractContextManager[Readable]:
        """See `Content`."""
        return self._open(offset)

    @contextmanager
    def _open(self, offset: int) -> Iterator[Readable]:
        with self.content.open(offset) as stream:
            yield _Stream(stream, self, offset)


class _Stream:
    """Counts what is read. What was sent before an upload had to begin again is counted once."""

    def __init__(self, stream: Readable, watched: _Watched, offset: int) -> None:
        self._stream = stream
        self._watched = watched
        self._done = offset
        self._told = offset

    def read(self, size: int = -1, /) -> bytes:
        """See `Readable`."""
        chunk = self._stream.read(size)
        self._done += len(chunk)
        if self._done - self._told >= STEP:
            self._told = self._done
            blob, repository = self._watched.blob, self._watched.repository
            self._watched.reporter.emit(BlobProgress(repository, blob.digest, self._done, blob.size))
        return chunk
