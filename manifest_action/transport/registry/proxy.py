"""Which proxy leads to which host, from the environment variables that programs share (HTTPS_PROXY, NO_PROXY…)."""

import base64
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from manifest_action.errors import ConfigError, Problem
from manifest_action.transport.registry.address import Zone, zone_of_host
from manifest_action.transport.registry.url import Url


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where a proxy listens, and the value of `Proxy-Authorization` for it (empty for none)."""

    host: str
    port: int
    authorization: str = field(default="", repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)


class Proxies:
    """HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY of `environment`; lower-case names win, as with curl.

    Loopback hosts are never proxied. NO_PROXY lists, with commas: `*`, host names (which stand for their
    subdomains too), addresses, networks (`10.0.0.0/8`), each maybe with `:port`.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._proxies = {scheme: _proxy(environment, scheme) for scheme in ("http", "https")}
        self._exceptions = [part.strip().lower() for part in _variable(environment, "no_proxy").split(",")]

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be printed."""
        return tuple(secret for proxy in self._proxies.values() if proxy for secret in proxy.secrets)

    def to(self, url: Url) -> Proxy | None:
        """The proxy to use for an address, None for a direct connection."""
        proxy = self._proxies[url.scheme]
        if proxy is None or zone_of_host(url.host) is Zone.LOOPBACK:
            return None
        return None if any(_matches(part, url) for part in self._exceptions if part) else proxy


def _proxy(environment: Mapping[str, str], scheme: str) -> Proxy | None:
    name = f"{scheme}_proxy"
    text = _variable(environment, name) or _variable(environment, "all_proxy")
    if not text:
        return None
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = parts.hostname, parts.port or 80
    except ValueError:
        host, port, parts = None, 0, urlsplit("")
    if not host or parts.scheme != "http":
        raise ConfigError([Problem(f"the proxy in {name.upper()} is no http://host:port", path=name.upper())])
    if parts.password is None:
        return Proxy(host, port)
    user, password = unquote(parts.username or ""), unquote(parts.password)
    pair = base64.b64encode(f"{user}:{password}".encode()).decode()
    return Proxy(host, port, f"Basic {pair}", (password, pair))


def _variable(environment: Mapping[str, str], name: str) -> str:
    return (environment.get(name) or environment.get(name.upper()) or "").strip()


def _matches(part: str, url: Url) -> bool:
    if part == "*":
        return True
    name, colon, port = part.rpartition(":")
    if colon and port.isdigit() and (":" not in name or name.endswith("]")):
        if int(port) != url.port:
            return False
        part = name
    host, wanted = url.hostname, part.strip("[]").lstrip(".")
    if "/" in wanted:
        return _within(host, wanted)
    return host == wanted or host.endswith(f".{wanted}")


def _within(host: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
