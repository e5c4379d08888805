import json

import pytest

from manifest_action.errors import AuthError, NetworkError, RateLimited, RegistryError
from manifest_action.model.reference import parse_repository
from manifest_action.transport.registry.failure import Failure, broken, printable, read_refusal, refused
from manifest_action.transport.registry.hints import Caller
from manifest_action.transport.registry.message import Broken, Headers, NotTLS, Reply, Request
from manifest_action.transport.registry.url import Url
from manifest_action.transport.registry.warning import read_warnings

IN_ACTIONS = Caller(in_actions=True)
LOGGED_IN = Caller("input registries", in_actions=True)


def request(method: str = "PUT", host: str = "registry.example") -> Request:
    return Request(method, parse_repository(f"{host}/acme/app"), "/", "cannot push the manifest", f"{host}/acme/app:1")


def reply(status: int, body: object = b"", **headers: str) -> Reply:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = ((name.replace("_", "-"), value) for name, value in headers.items())
    return Reply(status, Headers(fields), raw, Url.parse("https://registry.example/v2/"))


def said(code: str, message: str = "no") -> dict[str, object]:
    return {"errors": [{"code": code, "message": message, "detail": {"x": 1}}]}


def fail(answer: Reply, *, method: str = "PUT", host: str = "registry.example", caller: Caller = LOGGED_IN) -> Failure:
    return refused(request(method, host), answer, caller, lambda text: text.replace("canary", "***"))


@pytest.mark.parametrize("status", [408, 425, 429, 499, 500, 502, 503, 504, 520, 521, 522, 523, 524])
def test_passing_trouble_is_tried_again(status: int) -> None:
    assert fail(reply(status)).retry


@pytest.mark.parametrize(
    "status", [301, 400, 401, 403, 404, 405, 409, 410, 411, 412, 413, 414, 415, 416, 501, 505, 525]
)
def test_everything_else_is_final(status: int) -> None:
    assert not fail(reply(status)).retry


def test_the_code_for_too_many_requests_counts_under_any_status() -> None:
    failure = fail(reply(403, said("TOOMANYREQUESTS")))
    assert failure.retry
    assert failure.throttled
    assert isinstance(failure.error, RateLimited)


@pytest.mark.parametrize(
    ("status", "headers", "throttled"),
    [
        (429, {}, True),
        (429, {"Retry_After": "3"}, True),
        (503, {"Retry_After": "3"}, True),
        (503, {}, False),
        (500, {}, False),
    ],
)
def test_who_asks_everybody_to_slow_down(status: int, headers: dict[str, str], throttled: bool) -> None:
    failure = fail(reply(status, **headers))
    assert failure.throttled == throttled
    assert failure.retry_after == headers.get("Retry_After", "")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, AuthError),
        (403, AuthError),
        (429, RateLimited),
        (400, RegistryError),
        (404, RegistryError),
        (500, RegistryError),
    ],
)
def test_the_class_of_the_error(status: int, kind: type[RegistryError]) -> None:
    error = fail(reply(status, said("denied", "requested access is denied"))).error
    assert type(error) is kind
    assert (error.what, error.where) == ("cannot push the manifest", "registry.example/acme/app:1")
    assert error.why == f"HTTP {status} DENIED: requested access is denied"
    assert (error.status, error.codes) == (status, ("DENIED",))


@pytest.mark.parametrize(
    ("body", "codes", "text"),
    [
        (said("NAME_UNKNOWN", "unknown"), ("NAME_UNKNOWN",), "unknown"),
        ({"errors": [{"code": "A", "message": "x"}, {"code": "B", "message": "y"}]}, ("A", "B"), "x; y"),
        ({"errors": [{"code": "A"}, "x", None, {"code": 5, "message": 6}]}, ("A", "5"), ""),
        ({"errors": "no list", "message": "text"}, (), "text"),
        ({"errors": []}, (), ""),
        ({"details": "incorrect username or password"}, (), "incorrect username or password"),
        ({"error": "invalid_grant", "error_description": "bad token"}, (), "bad token; invalid_grant"),
        ([1, 2], (), "[1, 2]"),
        (b"Forbidden\n", (), "Forbidden"),
        (b"<html><body>secret page</body></html>", (), "a web page instead of a registry's answer"),
        (b"\xff\xfe\x00", (), "\ufffd" * 3),
        (b"", (), ""),
        (b"[" * 60_000, (), "[" * 299 + "…"),
    ],
)
def test_what_registries_say_is_read_whatever_its_form(body: object, codes: tuple[str, ...], text: str) -> None:
    assert read_refusal(reply(400, body)) == (codes, text)


def test_web_pages_are_known_by_their_type_too() -> None:
    assert "web page" in read_refusal(reply(502, b"Bad gateway", Content_Type="text/html; charset=utf-8"))[1]


