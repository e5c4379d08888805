"""Writing a tar archive that depends on nothing but its content: sorted names, no times, no owners."""

import io
import tarfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial

from manifest_action.errors import StoreError
from manifest_action.transport.archive.file import Archive, Slice
from manifest_action.transport.archive.members import BLOCK
from manifest_action.transport.base import Readable
from manifest_action.transport.layout.directory import Directory, NewFile

_CHUNK = 1024 * 1024
_FILE_MODE = 0o644


@dataclass(frozen=True, slots=True)
class Part:
    """A file to put into an archive: exactly `size` bytes that `open` gives."""

    size: int
    open: Callable[[], AbstractContextManager[Readable]]


def part_of(content: bytes) -> Part:
    """A file of these bytes."""
    return Part(len(content), lambda: nullcontext(io.BytesIO(content)))


def parts_of(archive: Archive) -> dict[str, Part]:
    """All members of an archive as they are, to be written into another."""
    slices = {name: archive.open(name) for name in archive.members}
    return {name: part_from(found) for name, found in slices.items() if found}


def part_from(member: Slice) -> Part:
    """A member of an archive as it is, to be written into another."""
    return Part(member.size, partial(_opened, member))


def _opened(stream: Slice) -> AbstractContextManager[Readable]:
    return nullcontext(stream)


def write_archive(parts: Mapping[str, Part], staging: Directory, parent: Directory, name: str) -> None:
    """Write an archive in `staging` and let it take the place of `name` in `parent`, in one step.

    StoreError when a part has not the bytes it should have or the disk says no; what was there before stays then.
    """
    with staging.new_file() as new:
        for path in sorted(parts):
            new.write(_header(path, parts[path].size))
            _copy(parts[path], new, f"{parent.path / name}: {path}")
        new.write(bytes(2 * BLOCK))
        new.keep(parent, name)
    parent.sync()


def _header(path: str, size: int) -> bytes:
    entry = tarfile.TarInfo(path)
    entry.size = size
    entry.mode = _FILE_MODE
    return entry.tobuf(tarfile.PAX_FORMAT)


def _copy(part: Part, new: NewFile, where: str) -> None:
    left = part.size
    with part.open() as stream:
        while left and (chunk := stream.read(min(_CHUNK, left))):
            new.write(chunk)
            left -= len(chunk)
    if left:
        raise StoreError(f"what should be written ended {left} bytes early", where=where, hint="run again")
    new.write(bytes(-part.size % BLOCK))
