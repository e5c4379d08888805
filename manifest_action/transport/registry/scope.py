"""What a token allows (distribution's token authentication specification, "Resource Scope")."""

from collections.abc import Iterable
from dataclasses import dataclass

from manifest_action.model.access import Access


@dataclass(frozen=True, slots=True)
class Scope:
    """Actions on one resource: `repository:acme/app` with `pull`, or `pull` and `push`."""

    resource: str
    actions: frozenset[str]

    @classmethod
    def of(cls, access: Access) -> "Scope":
        """The scope for an access. Some servers refuse `push` without `pull`, so they go together."""
        return cls(f"repository:{access.repository.name}", frozenset({"pull", "push"} if access.push else {"pull"}))

    def __str__(self) -> str:
        return f"{self.resource}:{','.join(sorted(self.actions))}"


def parse_scopes(text: str) -> tuple[Scope, ...]:
    """The scopes of a challenge: separated by spaces, each `type:name:action,action`; malformed ones are left out."""
    parts = (word.rpartition(":") for word in text.split(" ") if word.count(":") >= 2)
    return tuple(Scope(resource, frozenset(actions.split(","))) for resource, _, actions in parts if actions)


def merge(scopes: Iterable[Scope]) -> tuple[Scope, ...]:
    """Each resource once with the actions of all its scopes, in the order of their first mention."""
    merged: dict[str, frozenset[str]] = {}
    for scope in scopes:
        merged[scope.resource] = merged.get(scope.resource, frozenset()) | scope.actions
    return tuple(Scope(resource, actions) for resource, actions in merged.items())


def covers(have: Iterable[Scope], need: Iterable[Scope]) -> bool:
    """Whether every action that is needed is among those that are there."""
    there = {scope.resource: scope.actions for scope in merge(have)}
    return all(scope.actions <= there.get(scope.resource, frozenset()) for scope in need)
