"""Files below a directory that others may have prepared or may be using right now.

Names are looked up from the open directory: no link inside is followed, only regular files are read, and a file
appears or changes in one step, after its bytes are on the disk. Every failure is a StoreError that names the path.
"""

import errno
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from manifest_action.errors import StoreError

LEFTOVER_PREFIX = ".manifest-action-"
"""How the names of unfinished files begin; one that stays behind after a kill belongs to nobody."""

_OPEN_DIRECTORY = os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY
# A FIFO in the place of a file must not make us wait for somebody who writes into it.
_OPEN_FILE = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_CREATE_FILE = os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_CREAT | os.O_EXCL
_FILE_MODE = 0o644
_DIRECTORY_MODE = 0o755

_HINTS = {
    errno.ENOSPC: "free some space on that disk and run again",
    errno.EDQUOT: "free some space in that quota and run again",
    errno.EFBIG: "a file may not become that large there; choose another place",
    errno.EACCES: "let this user write and read there, or choose another place",
    errno.EPERM: "let this user write and read there, or choose another place",
    errno.EROFS: "choose a place that is not read-only",
    errno.ENOTDIR: "a part of the path is a file or a symbolic link; choose another place",
    errno.EEXIST: "a file is in the way; remove it or choose another place",
    errno.ELOOP: "symbolic links inside are not followed; copy with `cp -rL` to turn them into files",
}


class File:
    """A regular file that is open for reading."""

    def __init__(self, path: Path, fd: int) -> None:
        self._path = path
        self._fd = fd

    @property
    def size(self) -> int:
        """Its bytes now."""
        return os.fstat(self._fd).st_size

    def seek(self, offset: int) -> None:
        """Let the next `read` begin at this byte."""
        with failures_at(self._path):
            os.lseek(self._fd, offset, os.SEEK_SET)

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes, all that is left for -1; empty only at the end."""
        with failures_at(self._path):
            return os.read(self._fd, self.size if size < 0 else size)


class NewFile:
    """A file without its final name yet; it is gone at the end of its block unless it was kept."""

    def __init__(self, path: Path, fd: int, directory_fd: int) -> None:
        self._path = path
        self._fd = fd
        self._directory_fd = directory_fd

    def write(self, content: bytes) -> None:
        """Append all of `content`."""
        rest = memoryview(content)
        with failures_at(self._path):
            while rest:
                rest = rest[os.write(self._fd, rest) :]

    def keep(self, directory: "Directory", name: str) -> None:
        """Bring it to the disk, then let it take the place of whatever has that name."""
        with failures_at(directory.path / name):
            os.fsync(self._fd)
            os.rename(self._path.name, name, src_dir_fd=self._directory_fd, dst_dir_fd=directory.fd)


class Directory:
    """An open directory at `path`. Names given to its methods are single components, never paths."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self.fd = fd

    @contextmanager
    def enter(self, name: str) -> "Iterator[Directory]":
        """The directory `name` below this one."""
        path = self.path / name
        with failures_at(path):
            fd = os.open(name, _OPEN_DIRECTORY | os.O_NOFOLLOW, dir_fd=self.fd)
        try:
            yield Directory(path, fd)
        finally:
            os.close(fd)

    def make(self, name: str) -> None:
        """See that there is a directory `name`."""
        with failures_at(self.path / name), suppress(FileExistsError):
            os.mkdir(name, _DIRECTORY_MODE, dir_fd=self.fd)

    def names(self) -> list[str]:
        """What is in it, unfinished files aside."""
        return [name for name in self._all_names() if not name.startswith(LEFTOVER_PREFIX)]

    def size(self, name: str) -> int | None:
        """The bytes of the regular file `name`, None when nothing has that name."""
        with failures_at(self.path / name):
            try:
                found = os.stat(name, dir_fd=self.fd, follow_symlinks=False)
            except FileNotFoundError:
                return None
        _check_regular(found, self.path / name)
        return found.st_size

    @contextmanager
    def open(self, name: str) -> Iterator[File | None]:
        """The regular file `name`, None when nothing has that name."""
        path = self.path / name
        with failures_at(path):
            try:
                fd = os.open(name, _OPEN_FILE, dir_fd=self.fd)
            except FileNotFoundError:
                fd = -1
        if fd < 0:
            yield None
            return
        try:
            _check_regular(os.fstat(fd), path)
            yield File(path, fd)
        finally:
            os.close(fd)

    def read(self, name: str, limit: int) -> bytes | None:
        """All bytes of the file `name`, None when there is none; StoreError when it has more than `limit`."""
        with self.open(name) as file:
            if file is None:
                return None
            content = b""
            while len(content) <= limit and (chunk := file.read(limit + 1 - len(content))):
                content += chunk
        if len(content) > limit:
            raise StoreError(f"has more than the {limit} bytes that are read of it", where=str(self.path / name))
        return content

    @contextmanager
    def new_file(self) -> Iterator[NewFile]:
        """A new, empty file in this directory, for writing."""
        path = self.path / f"{LEFTOVER_PREFIX}{secrets.token_hex(8)}"
        with failures_at(self.path):
            fd = os.open(path.name, _CREATE_FILE, _FILE_MODE, dir_fd=self.fd)
        try:
            yield NewFile(path, fd, self.fd)
        finally:
            os.close(fd)
            with suppress(OSError):
                os.unlink(path.name, dir_fd=self.fd)

    def replace(self, name: str, content: bytes) -> None:
        """Let the file `name` have this content: readers see all of the old or all of the new."""
        with self.new_file() as new:
            new.write(content)
            new.keep(self, name)
        self.sync()

    def remove(self, name: str) -> None:
        """Remove the file `name`, if there is one."""
        with failures_at(self.path / name), suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.fd)

    def remove_leftovers(self) -> None:
        """Remove unfinished files; nobody may be writing."""
        with failures_at(self.path):
            for name in self._all_names():
                if name.startswith(LEFTOVER_PREFIX):
                    os.unlink(name, dir_fd=self.fd)

    def _all_names(self) -> list[str]:
        with failures_at(self.path), os.scandir(self.fd) as entries:
            return [entry.name for entry in entries]

    def sync(self) -> None:
        """Bring the names in it to the disk."""
        with failures_at(self.path):
            os.fsync(self.fd)

    def lock(self, *, exclusive: bool) -> None:
        """Wait for the advisory lock on this directory, and hold it until the directory is closed."""
        with failures_at(self.path):
            fcntl.flock(self.fd, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)

    def try_lock(self) -> bool:
        """Take the exclusive lock if nobody holds any; whether that worked."""
        with failures_at(self.path):
            try:
                fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True


