"""Workflow commands, and text that must not become one."""

import io
import re
from pathlib import Path

import pytest

from manifest_action.adapters.github.commands import Log, Place, command, plain
from manifest_action.errors import Mark


def test_data_and_properties_are_escaped_as_the_runner_undoes_it() -> None:
    line = command("error", "100%\r\nnext: a,b", file="a,b:c%.yml", line=3, title="")
    assert line == "::error file=a%2Cb%3Ac%25.yml,line=3::100%25%0D%0Anext: a,b"


def test_annotations_are_cut_before_the_runner_does_it() -> None:
    stream = io.StringIO()
    Log(stream, obeyed=True).annotate("error", "x" * 5000)
    assert stream.getvalue() == "::error::" + "x" * 4096 + "\n"


@pytest.mark.parametrize(
    "text",
    [
        "::set-output name=digest::evil",
        "   ::add-mask::a",
        "\t::stop-commands::x",
        "##[error]old form",
        "text before ##[add-mask]secret",
        "::::error::twice",
        ": ::error::x",
        "##[##[error]nested",
    ],
)
def test_no_line_of_text_is_a_command(text: str) -> None:
    line = plain(text)
    assert not line.strip().startswith("::")
    assert "##[" not in line


def test_harmless_text_is_left_alone() -> None:
    text = "ghcr.io/acme/app:1 is sha256:abc :: ok"
    assert plain(text) == text


def test_groups_are_closed_before_the_next_and_at_the_end_only_once() -> None:
    stream = io.StringIO()
    log = Log(stream, obeyed=True)
    log.end_group()
    log.group("one")
    log.group("two")
    log.end_group()
    log.end_group()
    assert stream.getvalue().splitlines() == ["::group::one", "::endgroup::", "::group::two", "::endgroup::"]


def test_past_ten_annotations_of_a_kind_the_rest_are_plain_lines() -> None:
    stream = io.StringIO()
    log = Log(stream, obeyed=True)
    for number in range(12):
        log.annotate("error", f"message {number}\n::error::sneaky", place=Place("spec.yml", 1, 2))
    log.annotate("warning", "other kind")
    lines = stream.getvalue().splitlines()
    assert sum(line.startswith("::error ") for line in lines) == 10
    assert lines[9] == "::error file=spec.yml,line=1,col=2::message 9%0A::error::sneaky"
    assert lines[10:] == [
        "message 10",
        ": :error::sneaky",
        "message 11",
        ": :error::sneaky",
        "::warning::other kind",
    ]


def test_masks_are_printed_only_where_somebody_obeys_them() -> None:
    for obeyed, expected in ((True, "::add-mask::hunter22\n"), (False, "")):
        stream = io.StringIO()
        Log(stream, obeyed=obeyed).mask("hunter22")
        assert stream.getvalue() == expected


def test_masks_are_never_cut() -> None:
    stream = io.StringIO()
    secret = "x" * 5000 + "y" * 5000
    Log(stream, obeyed=True).mask(secret)
    assert stream.getvalue() == f"::add-mask::{secret}\n"


def test_only_files_of_the_workspace_are_places(tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    (workspace / "sub").mkdir(parents=True)
    (workspace / "sub/a.yml").touch()
    (tmp_path / "outside.yml").touch()
    (workspace / "link.yml").symlink_to(tmp_path / "outside.yml")
    assert Place.of(Mark("sub/../sub/a.yml", 2, 3), workspace) == Place("sub/a.yml", 2, 3)
    for name in ("../outside.yml", "link.yml", "sub", "missing.yml", "input tags", ""):
        assert Place.of(Mark(name, 2, 3), workspace) == Place()
    assert Place.of(None, workspace) == Place()


def test_a_place_that_is_nowhere_has_no_properties() -> None:
    stream = io.StringIO()
    Log(stream, obeyed=True).annotate("error", "x", title="T")
    assert re.fullmatch(r"::error title=T::x\n", stream.getvalue())
