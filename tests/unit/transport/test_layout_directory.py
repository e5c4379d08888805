"""What the rest of the layout code builds on: directories that are entered without following links."""

from pathlib import Path

import pytest

from manifest_action.errors import StoreError
from manifest_action.transport.layout.directory import make_directory, open_directory


def test_a_link_is_not_entered(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to("target")
    with (
        make_directory(tmp_path) as root,
        pytest.raises(StoreError, match="cannot be read or written"),
        root.enter("link"),
    ):
        pass
    with pytest.raises(StoreError), open_directory(tmp_path, "link"):
        pass


def test_what_is_missing_is_none(tmp_path: Path) -> None:
    for inside in ((), ("a",), ("a", "b")):
        with open_directory(tmp_path / "missing", *inside) as found:
            assert found is None
    with open_directory(tmp_path, "a", "b") as found:
        assert found is None


def test_a_limit_on_reading_is_exact(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    with make_directory(tmp_path) as root:
        assert root.read("file", 5) == b"12345"
        assert root.read("missing", 5) is None
        with pytest.raises(StoreError, match="more than the 4 bytes"):
            root.read("file", 4)


def test_all_of_a_file_can_be_read_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    with make_directory(tmp_path) as root, root.open("file") as file:
        assert file is not None
        file.seek(1)
        assert (file.read(2), file.read(), file.read()) == (b"23", b"45", b"")


def test_a_file_that_is_not_kept_is_gone(tmp_path: Path) -> None:
    with make_directory(tmp_path) as root:
        with root.new_file() as new:
            new.write(b"draft")
            assert len(list(tmp_path.iterdir())) == 1
            assert root.names() == []
        assert list(tmp_path.iterdir()) == []
        root.replace("kept", b"final")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("kept", b"final")]


def test_only_one_holds_the_exclusive_lock(tmp_path: Path) -> None:
    with make_directory(tmp_path) as first:
        with make_directory(tmp_path) as second:
            assert first.try_lock()
            assert not second.try_lock()
        first.lock(exclusive=False)
        with make_directory(tmp_path) as second:
            second.lock(exclusive=False)
            assert not first.try_lock()
