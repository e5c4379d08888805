"""The `oci` transport."""

from collections.abc import Iterable
from pathlib import Path
from threading import Lock

from manifest_action.errors import StoreError
from manifest_action.model.access import Access
from manifest_action.model.reference import Repository
from manifest_action.transport.layout.destination import ReferringDestination
from manifest_action.transport.layout.layout import Layout
from manifest_action.transport.layout.source import ReferringSource


class LayoutTransport:
    """Layouts by path: a repository's name is the path of its directory.

    root: what relative paths start from and no path may leave; None is the current directory, with every path allowed
    """

    def __init__(self, root: Path | None = None) -> None:
        self._root = root
        self._layouts: dict[str, Layout] = {}
        self._lock = Lock()

    def source(self, repository: Repository, /) -> ReferringSource:
        """The layout for reading; StoreError when it is outside of the root."""
        return ReferringSource(self._layout(repository), str(repository))

    def destination(self, repository: Repository, /) -> ReferringDestination:
        """The layout for writing; StoreError when it is outside of the root."""
        return ReferringDestination(self._layout(repository), str(repository))

    def prepare(self, accesses: Iterable[Access], /) -> None:
        """Nothing has to be asked for."""

    def close(self) -> None:
        """Nothing is held between calls."""

    def _layout(self, repository: Repository) -> Layout:
        with self._lock:
            if repository.name not in self._layouts:
                self._layouts[repository.name] = Layout(self._path(repository.name))
            return self._layouts[repository.name]

    def _path(self, name: str) -> Path:
        if self._root is None:
            return Path(name)
        root = self._root.resolve()
        path = (root / name).resolve()
        if not path.is_relative_to(root):
            raise StoreError("the path leaves the directory that layouts may be in", where=name, hint=f"stay in {root}")
        return path
