"""Repositories that the contract is tried on, with ways to look into them and to damage them behind the product's back.

A new transport takes part by one more class here, its name in `PLACES`, and its fixture in `conftest.py`.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import pytest

from manifest_action.errors import ManifestActionError, StoreError
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import Repository
from manifest_action.transport.archive.oci import OciArchiveTransport
from manifest_action.transport.base import Destination, Readable, Source, Transport
from manifest_action.transport.directory import DirectoryTransport
from manifest_action.transport.layout.transport import LayoutTransport
from tests.support.images import Synthetic, digest_of, write_directory, write_layout
from tests.support.tarballs import read_tar, write_tar

NAMED_PLACES: Sequence[object] = (pytest.param("docker", marks=pytest.mark.server), "oci", "oci-archive")
"""The places that keep several images under names."""

PLACES: Sequence[object] = (*NAMED_PLACES, "dir")


class Place(Protocol):
    """One repository of a transport; it does not exist before something is filled in or pushed.

    failure:    what the transport raises when it cannot write or something it needs is missing
    unwritable: a repository of the same transport that nobody may write to
    tag:        a name that an image can have there, empty where there are no names
    """

    transport: Transport
    repository: Repository
    failure: type[ManifestActionError]
    unwritable: Repository
    tag: str

    def fresh_transport(self) -> Transport:
        """Another transport that can reach the repository, as another process has it."""

    def fill(self, tag: str, what: Synthetic, /) -> None:
        """Make the repository hold exactly this image or index, by other means than the product's."""

    def stored(self, digest: str) -> bytes | None:
        """The bytes that are kept for this digest, whatever they are."""

    def damage(self, digest: str, content: bytes | None) -> None:
        """Change the bytes that are kept for this digest; None loses them."""


@dataclass
class LayoutPlace:
    """`oci:`"""

    folder: Path
    tag: str = "1.0"

    def __post_init__(self) -> None:
        self.transport = self.fresh_transport()
        self.failure: type[ManifestActionError] = StoreError
        self.path = self.folder / "layout"
        self.repository = Repository("oci", "", str(self.path))
        (self.folder / "file").write_bytes(b"")
        self.unwritable = Repository("oci", "", str(self.folder / "file" / "layout"))

    def fresh_transport(self) -> Transport:
        return LayoutTransport()

    def fill(self, tag: str, what: Synthetic, /) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        write_layout(self.path, {tag: what})

    def stored(self, digest: str) -> bytes | None:
        file = self._file(digest)
        return file.read_bytes() if file.exists() else None

    def damage(self, digest: str, content: bytes | None) -> None:
        self._file(digest).unlink()
        if content is not None:
            self._file(digest).write_bytes(content)

    def _file(self, digest: str) -> Path:
        return self.path.joinpath("blobs", *digest.split(":"))


@dataclass
class DirectoryPlace:
    """`dir:`"""

    folder: Path
    tag: str = ""

    def __post_init__(self) -> None:
        self.transport = self.fresh_transport()
        self.failure: type[ManifestActionError] = StoreError
        self.path = self.folder / "directory"
        self.repository = Repository("dir", "", str(self.path))
        (self.folder / "file").write_bytes(b"")
        self.unwritable = Repository("dir", "", str(self.folder / "file" / "directory"))

    def fresh_transport(self) -> Transport:
        return DirectoryTransport()

    def fill(self, _tag: str, what: Synthetic, /) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        write_directory(self.path, what)

    def stored(self, digest: str) -> bytes | None:
        file = self._file(digest)
        return file.read_bytes() if file.exists() else None

    def damage(self, digest: str, content: bytes | None) -> None:
        self._file(digest).unlink()
        if content is not None:
            self._file(digest).write_bytes(content)

    def _file(self, digest: str) -> Path:
        """As a blob, as an instance, else what is the manifest of all."""
        name = digest.partition(":")[2]
        found = [self.path / name, self.path / f"{name}.manifest.json"]
        top = self.path / "manifest.json"
        if top.exists() and digest_of(top.read_bytes()) == digest:
            found.append(top)
        return next((file for file in found if file.exists()), found[0])


@dataclass
class OciArchivePlace:
    """`oci-archive:`"""

    folder: Path
    tag: str = "1.0"

    def __post_init__(self) -> None:
        self.transport = self.fresh_transport()
        self.failure: type[ManifestActionError] = StoreError
        self.path = self.folder / "archive.tar"
        self.repository = Repository("oci-archive", "", str(self.path))
        (self.folder / "file").write_bytes(b"")
        self.unwritable = Repository("oci-archive", "", str(self.folder / "file" / "archive.tar"))

    def fresh_transport(self) -> Transport:
        return OciArchiveTransport()

    def fill(self, tag: str, what: Synthetic, /) -> None:
        with TemporaryDirectory() as folder:
            write_tar(self.path, files_of(write_layout(Path(folder) / "layout", {tag: what})))

    def stored(self, digest: str) -> bytes | None:
        name = f"blobs/{digest.replace(':', '/')}"
        waiting = [file.read_bytes() for file in self.folder.glob(f".manifest-staging-*/layout/{name}")]
        return waiting[0] if waiting else self._members().get(name)

    def damage(self, digest: str, content: bytes | None) -> None:
        members = self._members()
        del members[f"blobs/{digest.replace(':', '/')}"]
        if content is not None:
            members[f"blobs/{digest.replace(':', '/')}"] = content
        write_tar(self.path, members)

    def _members(self) -> dict[str, bytes]:
        return read_tar(self.path) if self.path.exists() else {}


def files_of(path: Path) -> dict[str, bytes]:
    """Every file below a directory, by its path there."""
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


@dataclass(frozen=True)
class BytesContent:
    """A blob's content from memory, as an honest or a dishonest source gives it."""

    content: bytes

    @contextmanager
    def open(self, offset: int = 0, /) -> Iterator[Readable]:
        yield BytesIO(self.content[offset:])


@dataclass(frozen=True)
class BreakingContent:
    """Content whose source fails with `error` after its first bytes, every time."""

    content: bytes
    error: ManifestActionError

    @contextmanager
    def open(self, offset: int = 0, /) -> Iterator[Readable]:
        yield _Breaking(self.content[offset:], self.error)


class _Breaking:
    def __init__(self, content: bytes, error: ManifestActionError) -> None:
        self._stream = BytesIO(content)
        self._error = error

    def read(self, size: int = -1, /) -> bytes:
        chunk = self._stream.read(size)
        if not chunk:
            raise self._error
        return chunk


def blob_of(content: bytes, media_type: str = "application/octet-stream") -> Descriptor:
    """The descriptor of these bytes."""
    return Descriptor(media_type, Digest.of(content), len(content))


def manifest_of(what: Synthetic) -> Manifest:
    """The image or index as the product's value."""
    return Manifest.parse(what.manifest_bytes, media_type=what.media_type)


def push_all(destination: Destination, what: Synthetic) -> Manifest:
    """Push an image, or an index with all its children, without a tag."""
    for child in getattr(what, "children", ()):
        push_all(destination, child)
    for digest, content in getattr(what, "blobs", {}).items():
        destination.push_blob(
            Descriptor("application/octet-stream", Digest.parse(digest), len(content)), BytesContent(content), None
        )
    manifest = manifest_of(what)
    destination.push_manifest(manifest)
    return manifest


def read_all(source: Source, blob: Descriptor, offset: int = 0) -> bytes:
    """The blob's bytes from `offset` on, as the source gives them."""
    chunks = []
    with source.open(blob, offset) as stream:
        while chunk := stream.read(1000):
            chunks.append(chunk)
    return b"".join(chunks)
