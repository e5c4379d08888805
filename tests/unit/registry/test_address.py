import ipaddress

import pytest

from manifest_action.transport.registry.address import Home, Zone, check_peer, check_target, zone_of_host, zone_of_peer
from manifest_action.transport.registry.url import Url


@pytest.mark.parametrize(
    ("host", "zone"),
    [
        ("registry.example", Zone.NAMED),
        ("10.example", Zone.NAMED),
        ("1.2.3.4.5", Zone.NAMED),
        ("256.1.1.1", Zone.NAMED),
        ("08.1.1.1", Zone.NAMED),
        ("140.82.112.34", Zone.PUBLIC),
        ("[2606:4700::1111]", Zone.PUBLIC),
        ("10.0.0.5", Zone.PRIVATE),
        ("192.168.1.1", Zone.PRIVATE),
        ("172.31.0.1", Zone.PRIVATE),
        ("100.64.0.1", Zone.PRIVATE),
        ("[fd00:ec2::254]", Zone.PRIVATE),
        ("localhost", Zone.LOOPBACK),
        ("registry.localhost", Zone.LOOPBACK),
        ("LOCALHOST.", Zone.LOOPBACK),
        ("127.0.0.1", Zone.LOOPBACK),
        ("127.8.8.8", Zone.LOOPBACK),
        ("127.1", Zone.LOOPBACK),
        ("0x7f.1", Zone.LOOPBACK),
        ("0x7f000001", Zone.LOOPBACK),
        ("2130706433", Zone.LOOPBACK),
        ("017700000001", Zone.LOOPBACK),
        ("0177.0.0.01", Zone.LOOPBACK),
        ("[::1]", Zone.LOOPBACK),
        ("[::ffff:127.0.0.1]", Zone.LOOPBACK),
        ("[64:ff9b::7f00:1]", Zone.LOOPBACK),
        ("169.254.169.254", Zone.FORBIDDEN),
        ("0xa9fea9fe", Zone.FORBIDDEN),
        ("2852039166", Zone.FORBIDDEN),
        ("[::ffff:169.254.169.254]", Zone.FORBIDDEN),
        ("[2002:a9fe:a9fe::1]", Zone.FORBIDDEN),
        ("[fe80::1]", Zone.FORBIDDEN),
        ("0.0.0.0", Zone.FORBIDDEN),
        ("0", Zone.FORBIDDEN),
        ("4294967296", Zone.NAMED),
        ("1.16777216", Zone.NAMED),
        ("1..2", Zone.NAMED),
        ("[fe80::1%eth0]", Zone.FORBIDDEN),
        ("[no-address]", Zone.NAMED),
        ("[::]", Zone.FORBIDDEN),
        ("224.0.0.1", Zone.FORBIDDEN),
    ],
)
def test_addresses_are_recognised_in_every_notation(host: str, zone: Zone) -> None:
    assert zone_of_host(host) is zone


def test_a_peer_with_a_scope_has_a_zone() -> None:
    assert zone_of_peer("fe80::1%eth0") is Zone.FORBIDDEN
    assert zone_of_peer("127.0.0.1") is Zone.LOOPBACK
    assert ipaddress.ip_address("127.0.0.1").is_loopback


PUBLIC = Home(Url.parse("https://registry.example"), Zone.PUBLIC)
LOCAL = Home(Url.parse("http://127.0.0.1:5000"), Zone.LOOPBACK, insecure=True)
COMPANY = Home(Url.parse("https://10.0.0.1"), Zone.PRIVATE)


@pytest.mark.parametrize(
    ("home", "target"),
    [
        (PUBLIC, "https://auth.example/token"),
        (PUBLIC, "https://registry.example/token"),
        (PUBLIC, "https://140.82.112.34/token"),
        (LOCAL, "http://127.0.0.1:5001/token"),
        (LOCAL, "http://localhost:5001/token"),
        (LOCAL, "https://auth.example/token"),
        (COMPANY, "https://10.0.0.2/token"),
        (COMPANY, "https://10.0.0.1/token"),
    ],
)
def test_servers_that_a_registry_may_name(home: Home, target: str) -> None:
    check_target(Url.parse(target), home)


@pytest.mark.parametrize(
    ("home", "target"),
    [
        (PUBLIC, "http://auth.example/token"),
        (PUBLIC, "http://registry.example/token"),
        (PUBLIC, "https://169.254.169.254/latest"),
        (PUBLIC, "https://127.0.0.1/token"),
        (PUBLIC, "https://localhost/token"),
        (PUBLIC, "https://2130706433/token"),
        (PUBLIC, "https://[::1]/token"),
        (PUBLIC, "https://10.0.0.1/token"),
        (LOCAL, "http://169.254.169.254/latest"),
        (LOCAL, "http://10.0.0.1/token"),
        (COMPANY, "https://127.0.0.1/token"),
        (COMPANY, "https://169.254.169.254/latest"),
        (Home(Url.parse("https://registry.example"), Zone.NAMED), "https://10.0.0.1/token"),
    ],
)
def test_servers_that_a_registry_may_not_name(home: Home, target: str) -> None:
    with pytest.raises(ValueError):
        check_target(Url.parse(target), home)


def test_names_may_lead_into_private_networks_but_not_to_this_machine() -> None:
    check_peer(Zone.PRIVATE, PUBLIC)
    check_peer(Zone.PUBLIC, PUBLIC)
    check_peer(Zone.LOOPBACK, LOCAL)
    for peer in (Zone.LOOPBACK, Zone.FORBIDDEN):
        with pytest.raises(ValueError):
            check_peer(peer, PUBLIC)
    with pytest.raises(ValueError):
        check_peer(Zone.FORBIDDEN, LOCAL)
