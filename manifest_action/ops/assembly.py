"""From the sources of a plan to its indexes: resolve, admit, convert, assemble; nothing is written anywhere."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from manifest_action.events import Reporter, SourcesAdmitted, Stage, StageStarted
from manifest_action.ops.assemble import assemble
from manifest_action.ops.instance import AssembledIndex
from manifest_action.ops.reading import Key, Reading
from manifest_action.ops.resolve import named, resolve
from manifest_action.ops.waves import Waves
from manifest_action.plan.plan import Plan
from manifest_action.plan.spec import Compression, Existing, Format, IndexSpec
from manifest_action.transport.base import Transport

if TYPE_CHECKING:
    from manifest_action.ops.rules import Rules

PORTION = 100
"""Indexes that are resolved and assembled before others are begun with: what was read for them alone is let go then,
so that a run of thousands takes little more memory than one of a few."""


def assemble_sources(
    plan: Plan,
    transport: Transport,
    waves: Waves,
    reporter: Reporter,
    *,
    rules: "Rules | None" = None,
    pushing: bool = True,
) -> tuple[AssembledIndex, ...]:
    """The indexes of a plan, made from their sources.

    rules:   which sources may be used; None when there is no policy
    pushing: as `resolve`
    """
    reading = Reading(transport, waves, sum(len(spec.sources) for spec in plan.indexes))
    portions = _portions(plan.indexes)
    shared = _shared(portions)
    assembled: list[AssembledIndex] = []
    for place, portion in enumerate(portions):
        sources = sum(len(spec.sources) for spec in portion)
        reporter.emit(StageStarted.with_number(Stage.RESOLVE, sources, "source", "sources"))
        resolved = resolve(portion, transport, waves, reporter, pushing=pushing, reading=reading)
        if rules is None:
            reporter.emit(SourcesAdmitted("", sources))
        else:
            from manifest_action.ops.admit import admit  # noqa: PLC0415

            admit(resolved, rules, transport, waves, reporter)
        reporter.emit(StageStarted.with_number(Stage.ASSEMBLE, len(resolved), "index", "indexes"))
        converted = list(resolved)
        if any(spec.format is not Format.AUTO for spec in portion):
            from manifest_action.ops.convert import convert  # noqa: PLC0415

            converted = [convert(index, reporter) for index in resolved]
        if any(map(_may_change_with_compression, portion)):
            from manifest_action.ops.compress import add_compressed  # noqa: PLC0415

            converted = list(add_compressed(converted, transport, waves, reporter))
        assembled += map(assemble, converted)
        reading.keep_only(key for key, last in shared.items() if last > place)
    return tuple(assembled)


def _portions(indexes: Sequence[IndexSpec]) -> list[Sequence[IndexSpec]]:
    """The indexes in their order, so many at a time as `PORTION` says; all at once where layers are compressed.

    Layers that indexes share are compressed once, and as many at a time as there are processors.
    """
    size = len(indexes) if any(map(_may_change_with_compression, indexes)) else PORTION
    return [indexes[first : first + size] for first in range(0, len(indexes), size)]


def _shared(portions: Sequence[Sequence[IndexSpec]]) -> Mapping[Key, int]:
    """What more than one portion reads, and the last that does."""
    first: dict[Key, int] = {}
    last: dict[Key, int] = {}
    for place, portion in enumerate(portions):
        for key in named(portion):
            if first.setdefault(key, place) != place:
                last[key] = place
    return last


def _may_change_with_compression(spec: IndexSpec) -> bool:
    return spec.compression is not Compression.KEEP or spec.existing is Existing.APPEND
