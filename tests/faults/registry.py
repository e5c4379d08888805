"""A small registry in memory that keeps to OCI distribution-spec 1.1, but for the quirks of its profile.

Without quirks and tokens it passes the official conformance suite (of 2026-08-31): 518 passed, none failed, 173 skipped
or disabled, as it has no deletions and no anonymous mounts.
"""

import asyncio
import base64
import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from tests.faults.profiles import Profile
from tests.faults.wire import HangUp, Head, Response
from tests.support.images import DOCKER_LIST, OCI_INDEX, Synthetic, SyntheticIndex, digest_of

USER = "release"
PASSWORD = "canary-password-91c7"
_ROUTE = re.compile(r"/v2/(.+?)/(manifests|blobs|referrers|tags)/(.*)")
_INDEXES = (OCI_INDEX, DOCKER_LIST)


@dataclass
class OwnRegistry:
    """Manifests and blobs by repository.

    tokens:    that are accepted; emptying it is what expiry looks like
    denied:    repositories that no token is granted for
    storage:   `host` that serves blobs where the profile has them elsewhere
    """

    profile: Profile = field(default_factory=Profile)
    manifests: dict[tuple[str, str], tuple[bytes, str]] = field(default_factory=dict)
    blobs: dict[tuple[str, str], bytes] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)
    tokens: dict[str, set[str]] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)
    storage: str = ""
    forgets: bool = False
    grants: int = 0
    moves: list[tuple[str, str, str]] = field(default_factory=list)
    _counts: dict[str, int] = field(default_factory=dict)
    _wrote: bool = False

    def put(self, name: str, what: Synthetic, *tags: str) -> str:
        """Hold an image or index with all it refers to, under its digest and these tags; its digest."""
        if isinstance(what, SyntheticIndex):
            for child in what.children:
                self.put(name, child)
        else:
            for digest, content in what.blobs.items():
                assert isinstance(content, bytes)
                self.blobs[name, digest] = content
        for reference in (what.digest, *tags):
            self.manifests[name, reference] = (what.manifest_bytes, what.media_type)
        return what.digest

    def tag_of(self, name: str, tag: str) -> str:
        """The digest under a tag, empty when there is no such tag."""
        found = self.manifests.get((name, tag))
        return digest_of(found[0]) if found else ""

    async def answer(self, head: Head, body: bytes) -> Response:
        """Answer a request."""
        await asyncio.sleep(0)
        try:
            response = self._answer(head, body)
        except _Refusal as refusal:
            response = refusal.response
        if self.profile.warns:
            response = _with(response, ("Warning", self.profile.warns))
        return response

    async def cut(self, head: Head, part: bytes) -> None:
        """Keep what came of an upload that broke off, or lose the session where `forgets` says so."""
        upload = head.path.rpartition("/")[2]
        if self.forgets:
            self.uploads.pop(upload, None)
        elif upload in self.uploads:
            self.uploads[upload] += part

    def _answer(self, head: Head, body: bytes) -> Response:
        if head.path == "/token":
            return self._grant(head, body)
        self._admit(head)
        self._stumble(head)
        route = _ROUTE.fullmatch(head.path)
        if route is None:
            return Response(200 if head.path in ("/v2/", "/v2") else 404, b"{}")
        return self._serve(head, body, *route.groups())

    def _serve(self, head: Head, body: bytes, name: str, kind: str, what: str) -> Response:
        if kind == "manifests":
            return self._put_manifest(head, name, what, body) if head.method == "PUT" else self._manifest(name, what)
        if kind == "referrers":
            return self._referrers(head, name, what)
        if kind == "tags":
            return self._tags(head, name)
        if what.startswith("uploads/"):
            return self._upload(head, name, what.removeprefix("uploads/"), body)
        return self._blob(head, name, what)

    def _tags(self, head: Head, name: str) -> Response:
        query = _query(head)
        tags = sorted(tag for owner, tag in self.manifests if owner == name and ":" not in tag)
        tags = [tag for tag in tags if tag > query.get("last", "")][: int(query.get("n", "1000"))]
        return _json(200, {"name": name, "tags": tags})

    def _once(self, what: str, most: int) -> bool:
        """Whether this happens now; it happens `most` times in all."""
        self._counts[what] = self._counts.get(what, 0) + 1
        return self._counts[what] <= most

    def _stumble(self, head: Head) -> None:
        self._wrote = self._wrote or head.method in ("POST", "PUT")
        if self._wrote and self._once("hiccup", self.profile.hiccups):
            raise _Refusal(502, text="bad gateway")
        if head.method in ("HEAD", "PATCH", "PUT") and self._once(f"hang up {head.method}", self.profile.hangs_up // 3):
            raise HangUp

    def _grant(self, head: Head, body: bytes) -> Response:
        form = parse_qs(body.decode() or urlsplit(head.target).query)
        pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        known = head.get("authorization") == f"Basic {pair}" or form.get("refresh_token") == [PASSWORD]
        if head.get("authorization") and not known:
            raise _Refusal(401, "UNAUTHORIZED")
        wanted = {scope for value in form.get("scope", ()) for scope in value.split(" ")}
        # Nobody in particular may read and write nothing.
        scopes = {scope for scope in wanted if known and scope.split(":")[1] not in self.denied}
        if self.profile.refuses_wide and scopes != wanted:
            raise _Refusal(403, "DENIED")
        self.grants += 1
        token = f"canary-token-{self.grants}-{uuid.uuid4().hex[:6]}"
        self.tokens[token] = scopes
        return _json(200, {"token": token, "expires_in": 300})

    def _admit(self, head: Head) -> None:
        if not self.profile.token:
            return
        token = head.get("authorization").removeprefix("Bearer ")
        route = _ROUTE.fullmatch(head.path)
        name = route[1] if route else ""
        writes = head.method not in ("GET", "HEAD")
        actions = "pull,push" if writes else "pull"
        needed = [f"repository:{name}:{actions}"] if name else []
        if token in self.tokens and all(self._covers(self.tokens[token], need) for need in needed):
            if not self._once("blip", self.profile.blips):
                return
            del self.tokens[token]
        error = "insufficient_scope" if token in self.tokens else "invalid_token" if token else ""
        parts = [f'realm="http://{head.get("host")}/token"', 'service="bench, the"', f'scope="{" ".join(needed)}"']
        parts += [f'error="{error}"'] if error else []
        raise _Refusal(401, "UNAUTHORIZED", fields=[("WWW-Authenticate", f"Bearer {','.join(parts)}")])

    def _covers(self, granted: set[str], need: str) -> bool:
        _, name, actions = need.split(":")
        held = {action for scope in granted if scope.split(":")[1] == name for action in scope.split(":")[2].split(",")}
        return set(actions.split(",")) <= held

    def _manifest(self, name: str, reference: str) -> Response:
        found = self.manifests.get((name, reference))
        if found is None:
            raise _Refusal(404, "MANIFEST_UNKNOWN")
        return Response(200, found[0], [("Content-Type", found[1]), *self._stated(reference, found[0])])

    def _stated(self, reference: str, raw: bytes) -> list[tuple[str, str]]:
        return [("Docker-Content-Digest", _digest_like(reference, raw))] if self.profile.states_digest else []

    def _put_manifest(self, head: Head, name: str, reference: str, raw: bytes) -> Response:
        self._require(name)
        media_type = head.get("content-type")
        if len(raw) > self.profile.largest_manifest:
            raise _Refusal(413, "SIZE_INVALID")
        document = json.loads(raw)
        digest = _digest_like(reference, raw)
        if ":" in reference and reference != digest:
            raise _Refusal(400, "DIGEST_INVALID")
        if media_type in _INDEXES:
            self._check_index(name, media_type, document)
        else:
            self._check_image(name, document)
        if ":" not in reference:
            self._check_mutable(name, reference)
            self.moves.append((name, reference, digest))
        for each in (digest, reference):
            self.manifests[name, each] = (raw, media_type)
        fields = [("Location", f"/v2/{name}/manifests/{reference}"), *self._stated(reference, raw)]
        if "subject" in document and self.profile.referrers in ("api", "claims"):
            fields.append(("OCI-Subject", document["subject"]["digest"]))
        return Response(201, b"", fields)

    def _check_index(self, name: str, media_type: str, document: Mapping[str, object]) -> None:
        if media_type == OCI_INDEX and not self.profile.takes_index:
            raise _Refusal(400, "MANIFEST_INVALID")
        entries = document["manifests"]
        assert isinstance(entries, list)
        if entries and self._once("settling", self.profile.settles):
            raise _Refusal(400, "MANIFEST_BLOB_UNKNOWN")
        for entry in entries:
            if (name, entry["digest"]) not in self.manifests:
                raise _Refusal(*self.profile.missing)
            if self.profile.same_kinds and ("docker" in entry["mediaType"]) != ("docker" in media_type):
                raise _Refusal(400, "MANIFEST_INVALID", "mixed kinds")
            if self.profile.same_kinds and not all((entry.get("platform") or {"": 1}).values()):
                raise _Refusal(400, "MANIFEST_INVALID", "null is not of type 'string'")

    def _check_image(self, name: str, document: Mapping[str, object]) -> None:
        layers = document.get("layers", [])
        assert isinstance(layers, list)
        for blob in (document["config"], *layers):
            assert isinstance(blob, dict)
            if (name, blob["digest"]) in self.blobs and self._once("collected", self.profile.collects):
                del self.blobs[name, blob["digest"]]
            if (name, blob["digest"]) not in self.blobs and "urls" not in blob:
                raise _Refusal(400, "MANIFEST_BLOB_UNKNOWN")

    def _check_mutable(self, name: str, tag: str) -> None:
        if self.profile.immutable and (name, tag) in self.manifests:
            raise _Refusal(*self.profile.immutable, message="the tag is immutable")

    def _require(self, name: str) -> None:
        owners = {owner for owner, _ in (*self.manifests, *self.blobs)}
        if not self.profile.auto_creates and name not in owners:
            raise _Refusal(404, "NAME_UNKNOWN")

    def _referrers(self, head: Head, name: str, subject: str) -> Response:
        kind = self.profile.referrers
        if kind == "web":
            return Response(303, b"", [("Location", f"https://web.invalid/v2/packages/{name}")])
        if kind == "refused":
            raise _Refusal(400, "UNSUPPORTED")
        if kind != "api":
            raise _Refusal(404, text="404 page not found")
        wanted = parse_qs(urlsplit(head.target).query).get("artifactType", [""])[0]
        entries = []
        for (owner, reference), (raw, media_type) in self.manifests.items():
            document = json.loads(raw)
            about = document.get("subject", {}).get("digest")
            artifact_type = document.get("artifactType") or document.get("config", {}).get("mediaType")
            if owner == name and ":" in reference and about == subject and wanted in ("", artifact_type):
                entry = {"mediaType": media_type, "digest": reference, "size": len(raw), "artifactType": artifact_type}
                entries.append(entry | {"annotations": document.get("annotations", {})})
        body = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()
        return Response(200, body, [("Content-Type", OCI_INDEX), ("OCI-Filters-Applied", "artifactType")])

    def _blob(self, head: Head, name: str, digest: str) -> Response:
        content = self.blobs.get((name, digest))
        if content is None:
            raise _Refusal(404, "BLOB_UNKNOWN")
        if self.profile.elsewhere and self.storage and head.method == "GET":
            return Response(307, b"", [("Location", f"http://{self.storage}/storage/{name}/{digest}?X-Sig=canary-sig")])
        return _served(head, content)

    def _upload(self, head: Head, name: str, upload: str, body: bytes) -> Response:
        query = _query(head)
        if head.method == "POST" and "digest" in query and "mount" not in query:
            self._require(name)
            return self._keep(name, query["digest"], body)
        if head.method == "POST":
            return self._begin(head, name, query)
        if upload not in self.uploads:
            raise _Refusal(404, "BLOB_UPLOAD_UNKNOWN")
        if query.get("_state") != "a/b":
            raise _Refusal(400, "BLOB_UPLOAD_INVALID")
        if head.method == "GET":
            return Response(204, b"", self._progress(head, name, upload))
        if head.method == "DELETE":
            del self.uploads[upload]
            return Response(204)
        self._check_range(head, upload, body)
        self.uploads[upload] += body
        if head.method == "PATCH":
            return Response(self.profile.piece_status, b"", self._progress(head, name, upload))
        return self._keep(name, query.get("digest", ""), self.uploads.pop(upload))

    def _keep(self, name: str, digest: str, content: bytes) -> Response:
        if _digest_like(digest, content) != digest:
            raise _Refusal(400, "DIGEST_INVALID")
        self.blobs[name, digest] = content
        return Response(201, b"", [("Location", f"/v2/{name}/blobs/{digest}")])

    def _check_range(self, head: Head, upload: str, body: bytes) -> None:
        span = head.get("content-range")
        if head.method == "PATCH" and len(body) > self.profile.largest_piece:
            raise _Refusal(416, text="body too large")
        if span.startswith("bytes") and self.profile.minds_units:
            raise _Refusal(416, "RANGE_INVALID")
        if span and int(span.removeprefix("bytes ").partition("-")[0]) != len(self.uploads[upload]):
            raise _Refusal(416, "RANGE_INVALID")

    def _begin(self, head: Head, name: str, query: Mapping[str, str]) -> Response:
        if "mount" in query:
            source = (query.get("from", ""), query["mount"])
            if isinstance(self.profile.mounts, int):
                raise _Refusal(self.profile.mounts, "UNAUTHORIZED" if self.profile.mounts == 401 else "UNKNOWN")
            if not query.get("from") and not self.profile.mounts_unnamed:
                raise _Refusal(400, "UNSUPPORTED")
            if self.profile.mounts == "yes" and source in self.blobs:
                self.blobs[name, query["mount"]] = self.blobs[source]
                return Response(201, b"", [("Location", f"/v2/{name}/blobs/{query['mount']}")])
        self._require(name)
        upload = str(uuid.uuid4())
        self.uploads[upload] = b""
        return Response(202, b"", self._progress(head, name, upload))

    def _progress(self, head: Head, name: str, upload: str) -> list[tuple[str, str]]:
        base = f"http://{head.get('host')}" if self.profile.absolute else ""
        location = f"{base}/v2/{name}/blobs/uploads/{upload}?_state=a%2fb"
        return [("Location", location), ("Range", f"0-{max(0, len(self.uploads[upload]) - 1)}")]


@dataclass(frozen=True)
class Storage:
    """Where some registries have their blobs; it takes its own signed addresses only, as S3 does."""

    registries: tuple[OwnRegistry, ...]

    async def answer(self, head: Head, body: bytes) -> Response:
        """Serve a blob of any of the registries."""
        if head.get("authorization") or "X-Sig=canary-sig" not in head.target or body:
            return Response(400, b"<Error><Code>InvalidArgument</Code>Only one auth mechanism allowed</Error>")
        name, _, digest = head.path.removeprefix("/storage/").rpartition("/")
        found = (each.blobs[name, digest] for each in self.registries if (name, digest) in each.blobs)
        content = next(found, None)
        return Response(404) if content is None else _served(head, content)

    async def cut(self, head: Head, part: bytes) -> None:
        """Nothing is ever sent here."""


class _Refusal(Exception):
    def __init__(
        self,
        status: int,
        code: str = "",
        message: str = "",
        *,
        text: str = "",
        fields: list[tuple[str, str]] | None = None,
    ) -> None:
        super().__init__(status, code)
        body = json.dumps({"errors": [{"code": code, "message": message}]}) if code else text
        self.response = Response(status, body.encode(), fields or [])


def _query(head: Head) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(urlsplit(head.target).query).items()}


def _digest_like(wanted: str, content: bytes) -> str:
    """The digest of content by the algorithm of `wanted`."""
    return f"sha512:{hashlib.sha512(content).hexdigest()}" if wanted.startswith("sha512:") else digest_of(content)


def _served(head: Head, content: bytes) -> Response:
    span = re.fullmatch(r"bytes=(\d+)-(\d*)", head.get("range"))
    if span is None:
        return Response(200, content, [("Accept-Ranges", "bytes")])
    first, last = int(span[1]), min(int(span[2] or len(content) - 1), len(content) - 1)
    if first > last:
        return Response(416)
    return Response(206, content[first : last + 1], [("Content-Range", f"bytes {first}-{last}/{len(content)}")])


def _json(status: int, document: object) -> Response:
    return Response(status, json.dumps(document).encode(), [("Content-Type", "application/json")])


def _with(response: Response, more: tuple[str, str]) -> Response:
    return Response(response.status, response.body, [*response.fields, more])
