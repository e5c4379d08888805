"""One OCI image layout on disk: blobs by digest and the file that names manifests (image-spec 1.1, image-layout.md).

How it stays whole while several processes write, and when one of them is killed:

- A file gets its name after its bytes are checked and on the disk; until then it is an unfinished file in the
  layout's own directory, where readers do not look.
- `index.json` and the layout's creation are guarded by an exclusive lock on the directory; `index.json` is replaced
  in one step after every blob it can lead to is on the disk.
- Whoever writes a blob holds a shared lock on `blobs`. Who opens a layout for writing and gets that lock
  exclusively is alone, so unfinished files belong to nobody and are removed.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from manifest_action.errors import StoreError
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.strictjson import parse_object
from manifest_action.transport.base import Readable
from manifest_action.transport.layout.directory import Directory, File, make_directory, open_directory
from manifest_action.transport.layout.index import SIZE_LIMIT, LayoutIndex

VERSION = "1.0.0"

_MARKER = "oci-layout"
_MARKER_LIMIT = 4096
_MARKER_CONTENT = b'{"imageLayoutVersion":"1.0.0"}'
_INDEX = "index.json"
_BLOBS = "blobs"
_CHUNK = 1024 * 1024


class Layout:
    """The layout at `path`, which need not exist yet. Safe to use from several threads and processes at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._created = False
        self._creation = Lock()

    def index(self) -> LayoutIndex | None:
        """What the layout lists right now, None when there is no layout at this path.

        Raises StoreError: another version of the format, `index.json` is damaged, a file cannot be read.
        """
        with open_directory(self.path) as root:
            if root is None or not self._is_marked(root):
                return None
            return self._read_index(root)

    def is_vacant(self) -> bool:
        """Whether a layout could be created here: nothing is at the path yet, or an empty directory."""
        with open_directory(self.path) as root:
            return not self.path.exists() if root is None else not root.names()

    @contextmanager
    def open(self, digest: Digest) -> Iterator[File | None]:
        """The blob's file, None when the layout does not have it."""
        with open_directory(self.path, _BLOBS, digest.algorithm) as blobs:
            if blobs is None:
                yield None
                return
            with blobs.open(digest.encoded) as file:
                yield file

    def size(self, digest: Digest) -> int | None:
        """The bytes of a blob, None when the layout does not have it. They are not read."""
        with open_directory(self.path, _BLOBS, digest.algorithm) as blobs:
            return None if blobs is None else blobs.size(digest.encoded)

    def create(self) -> None:
        """See that there is a layout at this path, and that what a killed writer has left is gone.

        Raises StoreError when something else is there or it cannot be written.
        """
        with self._creation:
            if not self._created:
                self._create()
                self._created = True

    def write(self, blob: Descriptor, content: Readable) -> None:
        """Store a blob; whatever has its name is replaced once `content` has come to its end without an error."""
        algorithm = blob.digest.algorithm
        with self._opened() as root, root.enter(_BLOBS) as blobs:
            blobs.lock(exclusive=False)
            blobs.make(algorithm)
            with blobs.enter(algorithm) as directory, root.new_file() as new:
                while chunk := content.read(_CHUNK):
                    new.write(chunk)
                new.keep(directory, blob.digest.encoded)

    def remove(self, digest: Digest) -> None:
        """Remove a blob that nothing refers to any more, if it is there."""
        with open_directory(self.path, _BLOBS, digest.algorithm) as blobs:
            if blobs is not None:
                blobs.remove(digest.encoded)

    def change_index(self, change: Callable[[LayoutIndex], LayoutIndex]) -> None:
        """Read `index.json`, change it and write it, with no other change in between."""
        with self._opened() as root:
            root.lock(exclusive=True)
            before = self._read_index(root)
            after = change(before)
            if after is before:
                return
            content = after.serialise()
            if len(content) > SIZE_LIMIT:
                raise StoreError(
                    f"would have more than {SIZE_LIMIT} bytes",
                    where=str(self.path / _INDEX),
                    hint="remove names that are no longer needed, or begin a new layout",
                )
            self._sync_blobs(root)
            root.replace(_INDEX, content)

    def _create(self) -> None:
        with make_directory(self.path) as root:
            root.lock(exclusive=True)
            if not self._is_marked(root):
                if root.names():
                    raise not_a_layout(self.path)
                # The marker comes first: a directory with anything else and no marker is somebody else's.
                root.replace(_MARKER, _MARKER_CONTENT)
            root.make(_BLOBS)
            if root.size(_INDEX) is None:
                root.replace(_INDEX, LayoutIndex.empty().serialise())
            with root.enter(_BLOBS) as blobs:
                if blobs.try_lock():
                    root.remove_leftovers()

    def _is_marked(self, root: Directory) -> bool:
        raw = root.read(_MARKER, _MARKER_LIMIT)
        if raw is None:
            return False
        try:
            version = parse_object(raw).get("imageLayoutVersion")
        except ValueError as error:
            raise _damaged(self.path / _MARKER, error) from None
        if version != VERSION:
            raise StoreError(
                f"the layout's version is {str(version)[:40]!r}; only {VERSION} is known", where=str(self.path)
            )
        return True

    def _read_index(self, root: Directory) -> LayoutIndex:
        """Without the file, as a writer that was killed early leaves it, nothing is listed."""
        raw = root.read(_INDEX, SIZE_LIMIT)
        if raw is None:
            return LayoutIndex.empty()
        try:
            return LayoutIndex.parse(raw)
        except ValueError as error:
            raise _damaged(self.path / _INDEX, error) from None

    def _sync_blobs(self, root: Directory) -> None:
        with root.enter(_BLOBS) as blobs:
            for algorithm in blobs.names():
                with blobs.enter(algorithm) as directory:
                    directory.sync()

    @contextmanager
    def _opened(self) -> Iterator[Directory]:
        with open_directory(self.path) as root:
            if root is None:
                raise StoreError("the layout is gone", where=str(self.path), hint="run again")
            yield root


def not_a_layout(path: Path) -> StoreError:
    """The error for a path where something else is."""
    return StoreError(
        "is neither an OCI layout nor an empty directory, so nothing is written there",
        where=str(path),
        hint="name a new directory",
    )


def _damaged(path: Path, error: ValueError) -> StoreError:
    return StoreError("is damaged", where=str(path), why=str(error)[:200], hint="write the layout again")
