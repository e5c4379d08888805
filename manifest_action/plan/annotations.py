"""Reading annotations, in every spelling that Docker's tools use.

docker/metadata-action and buildx put levels before the key: `index:key=value`,
`manifest-descriptor[linux/arm64]:key=value`, `manifest,index:key=value`. An index is assembled from manifests
that are never rewritten, so what is meant for the manifests goes on the index, or with a platform on its entry.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from manifest_action.model.platform import Platform
from manifest_action.plan.node import Mapping, Scalar
from manifest_action.plan.part import Part
from manifest_action.plan.spec import Annotations

KEY_LIMIT = 1024
VALUE_LIMIT = 65536
COUNT_LIMIT = 1000

_LEVEL = r"(?:index-descriptor|manifest-descriptor|index|manifest)(?:\[[^\]]*\])?"
_LEVELS = re.compile(rf"({_LEVEL}(?:,{_LEVEL})*):")
_LEVEL_PARTS = re.compile(r"([a-z-]+)(?:\[([^\]]*)\])?")


@dataclass(frozen=True, slots=True)
class _Line:
    """One annotation as written: its levels (name, platform text or None), key and value, and where it stands."""

    levels: tuple[tuple[str, str | None], ...]
    key: str
    value: str
    part: Part


@dataclass(slots=True)
class _Sorted:
    """Annotations by what they are for. What names the index outright wins over what was meant for manifests."""

    index: dict[str, str] = field(default_factory=dict)
    manifests: dict[str, str] = field(default_factory=dict)
    entries: dict[tuple[Platform | None, str], str] = field(default_factory=dict)

    def place(self, line: _Line) -> None:
        """Put one annotation where each of its levels says; a later line wins over an earlier one."""
        for level, platform in line.levels:
            if platform is not None:
                self._place_by_platform(line, level, platform)
            elif level == "manifest-descriptor":
                self.entries[None, line.key] = line.value
            elif level == "manifest":
                self.manifests[line.key] = line.value
            elif level == "index":
                self.index[line.key] = line.value
            elif len(line.levels) == 1:
                line.part.refuse(
                    "index-descriptor: has no place in a registry: no descriptor points to the index there",
                    "use index: for the index itself",
                )

    def _place_by_platform(self, line: _Line, level: str, text: str) -> None:
        if level.startswith("index"):
            line.part.refuse(f"{level}: is for the whole index and takes no platform")
            return
        try:
            self.entries[Platform.parse(text), line.key] = line.value
        except ValueError as error:
            line.part.refuse(str(error))

    def result(self) -> Annotations:
        """Those for every entry stand before those for one platform, so that the latter win."""
        entries = sorted(self.entries.items(), key=lambda entry: entry[0][0] is not None)
        return Annotations(
            self.manifests | self.index, tuple((platform, key, value) for (platform, key), value in entries)
        )


def read_annotations(part: Part) -> Annotations:
    """The annotations of an index and its entries, from a mapping, a list of `key=value` or lines of them."""
    found = _Sorted()
    for line in _lines(part):
        found.place(line)
    return found.result()


def read_entry_annotations(part: Part) -> dict[str, str]:
    """The annotations of one source's entries, written as `read_annotations` takes them."""
    found: dict[str, str] = {}
    for line in _lines(part, unprefixed="manifest-descriptor"):
        if all(level.startswith("manifest") and platform is None for level, platform in line.levels):
            found[line.key] = line.value
        else:
            line.part.refuse(
                "annotations of a source are for its own entries and take no level", "put it under the index's own"
            )
    return found


def _lines(part: Part, unprefixed: str = "index") -> Iterator[_Line]:
    pairs = list(_pairs(part))
    if len(pairs) > COUNT_LIMIT:
        part.refuse(f"has {len(pairs)} annotations, more than {COUNT_LIMIT}")
    for name, value, place in pairs[:COUNT_LIMIT]:
        levels, key = _split_levels(name.strip(), unprefixed)
        if _is_acceptable(key, value, place):
            yield _Line(levels, key, value, place)


def _pairs(part: Part) -> Iterator[tuple[str, str, Part]]:
    """Each annotation's key, still with its levels, and its value."""
    if isinstance(part.node, Mapping):
        for key, node in part.node.entries:
            child = part.child(node, f"{part.path}[{key.text[:80]}]")
            if (value := child.text()) is not None:
                yield key.text, value, child
    elif isinstance(part.node, Scalar):
        for line in part.node.pieces(commas=False):
            yield from _split_line(line.text, part.child(line, part.path))
    else:
        for item in part.items(COUNT_LIMIT):
            if (text := item.text()) is not None:
                yield from _split_line(text, item)


def _split_line(text: str, part: Part) -> Iterator[tuple[str, str, Part]]:
    key, equals, value = text.partition("=")
    if equals:
        yield key, value, part
    else:
        part.refuse(f"an annotation looks like key=value, not {text[:80]!r}")


def _split_levels(name: str, unprefixed: str) -> tuple[tuple[tuple[str, str | None], ...], str]:
    """Part `levels:key`; what does not begin with levels is a key as a whole."""
    prefix = _LEVELS.match(name)
    if not prefix:
        return ((unprefixed, None),), name
    levels = tuple((level[1], level[2]) for level in _LEVEL_PARTS.finditer(prefix.group(1)))
    return levels, name[prefix.end() :]


def _is_acceptable(key: str, value: str, part: Part) -> bool:
    if not key or not key.isprintable():
        part.refuse("an annotation needs a key of printable characters")
    elif len(key) > KEY_LIMIT:
        part.refuse(f"an annotation's key has {len(key)} characters, more than {KEY_LIMIT}")
    elif len(value) > VALUE_LIMIT:
        part.refuse(f"an annotation's value has {len(value)} characters, more than {VALUE_LIMIT}")
    else:
        return True
    return False
