"""What a run will want from a repository, said before the first request so that one token can cover it all."""

from dataclasses import dataclass

from manifest_action.model.reference import Repository


@dataclass(frozen=True, slots=True, order=True)
class Access:
    """Reading from a repository, or (push) reading and writing."""

    repository: Repository
    push: bool = False
