"""Letting an artifact be found by its subject (OCI distribution-spec 1.1, "Pushing Manifests with Subject").

A registry with the referrers API does this by itself. What a registry says about itself is no proof of that, so
it is asked; every other one gets an index under a tag made of the subject's digest, kept up to date by clients.
"""

import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol
from urllib.parse import quote

from manifest_action.errors import AuthError, RateLimited, RegistryError
from manifest_action.model import mediatype
from manifest_action.model.access import Access
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.index import Index
from manifest_action.model.manifest import SIZE_LIMIT, Manifest
from manifest_action.model.reference import Repository
from manifest_action.model.referrers import fallback_tag, referrer
from manifest_action.transport.registry.message import Reply, Request
from manifest_action.transport.registry.scope import Scope
from manifest_action.transport.registry.session import Session
from manifest_action.transport.settling import SETTLING, settling_time

_ANSWERS = frozenset({200, 301, 302, 303, 307, 308, 400, 403, 404, 405, 406, 410, 501})
_LISTING_DELAYS = (0.5, 1.0)
_ROUNDS = 20
_PAGES = 100
_NOT_SAID = frozenset({"", mediatype.OCI_EMPTY})
_SETTLING = SETTLING
_NEXT = re.compile(r"""<([^<>]*)>\s*;\s*rel="?next\b""")
_QUERY = re.compile(r"[!-~]*")
_WHAT = "cannot list the referrers"


class Place(Protocol):
    """The repository, as far as the fallback tag needs it."""

    def find(self, tag: str) -> Manifest | None:
        """The manifest under a tag, None when there is none."""

    def tag(self, manifest: Manifest, tag: str, /) -> None:
        """Put a manifest under a tag."""


class Referrers:
    """Records artifacts with their subjects, for all repositories of a run."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._without_api: set[str] = set()
        self._tag_locks: dict[tuple[Repository, str], threading.Lock] = {}

    def record(self, place: Place, repository: Repository, manifest: Manifest, subject: Descriptor) -> None:
        """See that `manifest`, which was pushed, is listed as a referrer of its subject.

        RegistryError when the fallback tag is in use for something else, or others keep overwriting it.
        """
        if self._is_listed(repository, manifest, subject.digest):
            return
        tag = fallback_tag(subject.digest)
        with self._lock:
            lock = self._tag_locks.setdefault((repository, tag), threading.Lock())
        with lock:
            self._add(place, f"{repository}:{tag}", tag, referrer(manifest))

    def of(self, place: Place, repository: Repository, subject: Digest, artifact_type: str) -> tuple[Descriptor, ...]:
        """Artifacts of one type (empty: of all) that have `subject`: as the registry lists them, then the fallback tag.

        Both are looked at, since artifacts may have come before the registry learned to list them. Entries whose
        type was not copied from the manifest, as some clients write them (cosign#4641), are among them.
        """
        found = [*self._pages(repository, subject, artifact_type)]
        index = place.find(fallback_tag(subject))
        found += index.entries if index else ()
        types = {artifact_type, *_NOT_SAID}
        wanted = [entry for entry in found if not artifact_type or entry.artifact_type in types]
        return tuple({entry.digest: entry for entry in wanted}.values())

    def _pages(self, repository: Repository, subject: Digest, artifact_type: str) -> Iterator[Descriptor]:
        """The registry's own list, page after page; nothing where it has none. RegistryError: no proper next page."""
        target = _target(repository, subject, artifact_type)
        for _ in range(0 if repository.registry in self._without_api else _PAGES):
            reply = self._ask(repository, subject, target)
            if reply is None or not _is_list(reply):
                self._without_api.add(repository.registry)
                return
            yield from _entries(reply)
            following = _NEXT.search(reply.headers.get("Link"))
            if following is None:
                return
            query = following[1].partition("#")[0].partition("?")[2]
            if not _QUERY.fullmatch(query):
                why = "its link to the next page holds a space, or a control or non-ASCII character"
                raise RegistryError(_WHAT, where=f"{repository}@{subject}", why=why, status=reply.status)
            target = f"{target.partition('?')[0]}?{query}"

    def _is_listed(self, repository: Repository, manifest: Manifest, subject: Digest) -> bool:
        """Whether the registry's own list has it; a list that stays without it is no list to rely on."""
        if repository.registry in self._without_api:
            return False
        for attempt, delay in enumerate((*_LISTING_DELAYS, None), 1):
            reply = self._ask(repository, subject, _target(repository, subject, referrer(manifest).artifact_type))
            if reply is None or not _is_list(reply):
                self._without_api.add(repository.registry)
                return False
            if any(entry.digest == manifest.digest for entry in _entries(reply)):
                return True
            if delay is not None:
                self._session.wait(repository.registry, delay, "not listed as a referrer yet", attempt)
        return False

    def _ask(self, repository: Repository, subject: Digest, target: str) -> Reply | None:
        """The registry's answer, None when it will not give one: then there is still the tag.

        A registry that wants to be asked later is; some keep a limit of its own for this list.
        """
        request = Request(
            "GET",
            repository,
            target,
            _WHAT,
            f"{repository}@{subject}",
            headers={"Accept": mediatype.OCI_INDEX},
            scopes=(Scope.of(Access(repository)),),
            expected=_ANSWERS,
            limit=SIZE_LIMIT,
            stay=True,
        )
        try:
            return self._session.exchange(request)
        except (AuthError, RateLimited):
            return None

    def _add(self, place: Place, where: str, tag: str, entry: Descriptor) -> None:
        """Put an entry into the index under the tag, again and again until it is still there a moment later.

        No registry offers to replace a tag only if it has not changed, so writers at the same time can lose
        each other's entries; whoever finds their own missing adds it again.
        """
        for attempt in range(1, _ROUNDS + 1):
            began = time.monotonic()
            index = _current(place, where, tag)
            if any(known.digest == entry.digest for known in index.entries):
                return
            place.tag(_manifest(replace(index, entries=(*index.entries, entry)), where), tag)
            self._session.pause(where, settling_time(attempt, time.monotonic() - began, _SETTLING))
        raise RegistryError("others overwrite the list of referrers again and again", where=where, hint="run it again")


def _current(place: Place, where: str, tag: str) -> Index:
    """The index under the tag, an empty one when there is none; each entry once."""
    found = place.find(tag)
    if found is None:
        return Index(())
    if found.media_type != mediatype.OCI_INDEX:
        raise RegistryError(
            "the list of referrers cannot be kept: its tag is in use for something else",
            where=where,
            why=f"it is a {found.media_type}",
            hint="delete that tag, if nothing needs it",
        )
    unique = {entry.digest: entry for entry in found.entries}
    return Index(tuple(unique.values()), annotations=found.annotations)


def _manifest(index: Index, where: str) -> Manifest:
    try:
        return index.manifest()
    except ValueError as error:
        raise RegistryError("the list of referrers is full", where=where, why=str(error)) from None


def _is_list(reply: Reply) -> bool:
    return reply.status == 200 and mediatype.essence(reply.headers.get("Content-Type")) == mediatype.OCI_INDEX


def _target(repository: Repository, subject: Digest, artifact_type: str) -> str:
    """Where the referrers are listed. The filter keeps the list short; registries that do not know it give it whole."""
    wanted = f"?artifactType={quote(artifact_type, safe='')}" if artifact_type else ""
    return f"/v2/{repository.name}/referrers/{subject}{wanted}"


def _entries(reply: Reply) -> tuple[Descriptor, ...]:
    try:
        return Manifest.parse(reply.body, media_type=mediatype.OCI_INDEX).entries
    except ValueError:
        return ()
