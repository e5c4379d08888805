"""The runner's files, and the report in the workspace."""

import os
from pathlib import Path

import pytest

from manifest_action.adapters.github.files import CommandFile, output_text, write_report
from manifest_action.errors import StoreError


def read_outputs(text: str) -> dict[str, str]:
    """Read GITHUB_OUTPUT as the runner does: the first of `=` and `<<` in a line decides."""
    values = {}
    lines = iter(text.split("\n"))
    for line in lines:
        if not line:
            continue
        equals, heredoc = line.find("="), line.find("<<")
        if heredoc >= 0 and (equals < 0 or heredoc < equals):
            name, _, delimiter = line.partition("<<")
            value = []
            while (each := next(lines)) != delimiter:
                value.append(each)
            values[name] = "\n".join(value)
        else:
            name, _, values[name] = line.partition("=")
    return values


@pytest.mark.parametrize(
    "value",
    [
        "sha256:abc",
        "",
        "two\nlines",
        "ends with a line end\n",
        "digest=evil\nimage<<EOF\nevil\nEOF",
        "manifest-action-00000000000000000000000000000000",
        "=<<",
    ],
)
def test_a_value_comes_out_as_it_went_in_and_adds_nothing(value: str) -> None:
    text = output_text({"first": value, "second": "2"})
    assert read_outputs(text) == {"first": value, "second": "2"}


def test_line_ends_that_the_runner_could_take_for_its_own_are_dropped() -> None:
    assert read_outputs(output_text({"a": "x\r\ny\0\rz"})) == {"a": "x\nyz"}


def test_every_value_has_a_delimiter_of_its_own_with_128_random_bits() -> None:
    text = output_text({"a": "1", "b": "2"}) + output_text({"a": "1"})
    delimiters = [line.partition("<<")[2] for line in text.splitlines() if "<<" in line]
    assert len(set(delimiters)) == 3
    assert all(len(delimiter.removeprefix("manifest-action-")) == 32 for delimiter in delimiters)


def test_a_command_file_is_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "output"
    path.write_text("before=1\n")
    file = CommandFile(str(path))
    file.append("after=2\n")
    file.append("ü\n")
    assert path.read_text() == "before=1\nafter=2\nü\n"


def test_a_runner_without_the_file_is_served_too() -> None:
    CommandFile("").append("anything")


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("")
    (tmp_path / "output").symlink_to(target)
    with pytest.raises(StoreError, match="cannot be written"):
        CommandFile(str(tmp_path / "output"))


def test_a_full_disk_is_an_error_with_advice() -> None:
    file = CommandFile("/dev/full")
    with pytest.raises(StoreError, match="No space left") as caught:
        file.append("x")
    assert "disk must not be full" in caught.value.hint


def test_the_report_is_in_the_workspace_and_ignored_by_git(tmp_path: Path) -> None:
    path = write_report(tmp_path, "__self_2", "{}")
    assert path == ".manifest-action/report-__self_2.json"
    assert (tmp_path / path).read_text() == "{}"
    assert (tmp_path / ".manifest-action/.gitignore").read_text() == "*\n"
    assert write_report(tmp_path, "__self_2", "[]") == path
    assert (tmp_path / path).read_text() == "[]"


def test_a_step_name_cannot_lead_elsewhere(tmp_path: Path) -> None:
    path = write_report(tmp_path, "../../etc/x", "{}")
    assert (tmp_path / path).resolve().parent == tmp_path / ".manifest-action"
    assert write_report(tmp_path, "", "{}") == ".manifest-action/report-run.json"


@pytest.mark.parametrize(
    "name", [".manifest-action", ".manifest-action/report-run.json", ".manifest-action/.gitignore"]
)
def test_links_in_the_workspace_are_not_followed(tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    workspace = tmp_path / "workspace"
    (workspace / name).parent.mkdir(parents=True)
    target = outside if name == ".manifest-action" else outside / "file"
    (workspace / name).symlink_to(target)
    with pytest.raises(OSError, match=r"symbolic links|Not a directory"):
        write_report(workspace, "", "{}")
    assert list(outside.iterdir()) == []


def test_root_gives_what_it_makes_to_the_owner_of_the_workspace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "fchown", lambda file, user, group: given.append((os.fstat(file).st_ino, user, group)))
    made = tmp_path / write_report(tmp_path, "", "{}")
    owner = tmp_path.stat()
    files = (made.parent, made.parent / ".gitignore", made)
    assert given == [(file.stat().st_ino, owner.st_uid, owner.st_gid) for file in files]


def test_others_give_nothing_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1001)
    monkeypatch.setattr(os, "fchown", None)
    write_report(tmp_path, "", "{}")
