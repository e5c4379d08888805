"""Every bad spec, through the whole program: exit code 2, the place of each mistake, nothing asked, nothing written."""

import re
import socket
from pathlib import Path
from typing import NoReturn

import pytest

from manifest_action.adapters.cli import main
from tests.unit.plan.specs import BAD, Bad


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens a connection or asks for a name has failed the test."""

    def refuse(*_: object, **__: object) -> NoReturn:
        pytest.fail("a bad spec has led to a network request")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_there_are_enough() -> None:
    assert len(BAD) >= 60


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("bad", BAD, ids=[bad.name.replace(" ", "-") for bad in BAD])
def test_a_bad_spec_touches_nothing(
    bad: Bad, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    Path("spec.yml").write_bytes(bad.text.encode("utf-8", "surrogateescape"))
    assert main(["push", "spec.yml"]) == 2
    said = capsys.readouterr().err
    for problem in bad.problems:
        line, column = re.findall(r"\d+", problem)[:2]
        # A file that is too large is refused before it is read, where its name was given.
        assert f"spec.yml:{line}:{column}: " in said or "file 'spec.yml' is over 256 KiB" in said, said
    assert [file.name for file in tmp_path.iterdir()] == ["spec.yml"]
