"""The store of saved lists: an OCI image layout and a state file in one directory (image-spec 1.1, image-layout.md).

How it stays whole while several processes write, and when one of them is killed:

- Every change holds the store's lock while it reads the state, changes it and writes it.
- The state file is replaced in one step, after the list it leads to is on the disk: that is the moment of the change.
- The layout's `index.json` follows, so that other tools find the list under its names. After a kill in between they
  find the list as it was before, and the next change begins by making up for it.
- What a list was before its change is removed last. A reader that needs it a moment longer reads the state again.
"""

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from manifest_action.errors import StoreError
from manifest_action.model.digest import Digest
from manifest_action.model.index import Index
from manifest_action.model.instances import typed
from manifest_action.model.manifest import SIZE_LIMIT, Manifest
from manifest_action.model.reference import OCI, Repository, parse_reference
from manifest_action.store.lock import StoreLock
from manifest_action.store.savedlist import SavedList
from manifest_action.store.state import Record, State
from manifest_action.transport.layout.directory import Directory, open_directory
from manifest_action.transport.layout.index import LayoutIndex
from manifest_action.transport.layout.layout import Layout

LOCK_TIMEOUT = 30.0
"""Seconds that a change waits for another program's."""

_STATE = "manifest-lists.json"
_LOCK = "manifest-lists.lock"
_STATE_LIMIT = 64 * 1024 * 1024
_NAMES_SHOWN = 10