@contextmanager
def open_directory(path: Path, *inside: str) -> Iterator[Directory | None]:
    """The directory at `path`, or the one that the names `inside` lead to below it; None when there is none.

    The path itself is the user's, so links in it are followed; links inside are not.
    """
    fd = _descend(path, inside)
    if fd is None:
        yield None
        return
    try:
        yield Directory(path.joinpath(*inside), fd)
    finally:
        os.close(fd)


def _descend(path: Path, inside: Sequence[str]) -> int | None:
    with failures_at(path):
        try:
            fd = os.open(path, _OPEN_DIRECTORY)
        except (FileNotFoundError, NotADirectoryError):
            return None
    for name in inside:
        path /= name
        above = fd
        with failures_at(path):
            try:
                fd = os.open(name, _OPEN_DIRECTORY | os.O_NOFOLLOW, dir_fd=above)
            except FileNotFoundError:
                return None
            finally:
                os.close(above)
    return fd


@contextmanager
def make_directory(path: Path) -> Iterator[Directory]:
    """The directory at `path`, which is created with its parents where it is missing."""
    with failures_at(path):
        path.mkdir(_DIRECTORY_MODE, parents=True, exist_ok=True)
        fd = os.open(path, _OPEN_DIRECTORY)
    try:
        yield Directory(path, fd)
    finally:
        os.close(fd)


@contextmanager
def failures_at(path: Path) -> Iterator[None]:
    """Failures of the operating system inside become StoreErrors at this path, with what to do."""
    try:
        yield
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        hint = _HINTS.get(error.errno or 0, "choose another place, or mend this one")
        raise StoreError("cannot be read or written", where=str(path), why=why, hint=hint) from error


def _check_regular(found: os.stat_result, path: Path) -> None:
    if stat.S_ISLNK(found.st_mode):
        raise StoreError("is a symbolic link", where=str(path), hint=_HINTS[errno.ELOOP])
    if not stat.S_ISREG(found.st_mode):
        raise StoreError("is not a regular file", where=str(path), hint="remove it, or write the layout again")
