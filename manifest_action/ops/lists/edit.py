"""Changing a saved list: what is read from elsewhere is read before the store is locked."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from manifest_action.errors import ResolveError
from manifest_action.model.digest import Digest
from manifest_action.model.instances import Change
from manifest_action.ops.lists.find import Addition, find_instances
from manifest_action.store import SavedList, Store
from manifest_action.transport.base import Transport


def create_list(
    store: Store,
    names: Sequence[str],
    additions: Iterable[Addition],
    transport: Transport,
    *,
    jobs: int,
    annotations: Mapping[str, str] | None = None,
    amend: bool = False,
) -> SavedList:
    """Make a list under `names`, with the instances that `additions` lead to and annotations of its own.

    amend: when the first name is taken, add to that list instead

    Raises StoreError when a name is taken, and what `find_instances` raises; nothing is saved then.
    """
    found = find_instances(additions, transport, jobs)

    def filled(saved: SavedList) -> SavedList:
        saved = saved.add_all(found)
        return saved if annotations is None else saved.annotate(annotations)

    if amend and any(names[0] in saved.names for saved in store.lists()):
        return store.edit(names[0], filled)
    return store.create(filled(SavedList(tuple(names))))


def add_to_list(
    store: Store, name: str, additions: Iterable[Addition], transport: Transport, *, jobs: int
) -> SavedList:
    """List what the additions lead to. Errors as `create_list`, and StoreError when there is no such list."""
    store.load(name)
    found = find_instances(additions, transport, jobs)
    return store.edit(name, lambda saved: saved.add_all(found))


def annotate_list(store: Store, name: str, annotations: Mapping[str, str]) -> SavedList:
    """Let a list itself have these annotations, and no others; any makes it an OCI index."""
    return store.edit(name, lambda saved: saved.annotate(annotations))


def change_instance(store: Store, name: str, digest: Digest, change: Change) -> SavedList:
    """State something about an instance; ResolveError when it is not listed."""
    return _edit(store, name, lambda saved: saved.change(digest, change))


def remove_instances(store: Store, name: str, digests: Iterable[Digest]) -> SavedList:
    """Forget instances; ResolveError when one of them is not listed, and then all stay."""

    def without(saved: SavedList) -> SavedList:
        for digest in digests:
            saved = saved.remove(digest)
        return saved

    return _edit(store, name, without)


def _edit(store: Store, name: str, change: Callable[[SavedList], SavedList]) -> SavedList:
    try:
        return store.edit(name, change)
    except LookupError as error:
        raise ResolveError(str(error), where=name, hint="`list inspect` shows the digests it has") from None