class Store:
    """Saved lists in the directory `path`, which is made by the first change.

    lock_timeout: seconds to wait while another program changes the store
    command:      how this program names itself to those who wait for it

    Safe to use from several threads and processes at once. Everything raises StoreError when the store is damaged,
    cannot be read or written, or stays locked.
    """

    def __init__(self, path: Path, *, lock_timeout: float = LOCK_TIMEOUT, command: str = "") -> None:
        self.path = path.absolute()
        self._layout = Layout(self.path)
        self._lock = StoreLock(self.path / _LOCK, lock_timeout, command)

    @property
    def repository(self) -> Repository:
        """The store as an OCI layout: where instances are that were not found anywhere else."""
        return Repository(OCI, "", str(self.path))

    def lists(self) -> tuple[SavedList, ...]:
        """Every list, in the order in which they were saved first."""
        return self._loaded(lambda state: state.records)

    def load(self, name: str) -> SavedList:
        """The list of that name; StoreError when there is none."""
        return self._loaded(lambda state: (self._record(state, name),))[0]

    def create(self, new: SavedList, media_type: str = "") -> SavedList:
        """Save a new list under its names; StoreError when one of them leads to something already."""
        _check_names(new.names)
        with self._changing() as state:
            self._check_free(new.names, state)
            return self._save(new, media_type, state)

    def save(self, changed: SavedList, media_type: str = "") -> SavedList:
        """Save a list under its names, whatever these led to before; other lists lose them.

        media_type: OCI index or Docker manifest list, else the one that can hold everything
        """
        _check_names(changed.names)
        with self._changing() as state:
            return self._save(changed, media_type, state)

    def edit(self, name: str, change: Callable[[SavedList], SavedList], media_type: str = "") -> SavedList:
        """Change the list of that name as it is now, with no other change in between; gives the changed list.

        change:     must be quick, as others wait for it; what it raises leaves the list as it is
        media_type: as for `save`
        """
        with self._changing() as state:
            record = self._record(state, name)
            changed = change(self._present(record))
            _check_names(changed.names)
            return self._save(changed, media_type, state, record)

    def remove(self, name: str, expected: Digest | None = None) -> SavedList:
        """Forget a list with all its names; gives what it was.

        expected: the digest it must still have; StoreError when it has another one, or when there is no such list
        """
        with self._changing() as state:
            record = self._record(state, name)
            if expected not in (None, record.target.digest):
                raise StoreError(
                    "the list was changed by another program meanwhile, so it is kept",
                    where=self._label(name),
                    hint="look at it with `list inspect`, then push or remove it",
                )
            gone = self._present(record)
            self._commit(state, state.without(record))
            return gone

    def _save(self, changed: SavedList, media_type: str, state: State, old: Record | None = None) -> SavedList:
        manifest = self._manifest(changed, media_type)
        self._write(manifest)
        self._commit(state, state.with_record(Record(changed.names, manifest.descriptor, changed.locations), old))
        return replace(changed, index=Index.of(manifest), manifest=manifest)

    def _manifest(self, changed: SavedList, media_type: str) -> Manifest:
        try:
            return typed(changed.index, media_type).manifest()
        except ValueError as error:
            raise StoreError(
                "the list cannot be saved like this",
                where=self._label(changed.names[0]),
                why=str(error),
                hint="leave the media type open, or put less into the list",
            ) from None

    def _write(self, manifest: Manifest) -> None:
        """Bring a list to the disk; it is not in use before the state leads to it."""
        if self._layout.size(manifest.digest) != len(manifest.raw):
            self._layout.write(manifest.descriptor, io.BytesIO(manifest.raw))
        with open_directory(self.path, "blobs", manifest.digest.algorithm) as blobs:
            if blobs is not None:
                blobs.sync()

    def _commit(self, before: State, after: State) -> None:
        """Let `after` take the place of `before`."""
        gone = set(before.names()) - set(after.names())
        if gone:
            self._layout.change_index(lambda index: _without(index, gone))
        with self._root() as root:
            # Unfinished files in a layout's directory are safe from other writers under the directory's lock only.
            root.lock(exclusive=True)
            root.replace(_STATE, after.serialise())
        self._layout.change_index(lambda index: _with_names(index, after))
        self._clear(before, after)

    def _clear(self, before: State, after: State) -> None:
        listed = self._layout.index() or LayoutIndex.empty()
        in_use = {record.target.digest for record in after.records} | {entry.digest for entry in listed.all()}
        for record in before.records:
            if record.target.digest not in in_use:
                self._layout.remove(record.target.digest)

    @contextmanager
    def _changing(self) -> Iterator[State]:
        """The state, which nobody else changes during the block; `index.json` has caught up with it."""
        self._layout.create()
        with self._lock.held():
            state = self._state()
            self._layout.change_index(lambda index: _with_names(index, state))
            yield state

    def _state(self) -> State:
        with open_directory(self.path) as root:
            raw = root.read(_STATE, _STATE_LIMIT) if root else None
        if raw is None:
            return State()
        try:
            return State.parse(raw)
        except ValueError as error:
            raise StoreError(
                "is damaged",
                where=str(self.path / _STATE),
                why=str(error)[:200],
                hint="move the store's directory away and make the lists again",
            ) from None

    def _loaded(self, choose: Callable[[State], Sequence[Record]]) -> tuple[SavedList, ...]:
        """Read lists without the lock: one that has just been replaced is looked up again."""
        state = self._state()
        while True:
            chosen = choose(state)
            found = tuple(saved for record in chosen if (saved := self._load(record)))
            if len(found) == len(chosen):
                return found
            before, state = state, self._state()
            if state == before:
                raise self._lost(chosen[0])

    def _load(self, record: Record) -> SavedList | None:
        """A list with its bytes, None when they are not there."""
        with self._layout.open(record.target.digest) as file:
            raw = None if file is None else file.read(SIZE_LIMIT + 1)
        if raw is None:
            return None
        if not record.target.digest.matches(raw):
            raise self._lost(record)
        try:
            manifest = Manifest.parse(raw, media_type=record.target.media_type)
        except ValueError as error:
            raise StoreError("is no list", where=self._label(record.names[0]), why=str(error)) from None
        return SavedList(record.names, Index.of(manifest), record.locations, manifest)

    def _present(self, record: Record) -> SavedList:
        found = self._load(record)
        if found is None:
            raise self._lost(record)
        return found

    def _record(self, state: State, name: str) -> Record:
        record = state.named(name)
        if record is None:
            names = ", ".join(state.names()[:_NAMES_SHOWN])
            raise StoreError(
                f"there is no list named {name[:128]}",
                where=str(self.path),
                hint=f"the lists are {names}" if names else "the store has no list; make one with `list create`",
            )
        return record

    def _check_free(self, names: Sequence[str], state: State) -> None:
        listed = self._layout.index() or LayoutIndex.empty()
        for name in names:
            if name in state.names() or listed.named(name):
                raise StoreError(
                    f"the name {name} is taken",
                    where=str(self.path),
                    hint="choose another name, remove that list, or add to it",
                )

    @contextmanager
    def _root(self) -> Iterator[Directory]:
        with open_directory(self.path) as root:
            if root is None:
                raise StoreError("the store is gone", where=str(self.path), hint="run again")
            yield root

    def _label(self, name: str) -> str:
        return f"{self.repository}:{name}"

    def _lost(self, record: Record) -> StoreError:
        return StoreError(
            f"the bytes of the list, {record.target.digest}, are missing or changed",
            where=self._label(record.names[0]),
            hint="something else writes into the store; remove the list and make it again",
        )


def _check_names(names: Sequence[str]) -> None:
    if not names:
        raise StoreError("a list needs a name", hint="give it one, such as localhost/app:1")
    for name in names:
        try:
            is_name = parse_reference(f"{OCI}:store:{name}").tag == name != ""
        except ValueError:
            is_name = False
        if not is_name:
            raise StoreError(
                f"{name[:128]!r} cannot be the name of a list",
                hint="a name begins with a letter or digit and has at most 255 characters, such as localhost/app:1",
            )


def _without(index: LayoutIndex, names: Iterable[str]) -> LayoutIndex:
    for name in names:
        index = index.without_name(name)
    return index


def _with_names(index: LayoutIndex, state: State) -> LayoutIndex:
    for record in state.records:
        for name in record.names:
            index = index.with_name(record.target, name)
    return index
