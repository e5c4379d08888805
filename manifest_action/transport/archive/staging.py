"""A private layout beside a file that is being made, for what arrives before the file can be written."""

import os
import secrets
import shutil
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from manifest_action.model.digest import Digest
from manifest_action.transport.layout.directory import Directory, failures_at, make_directory, open_directory
from manifest_action.transport.layout.layout import Layout

_PREFIX = ".manifest-staging-"


class Staging:
    """A directory in `parent` that is gone with this object, or with the next one there if this process is killed.

    Its owner holds a lock on it, so that others can tell whether it is still in use.
    """

    def __init__(self, parent: Path) -> None:
        with make_directory(parent) as directory:
            directory.lock(exclusive=True)
            _remove_abandoned(directory)
            self.path = parent / f"{_PREFIX}{secrets.token_hex(8)}"
            with failures_at(self.path):
                self.path.mkdir(0o700)
                self._fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
            Directory(self.path, self._fd).lock(exclusive=True)
        self._remove = weakref.finalize(self, _remove, self.path, self._fd)
        self.layout = Layout(self.path / "layout")

    @property
    def directory(self) -> Directory:
        """The directory itself, for files that will be moved out of it."""
        return Directory(self.path, self._fd)

    def blobs(self) -> Iterator[tuple[Digest, int]]:
        """Everything that was stored, with its bytes."""
        with open_directory(self.layout.path, "blobs") as algorithms:
            for algorithm in algorithms.names() if algorithms else ():
                for encoded in _names(self.layout.path, algorithm):
                    digest = Digest(algorithm, encoded)
                    yield digest, self.layout.size(digest) or 0

    def close(self) -> None:
        """Remove it."""
        self._remove()


class StagingPlace:
    """The staging area beside `target`, made with the first write."""

    def __init__(self, target: Path) -> None:
        self._parent = target.parent
        self._staging: Staging | None = None
        self._lock = Lock()

    def begin(self) -> Staging:
        """The staging area, which is made if it is not there."""
        with self._lock:
            if self._staging is None:
                self._staging = Staging(self._parent)
                self._staging.layout.create()
            return self._staging

    @property
    def begun(self) -> Staging | None:
        """The staging area, None before the first write."""
        return self._staging

    def close(self) -> None:
        """Remove it, if it was made."""
        with self._lock:
            if self._staging is not None:
                self._staging.close()
            self._staging = None


@contextmanager
def sole_writer(target: Path) -> Iterator[Directory]:
    """The directory of a target while nobody else of us replaces a file in it."""
    with make_directory(target.parent) as parent:
        parent.lock(exclusive=True)
        yield parent


def _names(layout: Path, algorithm: str) -> list[str]:
    with open_directory(layout, "blobs", algorithm) as blobs:
        return blobs.names() if blobs else []


def _remove_abandoned(parent: Directory) -> None:
    """Remove what killed processes have left; nobody else is at it while the parent is locked."""
    for name in parent.names():
        if name.startswith(_PREFIX):
            # Its owner may remove it at this moment, which takes no lock.
            with open_directory(parent.path, name) as found:
                if found and found.try_lock():
                    shutil.rmtree(found.path, ignore_errors=True)


def _remove(path: Path, fd: int) -> None:
    shutil.rmtree(path, ignore_errors=True)
    os.close(fd)
