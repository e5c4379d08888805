import base64
import json
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import pytest

from manifest_action.events import SecretLearned
from manifest_action.model.access import Access
from manifest_action.model.credential import Credential
from manifest_action.model.reference import Repository, parse_repository
from manifest_action.transport.registry.address import Home, Zone
from manifest_action.transport.registry.auth import MOST_RENEWALS, MOST_SCOPES, Authenticator
from manifest_action.transport.registry.challenge import Challenge
from manifest_action.transport.registry.keychain import Keychain
from manifest_action.transport.registry.message import Headers, Reply
from manifest_action.transport.registry.options import RegistryOptions
from manifest_action.transport.registry.redaction import Secrets
from manifest_action.transport.registry.scope import Scope
from manifest_action.transport.registry.token_exchange import TokenRefused, TokenRequest
from manifest_action.transport.registry.url import Url
from tests.unit.registry.listener import Events

HOME = Home(Url.parse("https://registry.example"), Zone.PUBLIC)
DST = parse_repository("registry.example/dst")
SRC = parse_repository("registry.example/src")
OTHER = parse_repository("registry.example/other")
PULL_SRC = (Scope.of(Access(SRC)),)
PUSH_DST = (Scope.of(Access(DST, push=True)),)
PULL_OTHER = (Scope.of(Access(OTHER)),)
BASIC = [Challenge("basic", {"realm": "x"})]


def bearer(**parameters: str) -> list[Challenge]:
    return [Challenge("bearer", {"realm": "https://auth.example/token", "service": "registry", **parameters})]


class World:
    """A token server that numbers its tokens, and refuses requests with a scope in `refused`."""

    def __init__(self, credentials: Mapping[str, Credential] | None = None) -> None:
        self.now = 0.0
        self.events = Events()
        self.requests: list[TokenRequest] = []
        self.refused: set[str] = set()
        self.answer: dict[str, object] = {"expires_in": 300}
        self.meanwhile: Callable[[], None] = lambda: None
        options = RegistryOptions(credentials=credentials or {"registry.example": Credential("jane", "s3cret")})
        keychain = Keychain(options, lambda _: None)
        self.auth = Authenticator(keychain, Secrets(self.events), self._fetch, clock=lambda: self.now)

    def _fetch(self, _: Repository, request: TokenRequest) -> Reply:
        self.requests.append(request)
        self.meanwhile()
        status = 403 if self.refused & set(self.scopes[-1]) else 200
        body = json.dumps(self.answer | {"token": f"token-{len(self.requests)}"}).encode()
        return Reply(status, Headers(), body, request.url)

    @property
    def scopes(self) -> list[list[str]]:
        return [parse_qs(urlsplit(request.url.target).query).get("scope", []) for request in self.requests]

    def challenge(self, challenges: list[Challenge], used: str = "", need: tuple[Scope, ...] = PULL_SRC) -> bool:
        return self.auth.challenged(SRC, need, challenges, used, HOME)


def test_nothing_is_sent_before_anybody_asks() -> None:
    world = World()
    assert world.auth.header(SRC, PULL_SRC) == ""
    assert not world.requests


def test_basic_is_sent_with_everything_after_it_was_asked_for() -> None:
    world = World()
    assert world.challenge(BASIC)
    header = world.auth.header(DST, PUSH_DST)
    assert header == "Basic " + base64.b64encode(b"jane:s3cret").decode()
    assert not world.challenge(BASIC, header)
    assert SecretLearned("s3cret") in world.events
    assert SecretLearned(header.removeprefix("Basic ")) in world.events


def test_basic_cannot_be_answered_without_a_login() -> None:
    assert not World({"elsewhere.example": Credential("jane", "s3cret")}).challenge(BASIC)


def test_an_unknown_way_cannot_be_answered() -> None:
    assert not World().challenge([Challenge("negotiate")])
    assert not World().challenge([])


