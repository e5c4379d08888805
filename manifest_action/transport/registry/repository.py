"""One repository of a registry, for reading and for writing (OCI distribution-spec 1.1)."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from urllib.parse import quote

from manifest_action.errors import AuthError, ContentError, RegistryError, ResolveError
from manifest_action.events import Transfer
from manifest_action.model import mediatype
from manifest_action.model.access import Access
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import SIZE_LIMIT, Manifest
from manifest_action.model.reference import Repository, is_tag
from manifest_action.transport.base import Content, Readable
from manifest_action.transport.registry.download import BlobReader
from manifest_action.transport.registry.extension import SignatureExtension
from manifest_action.transport.registry.failure import read_refusal
from manifest_action.transport.registry.hints import login_hint
from manifest_action.transport.registry.message import ERROR_LIMIT, Reply, Request
from manifest_action.transport.registry.referrers import Referrers
from manifest_action.transport.registry.scope import Scope
from manifest_action.transport.registry.session import Session
from manifest_action.transport.registry.upload import Upload
from manifest_action.transport.registry.url import Url

_ACCEPT = (
    f"{mediatype.OCI_INDEX}, {mediatype.DOCKER_LIST}, {mediatype.OCI_MANIFEST}, {mediatype.DOCKER_MANIFEST}, "
    f"{mediatype.DOCKER_SCHEMA1_SIGNED};q=0.1"
)
_FOUND_OR_NOT = frozenset({200, 404})
_HEAD_REFUSED = frozenset({400, 403, 405, 406, 415, 501})
"""Answers to HEAD that may only mean that it is HEAD, and that have no body to say so."""
_MOUNT_REFUSED = frozenset({400, 403, 404, 405, 406, 409, 412, 415, 422, 500, 501})
_REMOVAL_REFUSED = frozenset({400, 405, 501})
"""Answers of registries that remove images by digest only, or nothing at all."""
_NOT_THERE_YET = frozenset({"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN"})
_LENGTH = re.compile(r"[0-9]{1,15}")
_SETTLING = (1.0, 2.0, 4.0)
"""Seconds between tries when a registry does not know yet what it was just sent (Nexus, Google's)."""


class RegistryRepository:
    """Reads from and writes to one repository; see `transport.base.Source` and `Destination` for the promises."""

    def __init__(
        self, repository: Repository, session: Session, referrers: Referrers, extension: SignatureExtension
    ) -> None:
        self._repository = repository
        self._session = session
        self._referrers = referrers
        self._extension = extension

    def resolve(self, selector: str, /) -> Manifest:
        """See `Source.resolve`."""
        where = self._where(selector)
        reply = self._manifest("GET", selector)
        if reply.status == 200 and (_wrong(reply, selector)):
            reply = self._manifest("GET", selector)
        if reply.status == 404:
            raise self._missing(where, reply)
        if why := _wrong(reply, selector):
            hint = "the registry, or something between here and it, changes content"
            raise ContentError("the manifest is not what it should be", where=where, why=why, hint=hint)
        try:
            algorithm = selector.partition(":")[0] if ":" in selector else "sha256"
            return Manifest.parse(reply.body, media_type=reply.headers.get("Content-Type"), algorithm=algorithm)
        except ValueError as error:
            raise ContentError("the manifest cannot be used", where=where, why=str(error)) from None

    def open(self, blob: Descriptor, offset: int = 0, /) -> AbstractContextManager[Readable]:
        """See `Source.open`."""
        request = self._request(
            "GET", f"blobs/{blob.digest}", "cannot read the blob", f"{self._repository}@{blob.digest}"
        )
        return BlobReader(self._session, request, blob, offset)

    def size_of(self, digest: Digest, /) -> int:
        """See `Measurer.size_of`."""
        where = f"{self._repository}@{digest}"
        what = "cannot learn the size of the blob"
        reply = self._session.exchange(self._request("HEAD", f"blobs/{digest}", what, where, expected=_FOUND_OR_NOT))
        if reply.status == 404:
            raise ResolveError("there is no such blob", where=where, hint="the image is damaged; push it again")
        length = reply.headers.get("Content-Length")
        if not _LENGTH.fullmatch(length):
            raise RegistryError(what, where=where, why=f"the registry says {length[:20]!r}", status=reply.status)
        return int(length)

    def has_manifest(self, target: Descriptor, /) -> bool:
        """See `Destination.has_manifest`."""
        return self.has_digest(target.digest)

    def has_digest(self, digest: Digest, /) -> bool:
        """See `BlobFinder.has_digest`."""
        return self._look(str(digest)).status == 200

    def tagged(self, tag: str, /) -> Digest | None:
        """See `Destination.tagged`."""
        reply = self._look(tag)
        if reply.status == 404:
            return None
        digest = None if reply.body else _stated_digest(reply)
        if digest is None and not reply.body:
            reply = self._manifest("GET", tag)
            if reply.status == 404:
                return None
        return digest or Digest.of(_digested(reply))

    def find(self, tag: str) -> Manifest | None:
        """As `resolve`, but None when there is no such manifest."""
        try:
            return self.resolve(tag)
        except ResolveError:
            return None

    def referrers(self, subject: Digest, artifact_type: str, /) -> tuple[Descriptor, ...]:
        """See `ReferrerLister.referrers`."""
        return self._referrers.of(self, self._repository, subject, artifact_type)

    def simple_signatures(self, subject: Digest, /) -> tuple[bytes, ...] | None:
        """See `SignatureKeeper.simple_signatures`."""
        return self._extension.of(self._repository, subject)

    def add_simple_signature(self, subject: Digest, content: bytes, /) -> None:
        """See `SignatureKeeper.add_simple_signature`."""
        self._extension.add(self._repository, subject, content)

    def read_file(self, target: str, limit: int, /) -> bytes | None:
        """See `Website.read_file`."""
        where = f"{self._repository.registry}{target}"
        what = "cannot read the file"
        request = Request("GET", self._repository, target, what, where, expected=_FOUND_OR_NOT, limit=limit)
        reply = self._session.exchange(request)
        return reply.body if reply.status == 200 else None

    def push_blob(self, blob: Descriptor, content: Content, mount_from: Repository | None, /) -> Transfer:
        """See `Destination.push_blob`."""
        location = None
        if mount_from is not None:
            mounted, location = self._mount(blob, mount_from)
            if mounted:
                return Transfer.MOUNTED
        if location is None and self.has_blob(blob):
            return Transfer.PRESENT
        self._upload(blob, content, location)
        return Transfer.COPIED

    def has_blob(self, blob: Descriptor, /) -> bool:
        """See `BlobFinder.has_blob`."""
        expected = _FOUND_OR_NOT | _HEAD_REFUSED
        reply = self._session.exchange(self._blob_request("HEAD", blob, f"blobs/{blob.digest}", expected))
        length = reply.headers.get("Content-Length")
        if reply.status == 200 and length and length != str(blob.size):
            why = f"it has {length[:20]} bytes there, and {blob.size} were expected"
            raise ContentError(
                "the registry holds something else under the blob's digest", where=self._at(blob), why=why
            )
        return reply.status == 200

    def upload(self, blob: Descriptor, content: Content, /) -> None:
        """See `Uploader.upload`."""
        self._upload(blob, content, None)

    def _upload(self, blob: Descriptor, content: Content, location: Url | None) -> None:
        start = self._blob_request("POST", blob, "blobs/uploads/", frozenset({202}))
        Upload(self._session, start, blob, content, location).run(lambda: self.has_blob(blob))

    def push_manifest(self, manifest: Manifest, /) -> None:
        """See `Destination.push_manifest`."""
        self._put(manifest, str(manifest.digest), "cannot push the manifest")

    def record_referrers(self, subject: Digest, manifests: Sequence[Manifest], /) -> float | None:
        """See `ReferrerRecorder.record_referrers`."""
        return self._referrers.record(self, self._repository, subject, manifests)

    def tag(self, manifest: Manifest, tag: str, /) -> None:
        """See `Destination.tag`."""
        self._put(manifest, tag, "cannot move the tag")

    def push_tagged(self, manifest: Manifest, tag: str, /) -> None:
        """See `TaggedPusher.push_tagged`: moving a tag sends the manifest along in any case."""
        self.tag(manifest, tag)

    def replace_tagged(self, manifest: Manifest, tag: str, current: Digest | None, /) -> float:
        """See `TagReplacer.replace_tagged`."""

        def is_unmoved() -> bool:
            return self.tagged(tag) == current

        if not is_unmoved():
            return 0.0
        began = time.monotonic()
        self._put(manifest, tag, "cannot move the tag", is_unmoved)
        return time.monotonic() - began

    def remove_tag(self, tag: str, /) -> None:
        """See `TagRemover.remove_tag`. Only ever by tag: by its digest, a registry would remove the image itself."""
        request = self._request(
            "DELETE",
            f"manifests/{tag}",
            "cannot take the tag away",
            self._where(tag),
            expected=frozenset({200, 202, 204, 404}) | _REMOVAL_REFUSED,
            scopes=(Scope(f"repository:{self._repository.name}", frozenset({"pull", "push", "delete"})),),
        )
        reply = self._session.exchange(request)
        codes, said = read_refusal(reply)
        if reply.status in _REMOVAL_REFUSED or "UNSUPPORTED" in codes:
            why = " ".join(("the registry cannot remove a tag over this API:", f"HTTP {reply.status}", *codes, said))
            raise RegistryError(
                "cannot take the tag away", where=request.where, why=why.strip(), status=reply.status, codes=codes
            )

    def _mount(self, blob: Descriptor, source: Repository) -> tuple[bool, Url | None]:
        """Whether the blob is mounted; if not, maybe an upload session that was opened instead.

        A registry that refuses a mount for whatever reason may still take an upload.
        """
        path = f"blobs/uploads/?mount={blob.digest}&from={quote(source.name)}"
        scopes = (Scope.of(Access(self._repository, push=True)), Scope.of(Access(source)))
        request = self._blob_request("POST", blob, path, _MOUNT_REFUSED | {201, 202}, scopes)
        try:
            reply = self._session.exchange(request)
        except AuthError:
            return False, None
        if reply.status == 202:
            return False, self._session.continuation(request, reply)
        return reply.status == 201, None

    def _look(self, selector: str) -> Reply:
        """The answer to HEAD, or to GET where HEAD is not served or not explained."""
        reply = self._manifest("HEAD", selector, _FOUND_OR_NOT | _HEAD_REFUSED)
        return self._manifest("GET", selector) if reply.status in _HEAD_REFUSED else reply

    def _manifest(self, method: str, selector: str, expected: frozenset[int] = _FOUND_OR_NOT) -> Reply:
        request = self._request(
            method,
            f"manifests/{selector}",
            "cannot read the manifest",
            self._where(selector),
            headers={"Accept": _ACCEPT},
            expected=expected,
            limit=SIZE_LIMIT,
        )
        return self._session.exchange(request)

    def _put(self, manifest: Manifest, selector: str, what: str, goes_on: Callable[[], bool] = lambda: True) -> None:
        """Put a manifest. goes_on: asked before every further try, whatever made the one before fail."""
        request = self._request(
            "PUT",
            f"manifests/{selector}",
            what,
            self._where(selector),
            push=True,
            headers={"Content-Type": manifest.media_type},
            body=manifest.raw,
            expected=frozenset({200, 201, 202, 204}),
        )
        reply = self._put_when_settled(request, goes_on)
        if reply is None:
            return
        stated = _stated_digest(reply)
        if stated is None and reply.status in (201, 202):
            return
        if stated != manifest.digest:
            why = f"HTTP {reply.status} for {manifest.digest}, with the digest {stated}"
            raise RegistryError(what, where=request.where, why=why, status=reply.status)

    def _put_when_settled(self, request: Request, goes_on: Callable[[], bool]) -> Reply | None:
        """Put a manifest whose parts were sent just before, and which not every registry sees at once."""
        for attempt, delay in enumerate(_SETTLING, 1):
            try:
                return self._session.exchange_while(request, goes_on)
            except RegistryError as error:
                unknown = _NOT_THERE_YET & set(error.codes)
                if not unknown:
                    raise
                self._session.wait(self._repository.registry, delay, min(unknown), attempt)
                if not goes_on():
                    return None
        return self._session.exchange_while(request, goes_on)

    def _blob_request(
        self,
        method: str,
        blob: Descriptor,
        path: str,
        expected: frozenset[int],
        scopes: tuple[Scope, ...] = (),
    ) -> Request:
        return self._request(
            method, path, "cannot push the blob", self._at(blob), push=True, expected=expected, scopes=scopes
        )

    def _request(
        self,
        method: str,
        path: str,
        what: str,
        where: str,
        *,
        push: bool = False,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        scopes: tuple[Scope, ...] = (),
        expected: frozenset[int] = frozenset({200}),
        limit: int = ERROR_LIMIT,
    ) -> Request:
        return Request(
            method,
            self._repository,
            f"/v2/{self._repository.name}/{path}",
            what,
            where,
            headers=headers or {},
            body=body,
            scopes=scopes or (Scope.of(Access(self._repository, push)),),
            expected=expected,
            limit=limit,
        )

    def _where(self, selector: str) -> str:
        return f"{self._repository}{':' if is_tag(selector) else '@'}{selector}"

    def _at(self, blob: Descriptor) -> str:
        return f"{self._repository}@{blob.digest}"

    def _missing(self, where: str, reply: Reply) -> ResolveError:
        codes, said = read_refusal(reply)
        why = " ".join(("HTTP 404", *codes, said)).strip()
        login = login_hint(self._repository.registry, self._session.caller(self._repository))
        hint = f"check the name; some registries also answer so for private repositories: {login}"
        return ResolveError("there is no such manifest", where=where, why=why, hint=hint)


def _wrong(reply: Reply, selector: str) -> str:
    """What is wrong with a manifest's bytes, empty when they are what they should be (or there are none)."""
    if reply.status != 200:
        return ""
    expected = Digest.parse(selector) if ":" in selector else _stated_digest(reply)
    if expected is None or expected.matches(_digested(reply)):
        return ""
    return f"its {len(reply.body)} bytes do not have the digest {expected}"


def _digested(reply: Reply) -> bytes:
    """The part of a manifest that its digest is over: all of it, but for the signatures of schema 1."""
    if mediatype.essence(reply.headers.get("Content-Type")) not in mediatype.SCHEMA1:
        return reply.body
    from manifest_action.model.schema1 import split_signatures  # noqa: PLC0415 - few images are that old

    try:
        return split_signatures(reply.body)[0]
    except ValueError:
        return reply.body


def _stated_digest(reply: Reply) -> Digest | None:
    try:
        return Digest.parse(reply.headers.get("Docker-Content-Digest"))
    except ValueError:
        return None
