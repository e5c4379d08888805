"""Layers as tar streams: unpacked while they pass, and checked against the digest that the config states for them."""

import importlib
import zlib
from collections.abc import Callable
from gzip import GzipFile
from typing import Any

from manifest_action.errors import ContentError, StoreError
from manifest_action.model.digest import Digest
from manifest_action.transport.base import Readable
from manifest_action.transport.layout.base import Seekable

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"


class UnpackedLayer:
    """A layer's tar, whatever it is compressed with, as a stream whose end is reached only if it has its digest.

    ContentError when it is damaged or another one; StoreError when nothing here can unpack it.
    """

    def __init__(self, layer: Seekable, unpacked: Digest, where: str) -> None:
        start = layer.read(4)
        layer.seek(0)
        self._stream = _opener(start, where)(layer)
        self._digest = unpacked
        self._hasher = unpacked.hasher()
        self._where = where

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes of the tar; empty only at the end, after the digest was checked."""
        try:
            chunk = self._stream.read(size)
        except EOFError:
            raise self._wrong("ends too early") from None
        except (zlib.error, OSError) as error:
            raise self._wrong(f"cannot be unpacked: {str(error)[:200]}") from None
        self._hasher.update(chunk)
        if not chunk and self._hasher.hexdigest() != self._digest.encoded:
            raise self._wrong(f"has digest {self._digest.algorithm}:{self._hasher.hexdigest()}")
        return chunk

    def _wrong(self, how: str) -> ContentError:
        what = f"the layer that should unpack to {self._digest} {how}"
        return ContentError(what, where=self._where, hint="the image is damaged; build or push it again")


def _opener(start: bytes, where: str) -> Callable[[Seekable], Readable]:
    if start.startswith(_GZIP):
        return _gzip
    if start == _ZSTD:
        return _zstd(where)
    return _plain


def _plain(layer: Seekable) -> Readable:
    return layer


def _gzip(layer: Seekable) -> Readable:
    return GzipFile(fileobj=layer, mode="rb")


def _zstd(where: str) -> Callable[[Seekable], Readable]:
    try:
        library: Any = importlib.import_module("zstandard")
    except ImportError:
        raise StoreError(
            "a layer is compressed with zstd, which cannot be unpacked here",
            where=where,
            hint="install the Python package zstandard, or write an oci-archive: or oci: layout, which keep layers as "
            "they are",
        ) from None

    class Unpacking:
        def __init__(self, layer: Seekable) -> None:
            self._stream = library.ZstdDecompressor().stream_reader(layer, read_across_frames=True)

        def read(self, size: int = -1, /) -> bytes:
            try:
                return bytes(self._stream.read(size))
            except library.ZstdError as error:
                raise zlib.error(str(error)) from None

    return Unpacking
