"""One value of a document together with where it is: the getters that readers are made of."""

from collections.abc import Mapping as Map
from collections.abc import Sequence as Seq
from dataclasses import dataclass, field
from typing import TypeVar

from manifest_action.errors import Mark
from manifest_action.plan.keys import BOOLEANS, Key, spellings
from manifest_action.plan.node import Mapping, Node, Scalar, Sequence, is_null
from manifest_action.plan.problems import Problems

QUOTE_LIMIT = 80

Word = TypeVar("Word")


@dataclass(frozen=True, slots=True)
class Part:
    """A node, the path of the field it stands in, and where to say what is wrong with it.

    A getter that cannot get anything has said why, and gives None or nothing.
    secret: the text is never quoted
    """

    node: Node
    path: str
    problems: Problems = field(repr=False, compare=False)
    secret: bool = False

    @property
    def mark(self) -> Mark:
        """Where the value begins."""
        return self.node.mark

    @property
    def is_text(self) -> bool:
        """Whether the value is a scalar."""
        return isinstance(self.node, Scalar)

    def refuse(self, what: str, hint: str = "") -> None:
        """Say that something is wrong with this value."""
        self.problems.add(what, self.mark, path=self.path, hint=hint)

    def text(self) -> str | None:
        """The text as written."""
        if isinstance(self.node, Scalar):
            return self.node.text
        self.refuse(f"must be text, not {_kind(self.node)}")
        return None

    def word(self, words: Map[str, Word]) -> Word | None:
        """What the text means, as one of `words`."""
        text = self.text()
        if text is None:
            return None
        if text not in words:
            self.refuse(f"{text[:QUOTE_LIMIT]!r} is none of {', '.join(words)}", _nearest(text, list(words)))
        return words.get(text)

    def boolean(self) -> bool | None:
        """A truth value: true, false, yes, no, on or off, in any case."""
        text = self.text()
        if text is None:
            return None
        if text.lower() not in BOOLEANS:
            self.refuse(f"{text[:QUOTE_LIMIT]!r} is neither true nor false")
        return BOOLEANS.get(text.lower())

    def items(self, limit: int, *, empty: str = "") -> list["Part"]:
        """The items of a list; a text is a list of its lines, and of what commas part on a line.

        empty: what to say of a list that has none, when that is wrong
        """
        if isinstance(self.node, Mapping):
            self.refuse("must be a list, not a mapping")
            return []
        if isinstance(self.node, Sequence):
            nodes: Seq[Node] = self.node.items
        else:
            nodes = tuple(self.node.pieces(commas=True))
        if empty and not nodes:
            self.refuse(empty)
        if len(nodes) > limit:
            self.refuse(f"has {len(nodes)} items, more than {limit}")
        return [self.child(node, f"{self.path}[{place}]") for place, node in enumerate(nodes[:limit])]

    def fields(self, keys: Seq[Key]) -> dict[str, "Part"] | None:
        """The values of a mapping by the names of their keys, those that are null left out; None for no mapping."""
        if not isinstance(self.node, Mapping):
            self.refuse(f"must be a mapping of keys to values, not {_kind(self.node)}")
            return None
        names = spellings(keys)
        spelled: dict[str, str] = {}
        found: dict[str, Part] = {}
        for key, value in self.node.entries:
            name = names.get(key.text)
            if name is None:
                self._refuse_key(key, list(names))
            elif spelled.setdefault(name, key.text) != key.text:
                what = f"{spelled[name]} and {key.text} are two names of the same key"
                self.problems.add(what, key.mark, path=self.path, hint="give one of them")
            elif not is_null(value):
                found[name] = self.child(value, f"{self.path}.{key.text}" if self.path else key.text)
        return found

    def child(self, node: Node, path: str) -> "Part":
        """A value within this one."""
        return Part(node, path, self.problems, self.secret)

    def _refuse_key(self, key: Scalar, known: list[str]) -> None:
        name = "" if self.secret else f" {key.text[:QUOTE_LIMIT]!r}"
        hint = _nearest(key.text, known) or f"known are {', '.join(known)}"
        self.problems.add(f"unknown key{name}", key.mark, path=self.path, hint=hint)


def _kind(node: Node) -> str:
    if isinstance(node, Sequence):
        return "a list"
    return "a mapping" if isinstance(node, Mapping) else "text"


def _nearest(text: str, known: list[str]) -> str:
    import difflib  # noqa: PLC0415 - for what is wrong only

    close = difflib.get_close_matches(text[:QUOTE_LIMIT].lower(), known, n=1)
    return f"did you mean {close[0]}?" if close else ""
