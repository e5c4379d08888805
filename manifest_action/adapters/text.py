"""Text that is safe to show, and the few ways numbers and tables are written."""

from collections.abc import Iterable, Sequence

LINE_LIMIT = 2000
_UNITS = ("KiB", "MiB", "GiB", "TiB")


def printable(text: str, limit: int = LINE_LIMIT) -> str:
    r"""`text` on one line of at most `limit` characters, with everything escaped that does not simply print.

    Line ends, terminal controls, and characters that hide or reorder others (zero width, bidirectional)
    become visible escapes such as `\n`, `\x1b` and `\u202e`.
    """
    shown = text[: limit + 1]
    if not shown.isprintable():
        shown = "".join(c if c.isprintable() else _escape(c) for c in shown)
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


def _escape(character: str) -> str:
    if character == "\u00a0":
        return " "
    return character.encode("unicode_escape").decode("ascii") if ord(character) != 0x7F else "\\x7f"


def bytes_text(size: int) -> str:
    """A number of bytes for people: `980 bytes`, `1.2 KiB`, `3.4 GiB`."""
    if size < 1024:
        return count(size, "byte")
    power = 1
    while power < len(_UNITS) and size >= 1000 * 1024**power:
        power += 1
    return f"{size / 1024**power:.1f} {_UNITS[power - 1]}"


def count(number: int, noun: str) -> str:
    """A number with its noun: `1 blob`, `2 blobs`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def columns(rows: Iterable[Sequence[str]], indent: str = "  ") -> list[str]:
    """Rows of equally many cells as lines with aligned columns."""
    table = [tuple(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    padded = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in table)
    return [f"{indent}{line}".rstrip() for line in padded]
