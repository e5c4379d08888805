"""An archive that is open for reading: its members by name, each from any offset, for many readers at once."""

import os
import tempfile
import weakref
import zlib
from collections.abc import Mapping
from gzip import GzipFile
from pathlib import Path
from stat import S_ISREG
from threading import Lock
from typing import IO

from manifest_action.errors import StoreError
from manifest_action.transport.archive.members import Member, find_members, inside
from manifest_action.transport.layout.directory import failures_at

UNPACKED_LIMIT = 256 * 1024**3
"""The bytes of a compressed archive when it is unpacked; more is taken for an attack."""

_CHUNK = 1024 * 1024
_GZIP = b"\x1f\x8b"
_COMPRESSIONS = {b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}


class Slice:
    """The bytes of one member. Slices of one archive do not disturb each other."""

    def __init__(self, archive: "Archive", member: Member) -> None:
        self._archive = archive
        self._member = member
        self._position = 0

    @property
    def size(self) -> int:
        """All its bytes, wherever reading is."""
        return self._member.size

    def seek(self, offset: int, /) -> None:
        """Let the next `read` begin at this byte."""
        self._position = min(offset, self._member.size)

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes, all that is left for -1; empty only at the end."""
        left = self._member.size - self._position
        wanted = left if size < 0 else min(size, left)
        chunk = self._archive.read_at(self._member.offset + self._position, wanted) if wanted else b""
        self._position += len(chunk)
        return chunk


class Archive:
    """A tar archive, plain or gzip, as it was when it was opened; the file is let go with the last use.

    A gzip archive is unpacked once into a temporary file without a name.

    links: whether symbolic links to other members are followed; otherwise an archive that has any is refused
    """

    def __init__(self, path: Path, *, links: bool) -> None:
        self.path = path
        with failures_at(path):
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            weakref.finalize(self, os.close, self._fd)
            found = os.fstat(self._fd)
        if not S_ISREG(found.st_mode):
            raise StoreError("is not a regular file", where=str(path), hint="name an archive")
        self.identity = _identity(found)
        self._size = found.st_size
        self._spool: IO[bytes] | None = None
        start = self.read_at(0, 8)
        if start.startswith(_GZIP):
            self._unpack()
        self.members = self._find(start)
        link = next((member.name for member in self.members.values() if member.link), "")
        if link and not links:
            raise self._damaged(f"{link[:200]!r} is a symbolic link; only files belong into an image archive")

    def size(self, name: str) -> int | None:
        """The bytes of a member, None when there is none of that name."""
        member = self._followed(name)
        return None if member is None else member.size

    def open(self, name: str) -> Slice | None:
        """A member's bytes, None when there is none of that name."""
        member = self._followed(name)
        return None if member is None else Slice(self, member)

    def read(self, name: str, limit: int) -> bytes | None:
        """All bytes of a member, None when there is none; StoreError when it has more than `limit`."""
        stream = self.open(name)
        if stream is None:
            return None
        if stream.size > limit:
            raise StoreError(f"{name} has more than the {limit} bytes that are read of it", where=str(self.path))
        content = b""
        while chunk := stream.read():
            content += chunk
        return content

    def read_at(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes of the unpacked archive from `offset` on."""
        fd = self._fd if self._spool is None else self._spool.fileno()
        with failures_at(self.path):
            return os.pread(fd, size, offset)

    def _followed(self, name: str) -> Member | None:
        """A member, or the file that a link leads to: one step, and by name within the archive only."""
        member = self.members.get(name)
        if member is None or not member.link:
            return member
        target = self.members.get(_beside(name, member.link))
        if target is None or target.link:
            raise self._damaged(f"{name[:200]!r} is a link that leads to no file of the archive")
        return target

    def _find(self, start: bytes) -> Mapping[str, Member]:
        compression = next((word for magic, word in _COMPRESSIONS.items() if start.startswith(magic)), "")
        if compression:
            raise StoreError(
                f"is compressed with {compression}; archives are read plain or with gzip",
                where=str(self.path),
                hint="unpack it first",
            )
        try:
            return find_members(self.read_at, self._size)
        except ValueError as error:
            raise self._damaged(str(error)) from None

    def _unpack(self) -> None:
        with failures_at(Path(tempfile.gettempdir())):
            spool = tempfile.TemporaryFile(prefix="manifest-action-")  # noqa: SIM115 - it lives as long as the archive
            weakref.finalize(self, spool.close)
            self._size = self._copy_unpacked(spool)
            spool.flush()
        self._spool = spool

    def _copy_unpacked(self, spool: IO[bytes]) -> int:
        size = 0
        with os.fdopen(os.dup(self._fd), "rb") as packed, GzipFile(fileobj=packed) as content:
            packed.seek(0)
            try:
                while chunk := content.read(_CHUNK):
                    size += len(chunk)
                    if size > UNPACKED_LIMIT:
                        raise self._damaged(f"it has more than {UNPACKED_LIMIT} bytes when it is unpacked")
                    spool.write(chunk)
            except EOFError:
                raise self._damaged("the gzip data ends too early") from None
            except (zlib.error, OSError) as error:
                if isinstance(error, OSError) and error.errno:
                    raise
                raise self._damaged(f"the gzip data is wrong: {error}") from None
        return size

    def _damaged(self, why: str) -> StoreError:
        return StoreError(
            "cannot be used as an archive", where=str(self.path), why=why, hint="write or download the archive again"
        )


class ArchivePath:
    """Whatever archive is at a path; opened anew when another has taken its place."""

    def __init__(self, path: Path, *, links: bool) -> None:
        self.path = path
        self._links = links
        self._archive: Archive | None = None
        self._lock = Lock()

    def current(self) -> Archive | None:
        """The archive that is there right now; None when there is no file, or an empty one."""
        with self._lock:
            with failures_at(self.path):
                try:
                    found = self.path.stat()
                except FileNotFoundError:
                    return None
            if S_ISREG(found.st_mode) and not found.st_size:
                return None
            if self._archive is None or self._archive.identity != _identity(found):
                self._archive = Archive(self.path, links=self._links)
            return self._archive

    def close(self) -> None:
        """Let go of the file, once nobody reads from it."""
        with self._lock:
            self._archive = None


def _beside(name: str, link: str) -> str:
    """Where a link leads within the archive; empty when that is outside."""
    parts = name.split("/")[:-1]
    for part in link.split("/"):
        if part == "..":
            if not parts:
                return ""
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "" if link.startswith("/") else inside("/".join(parts))


def _identity(found: os.stat_result) -> tuple[int, int, int, int]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
