"""The jobs that are measured, each as what a program is told to make of what is there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.seeds import LARGE, LAYERED, SMALL, STYLED, Seeds


@dataclass(frozen=True)
class Job:
    """One job.

    sources:  picks the digests out of the seeds
    seed:     the repository that holds them; the destination is a copy of it, or (apart) an empty one
    far:      whether the destination is in registry B
    repeated: whether it is measured the second time, when all is in place
    signed:   whether the index and its instances are signed, in both of cosign's formats
    children: entries that the resulting index has, flattened; those that nest have as many as there are sources
    """

    name: str
    text: str
    sources: Callable[[Seeds], Sequence[str]]
    seed: str
    tags: tuple[str, ...] = ("v1",)
    apart: bool = False
    far: bool = False
    repeated: bool = False
    signed: bool = False
    children: int = 0


_FIVE = ("v1", "v2", "v3", "v4", "v5")
JOBS = (
    Job("J1", "2 instances, same repository, 1 tag", lambda seeds: seeds.small[:2], SMALL),
    Job("J1i", "2 buildx-style indexes with attestations", lambda seeds: seeds.styled, STYLED, children=4),
    Job("J2", "8 instances, 5 tags", lambda seeds: seeds.small[:8], SMALL, _FIVE),
    Job("J3", "50 instances", lambda seeds: seeds.small, SMALL),
    Job("J4", "2 instances from another repository of the registry", lambda seeds: seeds.layered, LAYERED, apart=True),
    Job("J4b", "the same with 4 x 5 x 20 MiB", lambda seeds: seeds.large, LARGE, apart=True),
    Job("J5", "4 x 5 x 20 MiB to another registry", lambda seeds: seeds.large, LARGE, apart=True, far=True),
    Job("J6", "J2 again, all in place", lambda seeds: seeds.small[:8], SMALL, _FIVE, repeated=True),
    Job("J7", "J2 with cosign signatures in both formats", lambda seeds: seeds.small[:8], SMALL, _FIVE, signed=True),
)
