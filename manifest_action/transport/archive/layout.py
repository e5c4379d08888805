"""An OCI image layout in a tar file, as a `WritableLayout` (OCI image-spec 1.1, image-layout.md).

What is written goes to a staging area beside the archive. Changing what the archive lists writes it anew, with all it
had before, and puts it in place in one step: readers see all of the old or all of the new, and a kill leaves the old.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from manifest_action.errors import StoreError
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.strictjson import parse_object
from manifest_action.transport.archive.file import Archive, ArchivePath
from manifest_action.transport.archive.staging import Staging, StagingPlace, sole_writer
from manifest_action.transport.archive.writing import Part, part_of, parts_of, write_archive
from manifest_action.transport.base import Readable
from manifest_action.transport.layout.base import Seekable
from manifest_action.transport.layout.index import SIZE_LIMIT, LayoutIndex
from manifest_action.transport.layout.layout import VERSION

_MARKER = "oci-layout"
_MARKER_LIMIT = 4096
_MARKER_CONTENT = b'{"imageLayoutVersion":"1.0.0"}'
_INDEX = "index.json"


class ArchivedLayout:
    """The layout in the archive at `path`, together with what waits to be written into it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._archive = ArchivePath(path, links=False)
        self._staging = StagingPlace(path)

    def index(self) -> LayoutIndex | None:
        """What the archive lists; None when there is none and nothing waits either. StoreError for other archives."""
        archive = self._archive.current()
        if archive is None:
            return None if self._staging.begun is None else LayoutIndex.empty()
        self._check_version(archive)
        raw = archive.read(_INDEX, SIZE_LIMIT)
        try:
            return LayoutIndex.parse(raw or b"")
        except ValueError as error:
            raise self._damaged(_INDEX, error) from None

    def is_vacant(self) -> bool:
        """Whether nothing is at the path; other files have been refused by `index`."""
        return self._archive.current() is None

    def size(self, digest: Digest) -> int | None:
        """The bytes of a blob in the staging area or the archive, None when it is in neither."""
        staging, archive = self._staging.begun, self._archive.current()
        size = staging.layout.size(digest) if staging else None
        return archive.size(_blob_name(digest)) if size is None and archive else size

    @contextmanager
    def open(self, digest: Digest) -> Iterator[Seekable | None]:
        """A blob from the staging area or the archive, None when it is in neither."""
        staging, archive = self._staging.begun, self._archive.current()
        if staging and staging.layout.size(digest) is not None:
            with staging.layout.open(digest) as file:
                yield file
        else:
            yield archive.open(_blob_name(digest)) if archive else None

    def create(self) -> None:
        """See that things can be written; StoreError when something else is at the path."""
        self.index()
        self._staging.begin()

    def write(self, blob: Descriptor, content: Readable) -> None:
        """Store a blob in the staging area."""
        self._staging.begin().layout.write(blob, content)

    def change_index(self, change: Callable[[LayoutIndex], LayoutIndex]) -> None:
        """Write the archive anew with a changed index and all that waits, unless it would be the same."""
        staging = self._staging.begin()
        with sole_writer(self.path) as parent:
            before = self.index() or LayoutIndex.empty()
            after = change(before)
            archive = self._archive.current()
            kept = parts_of(archive) if archive else {}
            fresh = self._waiting(staging, archive)
            if after is before and archive is not None and not fresh:
                return
            content = {_MARKER: part_of(_MARKER_CONTENT), _INDEX: part_of(after.serialise())}
            write_archive(kept | fresh | content, staging.directory, parent, self.path.name)

    def close(self) -> None:
        """Let go of the archive and of what nothing has been made of."""
        self._archive.close()
        self._staging.close()

    def _waiting(self, staging: Staging, archive: Archive | None) -> dict[str, Part]:
        """What the archive does not have yet."""
        return {
            _blob_name(digest): Part(size, partial(_staged, staging, digest))
            for digest, size in staging.blobs()
            if archive is None or archive.size(_blob_name(digest)) != size
        }

    def _check_version(self, archive: Archive) -> None:
        raw = archive.read(_MARKER, _MARKER_LIMIT)
        if raw is None:
            raise StoreError(
                "holds no OCI layout",
                where=str(self.path),
                hint="an archive that `docker save` has written is read as docker-archive:",
            )
        try:
            version = parse_object(raw).get("imageLayoutVersion")
        except ValueError as error:
            raise self._damaged(_MARKER, error) from None
        if version != VERSION:
            raise StoreError(f"has layout version {str(version)[:40]!r}; only {VERSION} is known", where=str(self.path))

    def _damaged(self, name: str, error: ValueError) -> StoreError:
        why = f"{name}: {str(error)[:200]}"
        return StoreError("the layout in it is damaged", where=str(self.path), why=why, hint="write the archive again")


def _blob_name(digest: Digest) -> str:
    return f"blobs/{digest.algorithm}/{digest.encoded}"


@contextmanager
def _staged(staging: Staging, digest: Digest) -> Iterator[Readable]:
    with staging.layout.open(digest) as file:
        if file is None:
            raise StoreError(f"{digest} is gone from the staging area", where=str(staging.path), hint="run again")
        yield file