def test_what_registries_say_is_capped_and_harmless() -> None:
    hostile = "\n::set-output name=x::y\r\n\x1b[31mred\x00\u202egnol" + "a" * 1000
    text = read_refusal(reply(400, said("X\n" * 100, hostile)))
    assert text[1].startswith("::set-output name=x::y \ufffd[31mred\ufffd\ufffdgnol")
    assert len(text[1]) == 300
    assert len(text[0][0]) <= 64
    for part in (text[1], *text[0]):
        assert part.isprintable()


def test_printable_takes_no_time_for_much_text() -> None:
    assert len(printable("\n" * 10**7, 300)) == 0


def test_secrets_that_a_registry_sends_back_are_blanked_out() -> None:
    error = fail(reply(400, said("X", "your token canary is bad"))).error
    assert "canary" not in f"{error!r}{error}{error.hint}"


def test_challenges_are_taken_from_a_401_only() -> None:
    header = 'Bearer realm="https://auth.example/token"'
    assert fail(reply(401, WWW_Authenticate=header)).challenges
    assert not fail(reply(403, WWW_Authenticate=header)).challenges


@pytest.mark.parametrize(
    ("status", "body", "host", "words"),
    [
        (403, said("DENIED", "permission_denied: write_package"), "ghcr.io", "packages: write"),
        (403, said("DENIED", "denied"), "ghcr.io", "Manage Actions access"),
        (
            403,
            said("DENIED", "Your authorization token has expired. Reauthenticate"),
            "x.amazonaws.com",
            "log in again",
        ),
        (404, said("NAME_UNKNOWN", "The repository does not exist"), "x.amazonaws.com", "create the repository"),
        (
            400,
            said("TAG_INVALID", "The image tag '1' already exists and cannot be overwritten"),
            "x.amazonaws.com",
            "keep-equal",
        ),
        (400, said("ImageTagAlreadyExistsException"), "x.amazonaws.com", "keep-equal"),
        (412, said("PRECONDITION", "configured as immutable"), "harbor.example", "keep-equal"),
        (413, b"", "registry.example", "larger than"),
        (400, said("MANIFEST_INVALID", "http: request body too large"), "registry.example", "larger than"),
        (415, b"", "zot.example", "format: oci"),
        (400, said("MANIFEST_BLOB_UNKNOWN"), "registry.example", "run it again"),
        (400, said("MANIFEST_INVALID", "manifest invalid"), "swr.example", "format: docker"),
        (400, said("DIGEST_INVALID"), "registry.example", "changes content"),
        (429, b"", "docker.io", "log in"),
        (507, b"", "registry.example", "no space"),
        (503, b"", "registry.example", "status page"),
    ],
)
def test_known_refusals_come_with_advice(status: int, body: object, host: str, words: str) -> None:
    assert words in fail(reply(status, body), host=host).error.hint


def test_reading_from_github_is_not_advised_to_write() -> None:
    assert "packages: write" not in fail(reply(403, said("DENIED")), method="GET", host="ghcr.io").error.hint


@pytest.mark.parametrize("status", [401, 403])
def test_without_a_login_the_ways_to_one_are_named(status: int) -> None:
    in_actions = fail(reply(status), caller=IN_ACTIONS).error.hint
    for words in ("not visible inside a container", "`username`", "`registries`", "DOCKER_CONFIG", "on the runner"):
        assert words in in_actions
    assert "github-token" not in in_actions
    assert "github-token" in fail(reply(status), host="ghcr.io", method="GET", caller=IN_ACTIONS).error.hint
    at_a_terminal = fail(reply(status), caller=Caller()).error.hint
    assert "docker login registry.example" in at_a_terminal
    assert "container action" not in at_a_terminal
    assert "input registries" in fail(reply(status), caller=LOGGED_IN).error.hint


def test_a_connection_that_breaks_is_a_network_error() -> None:
    failure = broken(request(), "registry.example", Broken("it stopped answering"))
    assert failure.retry
    assert failure.status == 0
    assert isinstance(failure.error, NetworkError)
    assert failure.error.why == "registry.example: it stopped answering"
    assert "registry.example" in failure.error.hint


def test_some_breaks_are_permanent_and_have_advice_of_their_own() -> None:
    no_tls = broken(request(), "registry.example", NotTLS("it does not speak TLS", permanent=True))
    assert not no_tls.retry
    assert "insecure-registries" in no_tls.error.hint
    reason = "its certificate is not accepted (self-signed certificate)"
    assert "ca-certificates" in broken(request(), "r.example", Broken(reason, permanent=True)).error.hint


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ('299 - "This registry closes in May"', ("This registry closes in May",)),
        (r'299 - "a \"quoted\" \\ word"', (r'a "quoted" \ word',)),
        ('299 - "::error::\x1b[0m"', ("::error::\ufffd[0m",)),
        ('299 - ""', ()),
        ('199 - "other"', ()),
        ('299 - "open', ()),
        ('299 - "', ()),
        ("", ()),
    ],
)
def test_warnings(value: str, texts: tuple[str, ...]) -> None:
    assert read_warnings(Headers([("warning", value)])) == texts
