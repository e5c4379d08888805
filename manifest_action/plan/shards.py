"""Splitting the indexes of a spec over several jobs, which is how a CI system runs more than one job can.

The split depends on nothing but the specs, so every job computes it by itself and takes its own part.
"""

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from manifest_action.plan.spec import IndexSpec

SHARDS_LIMIT = 256
"""As many jobs as GitHub takes in one matrix."""
_SHARD = re.compile(r"([1-9][0-9]{0,3})/([1-9][0-9]{0,3})")


@dataclass(frozen=True, slots=True)
class Shard:
    """One part of several: `number` from 1 to `count`."""

    number: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Read `k/N`. ValueError when it is not that, or not within 1/1 to 256/256."""
        found = _SHARD.fullmatch(text.strip())
        if not found or not int(found[1]) <= int(found[2]) <= SHARDS_LIMIT:
            raise ValueError(f"{text[:40]!r} is no shard, which is k/N with k from 1 to N and N up to {SHARDS_LIMIT}")
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


WHOLE = Shard()


def split(specs: Sequence[IndexSpec], count: int) -> tuple[tuple[IndexSpec, ...], ...]:
    """`count` parts of about the same weight, each in the order of the specs; some are empty when there are few specs.

    Indexes that share a source are kept together, so that it is read once, as long as the parts stay even; and even
    if they do not, when one of them takes temporary tags away, which the others may still have to read.
    """
    share = sum(map(_weight, specs)) / count
    pieces = [piece for group in _groups(specs) for piece in _cut(specs, group, share)]
    pieces.sort(key=lambda piece: (-sum(_weight(specs[each]) for each in piece), piece[0]))
    parts: list[list[int]] = [[] for _ in range(count)]
    loads = [0] * count
    for piece in pieces:
        lightest = loads.index(min(loads))
        parts[lightest] += piece
        loads[lightest] += sum(_weight(specs[each]) for each in piece)
    return tuple(tuple(specs[each] for each in sorted(part)) for part in parts)


def select(specs: Sequence[IndexSpec], shard: Shard) -> tuple[IndexSpec, ...]:
    """The specs that one shard is for."""
    return tuple(specs) if shard.count == 1 else split(specs, shard.count)[shard.number - 1]


def matrix(specs: Sequence[IndexSpec], count: int) -> Mapping[str, object]:
    """A job matrix as GitHub has it: an entry for each part that is not empty."""
    parts = split(specs, count)
    return {
        "include": [
            {
                "shard": str(Shard(number, count)),
                "indexes": len(part),
                "sources": sum(len(spec.sources) for spec in part),
            }
            for number, part in enumerate(parts, 1)
            if part
        ]
    }


def _weight(spec: IndexSpec) -> int:
    """About how many requests an index takes."""
    return 2 * len(spec.sources) + 3 * len(spec.tags)


def _groups(specs: Sequence[IndexSpec]) -> Iterable[list[int]]:
    """Numbers of the specs that are bound together, directly or by others between them.

    What binds them is a source, by its tag as well as by its digest, or a temporary tag.
    """
    leader = list(range(len(specs)))

    def lead(number: int) -> int:
        while leader[number] != number:
            leader[number] = leader[leader[number]]
            number = leader[number]
        return number

    first: dict[Hashable, int] = {}
    for number, spec in enumerate(specs):
        for binding in _bindings(spec):
            known = first.setdefault(binding, number)
            low, high = sorted((lead(known), lead(number)))
            leader[high] = low
    groups: dict[int, list[int]] = {}
    for number in range(len(specs)):
        groups.setdefault(lead(number), []).append(number)
    return groups.values()


def _bindings(spec: IndexSpec) -> Iterable[Hashable]:
    references = [*(source.reference for source in spec.sources), *spec.cleanup]
    return [(each.repository, name) for each in references for name in (each.tag, each.digest) if name]


def _cut(specs: Sequence[IndexSpec], group: Sequence[int], share: float) -> Iterable[list[int]]:
    """A group in pieces of at most an even share each, where single indexes are not heavier than that.

    A group that takes temporary tags away stays whole: nobody else may still need one when they go.
    """
    if any(specs[number].cleanup for number in group):
        yield list(group)
        return
    piece: list[int] = []
    load = 0
    for number in group:
        if piece and load + _weight(specs[number]) > share:
            yield piece
            piece, load = [], 0
        piece.append(number)
        load += _weight(specs[number])
    yield piece
