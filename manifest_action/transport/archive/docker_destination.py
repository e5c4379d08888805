"""Writing single images into archives that `docker load` and `podman load` take."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from manifest_action.errors import ContentError, ResolveError, StoreError
from manifest_action.events import Transfer
from manifest_action.model import mediatype
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import Repository, full_name
from manifest_action.transport.archive.saved import CONFIG_LIMIT, LISTING, SavedArchive, SavedImage, layer_digests
from manifest_action.transport.archive.staging import Staging, StagingPlace, sole_writer
from manifest_action.transport.archive.unpack import UnpackedLayer
from manifest_action.transport.archive.writing import Part, part_from, part_of, write_archive
from manifest_action.transport.base import Content
from manifest_action.transport.layout.base import Seekable
from manifest_action.transport.layout.destination import LayoutDestination
from manifest_action.transport.layout.source import LayoutSource
from manifest_action.transport.verify import read_blob


@dataclass(frozen=True, slots=True)
class _Entry:
    """An image of the archive that is being written, with the files that it is made of."""

    image: SavedImage
    parts: dict[str, Part]


class DockerArchiveDestination:
    """An archive of `docker save` as a `Destination` for images, one at a time; it cannot hold an index.

    Layers are unpacked, as Docker writes them, so an image has another manifest there than where it came from; its
    config, and so its image ID, stays. Images with other names stay in the archive; one that loses its last name goes.
    """

    def __init__(
        self, path: Path, current: Callable[[], SavedArchive | None], staging: StagingPlace, label: str
    ) -> None:
        self._path = path
        self._current = current
        self._staging = staging
        self._label = label
        self._tagged: dict[str, tuple[str, Digest]] = {}

    def has_manifest(self, target: Descriptor, /) -> bool:
        """Whether the image waits to be written, whole. What the archive holds already has manifests of its own."""
        staging = self._staging.begun
        return staging is not None and LayoutDestination(staging.layout, self._label).has_manifest(target)

    def push_blob(self, blob: Descriptor, content: Content, mount_from: Repository | None, /) -> Transfer:
        """See `Destination.push_blob`. What arrives waits beside the archive."""
        self._current()
        staged = LayoutDestination(self._staging.begin().layout, self._label)
        return staged.push_blob(blob, content, mount_from)

    def push_manifest(self, manifest: Manifest, /) -> None:
        """See `Destination.push_manifest`; StoreError for an index, and for what is no image."""
        if manifest.is_index:
            raise StoreError(
                f"{manifest.digest} is an index, and an archive of docker save holds single images only",
                where=self._label,
                hint="write the index to an oci-archive: or an oci: layout, or copy one platform of it",
            )
        if not manifest.is_image:
            raise StoreError(
                f"{manifest.digest} is no image, and an archive of docker save holds nothing else",
                where=self._label,
                hint="write it to an oci-archive: or an oci: layout",
            )
        LayoutDestination(self._staging.begin().layout, self._label).push_manifest(manifest)

    def tagged(self, tag: str, /) -> Digest | None:
        """See `Destination.tagged`. An image that was written here counts as the one it was made from."""
        self._check_name(tag)
        saved = self._current()
        found = saved.named(tag) if saved else ()
        if saved is None or len(found) != 1:
            return None
        try:
            manifest = saved.manifest(found[0])
        except (ResolveError, ContentError):
            return None
        identity, origin = self._tagged.get(tag, ("", manifest.digest))
        return origin if identity == saved.images[found[0]].config else manifest.digest

    def tag(self, manifest: Manifest, tag: str, /) -> None:
        """See `Destination.tag`: writes the archive anew with this image under this full name."""
        self._check_name(tag)
        staging = self._staging.begin()
        if not LayoutDestination(staging.layout, self._label).has_manifest(manifest.descriptor):
            what = f"manifest {manifest.digest} was not pushed, so {tag or 'the archive'} cannot hold it"
            raise StoreError(what, where=self._label, hint="run again")
        new = self._unpacked(staging, manifest)
        with sole_writer(self._path) as parent:
            saved = self._current()
            entries = _entries(saved, new, tag)
            images = [entry.image for entry in entries]
            if saved is None or tuple(images) != saved.images:
                parts = {name: part for entry in entries for name, part in entry.parts.items()}
                parts[LISTING] = part_of(_listing(images))
                write_archive(parts, staging.directory, parent, self._path.name)
        self._tagged[tag] = (new.image.config, manifest.digest)

    def _check_name(self, tag: str) -> None:
        """StoreError for what cannot be an image's full name, before anything is written."""
        try:
            well = not tag or full_name(tag) == tag
        except ValueError:
            well = False
        if not well:
            raise StoreError(
                f"{tag[:200]} is no full name that an image can have in an archive",
                where=self._label,
                hint="write the whole reference behind the path, such as docker-archive:out.tar:acme/app:1.4.2",
            )

    def _unpacked(self, staging: Staging, manifest: Manifest) -> _Entry:
        """The image as it will be saved; its layers are unpacked into the staging area, each once."""
        config = manifest.config
        if config is None:
            raise LookupError(f"{manifest.digest} has no config, but was taken for an image")
        raw = read_blob(LayoutSource(staging.layout, self._label), config, CONFIG_LIMIT, self._label)
        try:
            digests = layer_digests(raw)
        except ValueError as error:
            raise self._wrong(config, str(error)) from None
        if len(digests) != len(manifest.layers):
            raise self._wrong(config, f"it states {len(digests)} layers, but the manifest has {len(manifest.layers)}")
        for layer, digest in zip(manifest.layers, digests, strict=True):
            if staging.layout.size(digest) is None:
                self._unpack(staging, layer, digest)
        layers = tuple(f"{digest.encoded}.tar" for digest in digests)
        parts = {
            name: Part(staging.layout.size(digest) or 0, partial(_opened, staging, digest))
            for name, digest in zip(layers, digests, strict=True)
        }
        name = f"{config.digest.encoded}.json"
        return _Entry(SavedImage(name, layers, ()), {name: part_of(raw), **parts})

    def _unpack(self, staging: Staging, layer: Descriptor, unpacked: Digest) -> None:
        with _opened(staging, layer.digest) as stream:
            target = Descriptor(mediatype.DOCKER_LAYER_TAR, unpacked, 0)
            staging.layout.write(target, UnpackedLayer(stream, unpacked, f"{self._label}@{layer.digest}"))

    def _wrong(self, config: Descriptor, why: str) -> ContentError:
        return ContentError(f"config {config.digest} cannot be used", where=self._label, why=why)


