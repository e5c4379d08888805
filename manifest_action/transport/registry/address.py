"""Where an IP address lies, however it is written, and which servers a registry may send us to.

A registry names other servers: where to get tokens, where blobs lie, where uploads go. None of these may
lead into networks that the registry itself could not reach (server-side request forgery).
"""

import ipaddress
from dataclasses import dataclass
from enum import Enum

from manifest_action.transport.registry.url import Url

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class Zone(Enum):
    """The network an address belongs to; NAMED is a host name, of which nothing is known before connecting."""

    NAMED = "named"
    PUBLIC = "public"
    PRIVATE = "private"
    LOOPBACK = "loopback"
    FORBIDDEN = "forbidden"
    """Link-local (cloud metadata services), multicast, unspecified and reserved addresses."""


def zone_of_host(host: str) -> Zone:
    """The zone of a URL's host. IPv4 is recognised in every form that `inet_aton(3)` takes."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return Zone.LOOPBACK
    address = _literal(name)
    return Zone.NAMED if address is None else zone_of_address(address)


def zone_of_address(address: IPAddress) -> Zone:
    """The zone of an address; one that carries another in it (IPv4 in IPv6) counts as that."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return zone_of_address(inner)
    if address.is_loopback:
        return Zone.LOOPBACK
    if address.is_link_local or address.is_multicast or address.is_unspecified or address.is_reserved:
        return Zone.FORBIDDEN
    return Zone.PUBLIC if address.is_global else Zone.PRIVATE


def zone_of_peer(text: str) -> Zone:
    """The zone of the address at the other end of a connection, as the system writes it."""
    return zone_of_address(ipaddress.ip_address(text.partition("%")[0]))


@dataclass(frozen=True, slots=True)
class Home:
    """A registry's own address, by which the servers that it names are judged.

    zone:     where it is, from its connection when there is one
    insecure: whether it may speak plain HTTP; only then may what it names
    """

    url: Url
    zone: Zone
    insecure: bool = False


def check_target(target: Url, home: Home) -> None:
    """See that a server which the registry at `home` named may be asked at all; ValueError says why not."""
    if target.origin == home.url.origin:
        return
    if target.scheme == "http" and not (home.insecure or home.url.scheme == "http"):
        raise ValueError("it is not encrypted (http), and the registry is (https)")
    zone = zone_of_host(target.host)
    if zone is Zone.NAMED or zone is Zone.PUBLIC:
        return
    if zone is Zone.FORBIDDEN or zone is not home.zone:
        raise ValueError(f"it is a {zone.value} address, and the registry is not at one")


def check_peer(peer: Zone, home: Home) -> None:
    """See that a name which the registry gave does not lead to this machine or a metadata service.

    Names may lead into private networks: companies give their own storage such names. ValueError says why not.
    """
    if peer is Zone.FORBIDDEN or (peer is Zone.LOOPBACK and home.zone is not Zone.LOOPBACK):
        raise ValueError(f"its name leads to a {peer.value} address")


def _literal(name: str) -> IPAddress | None:
    try:
        if name.startswith("["):
            return ipaddress.IPv6Address(name.strip("[]"))
        return ipaddress.IPv4Address(_aton(name))
    except ValueError:
        return None


def _aton(name: str) -> int:
    """IPv4 in one to four parts, each decimal, octal (0…) or hexadecimal (0x…); the last fills what is left."""
    parts = [_part(part) for part in name.split(".")]
    if len(parts) > 4 or any(part > 255 for part in parts[:-1]):
        raise ValueError("no IPv4 address")
    value = parts[-1]
    if value >= 256 ** (5 - len(parts)):
        raise ValueError("no IPv4 address")
    for place, part in enumerate(parts[:-1]):
        value += part << (24 - 8 * place)
    return value


def _part(text: str) -> int:
    if not text or len(text) > 16 or not text.isalnum():
        raise ValueError("no IPv4 address")
    if text.startswith("0x"):
        return int(text, 16)
    return int(text, 8 if text.startswith("0") and len(text) > 1 else 10)
