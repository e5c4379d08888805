"""What reading and writing a layout needs of the place that keeps its files: a directory, an archive, another form."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.transport.base import Readable
from manifest_action.transport.layout.index import LayoutIndex


class Seekable(Readable, Protocol):
    """A stream that can begin anywhere."""

    def seek(self, offset: int, /) -> object:
        """Let the next `read` begin at this byte."""


class ReadableLayout(Protocol):
    """A layout that is read. Every method may be called from several threads at once; failures are StoreErrors."""

    def index(self) -> LayoutIndex | None:
        """What it lists right now, None when there is none at this place."""

    def size(self, digest: Digest, /) -> int | None:
        """The bytes of a blob, None when it is not there."""

    def open(self, digest: Digest, /) -> AbstractContextManager[Seekable | None]:
        """The blob, None when it is not there."""


class WritableLayout(ReadableLayout, Protocol):
    """A layout that is written too."""

    @property
    def path(self) -> Path:
        """Where it is."""

    def is_vacant(self) -> bool:
        """Whether one could be created here."""

    def create(self) -> None:
        """See that there is one."""

    def write(self, blob: Descriptor, content: Readable, /) -> None:
        """Store a blob once `content` has come to its end without an error."""

    def change_index(self, change: Callable[[LayoutIndex], LayoutIndex], /) -> None:
        """Change what it lists, in one step, with no other change in between."""