def _entries(saved: SavedArchive | None, new: _Entry, tag: str) -> list[_Entry]:
    """What the archive will hold: the images of before without the name that moves, and the new one with it."""
    entries: list[_Entry] = []
    named = False
    for position, image in enumerate(saved.images if saved else ()):
        entry = _entry(saved, position) if saved else new
        names = {name for name in image.names if name != tag}
        stays = bool(names) or (bool(tag) and not image.names)
        if entry.image.config == new.image.config and bool(image.names) == bool(tag):
            names, stays, named = names | {tag}, True, True
        if stays:
            entries.append(_named(entry, names))
    return entries if named else [*entries, _named(new, {tag})]


def _entry(saved: SavedArchive, position: int) -> _Entry:
    """An image that the archive has already, its files named by their digests."""
    manifest = saved.manifest(position)
    blobs = {blob.digest: _file_name(blob) for blob in manifest.blobs}
    config, *_ = blobs.values()
    layers = tuple(blobs[layer.digest] for layer in manifest.layers)
    slices = {name: saved.blob(digest) for digest, name in blobs.items()}
    parts = {name: part_from(found) for name, found in slices.items() if found}
    return _Entry(SavedImage(config, layers, ()), parts)


def _named(entry: _Entry, names: set[str]) -> _Entry:
    return replace(entry, image=replace(entry.image, names=tuple(sorted(names - {""}))))


def _file_name(blob: Descriptor) -> str:
    """How a config or a layer is called in what is written here."""
    ends = {mediatype.DOCKER_CONFIG: "json", mediatype.DOCKER_LAYER: "tar.gz"}
    return f"{blob.digest.encoded}.{ends.get(blob.media_type, 'tar')}"


def _listing(images: Sequence[SavedImage]) -> bytes:
    documents = [
        {"Config": image.config, "RepoTags": list(image.names), "Layers": list(image.layers)} for image in images
    ]
    return json.dumps(documents, separators=(",", ":")).encode()


@contextmanager
def _opened(staging: Staging, digest: Digest) -> Iterator[Seekable]:
    with staging.layout.open(digest) as file:
        if file is None:
            raise StoreError(f"{digest} is gone from the staging area", where=str(staging.path), hint="run again")
        yield file
