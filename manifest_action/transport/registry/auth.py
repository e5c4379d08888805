"""Authorization at one registry host, shared by all threads: what to send, and what to do about a 401.

One token is asked for everything that the run prepared for the host, and reused; it is narrowed to what a request
needs when the server wants that, and renewed when it has expired.
"""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from manifest_action.model.access import Access
from manifest_action.model.credential import Credential
from manifest_action.model.reference import Repository
from manifest_action.transport.registry.address import Home, check_target
from manifest_action.transport.registry.challenge import Challenge, choose
from manifest_action.transport.registry.keychain import Keychain
from manifest_action.transport.registry.message import Reply
from manifest_action.transport.registry.redaction import Secrets
from manifest_action.transport.registry.scope import Scope, covers, merge, parse_scopes
from manifest_action.transport.registry.token_exchange import (
    Exchange,
    Token,
    TokenRequest,
    TokenServer,
    basic_pair,
    exchange,
)

MOST_SCOPES = 20
MOST_RENEWALS = 3
_MARGIN = 0.1

Scopes = tuple[Scope, ...]


@dataclass(frozen=True, slots=True)
class Basic:
    """User name and password go along with every request (RFC 7617)."""


@dataclass(slots=True)
class _Held:
    """A token that is held, or about to be: whoever has the lock gets or renews it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    header: str = field(default="", repr=False)
    expires: float = 0.0


@dataclass(slots=True)
class _Login:
    """What one credential has led to: tokens by their scopes, and needs that must be asked for on their own."""

    credential: Credential
    wide: Scopes = ()
    narrow: dict[Scopes, Scopes] = field(default_factory=dict)
    held: dict[Scopes, _Held] = field(default_factory=dict)

    def wanted(self, need: Scopes) -> Scopes:
        """The scopes of the token to use for `need`."""
        if need in self.narrow:
            return self.narrow[need]
        return self.wide if covers(self.wide, need) else need


class Authenticator:
    """Decides what to send as Authorization.

    fetch: sends a request to a token server and gives its answer, whatever its status
    """

    def __init__(
        self,
        keychain: Keychain,
        secrets: Secrets,
        fetch: Callable[[Repository, TokenRequest], Reply],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keychain = keychain
        self._secrets = secrets
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.RLock()
        self._way: TokenServer | Basic | None = None
        self._prepared: dict[Repository, bool] = {}
        self._logins: dict[Credential, _Login] = {}
        self._renewals = 0

    def prepare(self, accesses: Iterable[Access]) -> None:
        """Learn what will be wanted of this host. Tokens that are held already stay as they are."""
        with self._lock:
            for access in accesses:
                self._prepared[access.repository] = self._prepared.get(access.repository, False) or access.push

    def header(self, repository: Repository, need: Scopes) -> str:
        """The value to send as Authorization, empty for none. A token is fetched when there is none yet.

        Raises TokenRefused, and what `fetch` and the keychain raise.
        """
        way = self._way
        if way is None:
            return ""
        login = self._login(repository)
        if isinstance(way, Basic):
            pair = basic_pair(login.credential)
            return f"Basic {pair}" if pair else ""
        if login.credential.registry_token:
            return f"Bearer {login.credential.registry_token}"
        while True:
            scopes = login.wanted(need)
            held = self._held(login, scopes)
            with held.lock:
                if self._clock() < held.expires:
                    return held.header
                if scopes == login.wanted(need):
                    token, granted = self._converse(repository, exchange(way, login.credential, scopes, need))
                    if granted != scopes:
                        login.wide = ()
                    return self._keep(login, granted, token)

    def ready(self, repository: Repository, need: Scopes) -> str:
        """As `header`, for a request that is worth no new token: empty when there is none at hand, and at once."""
        login = self._login(repository)
        if isinstance(self._way, TokenServer) and not login.credential.registry_token:
            held = self._held(login, login.wanted(need))
            return held.header if self._clock() < held.expires else ""
        return self.header(repository, need)

    def _converse(self, repository: Repository, conversation: Exchange) -> tuple[Token, Scopes]:
        """Carry out a conversation with a token server."""
        request = next(conversation)
        while True:
            reply = self._fetch(repository, request)
            try:
                request = conversation.send(reply)
            except StopIteration as end:
                result: tuple[Token, Scopes] = end.value
                return result

    def _keep(self, login: _Login, scopes: Scopes, token: Token) -> str:
        self._secrets.learn(token.value, token.refresh_token)
        if token.refresh_token:
            login.credential = replace(login.credential, identity_token=token.refresh_token)
        held = self._held(login, scopes)
        held.header = f"Bearer {token.value}"
        held.expires = self._clock() + token.lifetime * (1 - _MARGIN)
        return held.header

    def challenged(
        self, repository: Repository, need: Scopes, challenges: Iterable[Challenge], used: str, home: Home
    ) -> bool:
        """Learn from a 401 that the registry itself sent; whether asking again makes sense.

        used: the Authorization that was refused, empty for none

        ValueError when the challenge names a token server that must not be asked.
        """
        challenge = choose(challenges)
        if challenge is None:
            return False
        way = _way(challenge, home)
        with self._lock:
            is_new = self._way != way
            self._way = way
        login = self._login(repository)
        if not used:
            return isinstance(way, TokenServer) or bool(basic_pair(login.credential))
        if is_new:
            return True
        if isinstance(way, Basic) or login.credential.registry_token:
            return False
        return self._renew(login, need, challenge, used)

    def accepted(self) -> None:
        """A login was good: renewals before it no longer count, as tokens may end early all the time in a long run."""
        self._renewals = 0

    def _renew(self, login: _Login, need: Scopes, challenge: Challenge, used: str) -> bool:
        """Narrow the token to the need, or get a new one; False when neither makes sense any more."""
        scopes = login.wanted(need)
        wanted = {scope.resource for scope in need}
        hinted = (scope for scope in parse_scopes(challenge.get("scope")) if scope.resource in wanted)
        asked = merge((*need, *hinted))
        error = challenge.get("error")
        held = self._held(login, scopes)
        with held.lock:
            if held.header != used:
                return True
            if scopes != asked and error != "invalid_token":
                login.narrow[need] = asked
                return True
            if error == "insufficient_scope" or self._renewals >= MOST_RENEWALS:
                return False
            self._renewals += 1
            held.header, held.expires = "", 0.0
            return True

    def _held(self, login: _Login, scopes: Scopes) -> _Held:
        with self._lock:
            return login.held.setdefault(scopes, _Held())

    def _login(self, repository: Repository) -> _Login:
        credential = self._keychain.resolve(repository)
        with self._lock:
            login = self._logins.get(credential)
            if login is None:
                login = self._logins[credential] = _Login(credential, self._wide(credential))
                self._secrets.learn(*secrets_of(credential))
            return login

    def _wide(self, credential: Credential) -> Scopes:
        """Everything prepared that this credential is for, writing first; nothing when it is too much for one token."""
        fitting = [
            Access(repository, push)
            for repository, push in self._prepared.items()
            if self._keychain.resolve(repository) == credential
        ]
        scopes = merge(Scope.of(access) for access in sorted(fitting, key=lambda access: not access.push))
        return scopes if len(scopes) <= MOST_SCOPES else ()


def secrets_of(credential: Credential) -> tuple[str, ...]:
    """What must not be shown of a credential, in every form that it is sent in; some may be empty."""
    return credential.password, credential.identity_token, credential.registry_token, basic_pair(credential)


def _way(challenge: Challenge, home: Home) -> "TokenServer | Basic":
    """How to answer a challenge; ValueError when it names a token server that must not be asked."""
    if challenge.scheme == "basic":
        return Basic()
    try:
        realm = home.url.join(challenge.get("realm"))
    except ValueError as error:
        raise ValueError(f"it names no valid token server: {error}") from None
    try:
        check_target(realm, home)
    except ValueError as error:
        raise ValueError(f"it names the token server {realm.origin}, which must not be asked: {error}") from None
    return TokenServer(realm, challenge.get("service"))
