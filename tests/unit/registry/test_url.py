import pytest

from manifest_action.transport.registry.url import Url

BASE = Url.parse("https://registry.example/v2/acme/app/blobs/uploads/?_state=a%2fb")


@pytest.mark.parametrize(
    ("text", "origin", "target"),
    [
        ("https://Registry.Example", "https://registry.example", "/"),
        ("https://registry.example:443/v2/", "https://registry.example", "/v2/"),
        ("http://registry.example:80/", "http://registry.example", "/"),
        ("https://registry.example:80/", "https://registry.example:80", "/"),
        ("http://[::1]:5000/v2/", "http://[::1]:5000", "/v2/"),
        ("https://registry.example?x=1", "https://registry.example", "/?x=1"),
        ("https://registry.example/a?b=https://c/d", "https://registry.example", "/a?b=https://c/d"),
        (
            "https://registry.example/../%2e%2E/a%2fb%2Fc?d=%3a+|<>#fragment",
            "https://registry.example",
            "/../%2e%2E/a%2fb%2Fc?d=%3a+|<>",
        ),
    ],
)
def test_the_request_target_stays_as_it_was_given(text: str, origin: str, target: str) -> None:
    url = Url.parse(text)
    assert (url.origin, url.target) == (origin, target)


@pytest.mark.parametrize(
    "text",
    [
        "ftp://registry.example/",
        "file:///etc/passwd",
        "//registry.example/",
        "https://",
        "https:///path",
        "https://user:password@registry.example/",
        "https://registry.example:0/",
        "https://registry.example:65536/",
        "https://registry.example:-1/",
        "https://registry.example:80:80/",
        "https://registry.example/a b",
        "https://registry.example/a\r\nHost: evil",
        "https://registry.example/\x00",
        "https://registry.example\\@evil.example/",
        "https://registry.éxample/",
        "https://ｌocalhost/",
        "https://registry.example%2f/",
        "https://[::1/",
        "https://registry.example/" + "a" * 20_000,
    ],
)
def test_addresses_that_are_none_are_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        Url.parse(text)
    assert (
        "password" not in str(caught.value)
        or text.count("password") == 0
        or "user name or password" in str(caught.value)
    )
    assert "evil" not in str(caught.value)


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("https://storage.example/x?Signature=a%2Bb", "https://storage.example/x?Signature=a%2Bb"),
        ("//storage.example/x", "https://storage.example/x"),
        (
            "/v2/acme/app/blobs/uploads/1?_state=%7e==",
            "https://registry.example/v2/acme/app/blobs/uploads/1?_state=%7e==",
        ),
        ("1?_state=x", "https://registry.example/v2/acme/app/blobs/uploads/1?_state=x"),
        ("?_state=x", "https://registry.example/v2/acme/app/blobs/uploads/?_state=x"),
        ("/a?next=https://evil.example", "https://registry.example/a?next=https://evil.example"),
        ("", "https://registry.example/v2/acme/app/blobs/uploads/?_state=a%2fb"),
    ],
)
def test_locations_are_read_where_they_were_found(location: str, expected: str) -> None:
    joined = BASE.join(location)
    assert joined.origin + joined.target == expected


def test_adding_to_a_query_leaves_the_rest_alone() -> None:
    assert BASE.adding("digest=sha256:0").target == "/v2/acme/app/blobs/uploads/?_state=a%2fb&digest=sha256:0"
    assert Url.parse("https://r.example/u").adding("digest=sha256:0").target == "/u?digest=sha256:0"


def test_the_printed_form_has_no_query() -> None:
    assert str(BASE) == "https://registry.example/v2/acme/app/blobs/uploads/"
