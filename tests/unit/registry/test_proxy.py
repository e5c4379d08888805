import pytest

from manifest_action.errors import ConfigError
from manifest_action.transport.registry.proxy import Proxies
from manifest_action.transport.registry.url import Url

REGISTRY = Url.parse("https://registry.example")


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_names_in_either_case(name: str) -> None:
    proxy = Proxies({name: "http://proxy.example:3128"}).to(REGISTRY)
    assert proxy
    assert (proxy.host, proxy.port, proxy.authorization) == ("proxy.example", 3128, "")


def test_each_scheme_has_its_own_proxy() -> None:
    proxies = Proxies({"HTTP_PROXY": "http://plain.example:1", "HTTPS_PROXY": "secure.example:2"})
    plain, secure = proxies.to(Url.parse("http://registry.example")), proxies.to(REGISTRY)
    assert plain
    assert secure
    assert (plain.host, secure.host, secure.port) == ("plain.example", "secure.example", 2)
    assert Proxies({"HTTP_PROXY": "http://plain.example:1"}).to(REGISTRY) is None
    assert Proxies({}).to(REGISTRY) is None
    assert Proxies({"HTTPS_PROXY": " "}).to(REGISTRY) is None


def test_a_login_of_the_proxy_is_decoded_and_kept_secret() -> None:
    proxies = Proxies({"HTTPS_PROXY": "http://jane:p%40ss@proxy.example:3128"})
    proxy = proxies.to(REGISTRY)
    assert proxy
    assert proxy.authorization == "Basic amFuZTpwQHNz"
    assert "p@ss" in proxies.secrets
    assert "amFuZTpwQHNz" not in repr(proxy)
    assert "p@ss" not in repr(proxy)


@pytest.mark.parametrize(
    "value",
    [
        "*",
        "registry.example",
        ".example",
        "example",
        "other.example, REGISTRY.example",
        "registry.example:443",
        ".registry.example",
    ],
)
def test_exceptions(value: str) -> None:
    assert Proxies({"HTTPS_PROXY": "http://proxy.example", "NO_PROXY": value}).to(REGISTRY) is None


@pytest.mark.parametrize(
    "value", ["", "try.example", "registry.example:5000", "10.0.0.0/8", "registry.example.org", ","]
)
def test_no_exceptions(value: str) -> None:
    assert Proxies({"HTTPS_PROXY": "http://proxy.example", "no_proxy": value}).to(REGISTRY)


@pytest.mark.parametrize(
    ("host", "value"),
    [
        ("10.1.2.3", "10.0.0.0/8"),
        ("10.1.2.3:5000", "10.1.2.3"),
        ("[fd00::1]", "fd00::/8"),
        ("[fd00::1]", "[fd00::1]"),
        ("[fd00::1]:5000", "[fd00::1]:5000"),
        ("[fd00::1]", "fd00::1"),
    ],
)
def test_exceptions_for_addresses(host: str, value: str) -> None:
    assert Proxies({"HTTPS_PROXY": "http://proxy.example", "NO_PROXY": value}).to(Url.parse(f"https://{host}")) is None


@pytest.mark.parametrize("host", ["localhost:5000", "127.0.0.1:5000", "[::1]:5000"])
def test_this_machine_is_never_reached_by_a_proxy(host: str) -> None:
    assert Proxies({"HTTPS_PROXY": "http://proxy.example"}).to(Url.parse(f"https://{host}")) is None


@pytest.mark.parametrize(
    "value", ["socks5://canary", "https://canary:1", "http://", "http://canary:port", "http://[canary"]
)
def test_what_is_no_proxy_is_an_error_without_its_text(value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Proxies({"HTTPS_PROXY": value})
    assert "HTTPS_PROXY" in str(caught.value)
    assert "canary" not in str(caught.value)
