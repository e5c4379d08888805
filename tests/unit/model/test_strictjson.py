"""Strict JSON: one reading or none."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifest_action.model.strictjson import parse_object
from tests.support.strategies import JSON_OBJECTS


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON: .* at line 1 column 2"),
        (b"[]", "not a JSON object"),
        (b'"x"', "not a JSON object"),
        (b"null", "not a JSON object"),
        (b"{} {}", "not JSON: Extra data"),
        (b'{"a":1,}', "not JSON"),
        (b"{'a':1}", "not JSON"),
        (b'{"a":1,"a":1}', "the same key twice"),
        (b'{"x":[{"a":1,"\\u0061":2}]}', "the same key twice"),
        (b'{"a":NaN}', "NaN is not JSON"),
        (b'{"a":-Infinity}', "-Infinity is not JSON"),
        (b'{"a":' + b"9" * 21 + b"}", "an integer is too long"),
        (b'{"a":' + b"9" * 5000 + b"}", "an integer is too long"),
        (b'{"a":"\\ud800"}', "not UTF-8"),
        (b'{"\\udfff":1}', "not UTF-8"),
        (b'{"a":"\xff"}', "not UTF-8"),
        (b'\xef\xbb\xbf{"a":1}', "not JSON"),
        ('{"a":1}'.encode("utf-16"), "not UTF-8|not JSON"),
        (b'{"a":"\n"}', "not JSON"),
        (b'{"a":' + b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
    ],
)
def test_whatever_could_be_read_in_two_ways_is_refused(raw: bytes, complaint: str) -> None:
    started = time.perf_counter()
    with pytest.raises(ValueError, match=complaint) as caught:
        parse_object(raw)
    assert time.perf_counter() - started < 1
    assert len(str(caught.value)) < 200


def test_escaped_pairs_and_large_integers_are_fine() -> None:
    assert parse_object(b'{"a":"\\ud83d\\ude00","b":9007199254740991}') == {"a": "😀", "b": 2**53 - 1}


@given(JSON_OBJECTS, st.booleans())
def test_every_proper_object_is_read(document: dict[str, object], ascii_only: bool) -> None:
    assert parse_object(json.dumps(document, ensure_ascii=ascii_only).encode()) == document


@given(st.binary(max_size=60) | st.text(st.sampled_from('{}[]:,"\\ud8e1.0'), max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        document = parse_object(raw)
    except ValueError:
        return
    assert json.loads(raw) == document
