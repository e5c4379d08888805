"""Tar archives as other tools write them, good and bad."""

import gzip
import io
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path


def tar_of(members: Mapping[str, bytes], entries: Iterable[tarfile.TarInfo] = ()) -> bytes:
    """An archive of these files, and then of these entries, which have no bytes of their own."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        for entry in entries:
            archive.addfile(entry)
    return buffer.getvalue()


def write_tar(path: Path, members: Mapping[str, bytes], *, packed: bool = False) -> Path:
    """Write an archive, with gzip when it should be `packed`; another file takes the place of that of before."""
    content = tar_of(members)
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(gzip.compress(content, 1, mtime=0) if packed else content)
    new.replace(path)
    return path


def read_tar(path: Path) -> dict[str, bytes]:
    """The files in an archive."""
    with tarfile.open(path) as archive:
        found = {member.name: archive.extractfile(member) for member in archive if member.isfile()}
        return {name: stream.read() for name, stream in found.items() if stream}
