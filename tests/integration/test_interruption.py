"""Killed at every step: no tag leads to something incomplete, and a second run completes with the same digest."""

import json
import signal
import threading
import time

import pytest

from tests.support.images import image, push
from tests.support.product import Product
from tests.support.recorder import Recorder, recording
from tests.support.servers import Registry

IMAGES = [image("linux/amd64", layer_size=20_000), image("linux/arm64", layer_size=20_000)]


Step = tuple[str, int]
"""A kind of request, and which of that kind it is: two readers and a look for what is attached may change places."""


def kind(method: str, path: str) -> str:
    """What a request is about."""
    return f"{method} {'blob' if '/blobs/' in path else 'manifest'}"


class Trap:
    """Lets requests pass until the one of `step` comes, and holds that and all that follow until they are let go."""

    def __init__(self, step: Step) -> None:
        self.sprung = threading.Event()
        self.opened = threading.Event()
        self.held = ""
        self._kind, self._left = step
        self._lock = threading.Lock()

    def __call__(self, method: str, path: str) -> None:
        with self._lock:
            if not self.sprung.is_set() and kind(method, path) == self._kind:
                self._left -= 1
                if self._left < 0:
                    self.held = f"{method} {path}"
                    self.sprung.set()
            mine = self.sprung.is_set()
        if mine:
            self.opened.wait(120)
            raise ConnectionError("the client is gone")


@pytest.fixture(scope="module")
def steps(registry: Registry, other_registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> list[Step]:
    """The requests that an undisturbed run makes."""
    product = Product(tmp_path_factory.mktemp("undisturbed"))
    with recording(registry) as recorder:
        product.push(spec(recorder, other_registry, "interruption/undisturbed"), "--jobs", "1")
        kinds = [kind(each.method, each.path) for each in recorder.log]
        return [(name, kinds[:place].count(name)) for place, name in enumerate(kinds)]


def spec(recorder: Recorder, far: Registry, repository: str) -> str:
    """One image is mounted from a neighbour, the other is copied from afar; two tags."""
    host = recorder.registry.host
    near = push(recorder.upstream, f"{repository}-build", IMAGES[0])
    listed = [f"{host}/{repository}-build@{near}", f"{far.host}/{repository}@{push(far, repository, IMAGES[1])}"]
    return f"image: {host}/{repository}:1\ntags: [latest]\nsources: {listed}\n"


def tags_put(recorder: Recorder) -> set[str]:
    """The tags whose move the registry has confirmed."""
    moves = [each.route.rpartition("/")[2] for each in recorder.requests("PUT", "/manifests/") if each.status == 201]
    return {tag for tag in moves if not tag.startswith("sha256:")}


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
def test_killed_at_each_step(
    registry: Registry,
    other_registry: Registry,
    repository: str,
    product: Product,
    steps: list[Step],
    how: signal.Signals,
) -> None:
    digests = set()
    for number, step in enumerate(steps):
        name = f"{repository}-{number}"
        with recording(registry) as recorder:
            text = spec(recorder, other_registry, name)
            trap = Trap(step)
            recorder.intercept = trap
            # One job at a time makes the order of the requests nearly the same in every run.
            with product.start("push", "--jobs", "1", product.spec(text)) as process:
                assert trap.sprung.wait(120), f"{step} of {steps} was never reached"
                began = time.monotonic()
                process.send_signal(how)
                process.communicate(timeout=60)
                # Patience is over after four seconds; a busy machine may take its time to notice.
                assert time.monotonic() - began < 15
            trap.opened.set()
            assert process.returncode == (143 if how is signal.SIGTERM else -signal.SIGKILL)
            assert set(registry.tags(name)) == tags_put(recorder), trap.held
            for tag in registry.tags(name):
                for entry in json.loads(registry.manifest(name, tag).body)["manifests"]:
                    assert registry.manifest(name, entry["digest"]).status == 200
            recorder.intercept = None
            report = product.push(text, "--jobs", "1")
            digests.add(report["indexes"][0]["digest"])
            assert registry.tags(name) == ["1", "latest"]
    assert len(digests) == 1
    every = {"GET manifest", "HEAD manifest", "GET blob", "POST blob", "PUT blob", "PUT manifest"}
    assert every <= {name for name, _ in steps}
