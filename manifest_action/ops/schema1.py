"""Reading images of Docker's schema 1: their layers are read once, for what later formats say of them."""

import hashlib
import zlib
from collections.abc import Iterator

from manifest_action.convert.image import Conversion
from manifest_action.convert.jws import verify
from manifest_action.convert.schema1 import ReadLayer, from_schema1
from manifest_action.errors import ContentError, ResolveError
from manifest_action.model import mediatype
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.schema1 import parse_schema1
from manifest_action.transport.base import Measurer, Readable, Source
from manifest_action.transport.verify import VerifyingReader

_CHUNK = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"


def modernise(source: Source, manifest: Manifest, where: str) -> Conversion:
    """The image as a Docker manifest of schema 2, its signatures checked and every layer read.

    ContentError when a signature, the history or a layer is not what it should be; and what the source raises.
    """
    try:
        old = parse_schema1(manifest.raw)
        verify(old)
        read = {layer: _read_layer(source, layer, where) for layer in dict.fromkeys(old.layers)}
        return from_schema1(old, read)
    except ValueError as error:
        raise ContentError(
            "the schema 1 manifest cannot be converted",
            where=where,
            why=str(error),
            hint="push the image again with a current tool",
        ) from None


def _read_layer(source: Source, digest: Digest, where: str) -> ReadLayer:
    if not isinstance(source, Measurer):
        raise ResolveError(
            "images of schema 1 can be read from registries only",
            where=where,
            hint="convert it with another tool first",
        )
    blob = Descriptor(mediatype.DOCKER_LAYER, digest, source.size_of(digest))
    plain = hashlib.sha256()
    with source.open(blob) as stream:
        reader = VerifyingReader(stream, blob, where)
        head = reader.read(_CHUNK)
        unpack = _Gunzip() if head.startswith(_GZIP_MAGIC) else None
        for chunk in _chunks(head, reader):
            for part in unpack.unpacked(chunk) if unpack else (chunk,):
                plain.update(part)
    if unpack and not unpack.is_complete:
        raise ContentError("a layer's gzip ends too early", where=f"{where} {digest}")
    return ReadLayer(blob.size, Digest("sha256", plain.hexdigest()), is_gzip=unpack is not None)


def _chunks(head: bytes, stream: Readable) -> Iterator[bytes]:
    chunk = head
    while chunk:
        yield chunk
        chunk = stream.read(_CHUNK)


class _Gunzip:
    """Unpacks a gzip that comes in chunks, of one member or of several, without ever holding much of it."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(zlib.MAX_WBITS | 16)

    @property
    def is_complete(self) -> bool:
        """Whether the last member that was begun has ended."""
        return self._member.eof

    def unpacked(self, chunk: bytes) -> Iterator[bytes]:
        """What a chunk unpacks to, in pieces of bounded size; ContentError when it is no gzip."""
        try:
            while chunk:
                if self._member.eof:
                    self._member = zlib.decompressobj(zlib.MAX_WBITS | 16)
                yield self._member.decompress(chunk, _CHUNK)
                chunk = self._member.unconsumed_tail or self._member.unused_data
        except zlib.error as error:
            raise ContentError("a layer is no gzip that can be unpacked", why=str(error)) from None
