"""Text that is safe to show."""

import pytest

from manifest_action.adapters.text import bytes_text, columns, count, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, ümlauts and 漢字", "plain text, ümlauts and 漢字"),
        ("two\nlines\r", r"two\nlines\r"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("abc\u202etxt.exe", r"abc\u202etxt.exe"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("line\u2028separator", r"line\u2028separator"),
        ("nul\0 del\x7f c1\x9b", r"nul\x00 del\x7f c1\x9b"),
        ("hard\u00a0space", "hard space"),
        ("lone \ud800 surrogate", r"lone \ud800 surrogate"),
    ],
)
def test_whatever_does_not_simply_print_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(text).isprintable()


def test_long_text_is_cut_to_the_limit() -> None:
    assert printable("x" * 50, limit=50) == "x" * 50
    assert printable("x" * 51, limit=50) == "x" * 49 + "…"
    assert len(printable("\x1b" * 10_000_000, limit=100)) == 100


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1023, "1023 bytes"),
        (1024, "1.0 KiB"),
        (1000 * 1024, "1.0 MiB"),
        (3_500_000_000, "3.3 GiB"),
        (2**53, "8192.0 TiB"),
    ],
)
def test_sizes_are_written_for_people(size: int, shown: str) -> None:
    assert bytes_text(size) == shown


def test_nouns_agree_with_their_numbers() -> None:
    assert [count(n, "blob") for n in (0, 1, 2)] == ["0 blobs", "1 blob", "2 blobs"]


def test_columns_are_aligned_and_end_without_spaces() -> None:
    assert columns([("a", "bbb", "c"), ("aaaa", "b", "")]) == ["  a     bbb  c", "  aaaa  b"]
    assert columns([]) == []
