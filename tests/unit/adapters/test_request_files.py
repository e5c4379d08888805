"""Which files may be read, and what is said of the others."""

import os
from pathlib import Path

import pytest

from manifest_action.adapters.request import read_request
from manifest_action.adapters.textfile import read_text
from manifest_action.errors import ConfigError

SPEC = "image: a.b/c:1\nsources: [a.b/c:2]\n"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace within a directory that is none of it."""
    (tmp_path / "outside.yml").write_text(SPEC)
    workspace = tmp_path / "workspace"
    (workspace / "sub").mkdir(parents=True)
    (workspace / "spec.yml").write_text(SPEC)
    return workspace


def problem(workspace: Path, name: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read_request({"spec": name}, workspace)
    (found,) = caught.value.problems
    return str(found)


def refused(workspace: Path, name: str) -> str:
    head = f"input spec:1:1: spec: file {name!r} "
    found = problem(workspace, name)
    assert found.startswith(head)
    return found.removeprefix(head)


def test_a_link_within_the_workspace_is_followed(workspace: Path) -> None:
    (workspace / "sub" / "link.yml").symlink_to("../spec.yml")
    (workspace / "way").symlink_to("sub")
    assert read_request({"spec": "sub/link.yml"}, workspace).specs[0].mark
    (spec,) = read_request({"spec": "way/link.yml"}, workspace).specs
    assert str(spec.mark) == "way/link.yml:1:1"


def test_an_absolute_path_within_the_workspace_is_read(workspace: Path) -> None:
    (spec,) = read_request({"spec": str(workspace / "spec.yml")}, workspace).specs
    assert str(spec.mark) == "spec.yml:1:1"


def test_nothing_leads_out_of_the_workspace(workspace: Path) -> None:
    (workspace / "link.yml").symlink_to("../outside.yml")
    (workspace / "way").symlink_to("..")
    (workspace / "shadow").symlink_to("/etc/passwd")
    for name in ("link.yml", "way/outside.yml", "../outside.yml", "shadow", "/etc/passwd", "sub/../../outside.yml"):
        assert refused(workspace, name) == "lies outside of the workspace"


def test_a_wider_root_lets_more_be_read(workspace: Path) -> None:
    (spec,) = read_request({"spec": "../outside.yml"}, workspace, root=Path("/")).specs
    assert str(spec.mark) == "../outside.yml:1:1"


def test_what_is_no_file(workspace: Path) -> None:
    os.mkfifo(workspace / "fifo")
    (workspace / "loop").symlink_to("loop")
    (workspace / "dangling").symlink_to("nowhere")
    assert refused(workspace, "fifo") == "is not a regular file"
    assert refused(workspace, "sub") == "is not a regular file"
    assert refused(workspace, ".") == "is not a regular file"
    assert refused(workspace, "loop") == "is no path that can be followed"
    assert refused(workspace, "spec.yml/more") == "is no path that can be followed"
    assert refused(workspace, "a\0b") == "is no path that can be followed"
    assert refused(workspace, "dangling").startswith("does not exist")
    assert refused(workspace, "none.yml").startswith("does not exist")


def test_devices_are_not_read() -> None:
    with pytest.raises(ValueError, match="is not a regular file"):
        read_text(Path("/dev/zero"), Path("/"), 10)


def test_a_file_that_may_not_be_read(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    assert refused(workspace, "spec.yml") == "cannot be read: Permission denied"


def test_a_link_that_appears_after_the_check_is_not_followed(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last component may be replaced between the check of the path and its opening."""
    real_open = os.open

    def swap(path: str, flags: int) -> int:
        Path(path).unlink()
        Path(path).symlink_to("../outside.yml")
        return real_open(path, flags)

    monkeypatch.setattr(os, "open", swap)
    assert refused(workspace, "spec.yml").startswith("cannot be read: Too many levels of symbolic links")


def test_a_file_that_is_too_large(workspace: Path) -> None:
    limit = 256 * 1024
    (workspace / "large.yml").write_text(SPEC + "#" * (limit - len(SPEC)))
    assert read_request({"spec": "large.yml"}, workspace).specs
    (workspace / "large.yml").write_text(SPEC + "#" * (limit - len(SPEC) + 1))
    assert refused(workspace, "large.yml") == "is over 256 KiB"
    with (workspace / "huge.yml").open("wb") as file:
        file.truncate(10 * 1024**3)
    assert refused(workspace, "huge.yml") == "is over 256 KiB"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "latin-1"])
def test_a_file_in_another_encoding(workspace: Path, encoding: str) -> None:
    (workspace / "other.yml").write_bytes("image: café\n".encode(encoding))
    found = {
        "utf-16": "input spec:1:1: spec: file 'other.yml' is UTF-16 text; save it as UTF-8",
        "utf-16-be": "other.yml:1:1: the control character U+0000 is not allowed",
        "latin-1": "other.yml:1:11: an undecodable byte is not allowed",
    }
    with pytest.raises(ConfigError) as caught:
        read_request({"spec": "other.yml"}, workspace)
    assert str(caught.value.problems[0]) == found[encoding]


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "---\n...\n"])
def test_an_empty_file(workspace: Path, text: str) -> None:
    (workspace / "empty.yml").write_text(text)
    assert problem(workspace, "empty.yml") == "empty.yml:1:1: holds no document"


def test_every_file_is_looked_at(workspace: Path) -> None:
    (workspace / "tab.yml").write_text("a:\n\tb: c\n")
    (workspace / "twice.yml").write_text("image: a\nimage: b\n")
    with pytest.raises(ConfigError) as caught:
        read_request({"spec": "none.yml\ntab.yml\nspec.yml\ntwice.yml\n/etc/passwd"}, workspace)
    assert [str(problem).split(" ")[0] for problem in caught.value.problems] == [
        "input",
        "input",
        "tab.yml:2:1:",
        "twice.yml:2:1:",
    ]
