import pytest

from manifest_action.model.reference import parse_repository
from manifest_action.transport.registry.address import Home, Zone
from manifest_action.transport.registry.message import Body, Request
from manifest_action.transport.registry.redirects import next_hop
from manifest_action.transport.registry.url import Url

HOME = Home(Url.parse("https://registry.example"), Zone.PUBLIC)
AT = Url.parse("https://registry.example/v2/app/blobs/x")
REDIRECTS = [301, 302, 303, 307, 308]


class Stream:
    def __len__(self) -> int:
        return 5

    def read(self, _size: int, /) -> bytes:
        return b""


def request(method: str, body: bytes | Body = b"", *, stay: bool = False) -> Request:
    return Request(method, parse_repository("registry.example/app"), "/", "cannot", "here", body=body, stay=stay)


def hop(method: str, status: int, location: str, *, at: Url = AT, home: Home = HOME, body: bytes | Body = b"") -> str:
    target = next_hop(request(method, body), status, location, at, home)
    return target.origin + target.target if target else ""


@pytest.mark.parametrize("status", REDIRECTS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reads_follow_every_redirect(method: str, status: int) -> None:
    assert hop(method, status, "https://cdn.example/x?Signature=a%2b") == "https://cdn.example/x?Signature=a%2b"
    assert hop(method, status, "/elsewhere") == "https://registry.example/elsewhere"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_writes_follow_only_what_keeps_them_writes(method: str) -> None:
    for status in (301, 302, 303):
        with pytest.raises(ValueError, match=method):
            hop(method, status, "https://cdn.example/x")
    for status in (307, 308):
        assert hop(method, status, "https://cdn.example/x") == "https://cdn.example/x"
        assert hop(method, status, "https://cdn.example/x", body=Stream()) == ""


@pytest.mark.parametrize("status", [200, 201, 300, 304, 305, 306, 400, 404])
def test_other_answers_are_results(status: int) -> None:
    assert hop("GET", status, "https://cdn.example/x") == ""


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "location",
    [
        "",
        "http://registry.example/x",
        "http://cdn.example/x",
        "file:///etc/passwd",
        "ftp://cdn.example/x",
        "gopher://127.0.0.1/",
        "//127.0.0.1:5000/x",
        "https://169.254.169.254/latest/meta-data",
        "https://2852039166/latest/meta-data",
        "https://[::1]/x",
        "https://localhost/x",
        "https://10.0.0.1/x",
        "https://user:canary@cdn.example/x",
        "https://cdn.example/\r\nX: y",
    ],
)
def test_places_that_must_not_be_asked(method: str, location: str) -> None:
    with pytest.raises(ValueError) as caught:
        hop(method, 307, location)
    assert "canary" not in str(caught.value)


def test_a_downgrade_on_the_same_host_is_explained() -> None:
    with pytest.raises(ValueError, match="X-Forwarded-Proto"):
        hop("POST", 307, "http://registry.example/v2/")


def test_a_downgrade_on_the_way_is_refused_too() -> None:
    home = Home(Url.parse("http://127.0.0.1:5000"), Zone.LOOPBACK, insecure=True)
    with pytest.raises(ValueError, match="https to http"):
        hop("GET", 302, "http://cdn.example/x", at=Url.parse("https://other.example/x"), home=home)


def test_staying_at_home() -> None:
    def stay(location: str) -> Url | None:
        return next_hop(request("GET", stay=True), 303, location, AT, HOME)

    assert stay("https://github.example/packages") is None
    assert stay("/v2/x") == HOME.url.at("/v2/x")
