"""A parsed document with the place of every part: what plan reads, whatever syntax it came from."""

from collections.abc import Iterator
from dataclasses import dataclass

from manifest_action.errors import Mark


@dataclass(frozen=True, slots=True)
class Scalar:
    """Text as written; never turned into a number or a truth value. `null` is an empty plain scalar."""

    text: str
    mark: Mark
    plain: bool = True
    """Whether it was written without quotes."""
    block: Mark | None = None
    """Where the text itself begins, when each of its lines is a line of the file (`|` in YAML)."""

    def pieces(self, *, commas: bool) -> Iterator["Scalar"]:
        """What stands on each line, or between commas, trimmed; nothing and lines that begin with # are left out."""
        for number, line in enumerate(self.text.split("\n")):
            if line.lstrip().startswith("#"):
                continue
            column = 0
            for piece in line.split(",") if commas else (line,):
                if word := piece.strip():
                    yield Scalar(word, self._place(number, column + piece.index(word)), plain=self.plain)
                column += len(piece) + 1

    def _place(self, line: int, column: int) -> Mark:
        if self.block is None:
            return self.mark
        return Mark(self.block.file, self.block.line + line, self.block.column + column)


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list of nodes."""

    items: tuple["Node", ...]
    mark: Mark


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values in their order; keys are unique."""

    entries: tuple[tuple[Scalar, "Node"], ...]
    mark: Mark


Node = Scalar | Sequence | Mapping


def is_null(node: Node) -> bool:
    """Whether nothing stands there: an empty plain scalar, `~` or `null`."""
    return isinstance(node, Scalar) and node.plain and node.text in ("", "~", "null")
