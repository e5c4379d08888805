"""A registry with the signature extension, as OpenShift's has it: a real registry with a fake of that API before it."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.support.loopback import LoopbackServer
from tests.support.servers import Registry


@dataclass
class Keeper:
    """The registry, and what it keeps: `name@digest` to the documents of its signatures.

    refusal: a status that every request to the extension is answered with
    """

    registry: Registry
    kept: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    refusal: int = 0
    forgetful: bool = False

    def signatures(self, repository: str, digest: str) -> list[bytes]:
        found = self.kept.get(f"{repository}@{digest}", [])
        return [base64.b64decode(each["content"]) for each in found]


@contextmanager
def keeping(upstream: Registry) -> Iterator[Keeper]:
    """The extension before a registry, for a block."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path.startswith("/extensions/v2/"):
                status, content = self._extension(body)
                headers = {"Content-Type": "application/json"}
            else:
                names = {name.lower() for name in self.headers} - {"host", "connection"}
                kept = {name: ", ".join(self.headers.get_all(name, [])) for name in names}
                answer = upstream.request(self.command, self.path, headers=kept, body=body or None)
                status, content, headers = answer.status, answer.body, dict(answer.headers.items())
            for name in ("Connection", "Transfer-Encoding"):
                headers.pop(name, None)
            length = headers.pop("Content-Length", None) if self.command == "HEAD" else None
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in ("content-length", "date", "server"):
                    self.send_header(name, value.replace(upstream.host, server.host))
            self.send_header("X-Registry-Supports-Signatures", "1")
            self.send_header("Content-Length", length or str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_HEAD = do_POST = do_PUT = do_PATCH = do_GET  # noqa: N815 - the names that the library looks for

        def _extension(self, body: bytes) -> tuple[int, bytes]:
            if keeper.refusal:
                return keeper.refusal, b"{}"
            repository, _, digest = self.path.removeprefix("/extensions/v2/").partition("/signatures/")
            with lock:
                found = keeper.kept.setdefault(f"{repository}@{digest}", [])
                if self.command == "PUT":
                    document = json.loads(body)
                    assert set(document) == {"schemaVersion", "name", "type", "content"}
                    assert document["schemaVersion"] == 2
                    assert document["type"] == "atomic"
                    name, _, end = document["name"].rpartition("@")
                    assert name == digest
                    assert len(end) == 32
                    assert document["name"] not in [each["name"] for each in found]
                    found += [] if keeper.forgetful else [document]
                    return 201, b""
                return 200, json.dumps({"signatures": found}).encode()

        def log_message(self, *_: object) -> None:
            pass

    server = LoopbackServer(Handler)
    keeper = Keeper(replace(upstream, host=server.host))
    with server.running():
        yield keeper
    assert not server.errors, server.errors
