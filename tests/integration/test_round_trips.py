"""The round trips of a run, counted in waves at a recorder that holds every request until no other comes."""

import pytest

from tests.support.images import buildx_index, image, push
from tests.support.product import Product
from tests.support.recorder import Lull, Recorder, recording, waves
from tests.support.servers import Registry

LULL = 0.25
ARCHITECTURES = ["amd64", "arm64", "arm/v7", "arm/v6", "386", "ppc64le", "s390x", "riscv64"]


def counted(recorder: Recorder) -> int:
    return waves(recorder.log)


def describe(recorder: Recorder) -> str:
    start = min(exchange.start for exchange in recorder.log)
    return "\n".join(
        f"{exchange.start - start:.2f}-{exchange.end - start:.2f} {exchange.method} {exchange.status} {exchange.path}"
        for exchange in sorted(recorder.log, key=lambda each: each.start)
    )


@pytest.mark.parametrize(("server", "budget"), [("registry", 6), ("registry_token", 7)])
def test_two_platforms_of_one_repository(
    request: pytest.FixtureRequest, repository: str, product: Product, server: str, budget: int
) -> None:
    """Challenge, token, manifests and tags, configs, index, tag, read-back."""
    upstream: Registry = request.getfixturevalue(server)
    with recording(upstream) as recorder:
        recorder.intercept = Lull(LULL)
        product.login(recorder.registry)
        where = f"{recorder.registry.host}/{repository}"
        listed = [f"{where}@{push(upstream, repository, image(f'linux/{name}'))}" for name in ARCHITECTURES[:2]]
        product.push(f"image: {where}:1\nsources: {listed}")
        assert counted(recorder) <= budget, describe(recorder)


def test_eight_platforms_and_five_tags_are_no_deeper(
    registry_token: Registry, repository: str, product: Product
) -> None:
    with recording(registry_token) as recorder:
        recorder.intercept = Lull(LULL)
        product.login(recorder.registry)
        where = f"{recorder.registry.host}/{repository}"
        listed = [f"{where}@{push(registry_token, repository, image(f'linux/{name}'))}" for name in ARCHITECTURES]
        spec = f"image: {where}:1\ntags: ['2', '3', '4', '5']\nsources: {listed}"
        product.push(spec, "--jobs", "16")
        assert counted(recorder) <= 7, describe(recorder)
        recorder.log.clear()
        product.push(spec, "--jobs", "16")
        assert counted(recorder) <= 4, describe(recorder)
        assert not recorder.requests("PUT")


def test_flattening_needs_no_config(registry_token: Registry, repository: str, product: Product) -> None:
    with recording(registry_token) as recorder:
        recorder.intercept = Lull(LULL)
        product.login(recorder.registry)
        where = f"{recorder.registry.host}/{repository}"
        for name in ("amd64", "arm64"):
            push(registry_token, repository, buildx_index([image(f"linux/{name}")]), name)
        product.push(f"image: {where}:1\nsources: ['{where}:amd64', '{where}:arm64']")
        assert counted(recorder) <= 6, describe(recorder)
        assert not recorder.requests("GET", "/blobs/")


def test_one_token_covers_mounting_from_another_repository(
    registry_token: Registry, repository: str, product: Product
) -> None:
    """Challenge, token, manifests, children there?, configs (in their own wave), mounts, children, index, tag, read."""
    with recording(registry_token) as recorder:
        recorder.intercept = Lull(LULL)
        product.login(recorder.registry)
        where = f"{recorder.registry.host}/{repository}"
        build = f"{repository}-build"
        listed = [f"{where}-build@{push(registry_token, build, image(f'linux/{name}'))}" for name in ARCHITECTURES[:2]]
        product.push(f"image: {where}:1\nsources: {listed}")
        assert counted(recorder) <= 10, describe(recorder)
        assert len(recorder.requests(part="/token")) == 1
        assert recorder.blob_bytes_sent == 0
