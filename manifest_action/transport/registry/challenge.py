"""Challenges: how a server wants to be convinced (RFC 9110, section 11.6.1, which replaces RFC 7235).

One header may hold several challenges, and quoted strings may hold commas, so the text is read token by token.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

HEADER_LIMIT = 16 * 1024
MOST_CHALLENGES = 16
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]*")
_TOKEN68 = re.compile(r"[0-9A-Za-z\-._~+/=]*")
_SPACE = re.compile(r"[ \t]*")
_SEPARATORS = re.compile(r"[ \t,]*")
_QUOTED = re.compile(r'[^"\\]*')


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge: the scheme in lower case, and its parameters with their names in lower case."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict, hash=False)

    def get(self, name: str) -> str:
        """A parameter's value, empty when it is missing."""
        return self.parameters.get(name, "")


def parse_challenges(headers: Iterable[str]) -> tuple[Challenge, ...]:
    """Read the values of `WWW-Authenticate`, in time linear to their length.

    Values over 16384 characters are ignored, and so are challenges after the 16th of a value. Of a malformed value,
    what was read before the fault counts.
    """
    values = (value for value in headers if len(value) <= HEADER_LIMIT)
    return tuple(challenge for value in values for challenge in islice(_challenges(value), MOST_CHALLENGES))


def choose(challenges: Iterable[Challenge]) -> Challenge | None:
    """The challenge to answer: the first Bearer with a realm, else the first Basic, else None."""
    offered = tuple(challenges)
    bearer = (each for each in offered if each.scheme == "bearer" and each.get("realm"))
    basic = (each for each in offered if each.scheme == "basic")
    return next(bearer, None) or next(basic, None)


def _challenges(text: str) -> Iterator[Challenge]:
    scanner = _Scanner(text)
    scheme, parameters = "", dict[str, str]()
    while scanner.skip_separators():
        name = scanner.token()
        value = scanner.parameter_value()
        if not name or (value is not None and not scheme):
            break
        if value is not None:
            parameters.setdefault(name.lower(), value)
            continue
        if scheme:
            yield Challenge(scheme, parameters)
        scheme, parameters = name.lower(), {}
        scanner.skip_token68()
    if scheme:
        yield Challenge(scheme, parameters)


class _Scanner:
    """Moves over a header value from left to right, never back over more than one token."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def skip_separators(self) -> bool:
        """Go over spaces and commas; whether anything is left."""
        self._skip(_SEPARATORS)
        return self._at < len(self._text)

    def token(self) -> str:
        return self._skip(_TOKEN)

    def parameter_value(self) -> str | None:
        """The value when the token just read is a parameter's name (`name = value`), None when it is a scheme."""
        start = self._at
        self._skip(_SPACE)
        if not self._next_is("="):
            self._at = start
            return None
        self._at += 1
        self._skip(_SPACE)
        return self._quoted() if self._next_is('"') else self.token()

    def skip_token68(self) -> None:
        """Go over the credentials-like text that some schemes have in the place of parameters (`Negotiate abc=`)."""
        start = self._at
        self._skip(_SPACE)
        text = self._skip(_TOKEN68)
        self._skip(_SPACE)
        is_last = self._at == len(self._text) or self._next_is(",")
        if not is_last or "=" in text.rstrip("="):
            self._at = start

    def _quoted(self) -> str:
        self._at += 1
        parts = [self._skip(_QUOTED)]
        while self._next_is("\\"):
            parts.append(self._text[self._at + 1 : self._at + 2])
            self._at += 2
            parts.append(self._skip(_QUOTED))
        self._at += 1
        return "".join(parts)

    def _next_is(self, character: str) -> bool:
        return self._text.startswith(character, self._at)

    def _skip(self, pattern: re.Pattern[str]) -> str:
        """Go over what fits, maybe nothing; the text that was gone over."""
        start = self._at
        found = pattern.match(self._text, start)
        self._at = found.end() if found else start
        return self._text[start : self._at]
