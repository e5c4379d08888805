"""A small registry in memory whose every step can be made to fail."""

import json
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

from manifest_action.model.credential import Credential
from manifest_action.model.reference import Repository
from manifest_action.transport.registry.client import RegistryTransport
from manifest_action.transport.registry.options import RegistryOptions
from tests.support.certificates import Certificate
from tests.support.images import SyntheticImage, digest_of
from tests.unit.registry.listener import Events
from tests.unit.registry.scripted import Exchange, ScriptedServer

NAME = "acme/app"
_ROUTE = re.compile(r"/v2/(.+)/(manifests|blobs|referrers)/(.*)")

Step = Callable[[Exchange], None]
"""Answers in the registry's place, or does nothing and lets it answer."""


class FakeRegistry:
    """Holds manifests and blobs by repository. Uploads go on where they were left, unless `forgets`.

    faults:   for (method, part of the target) the steps of the next requests, each used once
    tokens:   accepted bearer tokens; None asks for no login
    token_answer: what the token server says, by its own rules when None
    """

    def __init__(self, certificate: Certificate | None = None) -> None:
        self.server = ScriptedServer(self._handle, certificate)
        self.manifests: dict[tuple[str, str], tuple[bytes, str]] = {}
        self.blobs: dict[tuple[str, str], bytes] = {}
        self.uploads: dict[str, bytes] = {}
        self.faults: list[tuple[str, str, list[Step]]] = []
        self.forgets = False
        self.mounts = True
        self.ranges = True
        self.states_digests = True
        self.tokens: set[str] | None = None
        self.token_requests: list[Exchange] = []
        self.referrers: list[bytes] | None = None
        self._lock = threading.Lock()

    @property
    def host(self) -> str:
        """`127.0.0.1:port`."""
        return self.server.host

    def repository(self, name: str = NAME) -> Repository:
        """A repository of this registry."""
        return Repository("docker", self.host, name)

    def fail(self, method: str, part: str, *steps: Step) -> None:
        """Let the next requests with this method and this in their target be met by these steps."""
        self.faults.append((method, part, list(steps)))

    def put(self, image: SyntheticImage, *tags: str, name: str = NAME) -> None:
        """Hold an image, under its digest and these tags."""
        for reference in (image.digest, *tags):
            self.manifests[name, reference] = (image.manifest_bytes, image.media_type)
        for digest, content in image.blobs.items():
            assert isinstance(content, bytes)
            self.blobs[name, digest] = content

    def _handle(self, exchange: Exchange) -> None:
        for method, part, steps in self.faults:
            if steps and method == exchange.method and part in exchange.target:
                steps.pop(0)(exchange)
                break
        if exchange.status:
            return
        if exchange.path == "/token":
            self._grant(exchange)
        elif self._admits(exchange):
            self._serve(exchange)

    def _grant(self, exchange: Exchange) -> None:
        self.token_requests.append(exchange)
        assert self.tokens is not None
        token = f"token-{len(self.token_requests)}-canary"
        self.tokens.add(token)
        exchange.answer(200, json.dumps({"token": token, "expires_in": 300}).encode())

    def _admits(self, exchange: Exchange) -> bool:
        used = exchange.headers.get("authorization", "")
        if self.tokens is None or used.removeprefix("Bearer ") in self.tokens:
            return True
        error = ',error="invalid_token"' if used else ""
        challenge = f'Bearer realm="{self.server.url}/token",service="fake",scope="repository:{NAME}:pull"{error}'
        exchange.answer(401, errors("UNAUTHORIZED"), WWW_Authenticate=challenge)
        return False

    def _serve(self, exchange: Exchange) -> None:
        route = _ROUTE.fullmatch(exchange.path)
        assert route, exchange.target
        name, kind, what = route.groups()
        if kind == "manifests":
            self._manifest(exchange, name, what)
        elif kind == "referrers":
            self._referrers(exchange)
        elif what.startswith("uploads/"):
            self._upload(exchange, name, what.removeprefix("uploads/"))
        else:
            self._blob(exchange, name, what)

    def _manifest(self, exchange: Exchange, name: str, reference: str) -> None:
        if exchange.method == "PUT":
            raw = exchange.read_body()
            for each in (digest_of(raw), reference):
                self.manifests[name, each] = (raw, exchange.headers["content-type"])
            exchange.answer(201, **self._stated(raw))
        elif (name, reference) in self.manifests:
            raw, media_type = self.manifests[name, reference]
            exchange.answer(200, raw, Content_Type=media_type, **self._stated(raw))
        else:
            exchange.answer(404, errors("MANIFEST_UNKNOWN"))

    def _stated(self, raw: bytes) -> dict[str, str]:
        return {"Docker_Content_Digest": digest_of(raw)} if self.states_digests else {}

    def _referrers(self, exchange: Exchange) -> None:
        if self.referrers is None:
            exchange.answer(404, errors("UNSUPPORTED"))
            return
        index = {"schemaVersion": 2, "manifests": [json.loads(each) for each in self.referrers]}
        exchange.answer(200, json.dumps(index).encode(), Content_Type="application/vnd.oci.image.index.v1+json")

    def _blob(self, exchange: Exchange, name: str, digest: str) -> None:
        content = self.blobs.get((name, digest))
        if content is None:
            exchange.answer(404, errors("BLOB_UNKNOWN"))
        elif self.ranges and "range" in exchange.headers:
            first, _, last = exchange.headers["range"].removeprefix("bytes=").partition("-")
            part = content[int(first) : int(last) + 1]
            exchange.answer(206, part, Content_Range=f"bytes {first}-{last}/{len(content)}")
        else:
            exchange.answer(200, content)

    def _upload(self, exchange: Exchange, name: str, upload: str) -> None:
        query = {key: values[0] for key, values in parse_qs(urlsplit(exchange.target).query).items()}
        if exchange.method == "POST":
            source = (query.get("from", ""), query.get("mount", ""))
            if self.mounts and source in self.blobs:
                self.blobs[name, query["mount"]] = self.blobs[source]
                exchange.answer(201)
                return
            upload = str(uuid.uuid4())
            self.uploads[upload] = b""
            exchange.answer(202, Location=f"/v2/{name}/blobs/uploads/{upload}?_state=a%2fb", Range="0-0")
        elif upload not in self.uploads:
            exchange.answer(404, errors("BLOB_UPLOAD_UNKNOWN"))
        elif exchange.method == "GET":
            exchange.answer(204, Range=self._range(upload))
        elif exchange.method == "DELETE":
            assert query["_state"] == "a/b"
            del self.uploads[upload]
            exchange.answer(204)
        else:
            assert query["_state"] == "a/b"
            self._take_in(exchange, name, upload, query.get("digest", ""))

    def _take_in(self, exchange: Exchange, name: str, upload: str, digest: str) -> None:
        """Add the body to the upload; what came of one that broke off is kept, or the upload is lost."""
        length = int(exchange.headers["content-length"])
        try:
            body = exchange.read_body()
        except ConnectionError:
            body = b""
        if upload not in self.uploads:  # cancelled meanwhile
            exchange.hang_up()
        start = exchange.headers.get("content-range", "").partition("-")[0]
        assert not start or int(start) == len(self.uploads[upload])
        self.uploads[upload] += body
        if len(body) < length:
            self.lose(exchange, upload)
        if exchange.method == "PATCH":
            exchange.answer(202, Location=f"/v2/{name}/blobs/uploads/{upload}?_state=a%2fb", Range=self._range(upload))
        elif digest_of(self.uploads[upload]) != digest:
            exchange.answer(400, errors("DIGEST_INVALID"))
        else:
            self.blobs[name, digest] = self.uploads.pop(upload)
            exchange.answer(201)

    def lose(self, exchange: Exchange, upload: str) -> None:
        """End the connection in the middle of an upload."""
        if self.forgets:
            del self.uploads[upload]
        exchange.reset()

    def cut(self, size: int) -> Step:
        """Take in `size` bytes of an upload's body, then break the connection."""

        def step(exchange: Exchange) -> None:
            upload = exchange.path.rpartition("/")[2]
            self.uploads[upload] += exchange.read_body(size)
            self.lose(exchange, upload)

        return step

    def _range(self, upload: str) -> str:
        return f"0-{max(0, len(self.uploads[upload]) - 1)}"


