"""Docker's config.json and containers-auth.json(5), read without any input or output."""

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from manifest_action.model.credential import Credential
from manifest_action.model.reference import Repository
from manifest_action.model.strictjson import parse_object

DOCKER_HUB_KEY = "https://index.docker.io/v1/"
_DOCKER_HUB = "docker.io"
_DOCKER_HUB_ALIASES = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"})


@dataclass(frozen=True, slots=True)
class AuthFile:
    """What an auth file says, with its keys as `registry_key` writes them.

    entries:  key to the entry's object, not checked yet: a broken one matters only to who needs it
    programs: host to the suffix of its credential program (`credHelpers`)
    program:  the suffix of the credential program for every other host (`credsStore`)
    """

    entries: Mapping[str, object] = field(default_factory=dict, repr=False, hash=False)
    programs: Mapping[str, str] = field(default_factory=dict, hash=False)
    program: str = ""

    @classmethod
    def parse(cls, raw: bytes) -> "AuthFile":
        """Read the JSON text; ValueError says what is wrong without quoting any of it."""
        document = parse_object(raw)
        programs = {
            registry_key(host): _text(suffix, "credHelpers") for host, suffix in _members(document, "credHelpers")
        }
        entries = {registry_key(key): entry for key, entry in _members(document, "auths")}
        return cls(entries, programs, _text(document.get("credsStore"), "credsStore"))

    def program_for(self, repository: Repository) -> str:
        """The suffix of the credential program that knows this registry, empty when none does."""
        return self.programs.get(repository.registry) or self.program

    def credential(self, repository: Repository, origin: str) -> Credential | None:
        """The credential of the most specific entry, None when there is none; ValueError when it cannot be read."""
        for key in candidate_keys(repository):
            if key in self.entries:
                credential = _credential(self.entries[key], origin)
                if not credential.is_anonymous:
                    return credential
        return None


def candidate_keys(repository: Repository) -> Iterator[str]:
    """The keys that may hold a repository's credential, most specific first: host/ns/name, host/ns, host."""
    parts = [repository.registry, *repository.name.split("/")]
    for length in range(len(parts), 0, -1):
        yield "/".join(parts[:length])


def registry_key(text: str) -> str:
    """`host[:port][/path]` of a key as people and programs write it: with a scheme, an API version, an alias."""
    key = text.strip()
    for scheme in ("https://", "http://"):
        key = key.removeprefix(scheme)
    key = key.rstrip("/")
    for version in ("/v1", "/v2"):
        key = key.removesuffix(version)
    host, slash, path = key.partition("/")
    host = host.lower()
    return f"{_DOCKER_HUB if host in _DOCKER_HUB_ALIASES else host}{slash}{path}"


def server_name(registry: str) -> str:
    """What credential programs call a registry."""
    return DOCKER_HUB_KEY if registry == _DOCKER_HUB else registry


def _credential(entry: object, origin: str) -> Credential:
    if not isinstance(entry, Mapping):
        raise ValueError("an entry of auths is no object")
    username = _text(entry.get("username"), "username")
    password = _text(entry.get("password"), "password")
    if auth := _text(entry.get("auth"), "auth"):
        username, password = _pair(auth)
    return Credential(
        username,
        password,
        _text(entry.get("identitytoken"), "identitytoken"),
        _text(entry.get("registrytoken"), "registrytoken"),
        origin,
    )


def _pair(auth: str) -> tuple[str, str]:
    try:
        text = base64.b64decode(auth, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeError):
        raise ValueError("an entry's auth is no base64 text") from None
    username, colon, password = text.rstrip("\0").partition(":")
    if not colon:
        raise ValueError("an entry's auth holds no user:password")
    return username, password


def _members(document: Mapping[str, object], name: str) -> Iterator[tuple[str, object]]:
    value = document.get(name)
    if value is None:
        return
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} is no object")
    yield from value.items()


def _text(value: object, name: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{name} is no text")
    return value
