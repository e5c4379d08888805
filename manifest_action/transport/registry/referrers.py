"""Letting an artifact be found by its subject (OCI distribution-spec 1.1, "Pushing Manifests with Subject").

A registry with the referrers API does this by itself. What a registry says about itself is no proof of that, so
it is asked; every other one gets an index under a tag made of the subject's digest, kept up to date by clients.
"""

import re
import time
from collections.abc import Iterator, Sequence
from typing import Protocol
from urllib.parse import quote

from manifest_action.errors import AuthError, RateLimited, RegistryError
from manifest_action.model import mediatype
from manifest_action.model.access import Access
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import SIZE_LIMIT, Manifest
from manifest_action.model.reference import Repository
from manifest_action.model.referrers import fallback_tag, referrer, with_referrers
from manifest_action.transport.registry.message import Reply, Request
from manifest_action.transport.registry.scope import Scope
from manifest_action.transport.registry.session import Session

_ANSWERS = frozenset({200, 301, 302, 303, 307, 308, 400, 403, 404, 405, 406, 410, 501})
_LISTING_DELAYS = (0.5, 1.0)
_PAGES = 100
_NOT_SAID = frozenset({"", mediatype.OCI_EMPTY})
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
        self._without_api: set[str] = set()
        self._forgetful: set[str] = set()
        """Registries with a list that stayed without what was pushed, or could not be asked any more."""

    def record(
        self, place: Place, repository: Repository, subject: Digest, manifests: Sequence[Manifest]
    ) -> float | None:
        """See `ReferrerRecorder.record_referrers`."""
        if self._are_listed(repository, subject, manifests):
            return None
        tag = fallback_tag(subject)
        where = f"{repository}:{tag}"
        current = place.find(tag)
        began = time.monotonic()
        extended = _extended(current, manifests, where)
        if extended is current:
            return None
        place.tag(extended, tag)
        return time.monotonic() - began

    def of(self, place: Place, repository: Repository, subject: Digest, artifact_type: str) -> tuple[Descriptor, ...]:
        """Artifacts of one type (empty: of all) that have `subject`: as the registry lists them, then the fallback tag.

        Both are looked at, since artifacts may have come before the registry learned to list them. Entries whose
        type was not copied from the manifest, as some clients write them (cosign#4641), are among them. Raises
        RateLimited, and RegistryError for a list that has no proper next page.
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

    def _are_listed(self, repository: Repository, subject: Digest, manifests: Sequence[Manifest]) -> bool:
        """Whether the registry's own list has them all; a list that stays without one is no list to rely on."""
        if repository.registry in self._without_api | self._forgetful:
            return False
        kinds = {referrer(manifest).artifact_type for manifest in manifests}
        target = _target(repository, subject, kinds.pop() if len(kinds) == 1 else "")
        for attempt, delay in enumerate((*_LISTING_DELAYS, None), 1):
            try:
                reply = self._ask(repository, subject, target)
            except RateLimited:
                # Some keep a limit of its own for this list. What is recorded under the tag can be found as well.
                break
            if reply is None or not _is_list(reply):
                self._without_api.add(repository.registry)
                return False
            listed = {entry.digest for entry in _entries(reply)}
            if all(manifest.digest in listed for manifest in manifests):
                return True
            if delay is not None:
                self._session.wait(repository.registry, delay, "not listed as a referrer yet", attempt)
        self._forgetful.add(repository.registry)
        return False

    def _ask(self, repository: Repository, subject: Digest, target: str) -> Reply | None:
        """The registry's answer, None when it will not give one: then there is still the tag.

        A registry that wants to be asked later is. RateLimited when it goes on to want that and says so as registries
        do: what it would have listed is then not known, and is not taken for nothing. Others that have no such list
        turn away whoever asks with a page of their website (GHCR).
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
        except AuthError:
            return None
        except RateLimited as error:
            if error.codes:
                raise
            return None


def _extended(current: Manifest | None, manifests: Sequence[Manifest], where: str) -> Manifest:
    try:
        return with_referrers(current, manifests)
    except ValueError as error:
        raise RegistryError(
            "the list of referrers cannot be kept",
            where=where,
            why=str(error),
            hint="delete that tag, if nothing needs it",
        ) from None


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
