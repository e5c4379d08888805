"""As much of Vault's transit engine as signing needs, on loopback (its HTTP API documentation, "Transit")."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.loopback import LoopbackServer

TOKEN = "hvs.canary-token-93a1"


@dataclass
class Vault:
    """Keys by name, each with the versions it has, and every request that came.

    refusal: a status to answer everything with, and the errors to say
    """

    url: str = ""
    keys: dict[str, list[Any]] = field(default_factory=dict)
    requests: list[tuple[str, str, dict[str, str], dict[str, Any]]] = field(default_factory=list)
    refusal: tuple[int, list[str]] | None = None
    answers: dict[str, bytes] = field(default_factory=dict)
    mount: str = "transit"

    def public(self, name: str) -> str:
        """The newest public key, PEM."""
        return _pem(self.keys[name][-1])

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        if self.refusal:
            return self.refusal[0], json.dumps({"errors": self.refusal[1]}).encode()
        if path in self.answers:
            return 200, self.answers[path]
        prefix = f"/v1/{self.mount}/"
        action, _, rest = path.removeprefix(prefix).partition("/")
        name, _, algorithm = rest.partition("/")
        if not path.startswith(prefix) or name not in self.keys:
            return 404, b'{"errors": []}'
        versions = self.keys[name]
        if (method, action) == ("GET", "keys"):
            keys = {str(number): {"public_key": _pem(key)} for number, key in enumerate(versions, 1)}
            data: dict[str, Any] = {"type": _type(versions[-1]), "latest_version": len(versions), "keys": keys}
        else:
            assert (method, action, algorithm) == ("POST", "sign", "sha2-256")
            assert body["prehashed"] is True
            digest = base64.b64decode(body["input"])
            version = body["key_version"]
            signature = base64.b64encode(_sign(versions[version - 1], digest, body)).decode()
            data = {"signature": f"vault:v{version}:{signature}"}
        return 200, json.dumps({"data": data}).encode()


def _sign(key: Any, digest: bytes, body: dict[str, Any]) -> bytes:
    hashed = utils.Prehashed(SHA256())
    if isinstance(key, rsa.RSAPrivateKey):
        assert body["signature_algorithm"] == "pkcs1v15"
        return key.sign(digest, padding.PKCS1v15(), hashed)
    assert body["marshaling_algorithm"] == "asn1"
    return bytes(key.sign(digest, ec.ECDSA(hashed)))


def _type(key: Any) -> str:
    if isinstance(key, rsa.RSAPrivateKey):
        return f"rsa-{key.key_size}"
    return {"secp256r1": "ecdsa-p256", "secp384r1": "ecdsa-p384"}[key.curve.name]


def _pem(key: Any) -> str:
    return str(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


@contextmanager
def vault() -> Iterator[Vault]:
    """A server for a block, with an ECDSA key `release` of two versions and an RSA key `old`."""
    state = Vault()
    state.keys["release"] = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    state.keys["old"] = [rsa.generate_private_key(65537, 2048)]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = json.loads(raw) if raw else {}
            headers = {name.lower(): value for name, value in self.headers.items()}
            state.requests.append((self.command, self.path, headers, body))
            if headers.get("x-vault-token") == TOKEN:
                status, content = state.answer(self.command, self.path, body)
            else:
                status, content = 403, b'{"errors": ["permission denied"]}'
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815 - the name that the library looks for

        def log_message(self, *_: object) -> None:
            pass

    server = LoopbackServer(Handler)
    state.url = server.url
    with server.running():
        yield state
    assert not server.errors
