"""The action's inputs (design section 4.2) as the same nodes that documents are made of."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from manifest_action.errors import Mark
from manifest_action.plan import keys, node
from manifest_action.plan.node import Node, Scalar
from manifest_action.plan.problems import Problems
from manifest_action.plan.settings import Settings
from manifest_action.plan.spec import IndexSpec

_ALIASES = {"images": "sources", "manifests": "sources", "index-annotations": "annotations"}
_LINES = frozenset(
    {
        "spec",
        "tags",
        "sources",
        "digests",
        "annotations",
        "expect",
        "attach",
        "sign",
        "insecure-registries",
        "cleanup-tags",
    }
)
_MAPPINGS = frozenset({"spec", "annotations", "digests", "metadata", "attach", "sign", "registries"})
_YAML_LIST = re.compile(r"[\[{]|-(?:\s|$)|---(?:\s|$)")
_YAML_MAPPING = re.compile(r"""\{|(?:"[^"]*"|'[^']*'|[^\s"'=][^\s=]*?)\s*:(?:\s|$)""")
UNDECODABLE = re.compile("[\ud800-\udfff]")
"""What stands for a byte that is no UTF-8."""


@dataclass(frozen=True, slots=True)
class Request:
    """Everything a run was asked for.

    directory: absolute path of the working directory, where the relative paths of layouts begin
    """

    specs: tuple[IndexSpec, ...]
    settings: Settings
    directory: str


@dataclass(frozen=True, slots=True)
class Input:
    """One input: the name under which it was given, and its text, which is not blank."""

    name: str
    text: str

    @property
    def mark(self) -> Mark:
        """Where the text begins; an input's line and column are counted within its value."""
        return Mark(f"input {self.name}", 1, 1)

    @property
    def is_yaml(self) -> bool:
        """Whether the text is a YAML or JSON list or mapping rather than a word, a path or lines of text."""
        key = _ALIASES.get(self.name, self.name)
        lines = (line.strip() for line in self.text.splitlines())
        first = next((line for line in lines if line and not line.startswith("#")), "")
        return bool((key in _LINES and _YAML_LIST.match(first)) or (key in _MAPPINGS and _YAML_MAPPING.match(first)))

    def scalar(self) -> Scalar:
        """The text as a node: of lines with a place each for inputs that are lists, else trimmed."""
        if _ALIASES.get(self.name, self.name) in _LINES:
            return Scalar(self.text, self.mark, plain=False, block=self.mark)
        text = self.text.lstrip()
        before = self.text[: len(self.text) - len(text)].split("\n")
        return Scalar(text.rstrip(), Mark(self.mark.file, len(before), len(before[-1]) + 1), plain=False)


def given_inputs(values: Mapping[str, str], problems: Problems) -> dict[str, Input]:
    """The inputs that are not blank, aliases resolved. Raises ConfigError when one of them is no valid text."""
    _refuse_undecodable(values, problems)
    given: dict[str, Input] = {}
    for name, text in values.items():
        if not text.strip():
            continue
        entry = Input(name, text)
        first = given.setdefault(_ALIASES.get(name, name), entry)
        if first is not entry:
            problems.add(
                f"{first.name} and {name} are two names of the same input", entry.mark, hint="give one of them"
            )
    return given


def _refuse_undecodable(values: Mapping[str, str], problems: Problems) -> None:
    for name, text in values.items():
        if found := UNDECODABLE.search(text):
            before = text[: found.start()].split("\n")
            mark = Mark(f"input {name}", len(before), len(before[-1]) + 1)
            problems.add("an undecodable byte is not allowed", mark, hint="write it as UTF-8")
    problems.raise_all()


def index_inputs(nodes: Mapping[str, Node]) -> node.Mapping | None:
    """The inputs that describe an index, as one mapping; None when there is none."""
    entries = [(name, nodes[name]) for name in (key.name for key in keys.INDEX_KEYS) if name in nodes]
    if not entries:
        return None
    return node.Mapping(tuple((Scalar(name, value.mark), value) for name, value in entries), entries[0][1].mark)
