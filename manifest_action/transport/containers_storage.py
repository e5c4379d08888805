"""`containers-storage:name`: images in the store that Podman, Buildah and CRI-O share (containers-storage.conf(5)).

The store's format is its own, so the program skopeo reads and writes it, by way of temporary `dir:` directories.
The store unpacks layers; what is read from it is compressed anew, and its manifest is another than what went in.
"""

import os
import shutil
import subprocess
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from manifest_action.errors import ContentError, ResolveError, StoreError
from manifest_action.events import Transfer
from manifest_action.model.access import Access
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import SIZE_LIMIT, Manifest
from manifest_action.model.reference import Repository
from manifest_action.transport.base import Content, Readable
from manifest_action.transport.directory import DirectoryDestination, DirectorySource, ImageDirectory

PROGRAM = "skopeo"
TIMEOUT = 3600.0
"""Seconds that one copy into or out of the store may take."""

_PASSED_ON = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_",
    "TMPDIR",
    "XDG_",
    "CONTAINERS_",
    "_CONTAINERS_",
    "STORAGE_",
)
"""Beginnings of the names of the variables that the program sees: where stores are, and no logins, keys or tokens."""

_ABSENT = ("does not resolve to an image ID", "identifier is not an image", "image not known")
_SHOWN = 300


class Store:
    """The store, through skopeo. A name is what follows `containers-storage:`."""

    def manifest(self, name: str) -> bytes | None:
        """The manifest that the store keeps for a name, None when there is none."""
        done = self._run("inspect", "--raw", _reference(name))
        if done.returncode == 0:
            return done.stdout
        if any(words in done.stderr.decode(errors="replace") for words in _ABSENT):
            return None
        raise _failed(name, done)

    def copy_out(self, name: str, target: Path) -> None:
        """Write an image, or all instances of a list, as `dir:`; ResolveError when the store has none of that name."""
        if self.manifest(name) is None:
            hint = "look with `podman image ls` what the store has, as the same user and with the same configuration"
            raise ResolveError("the store has no such image", where=_reference(name), hint=hint)
        self._copy(name, "--all", "--dest-compress", _reference(name), f"dir:{target}")

    def copy_in(self, source: Path, name: str) -> None:
        """Store the image of a `dir:` under a name."""
        self._copy(name, f"dir:{source}", _reference(name))

    def _copy(self, name: str, *arguments: str) -> None:
        done = self._run("copy", "--quiet", *arguments)
        if done.returncode != 0:
            raise _failed(name, done)

    def _run(self, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
        program = shutil.which(PROGRAM)
        if program is None:
            raise StoreError(
                f"the program {PROGRAM} is needed to use containers-storage: and is not installed",
                hint=f"install it (Debian, Ubuntu, Fedora: the package {PROGRAM}), or pass images through oci-archive:",
            )
        # Which sources are trusted is this program's decision, made before; nothing but local files passes here.
        command = (program, "--insecure-policy", *arguments)
        seen = {name: value for name, value in os.environ.items() if name.startswith(_PASSED_ON)}
        try:
            return subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, check=False, env=seen
            )
        except subprocess.TimeoutExpired:
            raise StoreError(
                f"{PROGRAM} did not end within {TIMEOUT:.0f} seconds", hint="is the store locked?"
            ) from None


class StoreSource:
    """Images of one name in the store, as a `Source`. Each is copied out once, when it is first asked for."""

    def __init__(self, store: Store, name: str, folder: Path) -> None:
        self._store = store
        self._name = name
        self._folder = folder
        self._copies: dict[str, DirectorySource] = {}
        self._lock = Lock()

    def resolve(self, selector: str, /) -> Manifest:
        """The manifest of a tag, of an image ID (empty selector), or of a digest in what was resolved before."""
        if selector.startswith(("sha256:", "sha512:")):
            return self._resolve_digest(selector)
        name = _full(self._name, selector)
        with self._lock:
            if name not in self._copies:
                target = self._folder / str(len(self._copies))
                self._store.copy_out(name, target)
                self._copies[name] = DirectorySource(ImageDirectory(target), _reference(name))
        return self._copies[name].resolve("")

    @contextmanager
    def open(self, blob: Descriptor, offset: int = 0, /) -> Iterator[Readable]:
        """The raw bytes of a blob of an image that was resolved. Errors as `Source.open`."""
        for copy in tuple(self._copies.values()):
            if copy.has(blob.digest):
                with copy.open(blob, offset) as stream:
                    yield stream
                return
        raise ResolveError(f"no image that was read has {blob.digest}", where=_reference(self._name), hint="run again")

    def _resolve_digest(self, selector: str) -> Manifest:
        for copy in tuple(self._copies.values()):
            if copy.has(Digest.parse(selector)):
                return copy.resolve(selector)
        raise ResolveError(
            f"nothing with the digest {selector} was read",
            where=_reference(self._name),
            hint="the store packs layers anew, so digests of elsewhere do not hold; name the image by its tag",
        )


