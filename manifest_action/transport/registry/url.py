"""Addresses whose request target is kept exactly as it was given (RFC 3986, section 5, without normalising).

Registries hand out opaque addresses, some of them signed: whoever re-encodes one breaks it.
"""

import re
from dataclasses import dataclass, replace

_PORTS = {"http": 80, "https": 443}
_API_HOSTS = {"docker.io": "registry-1.docker.io"}
_LENGTH_LIMIT = 16 * 1024
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9._-]{0,253}[a-z0-9_.])?|\[[0-9a-f:.]{2,45}\]")
_VISIBLE = re.compile(r"[!-~]*")


@dataclass(frozen=True, slots=True)
class Url:
    """An `http` or `https` address: where to connect, and the request target (path and query) to send there.

    host: lower case, an IPv6 address in brackets
    """

    scheme: str
    host: str
    port: int
    target: str = "/"

    @classmethod
    def parse(cls, text: str) -> "Url":
        """Read an absolute address of at most 16384 visible ASCII characters; ValueError says what is wrong.

        A user name or password in it is refused; a fragment is dropped.
        """
        if len(text) > _LENGTH_LIMIT:
            raise ValueError(f"an address has more than {_LENGTH_LIMIT} characters")
        if not _VISIBLE.fullmatch(text) or "\\" in text:
            raise ValueError("an address holds a space, a backslash, or a control or non-ASCII character")
        scheme, separator, rest = text.partition("://")
        scheme = scheme.lower()
        if not separator or scheme not in _PORTS:
            raise ValueError("an address is neither http:// nor https://")
        authority, target = _split(rest.partition("#")[0])
        host, port = _authority(authority, _PORTS[scheme])
        return cls(scheme, host, port, target)

    def join(self, location: str) -> "Url":
        """The address that `location` (absolute or relative) means when it was read here; ValueError as `parse`."""
        if "://" in location.partition("?")[0]:
            return Url.parse(location)
        if location.startswith("//"):
            return Url.parse(f"{self.scheme}:{location}")
        path, mark, _ = self.target.partition("?")
        if location.startswith("/"):
            target = location
        elif location.startswith("?"):
            target = path + location
        elif location:
            target = path[: path.rfind("/") + 1] + location
        else:
            target = self.target if mark else path
        return Url.parse(self.origin + target)

    def at(self, target: str) -> "Url":
        """The same host with another request target."""
        return replace(self, target=target)

    def adding(self, query: str) -> "Url":
        """The address with an encoded `name=value` added to its query; the rest stays as it is."""
        separator = "&" if "?" in self.target else "?"
        return replace(self, target=f"{self.target}{separator}{query}")

    @property
    def hostname(self) -> str:
        """The host as the system looks it up: an IPv6 address without brackets."""
        return self.host.strip("[]")

    @property
    def authority(self) -> str:
        """`host`, or `host:port` where the port is not the scheme's own."""
        return self.host if self.port == _PORTS[self.scheme] else f"{self.host}:{self.port}"

    @property
    def origin(self) -> str:
        """`scheme://authority`: what must be equal for two addresses to belong to one server."""
        return f"{self.scheme}://{self.authority}"

    def __str__(self) -> str:
        """The address without its query, which may hold secrets."""
        return self.origin + self.target.partition("?")[0]


def api_address(registry: str) -> Url:
    """Where the API of a registry (`host` or `host:port`) is by https; ValueError when that is no name of a host."""
    return Url.parse(f"https://{_API_HOSTS.get(registry, registry)}")


def _split(text: str) -> tuple[str, str]:
    """Authority and target of what follows `scheme://`."""
    end = min((place for place in (text.find("/"), text.find("?")) if place >= 0), default=len(text))
    target = text[end:]
    return text[:end], target if target.startswith("/") else f"/{target}"


def _authority(text: str, default_port: int) -> tuple[str, int]:
    if "@" in text:
        raise ValueError("an address holds a user name or password")
    host, port = text.lower(), ""
    if ":" in text.rpartition("]")[2]:
        host, _, port = host.rpartition(":")
    if not _HOST.fullmatch(host):
        raise ValueError("an address has no valid host")
    if not port:
        return host, default_port
    if not (port.isdigit() and len(port) <= 5 and 0 < int(port) < 65536):
        raise ValueError("an address has no valid port")
    return host, int(port)
