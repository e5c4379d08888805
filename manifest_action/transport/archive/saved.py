"""Archives as `docker save` writes them: `manifest.json` lists images, each with a config and layers.

Docker image specification 1.2, "Combined Image JSON + Filesystem Changeset Format". Such an archive has no manifests;
they are made here as Docker image manifests (v2 schema 2) of what it has, and the same archive always gives the same.
The older `repositories` file and per-layer metadata are not read.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock

from manifest_action.errors import ContentError, ResolveError, StoreError
from manifest_action.model import mediatype
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import LAYER_LIMIT, Manifest
from manifest_action.model.reference import full_name
from manifest_action.model.strictjson import parse_object
from manifest_action.transport.archive.file import Archive, Slice
from manifest_action.transport.archive.members import inside

LISTING = "manifest.json"
LISTING_LIMIT = 4 * 1024 * 1024
CONFIG_LIMIT = 4 * 1024 * 1024
IMAGE_LIMIT = 1000

_CHUNK = 1024 * 1024
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"


@dataclass(frozen=True, slots=True)
class SavedImage:
    """An image of an archive: the members that are its config and its layers, and its names in full."""

    config: str
    layers: tuple[str, ...]
    names: tuple[str, ...]


def parse_listing(raw: bytes) -> tuple[SavedImage, ...]:
    """Read `manifest.json`; ValueError says what is wrong with it. Names that Docker would not accept are left out."""
    document = parse_object(b'{"images":' + raw + b"}")
    images = document["images"]
    if document.keys() != {"images"} or not isinstance(images, list):
        raise ValueError("it must be a list of images")
    if len(images) > IMAGE_LIMIT:
        raise ValueError(f"it has {len(images)} images, over the limit of {IMAGE_LIMIT}")
    return tuple(_image(image) for image in images)


def _image(document: object) -> SavedImage:
    if not isinstance(document, Mapping) or not isinstance(document.get("Config"), str):
        raise ValueError("an image must be an object with a Config")
    layers = _strings(document, "Layers")
    if len(layers) > LAYER_LIMIT:
        raise ValueError(f"an image has {len(layers)} layers, over the limit of {LAYER_LIMIT}")
    names = dict.fromkeys(name for tag in _strings(document, "RepoTags") for name in _full_names(tag))
    return SavedImage(inside(document["Config"]), tuple(inside(layer) for layer in layers), tuple(names))


def _strings(document: Mapping[str, object], name: str) -> list[str]:
    value = document.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"{name} must be a list of strings")
    return value


def _full_names(tag: str) -> Iterator[str]:
    try:
        yield full_name(tag)
    except ValueError:
        return


def layer_digests(config: bytes) -> tuple[Digest, ...]:
    """The digests of an image's unpacked layers, as its config states them; ValueError when it does not."""
    rootfs = parse_object(config).get("rootfs")
    if not isinstance(rootfs, Mapping):
        raise ValueError("the config has no rootfs")
    return tuple(Digest.parse(text) for text in _strings(rootfs, "diff_ids"))


