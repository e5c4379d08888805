"""The error tree: codes are unique, and messages say what, where and why."""

import copy
from collections.abc import Iterator

import pytest

from manifest_action import errors
from manifest_action.errors import (
    AuthError,
    ConfigError,
    Interrupted,
    ManifestActionError,
    Mark,
    Problem,
    RegistryError,
)

MARK = Mark("spec.yml", 3, 7)


def _leaves(kind: type[ManifestActionError]) -> Iterator[type[ManifestActionError]]:
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from _leaves(child)


def test_every_error_has_a_code_of_its_own() -> None:
    kinds = list(_leaves(ManifestActionError))
    assert sorted(kind.exit_code for kind in kinds if kind is not Interrupted) == list(range(2, 14))
    assert len({kind.code for kind in kinds}) == len(kinds)


def test_the_tree_in_the_text_is_the_tree() -> None:
    drawn = (errors.__doc__ or "").splitlines()
    for kind in _leaves(ManifestActionError):
        line = next(line for line in drawn if f" {kind.__name__} " in line)
        assert kind is Interrupted or f" {kind.exit_code} " in line


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ManifestActionError("no"), "no"),
        (ManifestActionError("no", where="here"), "here: no"),
        (ManifestActionError("no", where="here", why="because"), "here: no: because"),
        (ManifestActionError("no", why="because", hint="try"), "no: because"),
        (RegistryError("no", where="ghcr.io", status=403, codes=["DENIED"]), "ghcr.io: no"),
    ],
)
def test_a_message_says_what_where_and_why(error: ManifestActionError, text: str) -> None:
    assert str(error) == text


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (Problem("wrong"), "wrong"),
        (Problem("wrong", MARK), "spec.yml:3:7: wrong"),
        (Problem("wrong", MARK, "sources[1]", "did you mean x"), "spec.yml:3:7: sources[1]: wrong (did you mean x)"),
    ],
)
def test_a_problem_says_where_it_is(problem: Problem, text: str) -> None:
    assert str(problem) == text


def test_a_config_error_carries_all_problems() -> None:
    error = ConfigError([Problem("first", MARK), Problem("second")])
    assert str(error) == "spec.yml:3:7: first (and 1 more)"
    assert error.mark == MARK
    assert [problem.what for problem in error.problems] == ["first", "second"]
    assert str(ConfigError([Problem("only")])) == "only"


def test_registry_errors_carry_the_answer() -> None:
    error = AuthError("no", status=401, codes=("UNAUTHORIZED",), mark=MARK, hint="log in")
    assert (error.status, error.codes, error.mark, error.hint) == (401, ("UNAUTHORIZED",), MARK, "log in")
    assert isinstance(error, RegistryError)
    assert error.others == ()


def test_a_signal_sets_the_exit_code() -> None:
    error = Interrupted("SIGTERM", 143)
    assert error.exit_code == 143
    assert str(error) == "stopped by SIGTERM"


@pytest.mark.parametrize(
    "error",
    [
        ConfigError([Problem("bad", Mark("spec", 1, 2))]),
        RegistryError("no", where="here", why="so", hint="try", status=500, codes=["UNKNOWN"]),
        AuthError("no", status=401),
        Interrupted("SIGTERM", 143),
    ],
)
def test_every_kind_of_error_can_be_copied(error: ManifestActionError) -> None:
    twin = copy.copy(error)
    assert (type(twin), vars(twin), twin.args, str(twin)) == (type(error), vars(error), error.args, str(error))
    twin.mark = Mark("other", 9, 9)
    assert error.mark != twin.mark
