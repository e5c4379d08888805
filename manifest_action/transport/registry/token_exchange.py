"""Asking a token server for a token, without any input or output (distribution's token authentication specification).

`exchange` is a generator: it yields requests, is sent the replies, and returns what was granted.
"""

import base64
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from manifest_action.model.credential import Credential
from manifest_action.model.strictjson import parse_object
from manifest_action.transport.registry.message import Reply
from manifest_action.transport.registry.scope import Scope
from manifest_action.transport.registry.url import Url

CLIENT_ID = "manifest-action"
TOKEN_LIMIT = 64 * 1024
_SHORTEST_LIFE = 60.0
_LONGEST_LIFE = 24 * 3600.0
_REFUSED = frozenset({400, 401, 403})
_NOT_SERVED = frozenset({404, 405})


@dataclass(frozen=True, slots=True)
class TokenServer:
    """Where a registry's tokens come from, and the name it has for itself there."""

    realm: Url
    service: str


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """One request to a token server."""

    method: str
    url: Url = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token, good for `lifetime` seconds from when it arrived; maybe with a new identity token."""

    value: str = field(repr=False)
    lifetime: float = _SHORTEST_LIFE
    refresh_token: str = field(default="", repr=False)


class TokenRefused(Exception):
    """The token server gave no token; `reply` is its answer, `why` is set when that looked like a success."""

    def __init__(self, reply: Reply, why: str = "") -> None:
        super().__init__(f"the token server answered {reply.status}")
        self.reply = reply
        self.why = why


Exchange = Generator[TokenRequest, Reply, tuple[Token, tuple[Scope, ...]]]


def exchange(
    server: TokenServer, credential: Credential, scopes: tuple[Scope, ...], own: tuple[Scope, ...]
) -> Exchange:
    """Get one token for `scopes`; when that is refused, for `own` only, as one bad scope can spoil the rest.

    The credential's identity token is offered by POST (OAuth2) first; servers without that are asked by GET.
    Returns the token and the scopes it was asked for. Raises TokenRefused.
    """
    reply = yield from _ask(server, credential, scopes)
    if reply.status in _REFUSED and scopes != own:
        scopes = own
        reply = yield from _ask(server, credential, scopes)
    if reply.status != 200:
        raise TokenRefused(reply)
    try:
        return parse_token(reply.body), scopes
    except ValueError as error:
        raise TokenRefused(reply, str(error)) from None


def _ask(
    server: TokenServer, credential: Credential, scopes: tuple[Scope, ...]
) -> Generator[TokenRequest, Reply, Reply]:
    if credential.identity_token:
        reply = yield post_request(server, credential.identity_token, scopes)
        if reply.status not in _NOT_SERVED:
            return reply
    return (yield get_request(server, credential, scopes))


def get_request(server: TokenServer, credential: Credential, scopes: tuple[Scope, ...]) -> TokenRequest:
    """The GET form: one `scope` parameter for each scope, and the credential as Basic authorization."""
    parameters = [("service", server.service)] if server.service else []
    parameters += [("scope", str(scope)) for scope in scopes]
    headers = {}
    if pair := basic_pair(credential):
        headers["Authorization"] = f"Basic {pair}"
        parameters.append(("account", credential.username))
    realm = server.realm
    return TokenRequest("GET", realm.adding(_encoded(parameters)) if parameters else realm, headers)


def post_request(server: TokenServer, identity_token: str, scopes: tuple[Scope, ...]) -> TokenRequest:
    """The POST form (RFC 6749, section 6): all scopes in one parameter, separated by spaces."""
    parameters = [
        ("grant_type", "refresh_token"),
        ("refresh_token", identity_token),
        ("service", server.service),
        ("client_id", CLIENT_ID),
        ("scope", " ".join(str(scope) for scope in scopes)),
    ]
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return TokenRequest("POST", server.realm, headers, urlencode(parameters).encode())


def basic_pair(credential: Credential) -> str:
    """`user:password` in base64 (RFC 7617), empty when there is neither a password nor an identity token."""
    password = credential.password or credential.identity_token
    return base64.b64encode(f"{credential.username}:{password}".encode()).decode() if password else ""


def parse_token(body: bytes) -> Token:
    """Read a token server's answer; ValueError when it holds no usable token."""
    document = parse_object(body)
    value = document.get("token") or document.get("access_token")
    if not isinstance(value, str) or not value or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("the answer holds no token")
    refresh_token = document.get("refresh_token")
    lifetime = document.get("expires_in")
    seconds = float(lifetime) if isinstance(lifetime, int | float) and not isinstance(lifetime, bool) else 0.0
    return Token(
        value,
        min(max(seconds, _SHORTEST_LIFE), _LONGEST_LIFE),
        refresh_token if isinstance(refresh_token, str) else "",
    )


def _encoded(parameters: list[tuple[str, str]]) -> str:
    return urlencode(parameters, quote_via=quote, safe=":/,")
