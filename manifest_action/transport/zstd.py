"""Layers compressed anew with zstd (RFC 8878), in files: the same layer always gives the same bytes."""

import hashlib
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.mediatype import OCI_LAYER_TAR
from manifest_action.transport.archive.unpack import UnpackedLayer
from manifest_action.transport.base import Readable, Source
from manifest_action.transport.layout.directory import failures_at
from manifest_action.transport.verify import VerifyingReader

if TYPE_CHECKING:
    import zstandard

LEVEL = 3
"""zstd's own default, which is podman's too. Another level would give other digests for the same layers."""

_MEDIA_TYPE = f"{OCI_LAYER_TAR}+zstd"
_CHUNK = 1024 * 1024


class Workplace:
    """A private temporary directory, which is gone with the last file that was made in it."""

    def __init__(self) -> None:
        with failures_at(Path(tempfile.gettempdir())):
            self.path = Path(tempfile.mkdtemp(prefix="manifest-action-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class MadeFile:
    """A blob in a file of a workplace, as `Content`."""

    path: Path
    workplace: Workplace

    def open(self, offset: int = 0, /) -> AbstractContextManager[Readable]:
        """See `Content`."""
        with failures_at(self.path):
            file = self.path.open("rb")
            file.seek(offset)
        return file


def compress(
    source: Source, layer: Descriptor, unpacked: Digest, workplace: Workplace, where: str
) -> tuple[Descriptor, MadeFile]:
    """A layer of `source`, plain or gzip, with zstd: what the new one is, and its bytes.

    unpacked: digest of the tar in it, which is checked while it is unpacked
    where:    the image, for errors

    No more than a few chunks of it are in memory. Raises ContentError when the layer is not what it should be,
    StoreError when there is no room for it, and what the source raises.
    """
    import zstandard  # noqa: PLC0415 - few runs compress anything

    fetched, made = (workplace.path / f"{layer.digest.encoded}-{unpacked.encoded}.{end}" for end in ("gzip", "zstd"))
    hasher = hashlib.sha256()
    with failures_at(workplace.path):
        _fetch(source, layer, fetched, where)
        with fetched.open("rb") as packed, made.open("xb") as file:
            tar = UnpackedLayer(packed, unpacked, where)
            for part in _compressed(tar, zstandard.ZstdCompressor(level=LEVEL).compressobj()):
                hasher.update(part)
                file.write(part)
        fetched.unlink()
        size = made.stat().st_size
    digest = Digest("sha256", hasher.hexdigest())
    new = replace(layer, media_type=_MEDIA_TYPE, digest=digest, size=size, annotations={}, urls=(), data="")
    return new, MadeFile(made, workplace)


def _fetch(source: Source, layer: Descriptor, path: Path, where: str) -> None:
    with source.open(layer) as stream, path.open("xb") as file:
        reader = VerifyingReader(stream, layer, where)
        while chunk := reader.read(_CHUNK):
            file.write(chunk)


def _compressed(tar: Readable, compressor: "zstandard.ZstdCompressionObj") -> Iterator[bytes]:
    while chunk := tar.read(_CHUNK):
        yield compressor.compress(chunk)
    yield compressor.flush()