def test_one_token_covers_everything_that_was_prepared_with_writing_first() -> None:
    world = World()
    world.auth.prepare([Access(SRC), Access(OTHER), Access(DST, push=True), Access(SRC)])
    assert world.challenge(bearer())
    headers = {
        world.auth.header(repository, need)
        for repository, need in ((SRC, PULL_SRC), (DST, PUSH_DST), (DST, PUSH_DST + PULL_SRC))
    }
    assert headers == {"Bearer token-1"}
    assert world.scopes == [["repository:dst:pull,push", "repository:src:pull", "repository:other:pull"]]
    assert SecretLearned("token-1") in world.events


def test_what_was_not_prepared_gets_a_token_of_its_own() -> None:
    world = World()
    world.auth.prepare([Access(SRC)])
    assert world.challenge(bearer())
    assert world.auth.header(SRC, PULL_SRC) == "Bearer token-1"
    assert world.auth.header(DST, PUSH_DST) == "Bearer token-2"
    assert world.scopes == [["repository:src:pull"], ["repository:dst:pull,push"]]


def test_too_much_for_one_token_is_asked_for_one_by_one() -> None:
    world = World()
    world.auth.prepare(Access(parse_repository(f"registry.example/r{n}")) for n in range(MOST_SCOPES + 1))
    world.auth.prepare([Access(SRC)])
    assert world.challenge(bearer())
    world.auth.header(SRC, PULL_SRC)
    assert world.scopes == [["repository:src:pull"]]


def test_each_login_has_its_own_tokens() -> None:
    world = World({"registry.example/dst": Credential("writer", "w"), "registry.example": Credential("reader", "r")})
    world.auth.prepare([Access(SRC), Access(DST, push=True)])
    assert world.challenge(bearer())
    assert world.auth.header(SRC, PULL_SRC) != world.auth.header(DST, PUSH_DST)
    assert world.scopes == [["repository:src:pull"], ["repository:dst:pull,push"]]
    assert [parse_qs(urlsplit(each.url.target).query)["account"] for each in world.requests] == [["reader"], ["writer"]]


def test_a_refusal_of_everything_is_followed_by_single_tokens_for_all() -> None:
    world = World()
    world.auth.prepare([Access(SRC), Access(DST, push=True)])
    world.refused = {"repository:dst:pull,push"}
    assert world.challenge(bearer())
    assert world.auth.header(SRC, PULL_SRC) == "Bearer token-2"
    assert world.auth.header(SRC, PULL_SRC) == "Bearer token-2"
    with pytest.raises(TokenRefused):
        world.auth.header(DST, PUSH_DST)
    assert len(world.requests) == 3


def test_a_token_is_renewed_shortly_before_it_ends() -> None:
    world = World()
    assert world.challenge(bearer())
    assert world.auth.header(SRC, PULL_SRC) == "Bearer token-1"
    world.now = 269
    assert world.auth.header(SRC, PULL_SRC) == "Bearer token-1"
    world.now = 271
    assert world.auth.header(SRC, PULL_SRC) == "Bearer token-2"


def test_what_is_worth_no_new_token_gets_the_one_at_hand_or_none() -> None:
    world = World()
    assert world.auth.ready(SRC, PULL_SRC) == ""
    world.challenge(bearer())
    assert world.auth.ready(SRC, PULL_SRC) == ""
    assert world.auth.header(SRC, PULL_SRC) == "Bearer token-1"
    assert world.auth.ready(SRC, PULL_SRC) == "Bearer token-1"
    world.now = 300
    assert world.auth.ready(SRC, PULL_SRC) == ""
    assert len(world.requests) == 1


def test_a_login_that_is_no_token_is_always_at_hand() -> None:
    world = World()
    world.challenge(BASIC)
    assert world.auth.ready(SRC, PULL_SRC) == world.auth.header(SRC, PULL_SRC) != ""


def test_many_threads_get_one_token() -> None:
    world = World()
    assert world.challenge(bearer())
    everybody = threading.Barrier(8)
    world.meanwhile = lambda: time.sleep(0.05)

    def ask() -> str:
        everybody.wait(5)
        return world.auth.header(SRC, PULL_SRC)

    with ThreadPoolExecutor(8) as pool:
        headers = {each.result(5) for each in [pool.submit(ask) for _ in range(8)]}
    assert headers == {"Bearer token-1"}


