import pytest

from manifest_action.model.access import Access
from manifest_action.model.reference import parse_repository
from manifest_action.transport.registry.scope import Scope, covers, merge, parse_scopes


def scope(text: str) -> Scope:
    (found,) = parse_scopes(text)
    return found


def test_pushing_includes_pulling() -> None:
    repository = parse_repository("registry.example/acme/app")
    assert str(Scope.of(Access(repository))) == "repository:acme/app:pull"
    assert str(Scope.of(Access(repository, push=True))) == "repository:acme/app:pull,push"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("repository:a:pull", ["repository:a:pull"]),
        ("repository:x/a:pull repository:x/b:pull,push", ["repository:x/a:pull", "repository:x/b:pull,push"]),
        ("repository:host:5000/a:pull", ["repository:host:5000/a:pull"]),
        ("", []),
        ("nonsense a:b  c:d:", []),
    ],
)
def test_scopes_of_challenges_are_read(text: str, expected: list[str]) -> None:
    assert [str(each) for each in parse_scopes(text)] == expected


def test_merging_keeps_the_order_and_joins_actions() -> None:
    merged = merge(map(scope, ("repository:b:pull", "repository:a:pull", "repository:b:pull,push")))
    assert [str(each) for each in merged] == ["repository:b:pull,push", "repository:a:pull"]


def test_covering() -> None:
    have = (scope("repository:a:pull,push"), scope("repository:b:pull"))
    assert covers(have, (scope("repository:a:pull"), scope("repository:b:pull")))
    assert not covers(have, (scope("repository:b:pull,push"),))
    assert not covers((), (scope("repository:b:pull"),))
    assert covers((), ())
