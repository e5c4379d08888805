"""YAML 1.1 text to located nodes, with everything refused that makes YAML dangerous or surprising.

Scalars stay the text they were written as. Anchors, aliases, tags, merge keys, duplicate keys and keys that are
not text are errors, and so are documents that are too large or too deep. Only the event stream is used, so
no input can make this recurse or expand.
"""

import re
from dataclasses import dataclass, field
from itertools import islice

import yaml

from manifest_action.errors import Mark
from manifest_action.plan.node import Mapping, Node, Scalar, Sequence, is_null
from manifest_action.plan.problems import Problems

SIZE_LIMIT = 256 * 1024
DEPTH_LIMIT = 16

_LOADER = yaml.CBaseLoader if yaml.__with_libyaml__ else yaml.BaseLoader
_LINE_BREAK = re.compile(r"\r\n|[\n\r\x85]|[\u2028\u2029]")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")
"""What YAML does not allow; naming what it allows instead takes twenty times as long to compile."""
_UNPRINTABLE_LIMIT = 10


def read_documents(
    text: str, file: str, *, first_line: int = 1, secret: bool = False, problems: Problems | None = None
) -> tuple[Node, ...]:
    """Read every document of a YAML text; documents that hold nothing are left out.

    text:       at most 256 KiB as UTF-8, nested at most 16 deep
    file:       what the marks call the text: a path, or a label such as `input tags`
    first_line: the line number of the first line
    secret:     the problems must not quote the text
    problems:   takes those after which the text still makes sense, for a caller that wants to read on

    Raises ConfigError with every problem that can be seen; reading stops at the first error of syntax.
    """
    found = Problems() if problems is None else problems
    builder = _Builder(text.removeprefix("\ufeff"), file, first_line, found, secret=secret)
    builder.check()
    builder.build()
    if problems is None:
        found.raise_all()
    return tuple(builder.documents)


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not been seen; a mapping's items are its keys and values in turn."""

    mark: Mark
    is_mapping: bool
    items: list[Node] = field(default_factory=list)
    keys: dict[str, Mark] = field(default_factory=dict)

    @property
    def expects_key(self) -> bool:
        return self.is_mapping and len(self.items) % 2 == 0

    def closed(self) -> Node:
        if not self.is_mapping:
            return Sequence(tuple(self.items), self.mark)
        pairs = zip(self.items[::2], self.items[1::2], strict=True)
        return Mapping(tuple((key, value) for key, value in pairs if isinstance(key, Scalar)), self.mark)


class _Builder:
    """Builds nodes from events, on a stack of its own."""

    def __init__(self, text: str, file: str, first_line: int, problems: Problems, *, secret: bool) -> None:
        self.documents: list[Node] = []
        self._text = text
        self._file = file
        self._first_line = first_line
        self._problems = problems
        self._secret = secret
        self._open: list[_Open] = []
        self._lines: list[str] = []

    def check(self) -> None:
        """Refuse a text that is too large or holds what YAML does not allow anywhere."""
        if len(self._text) > SIZE_LIMIT or len(self._text.encode("utf-8", "surrogatepass")) > SIZE_LIMIT:
            what = f"the text is over {SIZE_LIMIT // 1024} KiB"
            self._problems.fail(what, self._mark(0, 0), hint="split it into several files")
        self._lines = _LINE_BREAK.split(self._text)
        unprintable = list(islice(_UNPRINTABLE.finditer(self._text), _UNPRINTABLE_LIMIT))
        for found in unprintable:
            code = ord(found.group())
            what = "an undecodable byte" if 0xD800 <= code < 0xE000 else f"the control character U+{code:04X}"
            before = _LINE_BREAK.split(self._text[: found.start()])
            self._problems.add(f"{what} is not allowed", self._mark(len(before) - 1, len(before[-1])))
        if unprintable:
            self._problems.raise_all()

    def build(self) -> None:
        """Take all events, until the text ends or does not make sense any more."""
        try:
            for event in yaml.parse(self._text, Loader=_LOADER):
                self._take(event)
        except yaml.MarkedYAMLError as error:
            self._fail(error)

    def _take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.NodeEvent):
            mark = self._at(event.start_mark)
            self._refuse_extras(event, mark)
            if isinstance(event, yaml.CollectionStartEvent):
                self._begin(mark, is_mapping=isinstance(event, yaml.MappingStartEvent))
            elif isinstance(event, yaml.ScalarEvent):
                self._add(Scalar(event.value, mark, not event.style, self._block(event)))
            else:
                self._add(Scalar("", mark))
        elif isinstance(event, yaml.CollectionEndEvent):
            self._add(self._open.pop().closed())

    def _block(self, event: yaml.ScalarEvent) -> Mark | None:
        """Where the text of a literal block begins: on the next line, behind the indentation of its first text."""
        if event.style != "|":
            return None
        begin = self._at(event.start_mark).line - self._first_line + 1
        text = event.value.lstrip("\n")
        first = self._lines[begin + len(event.value) - len(text)] if text else ""
        return self._mark(begin, max(0, len(first) - len(text.partition("\n")[0])))

    def _refuse_extras(self, event: yaml.NodeEvent, mark: Mark) -> None:
        if event.anchor:
            what = "anchors and aliases are not accepted"
            self._problems.add(what, mark, hint="write the value out where it is needed")
        if getattr(event, "tag", None):
            self._problems.add("tags are not accepted", mark, hint="every value is taken as text; remove the tag")

    def _begin(self, mark: Mark, *, is_mapping: bool) -> None:
        if len(self._open) == DEPTH_LIMIT:
            self._problems.fail(f"lists and mappings are nested more than {DEPTH_LIMIT} deep", mark)
        self._open.append(_Open(mark, is_mapping))

    def _add(self, node: Node) -> None:
        if self._open:
            parent = self._open[-1]
            if parent.expects_key:
                self._check_key(parent, node)
            parent.items.append(node)
        elif not is_null(node):
            self.documents.append(node)

    def _check_key(self, parent: _Open, key: Node) -> None:
        if not isinstance(key, Scalar):
            self._problems.add("a key must be text, not a list or mapping", key.mark)
            return
        if key.plain and key.text == "<<":
            self._problems.add("merge keys are not accepted", key.mark, hint="write the keys out")
        first = parent.keys.setdefault(key.text, key.mark)
        if first is not key.mark:
            name = "" if self._secret else f" {key.text[:80]!r}"
            self._problems.add(f"key{name} is given twice", key.mark, hint=f"it stands on line {first.line} already")

    def _fail(self, error: yaml.MarkedYAMLError) -> None:
        from manifest_action.adapters.syntax import explain  # noqa: PLC0415 - for what is wrong only

        place, opening = error.problem_mark, error.context_mark
        character = self._text[place.index : place.index + 1] if place else ""
        complaint = explain(error.context or "", error.problem or "", character)
        place = opening if complaint.at_opening and opening else place
        self._problems.fail(complaint.what, self._at(place), hint=complaint.hint)

    def _at(self, mark: "yaml.Mark | yaml._yaml.Mark | None") -> Mark:
        """The place of a parser's mark, which may be past the last line."""
        if mark is None or mark.line >= len(self._lines):
            return self._mark(len(self._lines) - 1, len(self._lines[-1]))
        return self._mark(mark.line, mark.column)

    def _mark(self, line: int, column: int) -> Mark:
        return Mark(self._file, self._first_line + line, column + 1)
