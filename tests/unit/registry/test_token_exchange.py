import base64
import json
from collections.abc import Sequence
from urllib.parse import parse_qsl

import pytest

from manifest_action.model.credential import ANONYMOUS, Credential
from manifest_action.transport.registry.message import Headers, Reply
from manifest_action.transport.registry.scope import Scope, parse_scopes
from manifest_action.transport.registry.token_exchange import (
    Token,
    TokenRefused,
    TokenRequest,
    TokenServer,
    exchange,
    parse_token,
)
from manifest_action.transport.registry.url import Url

SERVER = TokenServer(Url.parse("https://auth.example/token?fixed=1"), "registry.example")
WIDE = parse_scopes("repository:dst:pull,push repository:src:pull")
OWN = parse_scopes("repository:src:pull")
LOGIN = Credential("jane", "s3cret:with/odd+chars")
IDENTITY = Credential("jane", identity_token="identity")


def reply(status: int, document: object = None) -> Reply:
    return Reply(status, Headers(), json.dumps(document).encode(), SERVER.realm)


def converse(
    credential: Credential, replies: Sequence[Reply], scopes: tuple[Scope, ...] = WIDE, own: tuple[Scope, ...] = OWN
) -> tuple[list[TokenRequest], Token, tuple[Scope, ...]]:
    conversation = exchange(SERVER, credential, scopes, own)
    requests = [next(conversation), *map(conversation.send, replies[:-1])]
    with pytest.raises(StopIteration) as end:
        conversation.send(replies[-1])
    token, granted = end.value.value
    return requests, token, granted


def test_get_repeats_the_scope_and_sends_the_login_as_basic() -> None:
    (request,), token, granted = converse(LOGIN, [reply(200, {"token": "t", "expires_in": 300})])
    assert request.method == "GET"
    assert request.url.target == (
        "/token?fixed=1&service=registry.example&scope=repository:dst:pull,push&scope=repository:src:pull&account=jane"
    )
    assert request.headers["Authorization"] == "Basic " + base64.b64encode(b"jane:s3cret:with/odd+chars").decode()
    assert (token.value, token.lifetime, granted) == ("t", 300, WIDE)


def test_anonymous_tokens_are_asked_without_a_login() -> None:
    (request,), _, _ = converse(ANONYMOUS, [reply(200, {"token": "t"})])
    assert not request.headers
    assert "account" not in request.url.target


def test_an_identity_token_is_posted_with_one_scope_parameter() -> None:
    (request,), token, _ = converse(IDENTITY, [reply(200, {"access_token": "t", "refresh_token": "next"})])
    assert request.method == "POST"
    assert request.url == SERVER.realm
    assert dict(parse_qsl(request.body.decode())) == {
        "grant_type": "refresh_token",
        "refresh_token": "identity",
        "service": "registry.example",
        "client_id": "manifest-action",
        "scope": "repository:dst:pull,push repository:src:pull",
    }
    assert (token.value, token.refresh_token) == ("t", "next")


@pytest.mark.parametrize("status", [404, 405])
def test_servers_without_the_post_form_are_asked_by_get(status: int) -> None:
    requests, token, _ = converse(IDENTITY, [reply(status), reply(200, {"token": "t"})])
    assert [request.method for request in requests] == ["POST", "GET"]
    assert requests[1].headers["Authorization"] == "Basic " + base64.b64encode(b"jane:identity").decode()
    assert token.value == "t"


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refusal_of_many_scopes_is_followed_by_the_own_ones(status: int) -> None:
    requests, _, granted = converse(LOGIN, [reply(status), reply(200, {"token": "t"})])
    assert "scope=repository:dst" not in requests[1].url.target
    assert "scope=repository:src:pull" in requests[1].url.target
    assert granted == OWN


def test_a_refusal_of_the_own_scopes_is_final() -> None:
    conversation = exchange(SERVER, LOGIN, OWN, OWN)
    next(conversation)
    with pytest.raises(TokenRefused) as caught:
        conversation.send(reply(401, {"details": "incorrect username or password"}))
    assert caught.value.reply.status == 401


@pytest.mark.parametrize(
    "document", [{}, {"token": ""}, {"token": 5}, {"token": "a b"}, {"token": "a\r\nX: y"}, [], None]
)
def test_an_answer_without_a_token_is_a_refusal(document: object) -> None:
    conversation = exchange(SERVER, LOGIN, OWN, OWN)
    next(conversation)
    with pytest.raises(TokenRefused) as caught:
        conversation.send(reply(200, document))
    assert caught.value.why


@pytest.mark.parametrize(
    ("expires_in", "lifetime"),
    [(None, 60), (0, 60), (-5, 60), (59, 60), (3600, 3600), (10**18, 86400), ("300", 60), (True, 60), (1e999, 86400)],
)
def test_lifetimes_have_a_floor_and_a_ceiling(expires_in: object, lifetime: float) -> None:
    body = json.dumps({"token": "t"} | ({} if expires_in is None else {"expires_in": expires_in}))
    assert parse_token(body.replace("Infinity", "1e999").encode()).lifetime == lifetime


def test_secrets_are_in_no_representation() -> None:
    (request,), token, _ = converse(LOGIN, [reply(200, {"token": "t0ken-value"})])
    (post,), _, _ = converse(IDENTITY, [reply(200, {"token": "t0ken-value"})])
    pair = base64.b64encode(b"jane:s3cret:with/odd+chars").decode()
    for text in (repr(request), repr(token), repr(post), repr(reply(200, {"token": "t0ken-value"}))):
        for secret in ("s3cret", "t0ken-value", pair, "identity"):
            assert secret not in text
