"""A store of lists that many change at once, and writers that are killed at any moment."""

import json
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from manifest_action.model import mediatype
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.instances import Change
from manifest_action.model.platform import Platform
from manifest_action.model.reference import parse_reference
from manifest_action.store import SavedList, Store
from manifest_action.store.lock import StoreLock
from tests.support.processes import run
from tests.support.product import Product

KILLS = 200
KILLS_PER_STORE = 20
WRITERS = 20
EDITS_EACH = 50
NAME = "localhost/app:1"
EDITED = Change(annotations={"edited": "yes"})
PLACE = parse_reference("ghcr.io/acme/app:1")


def drive(call: str, folder: Path) -> "dict[str, int]":
    """Run a function of this module in a process of its own, which has no threads and so may fork; its figures."""
    run(__file__, call, folder)
    figures: dict[str, int] = json.loads((folder / "figures.json").read_bytes())
    return figures


def instance(number: int) -> Descriptor:
    return Descriptor(mediatype.OCI_MANIFEST, Digest.of(b"%d" % number), 1, Platform("linux", "amd64"))


@pytest.mark.slow
def test_writers_at_once_lose_nothing(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    figures = drive("write_at_once", tmp_path)
    record_property("writers", figures)
    saved = Store(tmp_path / "lists").load(NAME)
    adds = WRITERS * EDITS_EACH // 2
    assert {entry.digest for entry in saved.index.entries} == {instance(number).digest for number in range(adds)}
    assert len(saved.index.entries) == adds
    assert all(entry.annotations == {"edited": "yes"} for entry in saved.index.entries)
    assert saved.locations == dict.fromkeys((entry.digest for entry in saved.index.entries), PLACE)
    assert figures["failed"] == 0


def write_at_once(folder: str) -> None:
    path = Path(folder) / "lists"
    Store(path).create(SavedList((NAME,)))
    begin = time.monotonic()
    writers = [_fork(lambda number=number: _write(path, number)) for number in range(WRITERS)]  # type: ignore[misc]
    codes = [os.waitstatus_to_exitcode(os.waitpid(writer, 0)[1]) for writer in writers]
    milliseconds = int(1000 * (time.monotonic() - begin))
    _report(folder, failed=sum(code != 0 for code in codes), milliseconds=milliseconds)


def _write(path: Path, writer: int) -> None:
    store = Store(path, lock_timeout=120)
    each = EDITS_EACH // 2
    for number in range(writer * each, (writer + 1) * each):
        store.edit(NAME, lambda saved, number=number: saved.add(instance(number), PLACE))  # type: ignore[misc]
        store.edit(NAME, lambda saved, number=number: saved.change(instance(number).digest, EDITED))  # type: ignore[misc]


@pytest.mark.slow
def test_a_writer_can_be_killed_at_any_moment(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    figures = drive("kill_writers", tmp_path)
    record_property("kills", figures)
    assert figures["kills"] == KILLS
    # A spread of moments was hit: before an edit counted, after it but before the writer could say so.
    assert figures["before"] >= 20
    assert figures["after"] >= 5
    assert figures["edits"] >= KILLS


def kill_writers(folder: str) -> None:
    chance = random.Random(20261124)
    figures = {"kills": 0, "before": 0, "after": 0, "edits": 0}
    path, known = Path(folder), 0
    for attempt in range(KILLS):
        if attempt % KILLS_PER_STORE == 0:
            path, known = Path(folder) / f"lists-{attempt}", 0
            Store(path).create(SavedList((NAME,)))
        said = _kill_within(chance.randint(1, 3), chance.random(), path, known)
        figures["edits"] += said - known
        known = _check(path, said)
        figures["kills"] += 1
        figures["after" if known > said else "before"] += 1
    _report(folder, **figures)


def _kill_within(edits: int, part: float, path: Path, known: int) -> int:
    """Let a writer add instances, kill it after so many edits and a part of the next; how many it says there are."""
    out, into = os.pipe()
    writer = _fork(lambda: _add_for_ever(path, known, into))
    os.close(into)
    with os.fdopen(out, "rb", buffering=0) as words:
        assert words.read(1) == b"!"
        begin = time.monotonic()
        assert all(words.read(1) == b"." for _ in range(edits))
        # However slow the machine is: a part of the time that an edit has just taken.
        time.sleep(part * (time.monotonic() - begin) / edits)
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
        return known + edits + len(words.read())


def _add_for_ever(path: Path, known: int, into: int) -> None:
    store = Store(path)
    os.write(into, b"!")
    while True:
        store.edit(NAME, lambda saved: saved.add(instance(known), PLACE))  # noqa: B023 - called at once
        known += 1
        os.write(into, b".")


def _check(path: Path, said: int) -> int:
    """What a reader and what other tools find now is whole: what the writer said, or one more; how many we find."""
    saved = Store(path).load(NAME)
    found = len(saved.index.entries)
    assert [entry.digest for entry in saved.index.entries] == [instance(number).digest for number in range(found)]
    assert found in (said, said + 1), (found, said)
    (entry,) = json.loads((path / "index.json").read_bytes())["manifests"]
    raw = (path / "blobs" / "sha256" / entry["digest"].partition(":")[2]).read_bytes()
    assert len(json.loads(raw)["manifests"]) in (found - 1, found)
    return found


def _fork(call: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            call()
            code = 0
        finally:
            os._exit(code)
    return child


def _report(folder: str, **figures: int) -> None:
    (Path(folder) / "figures.json").write_text(json.dumps(figures))


def test_a_locked_store_is_waited_for_and_then_given_up_with_the_name_of_the_holder(
    product: Product, tmp_path: Path
) -> None:
    assert product.run("list", "create", NAME, "--store", "lists").returncode == 0
    with StoreLock(tmp_path / "lists" / "manifest-lists.lock", 1, "a test").held():
        refused = product.run("list", "rm", NAME, "--store", "lists", "--lock-timeout", "0.3")
        seen = product.run("list", "ls", "--store", "lists")
    assert refused.returncode == 10
    assert f"the store is locked by process {os.getpid()} (a test)" in refused.stderr.decode()
    assert seen.returncode == 0, "readers do not wait"
    assert product.run("list", "rm", NAME, "--store", "lists").returncode == 0
