"""The `oci-archive` transport."""

from collections.abc import Iterable
from pathlib import Path
from threading import Lock
from typing import ClassVar

from manifest_action.model.access import Access
from manifest_action.model.reference import Repository
from manifest_action.transport.archive.layout import ArchivedLayout
from manifest_action.transport.layout.destination import ReferringDestination
from manifest_action.transport.layout.source import ReferringSource


class OciArchiveSource(ReferringSource):
    """A layout in an archive as a `Source`."""

    _form: ClassVar[str] = "OCI archive"
    _signs: ClassVar[str] = "it is a tar file with oci-layout and index.json"


class OciArchiveTransport:
    """OCI archives by path. An archive that exists keeps its other images when one is added or replaced.

    Sources see what has been pushed by digest even before a tag makes it part of the archive.
    """

    def __init__(self) -> None:
        self._layouts: dict[str, ArchivedLayout] = {}
        self._lock = Lock()

    def source(self, repository: Repository, /) -> OciArchiveSource:
        """The archive for reading."""
        return OciArchiveSource(self._layout(repository), str(repository))

    def destination(self, repository: Repository, /) -> ReferringDestination:
        """The archive for writing."""
        return ReferringDestination(self._layout(repository), str(repository))

    def prepare(self, accesses: Iterable[Access], /) -> None:
        """Nothing has to be asked for."""

    def close(self) -> None:
        """Let go of archives, and of what was pushed and never tagged."""
        with self._lock:
            for layout in self._layouts.values():
                layout.close()

    def _layout(self, repository: Repository) -> ArchivedLayout:
        with self._lock:
            return self._layouts.setdefault(repository.name, ArchivedLayout(Path(repository.name)))
