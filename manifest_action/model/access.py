"""What a run will want from a repository, said before the first request so that one token can cover it all."""

from dataclasses import dataclass, field

from manifest_action.model.reference import Repository


@dataclass(frozen=True, slots=True, order=True)
class Access:
    """Reading from a repository, or (push) reading and writing.

    much: whether blobs will be read or written there, so that many connections are wanted; no part of its identity
    """

    repository: Repository
    push: bool = False
    much: bool = field(default=False, compare=False)