def test_an_insufficient_token_is_narrowed_to_the_need_and_what_the_registry_names() -> None:
    world = World()
    world.auth.prepare([Access(SRC), Access(DST, push=True)])
    assert world.challenge(bearer())
    used = world.auth.header(SRC, PULL_SRC)
    hint = "repository:src:delete repository:elsewhere:push"
    assert world.challenge(bearer(error="insufficient_scope", scope=hint), used)
    assert world.auth.header(SRC, PULL_SRC) == "Bearer token-2"
    assert world.scopes[1] == ["repository:src:delete,pull"]
    assert world.auth.header(DST, PUSH_DST) == used
    assert not world.challenge(bearer(error="insufficient_scope", scope=hint), "Bearer token-2")


def test_an_invalid_token_is_renewed_with_the_same_scopes_a_few_times() -> None:
    world = World()
    world.auth.prepare([Access(SRC), Access(DST, push=True)])
    assert world.challenge(bearer())
    for number in range(1, MOST_RENEWALS + 1):
        used = world.auth.header(SRC, PULL_SRC)
        assert used == f"Bearer token-{number}"
        assert world.challenge(bearer(error="invalid_token"), used)
    assert not world.challenge(bearer(error="invalid_token"), world.auth.header(SRC, PULL_SRC))
    assert {tuple(each) for each in world.scopes} == {("repository:dst:pull,push", "repository:src:pull")}


def test_a_token_that_somebody_has_renewed_meanwhile_is_not_renewed_again() -> None:
    world = World()
    assert world.challenge(bearer())
    used = world.auth.header(SRC, PULL_SRC)
    for _ in range(8):
        assert world.challenge(bearer(error="invalid_token"), used)
    assert world.auth.header(SRC, PULL_SRC) == "Bearer token-2"
    for _ in range(8):
        assert world.challenge(bearer(error="invalid_token"), used)
    assert world.auth.header(SRC, PULL_SRC) == "Bearer token-2"


def test_a_registry_may_change_its_way() -> None:
    world = World()
    assert world.challenge(BASIC)
    assert world.challenge(bearer(), world.auth.header(SRC, PULL_SRC))
    assert world.auth.header(SRC, PULL_SRC) == "Bearer token-1"


def test_a_registry_token_is_sent_as_it_is() -> None:
    world = World({"registry.example": Credential(registry_token="given")})
    assert world.challenge(bearer())
    assert world.auth.header(SRC, PULL_SRC) == "Bearer given"
    assert not world.challenge(bearer(error="invalid_token"), "Bearer given")
    assert not world.requests


def test_a_new_identity_token_takes_the_place_of_the_old_one() -> None:
    world = World({"registry.example": Credential(identity_token="first")})
    world.answer["refresh_token"] = "second"
    assert world.challenge(bearer())
    world.auth.header(SRC, PULL_SRC)
    world.auth.header(OTHER, PULL_OTHER)
    tokens = [parse_qs(request.body.decode())["refresh_token"] for request in world.requests]
    assert tokens == [["first"], ["second"]]
    assert SecretLearned("second") in world.events


@pytest.mark.parametrize(
    "realm",
    [
        "http://auth.example/token",
        "https://169.254.169.254/token",
        "https://127.0.0.1/token",
        "https://0x7f000001/token",
        "https://[::1]/token",
        "https://10.0.0.1/token",
        "file:///etc/passwd",
        "https://user:pw@auth.example/token",
        "https://auth.example/\x00",
    ],
)
def test_token_servers_that_must_not_be_asked(realm: str) -> None:
    world = World()
    with pytest.raises(ValueError, match="token server"):
        world.challenge(bearer(realm=realm))
    assert world.auth.header(SRC, PULL_SRC) == ""


def test_a_relative_realm_is_the_registrys_own() -> None:
    world = World()
    assert world.challenge(bearer(realm="/token"))
    world.auth.header(SRC, PULL_SRC)
    assert world.requests[0].url.origin == HOME.url.origin


def test_no_event_shows_a_secret() -> None:
    world = World()
    assert world.challenge(bearer())
    world.auth.header(SRC, PULL_SRC)
    shown = repr(world.events) + repr(world.requests)
    for secret in ("s3cret", "token-1", base64.b64encode(b"jane:s3cret").decode()):
        assert secret not in shown
