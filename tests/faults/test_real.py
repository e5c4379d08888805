"""Faults in front of real registries: what they do with broken uploads is theirs, not our idea of it."""

import gzip
import json
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults import acts
from tests.faults.bench import Bench, Loop, Rule, Upstream
from tests.faults.product import push, quick
from tests.faults.steps import Step
from tests.faults.wire import Act, Exchange
from tests.support.images import Layer, digest_of, image, write_layout
from tests.support.images import push as put
from tests.support.product import Product
from tests.support.servers import Registry

_MIB = 1024 * 1024
_RAW = random.Random("layer").randbytes(6 * _MIB)
_BLOB = gzip.compress(_RAW, compresslevel=0, mtime=0)
LARGE = Layer("application/vnd.oci.image.layer.v1.tar+gzip", digest_of(_BLOB), len(_BLOB), _BLOB, digest_of(_RAW))
IMAGES = (
    image("linux/amd64", layers=1, layer_size=500, extra_layers=[LARGE]),
    image("linux/arm64", layers=1, layer_size=500),
)


@pytest.fixture(scope="module")
def loop() -> Iterator[Loop]:
    with Loop() as running:
        yield running


FAULTS: dict[str, tuple[Step, list[Act], float]] = {
    "nothing": (Step.PUT_BLOB, [acts.nothing], 1.0),
    "f02 reset": (Step.PUT_BLOB, [acts.reset], 1.0),
    "f02 reset of a tag": (Step.PUT_TAG, [acts.reset], 1.0),
    "f02 reset of a child": (Step.PUT_CHILD, [acts.reset, acts.reset], 1.0),
    "f06 upload cut": (Step.PUT_BLOB, [acts.cut_upload()], 1.5),
    "f06 upload cut twice": (Step.PUT_BLOB, [acts.cut_upload(), acts.cut_upload(0.9)], 2.5),
    "f09 blob done, answer lost": (Step.PUT_BLOB, [acts.lose_answer], 1.0),
    "f09 child done, answer lost": (Step.PUT_CHILD, [acts.lose_answer], 1.0),
    "f09 tag done, answered 502": (Step.PUT_TAG, [acts.spoil_answer(502)], 1.0),
    "f10 503 for an upload": (Step.PUT_BLOB, [acts.status(503)] * 2, 3.0),
    "f11 429 for a child": (Step.PUT_CHILD, [acts.retry_later(429, 1)], 1.0),
    "f20 mount refused": (Step.MOUNT, [acts.status(405)] * 4, 1.0),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("server", ["registry", "registry_v3"])
def test_fault(
    server: str, fault: str, loop: Loop, request: pytest.FixtureRequest, repository: str, tmp_path: Path
) -> None:
    registry: Registry = request.getfixturevalue(server)
    step, made, price = FAULTS[fault]
    (tmp_path / "config.json").write_text("{}")
    bench = Bench(loop, Upstream(registry.host))
    far = Bench(loop, Upstream(registry.host))
    bench.rules.append(Rule(step, list(made)))
    with quick(), bench.running(), far.running():
        for each in IMAGES:
            put(registry, f"{repository}-build", each)
        near, away = (f"{host}/{repository}-build@" for host in (bench.host, far.host))
        sources = [f"{away}{IMAGES[0].digest}", f"{near}{IMAGES[1].digest}"]
        text = f"image: {bench.host}/{repository}:1\ntags: [latest]\nsources: {json.dumps(sources)}\n"
        ran = push(tmp_path, text)
    assert ran.code == 0, ran.output[:3000]
    assert registry.tags(repository) == ["1", "latest"]
    for each in IMAGES:
        assert registry.manifest_bytes(repository, each.digest) == each.manifest_bytes
        assert all(registry.blob(repository, digest) == blob for digest, blob in each.blobs.items())
    sent = sum(record.sent for record in bench.log if record.step in (Step.PUT_BLOB, Step.PATCH))
    ideal = sum(len(blob) for blob in IMAGES[0].blobs.values() if isinstance(blob, bytes))
    assert sent <= price * ideal + 50_000, f"{sent} bytes sent for {ideal}"


def open_sessions(registry: Registry, repository: str) -> list[str]:
    """The upload sessions of a repository that the registry keeps; of those it has ended, folders may be left."""
    folder = registry.storage / "docker/registry/v2/repositories" / repository / "_uploads"
    return [each.parent.name for each in folder.glob("*/startedat")]


SENT = [("registry", acts.stall), ("registry_v3", acts.stall), ("registry_v3", acts.stall_in_body)]
"""How far an upload is; docker-registry 2.8 lets nobody cancel one of which it has something."""


@pytest.mark.parametrize(("server", "how"), SENT, ids=["registry-begun", "registry_v3-begun", "registry_v3-half"])
def test_a_run_that_is_stopped_leaves_no_upload_session(
    server: str, how: Act, loop: Loop, request: pytest.FixtureRequest, repository: str, tmp_path: Path
) -> None:
    registry: Registry = request.getfixturevalue(server)
    put(registry, f"{repository}-build", IMAGES[0])
    far = Bench(loop, Upstream(registry.host))
    far.rules.append(Rule(Step.GET_BLOB, [how], forever=True, part=LARGE.digest))
    product = Product(tmp_path)
    with far.running():
        text = f"image: {registry.host}/{repository}:1\nsources: ['{far.host}/{repository}-build@{IMAGES[0].digest}']\n"
        with product.start("push", product.spec(text)) as process:
            deadline = time.monotonic() + 20
            while not (far.rules[0].used and open_sessions(registry, repository)) and time.monotonic() < deadline:
                time.sleep(0.01)
            assert open_sessions(registry, repository)
            time.sleep(0.5)  # the small blobs beside it come to their end
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=20)
        assert time.monotonic() - began < 5
    assert process.returncode == 143
    assert open_sessions(registry, repository) == []
    assert registry.tags(repository) == []


