"""`dir:path`: one image or index as plain files (containers-transports(5), "dir").

`manifest.json` is the image; the manifests of an index's instances are `<hex>.manifest.json` and every blob is
`<hex>`, both named by their digests. To this program it is a layout that lists one image, which has no name.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import ClassVar

from manifest_action.errors import ContentError, StoreError
from manifest_action.model import mediatype
from manifest_action.model.access import Access
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import SIZE_LIMIT, Manifest
from manifest_action.model.reference import Repository
from manifest_action.transport.base import Readable
from manifest_action.transport.layout.destination import LayoutDestination
from manifest_action.transport.layout.directory import Directory, File, make_directory, open_directory
from manifest_action.transport.layout.index import LayoutIndex
from manifest_action.transport.layout.source import LayoutSource

_MARKER = "version"
_MARKER_LIMIT = 4096
_MARKER_START = b"Directory Transport Version: 1."
_MARKER_CONTENT = b"Directory Transport Version: 1.1\n"
_MANIFEST = "manifest.json"
_CHUNK = 1024 * 1024


class ImageDirectory:
    """The files of a `dir:`, as a `WritableLayout`. `manifest.json` changes last, in one step."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._created = False
        self._creation = Lock()

    def index(self) -> LayoutIndex | None:
        """One entry without a name, none while `manifest.json` is missing; None when this is no such directory."""
        with open_directory(self.path) as root:
            if root is None:
                return None
            raw = root.read(_MANIFEST, SIZE_LIMIT)
            if raw is None:
                return None if root.size(_MARKER) is None else LayoutIndex.empty()
            return LayoutIndex.empty().with_name(self._parsed(raw).descriptor, "")

    def is_vacant(self) -> bool:
        """Whether nothing is at the path yet, or an empty directory."""
        with open_directory(self.path) as root:
            return not self.path.exists() if root is None else not root.names()

    def size(self, digest: Digest) -> int | None:
        """The bytes of a blob or manifest, None when it is not there. They are not read."""
        with open_directory(self.path) as root:
            name = None if root is None else _file_name(root, digest)
            return root.size(name) if root and name else None

    @contextmanager
    def open(self, digest: Digest) -> Iterator[File | None]:
        """The file of a blob or manifest, None when it is not there."""
        with open_directory(self.path) as root:
            name = None if root is None else _file_name(root, digest)
            if root is None or name is None:
                yield None
                return
            with root.open(name) as file:
                yield file

    def create(self) -> None:
        """See that the directory is there and marked, and that what a killed writer has left is gone."""
        with self._creation:
            if not self._created:
                self._create()
                self._created = True

    def write(self, blob: Descriptor, content: Readable) -> None:
        """Store a blob, or a manifest under the name that those of instances have."""
        name = blob.digest.encoded
        if blob.media_type in mediatype.MANIFESTS:
            name = _instance_name(blob.digest)
        with self._opened() as root:
            root.lock(exclusive=False)
            with root.new_file() as new:
                while chunk := content.read(_CHUNK):
                    new.write(chunk)
                new.keep(root, name)

    def change_index(self, change: Callable[[LayoutIndex], LayoutIndex]) -> None:
        """Let `manifest.json` be the one manifest that the changed index lists."""
        before = self.index() or LayoutIndex.empty()
        after = change(before)
        if after is before:
            return
        with self._opened() as root:
            root.lock(exclusive=False)
            raw = root.read(_instance_name(after.named("")[0].digest), SIZE_LIMIT)
            if raw is None:
                raise StoreError("the manifest is gone", where=str(self.path), hint="run again")
            root.sync()
            root.replace(_MANIFEST, raw)

    def _create(self) -> None:
        with make_directory(self.path) as root:
            if root.size(_MARKER) is None:
                root.lock(exclusive=True)
            # Another process may have created it while this one waited.
            marker = root.read(_MARKER, _MARKER_LIMIT)
            if marker is None:
                if root.names():
                    raise not_an_image_directory(self.path)
                root.replace(_MARKER, _MARKER_CONTENT)
            elif not marker.startswith(_MARKER_START):
                raise StoreError("has an unknown version", where=str(self.path / _MARKER), hint="name a new directory")
            if root.try_lock():
                root.remove_leftovers()

    def _parsed(self, raw: bytes) -> Manifest:
        try:
            return Manifest.parse(raw)
        except ValueError as error:
            where = str(self.path / _MANIFEST)
            raise ContentError("is no manifest that can be used", where=where, why=str(error)) from None

    @contextmanager
    def _opened(self) -> Iterator[Directory]:
        with open_directory(self.path) as root:
            if root is None:
                raise StoreError("the directory is gone", where=str(self.path), hint="run again")
            yield root


