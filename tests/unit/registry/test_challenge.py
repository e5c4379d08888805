import time
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifest_action.transport.registry.challenge import Challenge, choose, parse_challenges

TOKEN = 'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a:pull,push"'


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", []),
        ("Basic", [("basic", {})]),
        ('Basic realm="a"', [("basic", {"realm": "a"})]),
        ("basic realm=a", [("basic", {"realm": "a"})]),
        ('BASIC  REALM = "a" ', [("basic", {"realm": "a"})]),
        (
            TOKEN,
            [
                (
                    "bearer",
                    {
                        "realm": "https://auth.example/token",
                        "service": "registry.example",
                        "scope": "repository:a:pull,push",
                    },
                )
            ],
        ),
        ('Basic realm="a", Bearer realm="b"', [("basic", {"realm": "a"}), ("bearer", {"realm": "b"})]),
        ('Basic realm="a, Bearer realm=b"', [("basic", {"realm": "a, Bearer realm=b"})]),
        ('Negotiate, Basic realm="a"', [("negotiate", {}), ("basic", {"realm": "a"})]),
        ('Negotiate YWJj==, Basic realm="a"', [("negotiate", {}), ("basic", {"realm": "a"})]),
        ('Bearer realm="/token"', [("bearer", {"realm": "/token"})]),
        (r'Basic realm="a \"quoted\" \\ text"', [("basic", {"realm": r'a "quoted" \ text'})]),
        ('Basic realm="never closed', [("basic", {"realm": "never closed"})]),
        (',, , Basic realm="a",,', [("basic", {"realm": "a"})]),
        ('Bearer realm="a",realm="b"', [("bearer", {"realm": "a"})]),
        ('Bearer error="insufficient_scope"', [("bearer", {"error": "insufficient_scope"})]),
        ('Bearer realm="a"; Basic realm="b"', [("bearer", {"realm": "a"})]),
        ('realm="a"', []),
        ('"quoted"', []),
        ("Bearer realm=", [("bearer", {})]),
    ],
)
def test_challenges_are_read(header: str, expected: list[tuple[str, Mapping[str, str]]]) -> None:
    assert [(each.scheme, dict(each.parameters)) for each in parse_challenges([header])] == expected


def test_several_headers_are_read_in_order() -> None:
    assert [each.scheme for each in parse_challenges(['Basic realm="a"', TOKEN])] == ["basic", "bearer"]


def test_bearer_with_a_realm_is_preferred() -> None:
    basic, bearer = Challenge("basic", {"realm": "a"}), Challenge("bearer", {"realm": "b"})
    assert choose([basic, bearer]) is bearer
    assert choose([Challenge("bearer"), basic]) is basic
    assert choose([Challenge("negotiate"), Challenge("bearer")]) is None
    assert choose([]) is None


@pytest.mark.parametrize(
    "header",
    [
        "a" * 65536,
        '"' * 65536,
        "\\" * 65536,
        "," * 65536,
        "a=" * 32768,
        "a " * 32768,
        "a /" * 21845,
        'Basic realm="' + "\\" * 65536,
        "Basic " + "a=b," * 16384,
        "Basic " + "/" * 65536,
        "a /=,/=" * 9362,
    ],
)
def test_hostile_headers_take_no_time(header: str) -> None:
    for text in (header, header[:16384]):
        start = time.thread_time()
        parse_challenges([text])
        assert time.thread_time() - start < 0.05


def test_oversized_headers_are_ignored() -> None:
    assert parse_challenges([TOKEN + " " * 16384]) == ()
    assert len(parse_challenges(["a, " * 100])) == 16


@given(st.text(alphabet='Basic realm="\\,=/ \t;x'))
def test_any_text_is_read_without_failing(text: str) -> None:
    for challenge in parse_challenges([text]):
        assert challenge.scheme


@given(st.text(alphabet=st.characters(codec="ascii", exclude_categories=["Cc"])), st.text(alphabet="abc:/,"))
def test_a_quoted_value_survives(value: str, scope: str) -> None:
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    (challenge,) = parse_challenges([f'Bearer realm="{quoted}", scope="{scope}"'])
    assert challenge.get("realm") == value
    assert challenge.get("scope") == scope
