"""JSON that two readers cannot understand differently (RFC 8259, with the room for interpretation removed)."""

import json
from collections.abc import Mapping

_INTEGER_DIGITS = 20


def parse_object(raw: bytes) -> Mapping[str, object]:
    """Read one JSON object from UTF-8 bytes.

    Refused with ValueError: another encoding or a byte order mark, duplicate keys, NaN and infinities,
    integers of more than 20 digits, nesting deeper than the interpreter allows, lone surrogates,
    and anything but an object at the top.
    """
    try:
        text = raw.decode("utf-8")
        document = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_int=_bounded_integer
        )
        if "\\u" in text:
            json.dumps(document, ensure_ascii=False).encode("utf-8")
    except UnicodeError:
        raise ValueError("not UTF-8 text") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} at line {error.lineno} column {error.colno}") from None
    if not isinstance(document, dict):
        raise ValueError("not a JSON object")
    return document


def compact(document: Mapping[str, object]) -> bytes:
    """JSON without spaces, members in the order given."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a JSON object holds the same key twice")
    return document


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _bounded_integer(digits: str) -> int:
    if len(digits) > _INTEGER_DIGITS:
        raise ValueError("an integer is too long")
    return int(digits)
