"""References: names of repositories, tags and digests (OCI distribution-spec 1.1, "Pulling manifests").

A reference names a repository (a place that holds manifests, blobs and tags) and, within it, a tag, a digest
or both. For `docker://` the place is a registry host and a name there; for the file transports of
containers-transports(5) it is a path, and for local engines and stores the name that they know an image by.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from manifest_action.model.digest import Digest

DOCKER = "docker"
OCI = "oci"
OCI_ARCHIVE = "oci-archive"
DIRECTORY = "dir"
DOCKER_ARCHIVE = "docker-archive"
DOCKER_DAEMON = "docker-daemon"
CONTAINERS_STORAGE = "containers-storage"

_WITHOUT_DIGESTS = frozenset({DOCKER_DAEMON, CONTAINERS_STORAGE})
_DOCKER_HUB_NAMES = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"})
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:.]{{2,45}}\])(?::[0-9]{{1,5}})?")
_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_REFERENCE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+ -]{0,254}")
_IMAGE_ID = re.compile(r"[0-9a-f]{64}")
_POSITION = re.compile(r"@[0-9]{1,4}")
_DIGEST_STARTS = ("sha256:", "sha512:")
_NAME_LIMIT = 255


@dataclass(frozen=True, slots=True, order=True)
class Repository:
    """A place that holds manifests, blobs and tags.

    transport: a transport of containers-transports(5), without its colon
    registry:  host[:port] for `docker`, empty otherwise; Docker Hub is always `docker.io`
    name:      the repository's name at the registry, the path, or what a local engine or store calls it
    """

    transport: str
    registry: str
    name: str

    def __str__(self) -> str:
        if self.transport == DOCKER:
            return f"{self.registry}/{self.name}"
        return f"{self.transport}:{self.name}"


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """A repository with a tag, a digest, both or neither; with both, the digest decides."""

    repository: Repository
    tag: str = ""
    digest: Digest | None = None

    @property
    def selector(self) -> str:
        """What to ask the repository for: the digest, else the tag, else `latest` for a registry."""
        if self.digest:
            return str(self.digest)
        return self.tag or ("latest" if self.repository.transport == DOCKER else "")

    @property
    def selectors(self) -> tuple[str, ...]:
        """What to ask the repository for, one after the other; the last is `selector`.

        Engines and stores keep no digests of manifests: what is pinned there is read by its name (or image ID)
        first, and then has to be in what was read.
        """
        if self.digest and self.repository.transport in _WITHOUT_DIGESTS:
            return (self.tag, self.selector)
        return (self.selector,)

    @property
    def is_named(self) -> bool:
        """Whether something can be stored under it by name: places in files always name what they hold.

        For a registry that takes a tag; for a path, an empty name is the one image without a name there.
        """
        return bool(self.tag) or self.repository.transport != DOCKER

    def with_tag(self, tag: str) -> "Reference":
        """The same repository under another tag."""
        return Reference(self.repository, tag)

    def pinned(self, digest: Digest) -> "Reference":
        """The same reference pinned to `digest`."""
        return self if digest == self.digest else replace(self, digest=digest)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        host = self.repository.registry.partition(":")[0]
        # A registry at `oci:5000` would be read as a path of that transport.
        prefix = f"{DOCKER}://" if host in _PARSERS and host != self.repository.registry else ""
        return f"{prefix}{self.repository}{tag}{digest}"


def parse_reference(text: str) -> Reference:
    """Read `[transport:]reference`; without a transport it is `docker://`.

    - `docker://[host[:port]/]name[:tag][@digest]`, where names without a host are Docker Hub's
    - `oci:path[:name]` and `oci-archive:path[:name]`
    - `dir:path`
    - `docker-archive:path[:reference|@position]`; the tag is then the whole reference, or `@` with the position
    - `docker-daemon:reference` or `docker-daemon:sha256:<image ID>`
    - `containers-storage:[[store]]reference[@image ID]` or `containers-storage:[[store]]image ID`

    A reference within another transport is read as for `docker://`, with the tag `latest` where it has none.
    A digest at the end pins the manifest, whatever the transport. The whole is at most 255 characters for a name
    plus tag and digest. ValueError says what is wrong.
    """
    if not text or text != text.strip() or _CONTROL.search(text):
        raise ValueError("a reference may not be empty or hold spaces at its ends or control characters")
    scheme, colon, rest = text.partition(":")
    if colon and scheme in _PARSERS:
        return _PARSERS[scheme](scheme, rest)
    if rest.startswith("//"):
        if scheme == DOCKER:
            return _parse_docker(rest[2:])
        raise ValueError(_unknown_transport(scheme, text))
    return _parse_docker(text)


def is_tag(text: str) -> bool:
    """Whether `text` can be a registry tag: `[A-Za-z0-9_][A-Za-z0-9._-]{0,127}`."""
    return _TAG.fullmatch(text) is not None


def _unknown_transport(scheme: str, text: str) -> str:
    if scheme in ("http", "https"):
        return f"a reference has no {scheme}://; write {text.partition('//')[2]}"
    known = ", ".join(sorted(f"{name}://" if name == DOCKER else f"{name}:" for name in TRANSPORTS))
    return f"unknown transport {scheme[:40]!r}; known are {known}"


def _parse_docker(text: str) -> Reference:
    body, at, digest_text = text.partition("@")
    digest = Digest.parse(digest_text) if at else None
    slash = body.rfind("/")
    colon = body.rfind(":")
    tag = ""
    if colon > slash:
        body, tag = body[:colon], body[colon + 1 :]
        if not is_tag(tag):
            raise ValueError(f"tag {tag[:140]!r} does not fit [A-Za-z0-9_][A-Za-z0-9._-]{{0,127}}")
    return Reference(parse_repository(body), tag, digest)


@lru_cache(maxsize=1024)
def parse_repository(text: str) -> Repository:
    """Read `[host[:port]/]name` without tag or digest, as Docker does; ValueError says what is wrong."""
    head, slash, tail = text.partition("/")
    if slash and ("." in head or ":" in head or head.lower() == "localhost"):
        registry, name = head.lower(), tail
    elif slash and head != head.lower():
        # Docker takes it for a host by its capital letters alone, which are no part of a host's name: written in
        # lower case, it would lead to Docker Hub.
        raise ValueError(f"{head[:80]!r} is no part of a repository name; if it is a host, write its port, too")
    else:
        registry, name = "docker.io", text
    if "@" in registry:
        raise ValueError("a reference carries no user name or password")
    if not _HOST.fullmatch(registry):
        raise ValueError(f"{registry[:80]!r} is no registry host")
    if ":" in registry.rpartition("]")[2] and not 0 < int(registry.rpartition(":")[2]) < 65536:
        raise ValueError(f"{registry[:80]!r} has a port outside 1 to 65535")
    if registry in _DOCKER_HUB_NAMES:
        registry = "docker.io"
        if name and "/" not in name:
            name = f"library/{name}"
    _check_name(registry, name)
    return Repository(DOCKER, registry, name)


def _check_name(registry: str, name: str) -> None:
    if not name:
        raise ValueError("the repository's name is missing")
    if len(registry) + 1 + len(name) > _NAME_LIMIT:
        raise ValueError(f"host and name together are over {_NAME_LIMIT} characters")
    for component in name.split("/"):
        if not _COMPONENT.fullmatch(component):
            hint = "; names are lower case" if component != component.lower() else ""
            raise ValueError(f"{component[:80]!r} is no part of a repository name{hint}")


def _parse_layout(transport: str, text: str) -> Reference:
    body, at, digest_text = text.partition("@")
    digest = Digest.parse(digest_text) if at else None
    path, _, name = body.partition(":")
    if name and not _REFERENCE_NAME.fullmatch(name):
        raise ValueError(f"{name[:80]!r} is no reference name of a layout")
    return Reference(_place(transport, path), name, digest)


def _parse_directory(transport: str, text: str) -> Reference:
    path, digest = _split_pin(text)
    return Reference(_place(transport, path), "", digest)


def _parse_docker_archive(transport: str, text: str) -> Reference:
    body, digest = _split_pin(text)
    path, _, name = body.partition(":")
    if name and not _POSITION.fullmatch(name):
        name = full_name(name)
    return Reference(_place(transport, path), name, digest)


def _parse_daemon(transport: str, text: str) -> Reference:
    if text.startswith(_DIGEST_STARTS):
        return Reference(Repository(transport, "", str(Digest.parse(text))))
    return _named(transport, "", text)


def _parse_storage(transport: str, text: str) -> Reference:
    store, bracket, name = text.partition("]") if text.startswith("[") else ("", "", text)
    if text.startswith("[") and not bracket:
        raise ValueError("a store begins with [ and ends with ]")
    body, at, identity = name.rpartition("@")
    if not _IMAGE_ID.fullmatch(identity):
        return _named(transport, store + bracket, name)
    image = f"{full_name(body)}@{identity}" if at else identity
    return Reference(Repository(transport, "", f"{store}{bracket}{image}"))


_PARSERS: Mapping[str, Callable[[str, str], Reference]] = {
    OCI: _parse_layout,
    OCI_ARCHIVE: _parse_layout,
    DIRECTORY: _parse_directory,
    DOCKER_ARCHIVE: _parse_docker_archive,
    DOCKER_DAEMON: _parse_daemon,
    CONTAINERS_STORAGE: _parse_storage,
}
TRANSPORTS = frozenset({DOCKER, *_PARSERS})


def full_name(text: str) -> str:
    """`name[:tag]` as Docker means it, in full: `busybox` is `docker.io/library/busybox:latest`.

    ValueError when it is no such reference, or has a digest.
    """
    reference = _parse_docker(text)
    if reference.digest:
        raise ValueError(f"{text[:80]!r} has a digest; a name here has a tag at most")
    return str(reference if reference.tag else reference.with_tag("latest"))


def _named(transport: str, store: str, text: str) -> Reference:
    """An image that an engine or a store knows by a Docker reference."""
    found = _parse_docker(text)
    tag = found.tag or ("" if found.digest else "latest")
    return Reference(Repository(transport, "", f"{store}{found.repository}"), tag, found.digest)


def _split_pin(text: str) -> tuple[str, Digest | None]:
    """A path, in which `@` means nothing, and the digest that may follow it."""
    body, at, tail = text.rpartition("@")
    if at and tail.startswith(_DIGEST_STARTS):
        return body, Digest.parse(tail)
    return text, None


def _place(transport: str, path: str) -> Repository:
    if not path:
        raise ValueError(f"{transport}: needs a path")
    # Two spellings of one place must be one repository; `..` is left alone, as links decide what it means.
    parts = [part for part in path.split("/") if part not in ("", ".")]
    return Repository(transport, "", ("/" if path.startswith("/") else "") + "/".join(parts) or ".")