class DirectorySource(LayoutSource):
    """A `dir:` as a `Source`."""

    _form: ClassVar[str] = "image directory"
    _signs: ClassVar[str] = "it has the files version and manifest.json"

    def __init__(self, directory: ImageDirectory, label: str) -> None:
        super().__init__(directory, label)
        self._directory = directory

    def has(self, digest: Digest) -> bool:
        """Whether a blob or manifest of that digest is there."""
        return self._directory.size(digest) is not None


class DirectoryDestination(LayoutDestination):
    """A `dir:` as a `Destination`. It holds one image; that of before stays readable until the new one is complete."""

    def __init__(self, directory: ImageDirectory, label: str) -> None:
        super().__init__(directory, label)
        self._directory = directory
        self._where = label

    def tagged(self, tag: str, /) -> Digest | None:
        """See `Destination.tagged`; StoreError for any tag but the empty one, before anything is written."""
        self._check_unnamed(tag)
        if self._directory.index() is None and not self._directory.is_vacant():
            raise not_an_image_directory(self._directory.path)
        return super().tagged(tag)

    def tag(self, manifest: Manifest, tag: str, /) -> None:
        """See `Destination.tag`; StoreError for any tag but the empty one."""
        self._check_unnamed(tag)
        super().tag(manifest, tag)

    def _check_unnamed(self, tag: str) -> None:
        if tag:
            raise StoreError(
                f"a directory holds one image and no names, so there is no place for {tag}",
                where=self._where,
                hint="write an OCI layout (oci:path:name) to keep several, or one directory for each",
            )


class DirectoryTransport:
    """The `dir` transport: a repository's name is the path of its directory."""

    def __init__(self) -> None:
        self._directories: dict[str, ImageDirectory] = {}
        self._lock = Lock()

    def source(self, repository: Repository, /) -> DirectorySource:
        """The directory for reading."""
        return DirectorySource(self._directory(repository), str(repository))

    def destination(self, repository: Repository, /) -> DirectoryDestination:
        """The directory for writing."""
        return DirectoryDestination(self._directory(repository), str(repository))

    def prepare(self, accesses: Iterable[Access], /) -> None:
        """Nothing has to be asked for."""

    def close(self) -> None:
        """Nothing is held between calls."""

    def _directory(self, repository: Repository) -> ImageDirectory:
        with self._lock:
            return self._directories.setdefault(repository.name, ImageDirectory(Path(repository.name)))


def not_an_image_directory(path: Path) -> StoreError:
    """The error for a path where something else is."""
    return StoreError(
        "is neither an image directory nor empty, so nothing is written there",
        where=str(path),
        hint="name a new directory",
    )


def _instance_name(digest: Digest) -> str:
    return f"{digest.encoded}.{_MANIFEST}"


def _file_name(root: Directory, digest: Digest) -> str | None:
    """Under which name the directory has these bytes, or claims to have them."""
    for name in (digest.encoded, _instance_name(digest)):
        if root.size(name) is not None:
            return name
    raw = root.read(_MANIFEST, SIZE_LIMIT)
    return _MANIFEST if raw is not None and digest.matches(raw) else None
