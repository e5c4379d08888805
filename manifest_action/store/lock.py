"""One writer at a time in a store, and a note in the lock file of who that is."""

import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from manifest_action.errors import StoreError

_MODE = 0o644
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_NOTE_LIMIT = 200
_PAUSE = 0.005
"""Seconds between two tries: short, so that a holder that comes back at once does not keep others out."""


class StoreLock:
    """An advisory lock (flock) on a file. It ends with its holder, whatever ends that.

    timeout: seconds to wait for another holder
    command: what this program calls itself in the note that others see; the name of the program by default
    """

    def __init__(self, path: Path, timeout: float, command: str = "") -> None:
        self._path = path
        self._timeout = timeout
        self._command = command or Path(sys.argv[0]).name

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock for a block. StoreError says who else holds it when the wait was too long."""
        file = self._open()
        try:
            self._wait(file)
            note = f"process {os.getpid()} ({self._command})".encode()[:_NOTE_LIMIT]
            os.ftruncate(file, 0)
            os.pwrite(file, note, 0)
            yield
            os.ftruncate(file, 0)
        finally:
            os.close(file)

    def _open(self) -> int:
        try:
            return os.open(self._path, _FLAGS, _MODE)
        except OSError as error:
            raise StoreError(
                "the store cannot be locked",
                where=str(self._path),
                why=error.strerror or "",
                hint="let this user write there, or choose another place with --store",
            ) from None

    def _wait(self, file: int) -> None:
        deadline = time.monotonic() + self._timeout
        while not _try(file):
            if time.monotonic() >= deadline:
                raise self._taken(file)
            time.sleep(_PAUSE)

    def _taken(self, file: int) -> StoreError:
        holder = os.pread(file, _NOTE_LIMIT, 0).decode("utf-8", "replace") or "another process"
        return StoreError(
            f"the store is locked by {holder}, and has been for {self._timeout:g} seconds",
            where=str(self._path.parent),
            hint="wait until that is done, or wait longer with --lock-timeout",
        )


def _try(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