def errors(code: str, message: str = "as the test wishes") -> bytes:
    """A registry's error document."""
    return json.dumps({"errors": [{"code": code, "message": message}]}).encode()


def status(code: int, body: bytes = b"", **headers: str) -> Step:
    """Answer with a status."""
    return lambda exchange: exchange.answer(code, body, **headers)


def reset(exchange: Exchange) -> None:
    """Break the connection."""
    exchange.reset()


def hang_up(exchange: Exchange) -> None:
    """Close the connection without an answer."""
    exchange.hang_up()


def nothing(exchange: Exchange) -> None:
    """Let the registry answer."""


def cut_body(body: bytes, sent: int, code: int = 200, **headers: str) -> Step:
    """Promise a body, send a part of it and break the connection."""

    def step(exchange: Exchange) -> None:
        exchange.begin(code, len(body), **headers)
        exchange.send(body[:sent])
        exchange.hang_up()

    return step


@contextmanager
def talking(
    registry: FakeRegistry, *, login: bool = False, events: Events | None = None, **options: object
) -> Iterator[RegistryTransport]:
    """Run the registry, with a transport to talk to it."""
    credentials = {registry.host: Credential("jane", "s3cret-canary", origin="input registries")} if login else {}
    settings = RegistryOptions(**({"credentials": credentials} | options))  # type: ignore[arg-type]
    with registry.server.running():
        transport = RegistryTransport(settings, Events() if events is None else events)
        try:
            yield transport
        finally:
            transport.close()
