"""The recorder is what round trips and bytes are counted with, so its own counting is checked."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.images import buildx_index, file_layer, image, push
from tests.support.peers import Peer
from tests.support.recorder import Answer, Exchange, Lull, recording, waves
from tests.support.servers import Registry


def _exchange(start: float, end: float) -> Exchange:
    return Exchange("GET", "/v2/", 200, start, end, 0, 0, 0, authorized=False)


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([], 0),
        ([(0, 1), (0, 1), (0.5, 1.5)], 1),
        ([(0, 1), (1, 2), (2, 3)], 3),
        ([(0, 10), (1, 2), (3, 4)], 2),
        ([(0, 1), (0.5, 2), (1.5, 3), (2.5, 4)], 2),
    ],
)
def test_waves_are_the_longest_chain(spans: list[tuple[float, float]], expected: int) -> None:
    assert waves(_exchange(*span) for span in spans) == expected


def test_requests_pass_and_are_written_down(registry: Registry, repository: str) -> None:
    with recording(registry) as recorder:
        child = image(seed=repository)
        what = buildx_index([child], attestations=False)
        push(recorder.registry, repository, what, "v1")
        assert recorder.registry.manifest_bytes(repository, "v1") == what.manifest_bytes
    assert registry.manifest_bytes(repository, what.digest) == what.manifest_bytes
    assert recorder.blob_bytes_sent == sum(len(registry.blob(repository, digest)) for digest in child.blobs)
    assert recorder.blob_bytes_received == 0
    assert [each.status for each in recorder.requests("PUT", "/manifests/v1")] == [201]
    assert not any(each.authorized for each in recorder.log)
    assert recorder.requests("GET")[-1].received == len(what.manifest_bytes)


def test_parallel_requests_are_one_wave(registry: Registry) -> None:
    with recording(registry, delay=0.1) as recorder, ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            list(pool.map(lambda _: recorder.registry.request("GET", "/v2/"), range(8)))
    assert len(recorder.log) == 24
    assert waves(recorder.log) == 3
    assert len({each.connection for each in recorder.log}) == 24


def test_requests_that_come_one_after_another_wait_for_the_last_and_are_one_wave(registry: Registry) -> None:
    def ask(number: int) -> int:
        time.sleep(0.1 * number)
        return recorder.registry.request("GET", "/v2/").status

    with recording(registry) as recorder, ThreadPoolExecutor(4) as pool:
        recorder.intercept = Lull(0.4)
        assert list(pool.map(ask, range(4))) == [200] * 4
        assert waves(recorder.log) == 1
        ask(0)
        assert waves(recorder.log) == 2


def test_an_exchange_is_written_down_as_soon_as_anybody_asks(registry: Registry) -> None:
    with recording(registry) as recorder:
        for number in range(200):
            recorder.registry.request("GET", "/v2/")
            assert len(recorder.log) == number + 1


def test_tokens_are_asked_for_through_the_recorder(
    registry_token: Registry, repository: str, tmp_path: Path, skopeo: Peer
) -> None:
    with recording(registry_token) as recorder:
        push(registry_token, repository, image(), "v1")
        skopeo.login(recorder.registry)
        target = f"docker://{recorder.registry.host}/{repository}:v1"
        assert skopeo("inspect", "--tls-verify=false", "--raw", target) == image().manifest_bytes
    routes = [(each.route, each.status) for each in recorder.log]
    assert routes == [("/v2/", 401), ("/token", 200), (f"/v2/{repository}/manifests/v1", 200)]
    assert [each.authorized for each in recorder.log] == [False, True, True]


def test_tls_and_absolute_locations(registry_tls: Registry, repository: str, tmp_path: Path) -> None:
    layer = file_layer(tmp_path / "layer", 3_000_000)
    with recording(registry_tls) as recorder:
        push(recorder.registry, repository, image(extra_layers=[layer]))
        location = recorder.registry.request("POST", f"/v2/{repository}/blobs/uploads/").headers["Location"]
    assert location.startswith(f"{recorder.registry.url}/v2/")
    assert recorder.blob_bytes_sent > layer.size
    assert registry_tls.blob(repository, layer.digest) == (tmp_path / "layer").read_bytes()


def test_interceptors_wait_answer_and_hang_up(registry: Registry) -> None:
    def intercept(method: str, path: str) -> Answer | None:
        if method == "DELETE":
            raise ConnectionAbortedError
        return Answer(429, {"Retry-After": "1"}, b"slow down") if "manifests" in path else None

    with recording(registry) as recorder:
        recorder.intercept = intercept
        answer = recorder.registry.request("PUT", "/v2/a/manifests/v1", body=b"x" * 1000)
        with pytest.raises(ConnectionError):
            recorder.registry.request("DELETE", "/v2/a/manifests/v1")
        assert recorder.registry.request("GET", "/v2/").status == 200
    assert (answer.status, answer.headers["Retry-After"], answer.body) == (429, "1", b"slow down")
    assert [(each.status, each.sent) for each in recorder.log] == [(429, 1000), (0, 0), (200, 0)]


def test_chunked_uploads_pass(registry: Registry, repository: str, tmp_path: Path, skopeo: Peer) -> None:
    push(registry, repository, image(), "v1")
    with recording(registry) as recorder:
        host = recorder.registry.host
        skopeo(
            "copy",
            "--src-tls-verify=false",
            "--dest-tls-verify=false",
            f"docker://{host}/{repository}:v1",
            f"docker://{host}/{repository}-copy:v1",
        )
    assert registry.manifest_bytes(f"{repository}-copy", "v1") == image().manifest_bytes


def test_stopping_does_not_wait_for_idle_clients(registry: Registry) -> None:
    with recording(registry) as recorder:
        connection = recorder.registry._connect()
        connection.request("GET", "/v2/")
        assert connection.getresponse().read() == b"{}"
        stopping = time.monotonic()
    assert time.monotonic() - stopping < 30, "the handler would wait for its client for ever"
    connection.close()
