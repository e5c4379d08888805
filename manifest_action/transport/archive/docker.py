"""The `docker-archive` transport, and reading single images from what `docker save` has written."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from manifest_action.errors import ResolveError
from manifest_action.model.access import Access
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import Repository
from manifest_action.transport.archive.docker_destination import DockerArchiveDestination
from manifest_action.transport.archive.file import ArchivePath
from manifest_action.transport.archive.saved import SavedArchive
from manifest_action.transport.archive.staging import StagingPlace
from manifest_action.transport.base import Readable

_NAMES_SHOWN = 10
_POSITION = re.compile(r"@[0-9]{1,4}")


class SavedPlace:
    """What is saved at a path right now, and what waits to be saved there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.staging = StagingPlace(path)
        self._archive = ArchivePath(path, links=True)
        self._saved: SavedArchive | None = None
        self._lock = Lock()

    def current(self) -> SavedArchive | None:
        """The archive's images; None when there is no archive. Errors as `SavedArchive`."""
        with self._lock:
            archive = self._archive.current()
            if archive is None:
                return None
            if self._saved is None or self._saved.archive is not archive:
                self._saved = SavedArchive(archive)
            return self._saved

    def close(self) -> None:
        """Let go of the archive and of what nothing has been made of."""
        with self._lock:
            self._saved = None
        self._archive.close()
        self.staging.close()


class SavedSource:
    """Images in an archive of `docker save`, as a `Source`. Their manifests are made here, see `SavedArchive`."""

    def __init__(self, place: SavedPlace, label: str) -> None:
        self._place = place
        self._label = label

    def resolve(self, selector: str, /) -> Manifest:
        """The manifest of a full name, of a position (`@0` is the first), of a digest, or of the only image."""
        saved = self._saved()
        digest = _digest(selector)
        if digest is not None:
            manifest = saved.with_digest(digest)
            if manifest is None:
                raise self._none(f"the archive has no image with the digest {digest}", saved)
            return manifest
        return saved.manifest(self._position(saved, selector))

    @contextmanager
    def open(self, blob: Descriptor, offset: int = 0, /) -> Iterator[Readable]:
        """The raw bytes of a config or layer from `offset` on. Errors as `Source.open`."""
        stream = self._saved().blob(blob.digest)
        if stream is None:
            hint = "another archive may have taken its place; run again"
            raise ResolveError(f"the archive does not have {blob.digest}", where=self._label, hint=hint)
        stream.seek(offset)
        yield stream

    def _saved(self) -> SavedArchive:
        saved = self._place.current()
        if saved is None:
            raise ResolveError(
                "there is no archive at this path",
                where=self._label,
                hint="check the path and the working directory, and whether the step that saves it has run",
            )
        return saved

    def _position(self, saved: SavedArchive, selector: str) -> int:
        if _POSITION.fullmatch(selector):
            position = int(selector[1:])
            if position < len(saved.images):
                return position
            raise self._none(f"the archive has {len(saved.images)} images, counted from @0", saved)
        found = saved.named(selector) if selector else range(len(saved.images))
        if len(found) == 1:
            return found[0]
        if selector:
            what = f"has {len(found)} images named" if found else "has no image named"
            raise self._none(f"the archive {what} {selector}", saved)
        raise self._none(f"the archive has {len(found)} images, and the reference does not say which", saved)

    def _none(self, what: str, saved: SavedArchive) -> ResolveError:
        names = [name for image in saved.images for name in image.names]
        hint = f"its names are {_listed(names)}" if names else "name one by its position, such as :@0"
        return ResolveError(what, where=self._label, hint=hint)


def docker_archive(place: SavedPlace, label: str) -> DockerArchiveDestination:
    """The place for writing."""
    return DockerArchiveDestination(place.path, place.current, place.staging, label)


class DockerArchiveTransport:
    """Archives of `docker save` by path: several images without an index, each under names."""

    def __init__(self) -> None:
        self._places: dict[str, SavedPlace] = {}
        self._destinations: dict[str, DockerArchiveDestination] = {}
        self._lock = Lock()

    def source(self, repository: Repository, /) -> SavedSource:
        """The archive for reading."""
        return SavedSource(self._place(repository), str(repository))

    def destination(self, repository: Repository, /) -> DockerArchiveDestination:
        """The archive for writing."""
        place = self._place(repository)
        with self._lock:
            return self._destinations.setdefault(repository.name, docker_archive(place, str(repository)))

    def prepare(self, accesses: Iterable[Access], /) -> None:
        """Nothing has to be asked for."""

    def close(self) -> None:
        """Let go of archives, and of what was pushed and never tagged."""
        with self._lock:
            for place in self._places.values():
                place.close()

    def _place(self, repository: Repository) -> SavedPlace:
        with self._lock:
            return self._places.setdefault(repository.name, SavedPlace(Path(repository.name)))


def _digest(selector: str) -> Digest | None:
    try:
        return Digest.parse(selector)
    except ValueError:
        return None


def _listed(words: Sequence[str]) -> str:
    shown = [word[:128] for word in words[:_NAMES_SHOWN]]
    return ", ".join(shown + (["…"] if len(words) > len(shown) else []))
