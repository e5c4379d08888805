import pytest

from manifest_action.transport.registry.address import Zone
from manifest_action.transport.registry.auth import Authenticator
from manifest_action.transport.registry.dialer import Dialer
from manifest_action.transport.registry.endpoint import Endpoint
from manifest_action.transport.registry.gate import Gate
from manifest_action.transport.registry.keychain import Keychain
from manifest_action.transport.registry.limits import DEFAULT_LIMITS
from manifest_action.transport.registry.message import Broken, NotTLS
from manifest_action.transport.registry.options import RegistryOptions
from manifest_action.transport.registry.pool import Connections
from manifest_action.transport.registry.proxy import Proxies
from manifest_action.transport.registry.redaction import Secrets
from manifest_action.transport.registry.trust import Trust
from manifest_action.transport.registry.url import Url
from tests.unit.registry.listener import Events


class Opened(Connections):
    """Connections that are only noted; those to `broken` addresses fail."""

    def __init__(self, **broken: Broken) -> None:
        trust = Trust(RegistryOptions())
        super().__init__(lambda verified: trust.context(verified=verified), Proxies({}), Dialer(1.0), DEFAULT_LIMITS)
        self.broken = broken
        self.opened: list[tuple[str, bool]] = []

    def open(self, url: Url, *, verified: bool = True) -> None:
        self.opened.append((url.origin, verified))
        if url.scheme in self.broken:
            raise self.broken[url.scheme]


def endpoint(registry: str, connections: Opened, *, insecure: bool = False) -> Endpoint:
    keychain = Keychain(RegistryOptions(), lambda _: None)
    auth = Authenticator(keychain, Secrets(Events()), lambda *_: pytest.fail("no token is wanted"))
    return Endpoint(registry, connections, Gate(registry, 8), auth, insecure=insecure)


@pytest.mark.parametrize(
    ("registry", "origin"),
    [
        ("ghcr.io", "https://ghcr.io"),
        ("registry.example:5000", "https://registry.example:5000"),
        ("docker.io", "https://registry-1.docker.io"),
        ("10.0.0.1:5000", "https://10.0.0.1:5000"),
    ],
)
def test_most_registries_are_known_to_speak_tls(registry: str, origin: str) -> None:
    connections = Opened()
    found = endpoint(registry, connections)
    assert found.home.url.origin == origin
    assert not found.home.insecure
    assert connections.opened == []
    found.warm()
    assert connections.opened == [(origin, True)]


@pytest.mark.parametrize(
    ("registry", "insecure"),
    [("localhost:5000", False), ("127.0.0.1:5000", False), ("[::1]:5000", False), ("r.example:5000", True)],
)
def test_the_others_are_tried_with_tls_first(registry: str, insecure: bool) -> None:
    secure, plain = f"https://{registry}", f"http://{registry}"
    connections = Opened()
    found = endpoint(registry, connections, insecure=insecure)
    found.warm()
    assert connections.opened == [], "how to speak to it is not known yet"
    assert found.home.url.origin == secure
    assert found.home.url.origin == secure
    assert connections.opened == [(secure, not insecure)]

    connections = Opened(https=NotTLS("it does not speak TLS", permanent=True))
    found = endpoint(registry, connections, insecure=insecure)
    assert found.home.url.origin == plain
    assert found.home.insecure
    assert connections.opened == [(secure, not insecure), (plain, not insecure)]


def test_a_certificate_that_is_not_accepted_is_no_reason_to_speak_plainly() -> None:
    connections = Opened(https=Broken("its certificate is not accepted", permanent=True))
    with pytest.raises(Broken, match="certificate"):
        _ = endpoint("localhost", connections).home
    assert connections.opened == [("https://localhost", True)]


def test_without_a_port_the_other_schemes_port_is_tried_too() -> None:
    connections = Opened(https=Broken("refused"))
    assert endpoint("localhost", connections).home.url.origin == "http://localhost"
    with pytest.raises(Broken, match="refused"):
        _ = endpoint("localhost:5000", Opened(https=Broken("refused"))).home


def test_a_failure_is_not_remembered() -> None:
    connections = Opened(https=Broken("refused"), http=Broken("refused too"))
    found = endpoint("localhost", connections)
    with pytest.raises(Broken, match="refused too"):
        _ = found.home
    connections.broken = {}
    assert found.home.url.origin == "https://localhost"


def test_where_a_name_leads_is_looked_at() -> None:
    found = endpoint("registry.example", Opened())
    elsewhere = Url.parse("https://storage.example")
    found.check(found.home.url, Zone.PUBLIC)
    for harmless in (Zone.PUBLIC, Zone.PRIVATE, None):
        found.check(elsewhere, harmless)
    for peer in (Zone.LOOPBACK, Zone.FORBIDDEN):
        with pytest.raises(Broken, match=r"storage\.example must not be asked") as caught:
            found.check(elsewhere, peer)
        assert caught.value.permanent
    found.check(found.home.url, Zone.LOOPBACK)
    found.check(elsewhere, Zone.LOOPBACK)