def test_an_upload_of_wrong_content_leaves_no_session(registry_v3: Registry, repository: str, tmp_path: Path) -> None:
    layout = write_layout(tmp_path / "in", {"1": IMAGES[0]})
    layer = layout / "blobs" / "sha256" / LARGE.digest.partition(":")[2]
    layer.write_bytes(_BLOB[:-1] + b"x")
    ran = push(tmp_path, f"image: {registry_v3.host}/{repository}:1\nsources: ['oci:{layout}:1']\n")
    assert ran.code == 9, ran.output[:2000]
    assert open_sessions(registry_v3, repository) == []


@pytest.mark.parametrize("server", ["registry", "registry_v3"])
def test_an_upload_whose_source_refuses_leaves_no_session(
    server: str, loop: Loop, request: pytest.FixtureRequest, repository: str, tmp_path: Path
) -> None:
    registry: Registry = request.getfixturevalue(server)
    put(registry, f"{repository}-build", IMAGES[0])
    far = Bench(loop, Upstream(registry.host))
    far.rules.append(Rule(Step.GET_BLOB, [acts.status(403)], forever=True, part=LARGE.digest))
    with far.running():
        source = f"{far.host}/{repository}-build@{IMAGES[0].digest}"
        ran = push(tmp_path, f"image: {registry.host}/{repository}:1\nsources: ['{source}']\n")
    assert ran.code == 6, ran.output[:2000]
    assert open_sessions(registry, repository) == []


def test_a_download_that_is_cut_three_times_is_not_begun_again(
    registry: Registry, loop: Loop, repository: str, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text("{}")
    put(registry, f"{repository}-build", IMAGES[0])
    received = []

    async def cut(exchange: Exchange) -> None:
        response = await exchange.forward()
        part = response.body[: len(response.body) * 2 // 5]
        received.append(len(part))
        await exchange.write(replace(response, body=part).head(length=len(response.body)) + part)
        exchange.hang_up()

    far = Bench(loop, Upstream(registry.host))
    far.rules.append(Rule(Step.GET_BLOB, [cut] * 3, part=LARGE.digest))
    with quick(), far.running():
        text = f"image: {registry.host}/{repository}:1\nsources: ['{far.host}/{repository}-build@{IMAGES[0].digest}']\n"
        ran = push(tmp_path, text)
    assert ran.code == 0, ran.output[:3000]
    assert registry.blob(repository, LARGE.digest) == _BLOB
    spans = [record.head.get("range") for record in far.log if LARGE.digest in record.head.target]
    at = [0, *(sum(received[: number + 1]) for number in range(3))]
    assert spans == [f"bytes={start}-{len(_BLOB) - 1}" if start else "" for start in at]