class SavedArchive:
    """The images of one open archive, with manifests that are made when they are first asked for.

    where: what messages call it, if that is not its path
    """

    def __init__(self, archive: Archive, *, where: str = "") -> None:
        self.archive = archive
        self._where = where or str(archive.path)
        self._manifests: dict[int, Manifest] = {}
        self._members: dict[Digest, str] = {}
        self._lock = Lock()
        raw = archive.read(LISTING, LISTING_LIMIT)
        if raw is None:
            hint = "an OCI layout in a tar file is read as oci-archive:"
            raise StoreError(f"has no {LISTING}, so `docker save` has not written it", where=self._where, hint=hint)
        try:
            self.images = parse_listing(raw)
        except ValueError as error:
            raise self._wrong(LISTING, error) from None

    def named(self, name: str) -> tuple[int, ...]:
        """The positions of the images of that full name, for the empty one of those without any."""
        return tuple(at for at, image in enumerate(self.images) if (name in image.names if name else not image.names))

    def manifest(self, position: int) -> Manifest:
        """The manifest of one image.

        Raises ResolveError when the archive lacks one of its parts, ContentError when a part is not what it should be.
        """
        with self._lock:
            if position not in self._manifests:
                self._manifests[position] = self._made(self.images[position])
            return self._manifests[position]

    def with_digest(self, digest: Digest) -> Manifest | None:
        """The manifest of that digest, if one of the images has it."""
        manifests = (self.manifest(position) for position in range(len(self.images)))
        return next((each for each in manifests if each.digest == digest), None)

    def blob(self, digest: Digest) -> Slice | None:
        """A config or layer of one of the images, None when none has it."""
        for position in range(len(self.images)):
            if digest in self._members:
                break
            self.manifest(position)
        return self.archive.open(self._members[digest]) if digest in self._members else None

    def _made(self, image: SavedImage) -> Manifest:
        config = self._config(image)
        try:
            unpacked = layer_digests(config)
        except ValueError as error:
            raise self._wrong(image.config, error) from None
        if len(unpacked) != len(image.layers):
            counts = f"it states {len(unpacked)} layers, but the image has {len(image.layers)}"
            raise self._wrong(image.config, ValueError(counts))
        layers = [self._layer(*layer) for layer in zip(image.layers, unpacked, strict=True)]
        stated = Descriptor(mediatype.DOCKER_CONFIG, Digest.of(config), len(config))
        self._members[stated.digest] = image.config
        return made_manifest(stated, layers)

    def _config(self, image: SavedImage) -> bytes:
        raw = self.archive.read(image.config, CONFIG_LIMIT)
        if raw is None:
            raise self._lacking(image.config)
        # Whoever saved it has named the config by its digest, which is the image ID.
        stem = image.config.rpartition("/")[2].removesuffix(".json")
        if len(stem) == 64 and stem.isalnum() and stem != Digest.of(raw).encoded:
            raise self._wrong(image.config, ValueError(f"it has digest {Digest.of(raw)}"))
        return raw

    def _layer(self, name: str, unpacked: Digest) -> Descriptor:
        """A layer as it lies there. Whoever reads it checks that it has the digest."""
        stream = self.archive.open(name)
        if stream is None:
            raise self._lacking(name)
        start = stream.read(4)
        stream.seek(0)
        if start == _ZSTD:
            raise self._wrong(name, ValueError("it is compressed with zstd, which is not used in such archives"))
        packed = start.startswith(_GZIP)
        media_type = mediatype.DOCKER_LAYER if packed else mediatype.DOCKER_LAYER_TAR
        digest = _digest_of(stream) if packed else unpacked
        self._members[digest] = name
        return Descriptor(media_type, digest, stream.size)

    def _lacking(self, name: str) -> ResolveError:
        return ResolveError(
            f"the archive does not have {name[:200]}", where=self._where, hint="it was written in part; save it again"
        )

    def _wrong(self, name: str, error: ValueError) -> ContentError:
        return ContentError(f"{name[:200]} cannot be used", where=self._where, why=str(error), hint="save it again")


def made_manifest(config: Descriptor, layers: Sequence[Descriptor]) -> Manifest:
    """The Docker image manifest of these parts; always the same bytes for the same parts."""
    document = {
        "schemaVersion": 2,
        "mediaType": mediatype.DOCKER_MANIFEST,
        "config": config.to_document(),
        "layers": [layer.to_document() for layer in layers],
    }
    return Manifest.parse(json.dumps(document, separators=(",", ":")).encode())


def _digest_of(stream: Slice) -> Digest:
    hasher = hashlib.sha256()
    while chunk := stream.read(_CHUNK):
        hasher.update(chunk)
    return Digest("sha256", hasher.hexdigest())
