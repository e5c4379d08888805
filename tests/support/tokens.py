"""A token server as registries send their clients to (Docker "Token Authentication Specification", GET and POST)."""

import base64
import fnmatch
import json
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tests.support.certificates import self_signed
from tests.support.loopback import LoopbackServer

SERVICE = "manifest-action test registry"
ISSUER = "manifest-action test tokens"
ANONYMOUS = ""
ALL_ACTIONS = frozenset({"pull", "push", "delete"})


@dataclass(frozen=True)
class Grant:
    """Users and repositories (shell patterns; the anonymous user is empty) and the actions they may have."""

    user: str
    repository: str
    actions: frozenset[str]


@dataclass(frozen=True)
class TokenRequest:
    """One request as the server understood it; `status` is the answer's."""

    method: str
    user: str
    scopes: tuple[str, ...]
    grant_type: str
    status: int


@dataclass
class TokenServer:
    """Issues ES256 tokens; its fields may be changed while it runs.

    users:      names and their passwords
    grants:     what may be asked for; the actions of all that fit are joined
    lifetime:   seconds a token is said to be good for, and is
    answers_post: whether the OAuth2 form is served (405 otherwise)
    all_or_nothing: refuse the whole token when one scope is not granted, as Docker Hub does
    requests:   everything that was asked, in order
    """

    folder: Path
    users: dict[str, str]
    grants: list[Grant]
    lifetime: int = 300
    answers_post: bool = True
    all_or_nothing: bool = False
    requests: list[TokenRequest] = field(default_factory=list)
    url: str = ""
    _key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    _refresh_tokens: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        certificate = self_signed(self._key, ISSUER)
        self._x5c = base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()
        self.certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    @property
    def certificate_file(self) -> Path:
        """What the registry is told to trust (PEM)."""
        return self.folder / "tokens.pem"

    @property
    def realm(self) -> str:
        """The address that challenges name."""
        return f"{self.url}/token"

    def identity_token(self, user: str) -> str:
        """A refresh token for `user`, as a login would leave behind."""
        token = secrets.token_urlsafe(24)
        self._refresh_tokens[token] = user
        return token

    def user_of(self, refresh_token: str) -> str | None:
        """Whose refresh token it is."""
        return self._refresh_tokens.get(refresh_token)

    def granted(self, user: str, scopes: Iterable[str]) -> list[dict[str, object]]:
        """The `access` claim for `user`: what was asked for, cut down to what is granted."""
        access: list[dict[str, object]] = []
        for scope in scopes:
            kind, _, rest = scope.partition(":")
            name, _, actions = rest.rpartition(":")
            allowed = self._allowed(user, name) & set(actions.split(","))
            if kind == "repository" and allowed:
                access.append({"type": kind, "name": name, "actions": sorted(allowed)})
        return access

    def token(self, user: str, access: list[dict[str, object]]) -> str:
        """A signed token (JWS compact form) that allows `access`."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": user,
            "aud": SERVICE,
            "exp": now + self.lifetime,
            "nbf": now - 10,
            "iat": now,
            "jti": secrets.token_hex(8),
            "access": access,
        }
        header = {"typ": "JWT", "alg": "ES256", "x5c": [self._x5c]}
        signed = f"{_part(header)}.{_part(claims)}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_base64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def _allowed(self, user: str, repository: str) -> set[str]:
        fitting = (
            grant.actions
            for grant in self.grants
            if fnmatch.fnmatchcase(user, grant.user) and fnmatch.fnmatchcase(repository, grant.repository)
        )
        return set().union(*fitting)

    @contextmanager
    def running(self) -> Iterator["TokenServer"]:
        """Serve until the block ends."""
        handler = type("Handler", (_Handler,), {"tokens": self})
        server = LoopbackServer(handler)
        self.url = server.url
        with server.running():
            yield self
        assert not server.errors, server.errors


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    tokens: TokenServer

    def do_GET(self) -> None:
        fields = parse_qs(urlsplit(self.path).query)
        user = self._basic_user()
        self._issue("", user, fields, fields.get("scope", []))

    def do_POST(self) -> None:
        fields = parse_qs(self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode())
        scopes = " ".join(fields.get("scope", [])).split()
        grant_type = fields.get("grant_type", [""])[0]
        if not self.tokens.answers_post:
            self._answer(405, {"errors": [{"code": "UNSUPPORTED"}]}, ANONYMOUS, scopes, grant_type)
            return
        self._issue(grant_type, self._form_user(grant_type, fields), fields, scopes)

    def _issue(self, grant_type: str, user: str | None, fields: Mapping[str, list[str]], scopes: list[str]) -> None:
        asked = [part for scope in scopes for part in scope.split()]
        if urlsplit(self.path).path != "/token" or fields.get("service", [""])[0] != SERVICE:
            self._answer(404, {"details": "unknown service"}, user or ANONYMOUS, asked, grant_type)
            return
        if user is None:
            self._answer(401, {"details": "incorrect username or password"}, ANONYMOUS, asked, grant_type)
            return
        access = self.tokens.granted(user, asked)
        if self.tokens.all_or_nothing and len(access) < len(asked):
            self._answer(403, {"details": "requested access to the resource is denied"}, user, asked, grant_type)
            return
        token = self.tokens.token(user, access)
        document: dict[str, object] = {"expires_in": self.tokens.lifetime}
        document.update({"access_token": token} if grant_type else {"token": token, "access_token": token})
        if fields.get("offline_token") == ["true"] or fields.get("access_type") == ["offline"]:
            document["refresh_token"] = self.tokens.identity_token(user)
        self._answer(200, document, user, asked, grant_type)

    def _basic_user(self) -> str | None:
        kind, _, value = self.headers.get("Authorization", "").partition(" ")
        if not kind:
            return ANONYMOUS
        name, _, password = base64.b64decode(value).decode().partition(":")
        return self._checked(name, password)

    def _form_user(self, grant_type: str, fields: Mapping[str, list[str]]) -> str | None:
        if grant_type == "refresh_token":
            return self.tokens.user_of(fields.get("refresh_token", [""])[0])
        return self._checked(fields.get("username", [""])[0], fields.get("password", [""])[0])

    def _checked(self, name: str, password: str) -> str | None:
        return name if password and self.tokens.users.get(name) == password else None

    def _answer(self, status: int, document: object, user: str, scopes: list[str], grant_type: str) -> None:
        self.tokens.requests.append(TokenRequest(self.command, user, tuple(scopes), grant_type, status))
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """The request log is `TokenServer.requests`."""


def _part(document: object) -> str:
    return _base64url(json.dumps(document, separators=(",", ":")).encode())


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