class StoreDestination:
    """Images of one name in the store, as a `Destination` for single images."""

    def __init__(self, store: Store, name: str, folder: Path) -> None:
        self._store = store
        self._name = name
        self._path = folder
        self._directory = DirectoryDestination(ImageDirectory(folder), _reference(name))
        self._lock = Lock()

    def has_manifest(self, target: Descriptor, /) -> bool:
        """Whether the image waits to be stored, whole."""
        return self._directory.has_manifest(target)

    def push_blob(self, blob: Descriptor, content: Content, mount_from: Repository | None, /) -> Transfer:
        """See `Destination.push_blob`. What arrives waits in temporary files."""
        return self._directory.push_blob(blob, content, mount_from)

    def push_manifest(self, manifest: Manifest, /) -> None:
        """See `Destination.push_manifest`; StoreError for an index, which cannot be copied into the store."""
        if manifest.is_index:
            raise StoreError(
                f"{manifest.digest} is an index, and only single images can be copied into the store",
                where=_reference(self._name),
                hint="write an oci-archive:, or keep the index in a saved list, or copy one platform of it",
            )
        self._directory.push_manifest(manifest)

    def tagged(self, tag: str, /) -> Digest | None:
        """See `Destination.tagged`: the digest of the manifest that the store keeps for the name."""
        raw = self._store.manifest(self._checked(tag))
        return None if raw is None else _parsed(raw, _reference(self._name)).digest

    def tag(self, manifest: Manifest, tag: str, /) -> None:
        """See `Destination.tag`: the image is copied into the store under this name."""
        name = self._checked(tag)
        with self._lock:
            self._directory.tag(manifest, "")
            self._store.copy_in(self._path, name)

    def _checked(self, tag: str) -> str:
        if not tag:
            hint = "write containers-storage:name:tag"
            raise StoreError("an image is stored under a name with a tag", where=_reference(self._name), hint=hint)
        return _full(self._name, tag)


class ContainersStorageTransport:
    """The `containers-storage` transport: a repository's name is that of images, or an image ID.

    Both may have a `[store]` before them, as containers-transports(5) has it.
    """

    def __init__(self) -> None:
        self._store = Store()
        self._folder = Path(tempfile.mkdtemp(prefix="manifest-action-"))
        self._remove = weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._sources: dict[str, StoreSource] = {}
        self._destinations: dict[str, StoreDestination] = {}
        self._lock = Lock()

    def source(self, repository: Repository, /) -> StoreSource:
        """The images of that name for reading; the store is not asked yet."""
        with self._lock:
            if repository.name not in self._sources:
                folder = self._own_folder()
                self._sources[repository.name] = StoreSource(self._store, repository.name, folder)
            return self._sources[repository.name]

    def destination(self, repository: Repository, /) -> StoreDestination:
        """The images of that name for writing; the store is not asked yet."""
        with self._lock:
            if repository.name not in self._destinations:
                folder = self._own_folder()
                self._destinations[repository.name] = StoreDestination(self._store, repository.name, folder)
            return self._destinations[repository.name]

    def prepare(self, accesses: Iterable[Access], /) -> None:
        """Nothing has to be asked for."""

    def close(self) -> None:
        """Remove the temporary files."""
        self._remove()

    def _own_folder(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self._folder))


def _full(name: str, tag: str) -> str:
    return f"{name}:{tag}" if tag else name


def _reference(name: str) -> str:
    return f"containers-storage:{name}"


def _parsed(raw: bytes, where: str) -> Manifest:
    try:
        return Manifest.parse(raw[: SIZE_LIMIT + 1])
    except ValueError as error:
        raise ContentError("is no manifest that can be used", where=where, why=str(error)) from None


def _failed(name: str, done: "subprocess.CompletedProcess[bytes]") -> StoreError:
    said = done.stderr.decode(errors="replace").strip()[-_SHOWN:]
    why = "".join(character if character.isprintable() else " " for character in said)
    hint = "check that this user may use the store and that its configuration names it"
    return StoreError(f"{PROGRAM} could not read or write the store", where=_reference(name), why=why, hint=hint)
