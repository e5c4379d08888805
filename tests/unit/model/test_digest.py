"""Digests: what is one, and whether content has it."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifest_action.model.digest import Digest
from tests.support.strategies import DIGESTS

EMPTY = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_the_digest_of_nothing_is_the_known_one() -> None:
    assert str(Digest.of(b"")) == EMPTY
    assert Digest.parse(EMPTY) == Digest.of(b"")
    assert Digest.parse(EMPTY).short == "e3b0c44298fc"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "looks like sha256"),
        ("sha256", "looks like sha256"),
        ("sha256:", "64 lower-case hex digits"),
        (EMPTY[:-1], "64 lower-case hex digits"),
        (EMPTY + "0", "64 lower-case hex digits"),
        (EMPTY.upper().replace("SHA256", "sha256"), "64 lower-case hex digits"),
        (EMPTY + "\n", "64 lower-case hex digits"),
        ("sha512:" + "0" * 64, "a sha512 digest has 128"),
        ("md5:d41d8cd98f00b204e9800998ecf8427e", "unknown digest algorithm 'md5'"),
        ("SHA256:" + "0" * 64, "unknown digest algorithm"),
        (":" + "0" * 64, "unknown digest algorithm ''"),
    ],
)
def test_what_is_no_digest_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Digest.parse(text)


def test_complaints_about_huge_texts_stay_short() -> None:
    for text in ("x" * 100_000, "x" * 100_000 + ":", "sha256:" + "x" * 100_000):
        with pytest.raises(ValueError) as caught:
            Digest.parse(text)
        assert len(str(caught.value)) < 300


@given(DIGESTS)
def test_text_and_value_are_the_same_thing(digest: Digest) -> None:
    assert Digest.parse(str(digest)) == digest


@given(st.binary(), st.sampled_from(["sha256", "sha512"]))
def test_content_matches_its_digest_only(content: bytes, algorithm: str) -> None:
    digest = Digest.of(content, algorithm)
    assert digest.encoded == hashlib.new(algorithm, content).hexdigest()
    assert digest.matches(content)
    assert not digest.matches(content + b"\0")
    hasher = digest.hasher()
    hasher.update(content)
    assert hasher.hexdigest() == digest.encoded
