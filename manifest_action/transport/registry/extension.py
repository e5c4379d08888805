"""The signature extension of registries (X-Registry-Supports-Signatures), as containers/image speaks it.

A registry that has it says so in its answer to `/v2/`, keeps simple signatures for each digest, and gives and takes
them at `/extensions/v2/<name>/signatures/<digest>`. OpenShift's registry is the one that does.
"""

import base64
import json
import secrets
import threading
from collections.abc import Mapping

from manifest_action.errors import RegistryError
from manifest_action.model.access import Access
from manifest_action.model.digest import Digest
from manifest_action.model.reference import Repository
from manifest_action.model.strictjson import parse_object
from manifest_action.transport.registry.message import Reply, Request
from manifest_action.transport.registry.scope import Scope
from manifest_action.transport.registry.session import Session

_LIMIT = 16 * 1024 * 1024
_SUPPORT = "X-Registry-Supports-Signatures"
_ANY_ANSWER = frozenset({200, 401, 403, 404, 405})
_VERSION = 2
_TYPE = "atomic"


class SignatureExtension:
    """Which registries have the extension, asked once each, and what they keep; for all repositories of a run."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._is_supported: dict[str, bool] = {}

    def of(self, repository: Repository, subject: Digest) -> tuple[bytes, ...] | None:
        """The signatures of an image that are of the known kind; None without the extension."""
        if not self._supported(repository):
            return None
        what = "cannot read the signatures that the registry keeps"
        reply = self._exchange("GET", repository, subject, what, expected=frozenset({200, 404}))
        if reply.status == 404:
            return ()
        try:
            return tuple(_contents(parse_object(reply.body)))
        except ValueError as error:
            where = f"{repository}@{subject}"
            raise RegistryError(what, where=where, why=str(error), status=reply.status) from None

    def add(self, repository: Repository, subject: Digest, content: bytes) -> None:
        """Have one more signature kept, under a name by chance, so that none that others add has the same."""
        document = {
            "schemaVersion": _VERSION,
            "name": f"{subject}@{secrets.token_hex(16)}",
            "type": _TYPE,
            "content": base64.b64encode(content).decode(),
        }
        body = json.dumps(document).encode()
        what = "cannot store the signature with the registry"
        self._exchange("PUT", repository, subject, what, expected=frozenset({200, 201, 204}), body=body)

    def _supported(self, repository: Repository) -> bool:
        registry = repository.registry
        with self._lock:
            lock = self._locks.setdefault(registry, threading.Lock())
        with lock:
            if registry not in self._is_supported:
                self._is_supported[registry] = self._ask(repository)
            return self._is_supported[registry]

    def _ask(self, repository: Repository) -> bool:
        what = "cannot ask whether the registry keeps signatures"
        scopes = (Scope.of(Access(repository)),)
        where = repository.registry
        request = Request("GET", repository, "/v2/", what, where, scopes=scopes, expected=_ANY_ANSWER, stay=True)
        return self._session.exchange(request).headers.get(_SUPPORT) == "1"

    def _exchange(
        self,
        method: str,
        repository: Repository,
        subject: Digest,
        what: str,
        *,
        expected: frozenset[int],
        body: bytes = b"",
    ) -> Reply:
        request = Request(
            method,
            repository,
            f"/extensions/v2/{repository.name}/signatures/{subject}",
            what,
            f"{repository}@{subject}",
            headers={"Content-Type": "application/json"} if body else {},
            body=body,
            scopes=(Scope.of(Access(repository, push=bool(body))),),
            expected=expected,
            limit=_LIMIT,
            stay=True,
        )
        return self._session.exchange(request)


def _contents(document: Mapping[str, object]) -> list[bytes]:
    """The signatures in an answer; those of other kinds and versions are left to others. ValueError: no such answer."""
    listed = document.get("signatures")
    if listed is None:
        return []
    if not isinstance(listed, list) or not all(isinstance(each, Mapping) for each in listed):
        raise ValueError("signatures must be a list of objects")
    known = [each for each in listed if each.get("schemaVersion") == _VERSION and each.get("type") == _TYPE]
    return [base64.b64decode(str(each.get("content", "")), validate=True) for each in known]
