"""Who waits for a locked store, how long, and what is said then."""

import os
import threading
import time
from pathlib import Path

import pytest

from manifest_action.errors import StoreError
from manifest_action.store.lock import StoreLock


def test_who_waits_too_long_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with StoreLock(path, 1, "manifest-action list add").held():
        begin = time.monotonic()
        with pytest.raises(StoreError) as caught, StoreLock(path, 0.2).held():
            pytest.fail("the lock was given twice")
        assert 0.2 <= time.monotonic() - begin < 5
    assert f"locked by process {os.getpid()} (manifest-action list add)" in caught.value.what
    assert "0.2 seconds" in caught.value.what
    assert "--lock-timeout" in caught.value.hint
    assert caught.value.where == str(tmp_path)


def test_who_waits_gets_the_lock_when_it_is_free(tmp_path: Path) -> None:
    lock = StoreLock(tmp_path / "lock", 10)
    order = []

    def second() -> None:
        with lock.held():
            order.append("second")

    with lock.held():
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.1)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


def test_the_note_is_gone_with_the_holder_and_a_failure_frees_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with StoreLock(path, 0).held():
        assert path.read_text().startswith(f"process {os.getpid()} (")
    assert path.read_text() == ""
    with pytest.raises(ValueError, match="x"), StoreLock(path, 0).held():
        raise ValueError("x")
    with StoreLock(path, 0).held():
        pass


def test_a_holder_that_has_not_said_its_name_yet_is_another_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with StoreLock(path, 0).held():
        path.write_text("")
        with pytest.raises(StoreError, match="another process"), StoreLock(path, 0).held():
            pytest.fail("the lock was given twice")


def test_a_lock_is_no_link_and_is_made_only_where_files_can_be(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    for path in (tmp_path / "lock", tmp_path / "missing" / "lock"):
        with pytest.raises(StoreError, match="cannot be locked"), StoreLock(path, 0).held():
            pytest.fail("the lock was given")
    assert not (tmp_path / "elsewhere").exists()
