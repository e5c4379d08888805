"""The token server keeps to its grants, and a registry believes what it signs."""

import base64
import json
from http.client import HTTPConnection
from urllib.parse import urlencode, urlsplit

import pytest

from tests.support.images import image, push
from tests.support.servers import PASSWORD, USERNAME, Registry, docker_registry
from tests.support.tokens import SERVICE, TokenServer


def _ask(
    tokens: TokenServer, method: str, fields: list[tuple[str, str]], login: str = ""
) -> tuple[int, dict[str, str]]:
    connection = HTTPConnection(urlsplit(tokens.url).netloc, timeout=10)
    query = urlencode([("service", SERVICE), *fields])
    headers = {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"} if login else {}
    try:
        if method == "GET":
            connection.request("GET", f"/token?{query}", headers=headers)
        else:
            form = {"Content-Type": "application/x-www-form-urlencoded"}
            connection.request("POST", "/token", body=query, headers=form)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def _access(token: str) -> object:
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["access"]


def _tokens(registry: Registry) -> TokenServer:
    assert registry.tokens
    return registry.tokens


def test_a_user_gets_what_is_granted(registry_token: Registry) -> None:
    scopes = [("scope", "repository:a/b:pull,push"), ("scope", "repository:c/d:pull registry:catalog:*")]
    status, answer = _ask(_tokens(registry_token), "GET", scopes, f"{USERNAME}:{PASSWORD}")
    assert status == 200
    assert _access(answer["token"]) == [
        {"type": "repository", "name": "a/b", "actions": ["pull", "push"]},
        {"type": "repository", "name": "c/d", "actions": ["pull"]},
    ]


def test_anonymous_users_may_pull_what_is_public(registry_token: Registry) -> None:
    scopes = [("scope", "repository:public/a:pull,push"), ("scope", "repository:private/a:pull")]
    status, answer = _ask(_tokens(registry_token), "GET", scopes)
    assert status == 200
    assert _access(answer["token"]) == [{"type": "repository", "name": "public/a", "actions": ["pull"]}]


@pytest.mark.parametrize("login", [f"{USERNAME}:wrong", "nobody:x", f"{USERNAME}:"])
def test_wrong_logins_are_refused(registry_token: Registry, login: str) -> None:
    tokens = _tokens(registry_token)
    name, _, password = login.partition(":")
    form = [("grant_type", "password"), ("username", name), ("password", password)]
    assert _ask(tokens, "GET", [], login)[0] == 401
    assert _ask(tokens, "POST", form)[0] == 401
    assert [request.status for request in tokens.requests[-2:]] == [401, 401]


def test_identity_tokens_and_forms_switched_off(registry_token: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = _tokens(registry_token)
    form = [("grant_type", "refresh_token"), ("scope", "repository:a/b:pull repository:c/d:pull")]
    known = ("refresh_token", tokens.identity_token(USERNAME))
    status, answer = _ask(tokens, "POST", [*form, known, ("access_type", "offline")])
    assert status == 200
    assert tokens.requests[-1].scopes == ("repository:a/b:pull", "repository:c/d:pull")
    assert tokens.user_of(answer["refresh_token"]) == USERNAME
    assert _ask(tokens, "POST", [*form, ("refresh_token", "unknown")])[0] == 401
    monkeypatch.setattr(tokens, "answers_post", False)
    assert _ask(tokens, "POST", [*form, known])[0] == 405


def test_one_scope_can_spoil_the_whole_token(registry_token: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = _tokens(registry_token)
    monkeypatch.setattr(tokens, "all_or_nothing", True)
    scopes = [("scope", "repository:public/a:pull"), ("scope", "repository:private/a:pull")]
    assert _ask(tokens, "GET", scopes)[0] == 403


def test_the_registry_believes_the_tokens_and_nothing_else(registry_token: Registry, repository: str) -> None:
    push(registry_token, repository, image(), "v1")
    path = f"/v2/{repository}/manifests/v1"
    tokens = _tokens(registry_token)
    other = tokens.token(USERNAME, [{"type": "repository", "name": "other", "actions": ["pull"]}])
    assert registry_token.manifest_bytes(repository, "v1") == image().manifest_bytes
    for token in ("", other, f"{other[:-4]}AAAA"):
        answer = registry_token.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        assert answer.status == 401


def test_passwords_and_tls_are_asked_for(registry_tls: Registry) -> None:
    assert registry_tls.request("GET", "/v2/").status == 200
    assert registry_tls.request("GET", "/v2/", headers={"Authorization": ""}).status == 401


def test_a_server_ends_with_its_block() -> None:
    with docker_registry() as registry:
        assert registry.tags("none") == []
    with pytest.raises(OSError, match="refused"):
        registry.request("GET", "/v2/")
    assert not registry.storage.exists()
