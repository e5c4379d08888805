"""Layouts shared by processes, and processes that are killed in the middle of writing."""

import hashlib
import json
import os
import random
import signal
import time
from pathlib import Path

from manifest_action.model.reference import Repository
from manifest_action.transport.layout.transport import LayoutTransport
from tests.contract.places import push_all
from tests.support.images import SyntheticIndex, image, index
from tests.support.processes import run, start

KILLS = 120
WRITERS = 8
NAMES_EACH = 25


def test_writers_that_start_at_once_lose_no_name(tmp_path: Path) -> None:
    path = tmp_path / "layout"
    writers = [start(__file__, "write_names", path, number) for number in range(WRITERS)]
    assert [writer.wait(120) for writer in writers] == [0] * WRITERS
    listed = json.loads((path / "index.json").read_bytes())["manifests"]
    names = [entry["annotations"]["org.opencontainers.image.ref.name"] for entry in listed]
    assert len(names) == len(set(names))
    assert set(names) == {f"w{w}-{n}" for w in range(WRITERS) for n in range(NAMES_EACH)} | {"latest"}
    assert check(path) == len(names)
    assert not list(path.glob(".*"))


def write_names(path: str, number: str) -> None:
    destination = LayoutTransport().destination(Repository("oci", "", path))
    manifest = push_all(destination, image(seed=number, layer_size=100))
    for name in range(NAMES_EACH):
        destination.tag(manifest, f"w{number}-{name}")
        destination.tag(manifest, "latest")


def test_a_writer_can_be_killed_at_any_moment(tmp_path: Path) -> None:
    run(__file__, "kill_writers", tmp_path)
    counts = json.loads((tmp_path / "counts.json").read_bytes())
    # A spread of moments was hit: before the tag moved, after it, with unfinished files and without.
    assert counts["kills"] == KILLS
    assert counts["old"] >= 10
    assert counts["new"] >= 10
    assert counts["leftovers"] >= 3


def kill_writers(folder: str) -> None:
    """Fork a writer, kill it after a random while, look at what it left; again and again.

    Runs in a process of its own, which has no threads and so may fork.
    """
    chance = random.Random(20261124)
    counts = {"kills": 0, "old": 0, "new": 0, "leftovers": 0}
    path = Path(folder) / "layout-0"
    span = 0.02
    before = None
    for attempt in range(KILLS):
        if attempt % 10 == 0:
            path, before = Path(folder) / f"layout-{attempt}", None
        writer = os.fork()
        if writer == 0:
            try:
                publish(path, attempt)
                signal.pause()
            finally:
                os._exit(1)
        time.sleep(chance.uniform(0, span))
        os.kill(writer, signal.SIGKILL)
        _, status = os.waitpid(writer, 0)
        assert os.WIFSIGNALED(status), "the writer failed before it could be killed"
        check(path)
        after = latest(path)
        assert after in (before, version(attempt).digest), (attempt, before, after)
        counts["kills"] += 1
        outcome = "new" if after == version(attempt).digest else "old"
        counts[outcome] += 1
        # However fast the machine is: too many kills before the tag moves come later, and the other way round.
        span *= 1.1 if outcome == "old" else 0.8
        counts["leftovers"] += bool(list(path.glob(".manifest-action-*")))
        before = after
    publish(path, KILLS)
    assert latest(path) == version(KILLS).digest
    assert not list(path.glob(".manifest-action-*"))
    (Path(folder) / "counts.json").write_text(json.dumps(counts))


def version(number: int) -> SyntheticIndex:
    return index([image(seed=str(number), layer_size=50_000), image("linux/arm64", seed=str(number), layer_size=50)])


def publish(path: Path, number: int) -> None:
    destination = LayoutTransport().destination(Repository("oci", "", str(path)))
    destination.tag(push_all(destination, version(number)), "latest")


def latest(path: Path) -> str | None:
    return str(LayoutTransport().destination(Repository("oci", "", str(path))).tagged("latest") or "") or None


def check(path: Path) -> int:
    """Every blob is what its name says, and all that a name leads to is there; gives the number of names."""
    for blob in path.glob("blobs/*/*"):
        assert hashlib.new(blob.parent.name, blob.read_bytes()).hexdigest() == blob.name, blob
    if not (path / "index.json").exists():
        return 0
    listed = json.loads((path / "index.json").read_bytes())["manifests"]
    source = LayoutTransport().source(Repository("oci", "", str(path)))
    for digest in {entry["digest"] for entry in listed}:
        top = source.resolve(digest)
        for manifest in [top, *(source.resolve(str(entry.digest)) for entry in top.entries)]:
            for each in manifest.blobs:
                assert (path / "blobs" / each.digest.algorithm / each.digest.encoded).stat().st_size == each.size
    return len(listed)


def test_readers_never_see_half_of_anything_while_others_write(tmp_path: Path) -> None:
    path = tmp_path / "layout"
    publish(path, 0)
    known = {version(number).digest for number in range(4)}
    writers = [start(__file__, "write_versions", path, number) for number in range(2)]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        seen.add(latest(path))
        check(path)
    assert [writer.wait() for writer in writers] == [0, 0]
    assert seen <= known
    assert len(seen) > 1


def write_versions(path: str, number: str) -> None:
    for attempt in range(40):
        publish(Path(path), (int(number) + attempt) % 4)
