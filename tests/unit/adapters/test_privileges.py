"""What a step needs of its environment, and what it does not; giving up rights themselves is seen on the image."""

import socket
from pathlib import Path

import pytest

from manifest_action.adapters.privileges import (
    engine_groups,
    forget_identity,
    forget_runtime,
    give_up,
    settle_temporary,
)
from manifest_action.errors import StoreError


def test_tokens_of_the_runner_are_forgotten_and_the_identity_for_now_is_not() -> None:
    environment = {
        "ACTIONS_RUNTIME_TOKEN": "a",
        "ACTIONS_RESULTS_URL": "b",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "c",
        "ACTIONS_ID_TOKEN_REQUEST_URL": "d",
        "ACTIONS_STEP_DEBUG": "true",
        "GITHUB_ACTIONS": "true",
    }
    forget_runtime(environment)
    assert "".join(sorted(environment.values())) == "cdtruetrue"
    forget_identity(environment)
    forget_identity(environment)
    assert environment == {"ACTIONS_STEP_DEBUG": "true", "GITHUB_ACTIONS": "true"}


def test_a_workspace_that_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("ctypes.CDLL", _Library)
    with pytest.raises(StoreError, match="the workspace cannot be entered"):
        give_up(tmp_path / "nowhere")


def test_capabilities_that_stay_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("ctypes.CDLL", _Library)
    for name in ("setgroups", "setresgid", "setresuid"):
        monkeypatch.setattr(f"os.{name}", _refused)
    with pytest.raises(OSError, match="capabilities cannot be given up"):
        give_up(tmp_path)


class _Library:
    """A C library that refuses."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def prctl(self, *_: int) -> int:
        return 0

    def capset(self, *_: object) -> int:
        return -1


def _refused(*_: object) -> None:
    raise PermissionError


@pytest.mark.parametrize(
    ("inputs", "wanted"),
    [
        ({"sources": "docker-daemon:app:dev"}, True),
        ({"spec": "image: x\nsources: ['docker-daemon:app']"}, True),
        ({"spec": "spec.yml"}, True),
        ({"spec": "../spec.yml", "working-directory": "sub"}, True),
        ({"spec": "other.yml\nnowhere.yml"}, False),
        ({"sources": "oci:docker-daemon"}, False),
        ({}, False),
    ],
)
def test_the_engine_is_for_those_who_name_it(tmp_path: Path, inputs: dict[str, str], wanted: bool) -> None:
    (tmp_path / "spec.yml").write_text("sources: ['docker-daemon:app']\n")
    (tmp_path / "other.yml").write_text("sources: ['oci:app']\n")
    (tmp_path / "sub").mkdir()
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        expected = (path.stat().st_gid,) if wanted else ()
        assert engine_groups(inputs, tmp_path, path) == expected
    assert engine_groups(inputs, tmp_path, tmp_path / "no-socket") == ()
    assert engine_groups(inputs, tmp_path, tmp_path / "spec.yml") == ()


def test_temporary_files_go_where_they_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {"RUNNER_TEMP": str(tmp_path)}
    settle_temporary(environment)
    assert "TMPDIR" not in environment
    monkeypatch.setattr("os.access", lambda path, _: str(path) != "/tmp")
    settle_temporary(environment)
    assert environment["TMPDIR"] == str(tmp_path)
    environment["TMPDIR"] = "/elsewhere"
    settle_temporary(environment)
    assert environment["TMPDIR"] == "/elsewhere"
