"""Killed, or refused by the registry, at each manifest of a run that brings, attaches and signs: tags stay."""

import json
import signal
import threading
from dataclasses import dataclass

import pytest

from tests.support import signatures
from tests.support.images import image, push
from tests.support.keys import key_pair
from tests.support.peers import Peer
from tests.support.product import Product
from tests.support.recorder import Answer, Recorder, recording
from tests.support.servers import Registry
from tests.support.signatures import Signed

REFUSAL = Answer(403, {"Content-Type": "application/json"}, b'{"errors":[{"code":"DENIED","message":"not today"}]}')


class AtWrite:
    """Meets the manifest number `step`, from 0: holds it until it is let go, or refuses it and what follows."""

    def __init__(self, step: int, *, hold: bool) -> None:
        self.sprung = threading.Event()
        self.opened = threading.Event()
        self.met = ""
        self._left = step
        self._hold = hold
        self._lock = threading.Lock()

    def __call__(self, method: str, path: str) -> Answer | None:
        if method != "PUT" or "/manifests/" not in path:
            return None
        with self._lock:
            self._left -= 1
            if self._left >= 0:
                return None
            self.met = self.met or f"{method} {path}"
        self.sprung.set()
        if self._hold:
            self.opened.wait(30)
            raise ConnectionError("the client is gone")
        return REFUSAL


@dataclass(frozen=True)
class Job:
    """A run whose destination has an older index under its tag."""

    product: Product
    registry: Registry
    oras: Peer
    origin: str
    digest: str

    def spec(self, recorder: Recorder, repository: str) -> str:
        return (
            f"image: {recorder.registry.host}/{repository}:1\nsources: ['{self.origin}']\n"
            "attach: {file: note.txt, type: text/plain}\nsign: cosign\nprovenance: true\n"
        )

    def before(self, repository: str) -> bytes:
        """The destination as it is before: the tag leads to something else. Gives that."""
        push(self.registry, repository, image("linux/s390x"), "1")
        raw = self.registry.manifest_bytes(repository, "1")
        assert raw is not None
        return raw

    def is_complete(self, repository: str) -> bool:
        """Whether everything is there and can be found."""
        raw = self.registry.manifest_bytes(repository, "1") or b""
        top = signatures.digest_of(raw)
        found = [
            json.loads(
                self.oras("discover", "--plain-http", "--format", "json", f"{self.registry.host}/{repository}@{each}")
            )
            for each in (top, self.digest)
        ]
        ends = [tag.rpartition(".")[2] for tag in self.registry.tags(repository) if "." in tag]
        return [len(each["referrers"]) for each in found] == [3, 2] and sorted(ends) == ["att", "sig", "sig"]


@pytest.fixture
def job(registry: Registry, other_registry: Registry, repository: str, product: Product, oras: Peer) -> Job:
    """An image with a referrer and a `.sig` tag at another registry."""
    digest = push(other_registry, f"{repository}-far", image("linux/amd64", layers=1))
    origin = f"{other_registry.host}/{repository}-far@{digest}"
    (oras.home / "sbom").write_text("sbom")
    oras("attach", "--plain-http", "--artifact-type", "text/plain", origin, "sbom:text/plain")
    signatures.attach(other_registry, f"{repository}-far", digest, Signed(b"payload", b"signature"))
    (product.folder / "note.txt").write_text("note")
    product.environment["COSIGN_PRIVATE_KEY"] = key_pair().private
    return Job(product, registry, oras, origin, digest)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["killed", "refused"])
def test_at_every_write(how: str, registry: Registry, repository: str, job: Job) -> None:
    job.before(repository)
    with recording(registry) as recorder:
        job.product.push(job.spec(recorder, repository), "--jobs", "1")
        writes = recorder.requests("PUT", "/manifests/")
    assert job.is_complete(repository)
    assert writes[-1].path.endswith("/manifests/1")
    met = []
    for step in range(len(writes)):
        name = f"{repository}-{step}"
        old = job.before(name)
        with recording(registry) as recorder:
            recorder.intercept = trap = AtWrite(step, hold=how == "killed")
            with job.product.start("push", "--jobs", "1", job.product.spec(job.spec(recorder, name))) as process:
                if how == "killed":
                    assert trap.sprung.wait(60), f"manifest {step} of {len(writes)} was never reached"
                    process.send_signal(signal.SIGKILL)
                process.communicate(timeout=60)
            trap.opened.set()
            assert process.returncode == (-signal.SIGKILL if how == "killed" else 6), trap.met
            assert registry.manifest_bytes(name, "1") == old, trap.met
            met.append(trap.met)
            recorder.intercept = None
            if step % 3 == 0:
                job.product.push(job.spec(recorder, name), "--jobs", "1")
                assert job.is_complete(name), trap.met
    assert any(".sig" in each for each in met)
    assert any(".att" in each for each in met)
