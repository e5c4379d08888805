"""What a run will want from a repository, said before the first request so that one token can cover it all."""

from dataclasses import dataclass, field

from manifest_action.model.reference import Repository


@dataclass(frozen=True, slots=True, order=True)
class Access:
    """Reading from a repository, or (push) reading and writing.

    breadth: how many requests will be wanted at once, 0 where that is few or not known; no part of its identity
    """

    repository: Repository
    push: bool = False
    breadth: int = field(default=0, compare=False)
