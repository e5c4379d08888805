"""From specs to a plan: what will be read and written where, before anything is asked of a registry."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from manifest_action.model.access import Access
from manifest_action.model.reference import Reference, Repository
from manifest_action.plan.problems import Problems
from manifest_action.plan.spec import IndexSpec

COPYING = 16
"""Blobs on their way at once, for which connections are opened beforehand."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run will do.

    indexes:  in the order of the specs
    accesses: every repository once, in the order of first mention; what is both read and pushed is pushed
    """

    indexes: tuple[IndexSpec, ...]
    accesses: tuple[Access, ...]

    @property
    def places(self) -> int:
        """How many registries there are, and stores that are none."""
        return len({(access.repository.transport, access.repository.registry) for access in self.accesses})


def make_plan(specs: Sequence[IndexSpec]) -> Plan:
    """Plan a run; ConfigError when two indexes would move the same tag, or one is made from another."""
    _check_tags(specs)
    accesses: dict[Repository, Access] = {}
    for spec in specs:
        for new in _wanted(spec):
            old = accesses.get(new.repository, new)
            accesses[new.repository] = Access(new.repository, old.push or new.push, max(old.breadth, new.breadth))
    return Plan(tuple(specs), tuple(accesses.values()))


def _wanted(spec: IndexSpec) -> Iterator[Access]:
    sources = [source.reference.repository for source in spec.sources]
    copies = any(repository != source for repository in spec.repositories for source in sources)
    for repository in spec.repositories:
        yield Access(repository, push=True, breadth=max(COPYING if copies else 0, _signing(spec)))
    for tag in spec.cleanup:
        yield Access(tag.repository, push=True)
    for source in sources:
        yield Access(source, breadth=COPYING if copies else 0)
    if spec.subject:
        yield Access(spec.subject.repository)


def _signing(spec: IndexSpec) -> int:
    """The small blobs of signatures, as far as the spec tells: for every image and the index, one a tag and two."""
    return (len(spec.sources) + 1) * (len(spec.tags) + 2) if spec.sign else 0


def _check_tags(specs: Sequence[IndexSpec]) -> None:
    problems = Problems()
    writers: dict[Reference, IndexSpec] = {}
    for spec in specs:
        for tag in spec.tags:
            first = writers.setdefault(tag, spec)
            if first is not spec:
                where = f"; the first begins at {first.mark}" if first.mark else ""
                problems.add(
                    f"{tag} is a destination of two indexes{where}", spec.mark, hint="remove it from one of them"
                )
    for spec in specs:
        for source in spec.sources:
            writer = writers.get(source.reference)
            if writer is not None and writer is not spec and source.reference.digest is None:
                problems.add(
                    f"{source.reference} is what another index of this run will be, and sources are read before",
                    source.mark,
                    path=source.path,
                    hint=f"name the sources of {source.reference} here too, or make this index in a second run",
                )
        for tag in spec.cleanup:
            if tag in writers:
                problems.add(
                    f"{tag} is a destination of this run, so it is not temporary",
                    spec.mark,
                    path="cleanup-tags",
                    hint="leave it out of cleanup-tags",
                )
    problems.raise_all()
