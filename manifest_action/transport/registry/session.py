"""Asking registries: connections, redirects, logins, retries and limits put together. The only way out to HTTP."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from math import inf
from typing import TypeVar

import manifest_action
from manifest_action.errors import AuthError, ManifestActionError, RegistryError
from manifest_action.events import Reporter, Retrying, Warned
from manifest_action.model.access import Access
from manifest_action.model.reference import Repository
from manifest_action.transport.registry.auth import Authenticator, secrets_of
from manifest_action.transport.registry.connection import CHUNK, Answer
from manifest_action.transport.registry.dialer import Dialer
from manifest_action.transport.registry.endpoint import Endpoint
from manifest_action.transport.registry.failure import Failure, broken, printable, refused
from manifest_action.transport.registry.gate import Gate, stopped
from manifest_action.transport.registry.hints import Caller, login_hint
from manifest_action.transport.registry.keychain import Keychain
from manifest_action.transport.registry.limits import Limits
from manifest_action.transport.registry.message import ERROR_LIMIT, Broken, Reply, Request
from manifest_action.transport.registry.openuploads import PATIENCE, OpenUploads
from manifest_action.transport.registry.operation import Operation
from manifest_action.transport.registry.options import RegistryOptions
from manifest_action.transport.registry.patience import Budget, Patience
from manifest_action.transport.registry.pool import Connections
from manifest_action.transport.registry.proxy import Proxies
from manifest_action.transport.registry.redaction import Secrets
from manifest_action.transport.registry.redirects import REDIRECT_LIMIT, allowed_target, next_hop
from manifest_action.transport.registry.token_exchange import TOKEN_LIMIT, TokenRefused, TokenRequest
from manifest_action.transport.registry.trust import Trust
from manifest_action.transport.registry.url import Url
from manifest_action.transport.registry.warning import read_warnings

_USER_AGENT = f"manifest-action/{manifest_action.__version__}"
_FAREWELL = Limits(connect=PATIENCE, idle=PATIENCE, answer=PATIENCE)
_CATCHING_UP = (0.0, 0.0, 0.05, 0.1, 0.2, 0.4)
"""Seconds before the tries to cancel an upload whose last bytes may still be coming in."""
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})

Result = TypeVar("Result")


class Session:
    """One run's conversation with all its registries, by any number of threads."""

    def __init__(
        self, options: RegistryOptions, reporter: Reporter, proxies: Proxies, dialer: Dialer, limits: Limits
    ) -> None:
        self._options = options
        self._reporter = reporter
        self._limits = limits
        self._secrets = Secrets(reporter)
        self._keychain = Keychain(options, self._warn)
        self._trust = Trust(options)
        self._insecure = options.insecure
        self._in_actions = options.environment.get("GITHUB_ACTIONS") == "true"
        self._budget = Budget(options.retry_budget)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._endpoints: dict[str, Endpoint] = {}
        self._warned: set[str] = set()
        self._proxies = proxies
        self._dialer = dialer
        self._secrets.learn(*self._proxies.secrets)
        self._connections = self._connecting(limits)
        self.uploads = OpenUploads(self._cancel)

    def prepare(self, accesses: Iterable[Access]) -> None:
        """Learn what will be wanted, so that one token per host can allow all of it."""
        wanted: dict[str, list[Access]] = {}
        for access in accesses:
            wanted.setdefault(access.repository.registry, []).append(access)
        for registry, own in wanted.items():
            endpoint = self.endpoint(registry)
            endpoint.auth.prepare(own)
            endpoint.breadth = min(self._options.jobs, max(access.breadth for access in own))

    def close(self) -> None:
        """End everything: waits, exchanges that are under way, and the upload sessions that these leave open."""
        left = self.uploads.end()
        self._stop.set()
        with self._lock:
            endpoints = tuple(self._endpoints.values())
        for endpoint in endpoints:
            endpoint.gate.close()
        self._connections.close()
        self.uploads.cancel(left)

    def endpoint(self, registry: str) -> Endpoint:
        """What is known of a registry host."""
        with self._lock:
            if registry not in self._endpoints:
                self._endpoints[registry] = Endpoint(
                    registry,
                    self._connections,
                    Gate(registry, self._options.jobs),
                    Authenticator(self._keychain, self._secrets, partial(self._ask_token, registry)),
                    insecure=registry in self._insecure,
                )
            return self._endpoints[registry]

    def exchange(self, request: Request) -> Reply:
        """Ask until there is an answer with an expected status, read to its end.

        Raises AuthError, NetworkError, RateLimited or another RegistryError when there will be none, ConfigError
        when what the user gave for it (a file, a proxy) cannot be used.
        """
        with self.operation(request) as operation:
            while isinstance(outcome := self.attempt(request), Failure):
                operation.again(outcome)
            return outcome

    def exchange_while(self, request: Request, goes_on: Callable[[], bool]) -> Reply | None:
        """As `exchange`, but `goes_on` is asked before every further try; None when it says no."""
        with self.operation(request) as operation:
            while isinstance(outcome := self.attempt(request), Failure):
                operation.again(outcome)
                if not goes_on():
                    return None
            return outcome

    def stream(self, request: Request, operation: Operation) -> Answer:
        """As `exchange`, but the body is left to be read. Failures count against `operation`."""
        while isinstance(outcome := self._try(request, self._opened), Failure):
            operation.again(outcome)
        return outcome

    def continuation(self, request: Request, reply: Reply) -> Url:
        """Where a reply's Location says to go on; RegistryError when there is none or it must not be followed."""
        home = self.endpoint(request.repository.registry).home
        try:
            return allowed_target(reply.url, reply.headers.get("Location"), home)
        except ValueError as error:
            why = f"{reply.url.authority}: {error}"
            raise RegistryError(request.what, where=request.where, why=why, status=reply.status) from None

    def wait(self, registry: str, seconds: float, reason: str, attempt: int) -> None:
        """Let a registry come to terms with what it was sent, before it is asked again."""
        self._reporter.emit(Retrying(registry, attempt, seconds, reason))
        self.pause(registry, seconds)

    def pause(self, where: str, seconds: float) -> None:
        """Do nothing for a while; NetworkError when the run was stopped."""
        if self._stop.wait(seconds):
            raise stopped(where)

    def caller(self, repository: Repository) -> Caller:
        """Who is asking, for hints. What a registry says may hold a login that it knows and was not sent yet."""
        login = ""
        with suppress(ManifestActionError):
            credential = self._keychain.resolve(repository)
            self._secrets.learn(*secrets_of(credential))
            login = "" if credential.is_anonymous else credential.origin or "the run's own settings"
        return Caller(login, self._in_actions)

    @contextmanager
    def operation(self, request: Request) -> Iterator[Operation]:
        """What belongs together, so that its failures are counted together; waits while the host is being met."""
        endpoint = self.endpoint(request.repository.registry)
        endpoint.open_ahead()
        endpoint.introduction.begin(endpoint.warm)
        error: ManifestActionError | None = None
        try:
            yield Operation(self._patience(endpoint), partial(self._challenged, endpoint, request))
        except ManifestActionError as raised:
            error = raised
            raise
        finally:
            endpoint.introduction.failed(error)

    def attempt(self, request: Request) -> Reply | Failure:
        """Ask once. A streamed body is used up by it."""
        return self._try(request, partial(self._read, request))

    def _try(self, request: Request, use: Callable[[Answer, Url], Result]) -> Result | Failure:
        endpoint = self.endpoint(request.repository.registry)
        authorization = self._authorization(endpoint, request)
        try:
            with endpoint.gate.place():
                answer, url, is_home = self._follow(endpoint, request, authorization)
                if answer.status in request.expected:
                    _refuse_encoding(request, answer)
                    result = use(answer, url)
                    endpoint.gate.succeeded()
                    if authorization:
                        endpoint.auth.accepted()
                    endpoint.introduction.done()
                    return result
                reply = Reply(answer.status, answer.headers, _error_body(answer), url)
        except Broken as error:
            return broken(request, error.host or endpoint.registry, error)
        if reply.status != 401:
            endpoint.introduction.done()
        failure = refused(request, reply, self.caller(request.repository), self._secrets.redact, authorization)
        return failure if is_home else replace(failure, challenges=())

    def _follow(self, endpoint: Endpoint, request: Request, authorization: str) -> tuple[Answer, Url, bool]:
        """The answer after redirects, where it came from, and whether the login was good for that place.

        Once a redirect has left the registry, the login stays behind for good.
        """
        home = endpoint.home.url
        url = request.location or home.at(request.path)
        is_home = url.origin == home.origin
        for _ in range(REDIRECT_LIMIT + 1):
            answer = self._ask(endpoint, request, url, authorization if is_home else "")
            try:
                target = next_hop(request, answer.status, answer.headers.get("Location"), url, endpoint.home)
            except ValueError as error:
                answer.close()
                raise RegistryError(request.what, where=request.where, why=f"{url.authority}: {error}") from None
            if target is None:
                return answer, url, is_home
            _error_body(answer)
            is_home = is_home and target.origin == home.origin
            url = target
        raise RegistryError(request.what, where=request.where, why=f"more than {REDIRECT_LIMIT} redirects")

    def _cancel(self, request: Request) -> None:
        """Ask without making up for failures, and on connections of its own: those of a stopped run are broken.

        A session that holds more than its address says is cancelled at the address that its status gives; what was
        sent before the end may still be coming in, so that this address is behind soon.
        """
        endpoint = self.endpoint(request.repository.registry)
        home = endpoint.home
        connections = self._connecting(_FAREWELL)

        def ask(method: str, url: Url) -> Answer:
            ready = endpoint.auth.ready(request.repository, request.scopes) if url.origin == home.url.origin else ""
            answer = self._ask(endpoint, replace(request, method=method), url, ready, connections)
            answer.close()
            return answer

        url = request.location or home.url.at(request.path)
        try:
            for pause in _CATCHING_UP:
                time.sleep(pause)
                if ask(request.method, url).status != 416:
                    break
                url = allowed_target(url, ask("GET", url).headers.get("Location"), home)
        finally:
            connections.close()

    def _connecting(self, limits: Limits) -> Connections:
        return Connections(lambda verified: self._trust.context(verified=verified), self._proxies, self._dialer, limits)

    def _ask(
        self,
        endpoint: Endpoint,
        request: Request,
        url: Url,
        authorization: str,
        connections: Connections | None = None,
    ) -> Answer:
        connections = connections or self._connections
        headers = {"Host": url.authority, "User-Agent": _USER_AGENT, "Accept-Encoding": "identity", **request.headers}
        if request.method in _WITH_BODY:
            headers["Content-Length"] = str(len(request.body))
        if authorization:
            headers["Authorization"] = authorization
        answer = connections.ask(
            request.method,
            url,
            tuple(headers.items()),
            request.body,
            answer_timeout=connections.limits.idle + request.grace,
            verified=self._is_verified(url),
            check=partial(endpoint.check, url),
        )
        for text in read_warnings(answer.headers):
            self._warn(f"{url.authority} warns: {self._secrets.redact(text)}")
        return answer

    def _read(self, request: Request, answer: Answer, url: Url) -> Reply:
        """Read an expected answer to its end; RegistryError when it is over the limit."""
        answer.begin_body(self._limits.answer)
        body = _content(answer, request.limit)
        if len(body) > request.limit:
            answer.close()
            why = f"the answer has more than {request.limit} bytes"
            raise RegistryError(request.what, where=request.where, why=why, status=answer.status)
        return Reply(answer.status, answer.headers, body, url)

    def _opened(self, answer: Answer, _: Url) -> Answer:
        answer.begin_body(inf)
        return answer

    def _authorization(self, endpoint: Endpoint, request: Request) -> str:
        try:
            header = endpoint.auth.header(request.repository, request.scopes)
        except TokenRefused as error:
            raise self._no_token(request, error) from None
        if header.startswith("Bearer "):
            endpoint.introduction.done()
        return header

    def _challenged(self, endpoint: Endpoint, request: Request, failure: Failure) -> bool:
        """Whether asking again with another login makes sense after a 401."""
        try:
            return endpoint.auth.challenged(
                request.repository, request.scopes, failure.challenges, failure.authorization, endpoint.home
            )
        except ValueError as error:
            raise AuthError(request.what, where=request.where, why=f"{endpoint.registry}: {error}") from None

    def _ask_token(self, registry: str, repository: Repository, asked: TokenRequest) -> Reply:
        """Send a request to a token server and give its answer; only passing trouble is met by asking again."""
        endpoint = self.endpoint(registry)
        what, where = "cannot get a token", f"token server {asked.url.authority} of {registry}"
        request = Request(
            asked.method, repository, "", what, where, headers=asked.headers, body=asked.body, limit=TOKEN_LIMIT
        )
        patience = self._patience(endpoint)
        while True:
            try:
                # Whoever holds a place may be waiting for this very token, to read what it sends.
                with endpoint.gate.place(beyond_limit=True):
                    answer = self._ask(endpoint, request, asked.url, "")
                    reply = self._read(request, answer, asked.url)
            except Broken as error:
                failure = broken(request, asked.url.authority, error)
            else:
                failure = refused(request, reply, self.caller(request.repository), self._secrets.redact)
                if not failure.retry:
                    return reply
            patience.wait(failure)

    def _no_token(self, request: Request, error: TokenRefused) -> AuthError:
        caller = self.caller(request.repository)
        failure = refused(request, error.reply, caller, self._secrets.redact)
        host = error.reply.url.authority
        why = f"the token server {host} answered: {error.why or failure.error.why}"
        hint = failure.error.hint or login_hint(request.repository.registry, caller)
        return AuthError(request.what, where=request.where, why=why, hint=hint, status=failure.status)

    def _patience(self, endpoint: Endpoint) -> Patience:
        return Patience(endpoint.gate, self._budget, self._reporter, sleep=partial(self.pause, endpoint.registry))

    def _is_verified(self, url: Url) -> bool:
        return not self._insecure & {url.host, url.authority, f"{url.host}:{url.port}"}

    def _warn(self, text: str) -> None:
        with self._lock:
            if text in self._warned:
                return
            self._warned.add(text)
        self._reporter.emit(Warned(text))


def _content(answer: Answer, limit: int) -> bytes:
    """The body, read to its end or to a little over the limit."""
    chunks = []
    length = 0
    while length <= limit and (chunk := answer.read(min(CHUNK, limit + 1 - length))):
        chunks.append(chunk)
        length += len(chunk)
    return b"".join(chunks)


def _error_body(answer: Answer) -> bytes:
    """What there is of an answer that is no success; it matters little if it is cut short."""
    try:
        body = _content(answer, ERROR_LIMIT)
    except Broken:
        return b""
    answer.close()
    return b"" if _encoding(answer) else body


def _refuse_encoding(request: Request, answer: Answer) -> None:
    """Content with a digest must come as it is; decoding it would also let a small answer grow without bound."""
    if encoding := _encoding(answer):
        answer.close()
        why = f"the answer is encoded ({printable(encoding, 40)}), though it was asked for as it is"
        raise RegistryError(request.what, where=request.where, why=why, status=answer.status)


def _encoding(answer: Answer) -> str:
    return answer.headers.get("Content-Encoding").removeprefix("identity")
