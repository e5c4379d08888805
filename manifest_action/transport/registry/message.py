"""Requests and answers as values, whatever carries them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from manifest_action.model.reference import Repository
from manifest_action.transport.registry.scope import Scope
from manifest_action.transport.registry.url import Url

ERROR_LIMIT = 64 * 1024
"""Bytes that are read of an answer whose body is not the thing that was asked for."""


class Broken(Exception):
    """An exchange that did not come to its end, and why in a few words that hold nothing the other side said.

    permanent: trying again will not help (a certificate that is not accepted, a forbidden address)
    stale:     the other side had closed the connection before it answered anything
    host:      whom it was with, when that is known
    """

    def __init__(self, reason: str, *, permanent: bool = False, stale: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.permanent = permanent
        self.stale = stale
        self.host = ""


class NotTLS(Broken):
    """The other side does not speak TLS; when that is not permanent, it may also just have hung up."""


class Body(Protocol):
    """A request body that streams: it has exactly `len()` bytes left to read."""

    def __len__(self) -> int:
        """How many bytes are left."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; empty at the end."""


class Headers:
    """The header fields of an answer, in order; names are compared without case."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._fields = tuple((name.lower(), value.strip()) for name, value in fields)

    def get(self, name: str, default: str = "") -> str:
        """The first value of a field."""
        return next(iter(self.all(name)), default)

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of a field."""
        wanted = name.lower()
        return tuple(value for field_name, value in self._fields if field_name == wanted)


@dataclass(frozen=True, slots=True)
class Request:
    """One thing that is asked of the registry of `repository`.

    path:     request target at the registry; not used when there is a `location`
    what:     what cannot be done if it fails, such as `cannot read the manifest`
    where:    the reference it is about, for error messages
    location: an address that the registry gave to continue at, maybe on another host
    body:     sent with its length, never chunked
    scopes:   what a token must allow
    expected: statuses that are an answer; every other one is a failure
    limit:    bytes that the body of an expected answer may have
    grace:    seconds that the answer may take beyond the usual, because there is a lot to do for it
    stay:     do not follow redirects to another host
    """

    method: str
    repository: Repository
    path: str
    what: str
    where: str
    location: Url | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Body = b""
    scopes: tuple[Scope, ...] = ()
    expected: frozenset[int] = frozenset({200})
    limit: int = ERROR_LIMIT
    grace: float = 0.0
    stay: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that was read to its end; `url` is where it came from, after redirects."""

    status: int
    headers: Headers
    body: bytes = field(repr=False)
    url: Url
