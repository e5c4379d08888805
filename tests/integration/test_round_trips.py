"""The round trips of a run, counted in waves at a recorder that holds every request until no other comes.

A wave is a round trip; connecting (TCP, TLS) costs two more before the first. Jobs are named as in docs/performance.md.
"""

import pytest

from tests.support.images import buildx_index, image, push
from tests.support.keys import key_pair
from tests.support.product import Product
from tests.support.recorder import Lull, Recorder, recording, waves
from tests.support.servers import Registry

ARCHITECTURES = ["amd64", "arm64", "arm/v7", "arm/v6", "386", "ppc64le", "s390x", "riscv64"]


def counted(recorder: Recorder) -> int:
    return waves(recorder.log)


def describe(recorder: Recorder) -> str:
    start = min(exchange.start for exchange in recorder.log)
    return "\n".join(
        f"{exchange.start - start:.2f}-{exchange.end - start:.2f} {exchange.method} {exchange.status} {exchange.path}"
        for exchange in sorted(recorder.log, key=lambda each: each.start)
    )


@pytest.mark.parametrize(("server", "budget"), [("registry", 5), ("registry_token", 6)])
def test_two_platforms_of_one_repository(
    request: pytest.FixtureRequest, repository: str, product: Product, server: str, budget: int
) -> None:
    """J1: challenge, token, manifests and tags, configs, the tag with the index, read-back."""
    upstream: Registry = request.getfixturevalue(server)
    with recording(upstream) as recorder:
        recorder.intercept = Lull()
        product.login(recorder.registry)
        where = f"{recorder.registry.host}/{repository}"
        listed = [f"{where}@{push(upstream, repository, image(f'linux/{name}'))}" for name in ARCHITECTURES[:2]]
        product.push(f"image: {where}:1\nsources: {listed}")
        assert counted(recorder) <= budget, describe(recorder)
        assert len(recorder.requests("PUT")) == 1


def test_eight_platforms_and_five_tags_are_no_deeper(
    registry_token: Registry, repository: str, product: Product
) -> None:
    """J2, and J6: the same again, without a single write."""
    with recording(registry_token) as recorder:
        recorder.intercept = Lull()
        product.login(recorder.registry)
        where = f"{recorder.registry.host}/{repository}"
        listed = [f"{where}@{push(registry_token, repository, image(f'linux/{name}'))}" for name in ARCHITECTURES]
        spec = f"image: {where}:1\ntags: ['2', '3', '4', '5']\nsources: {listed}"
        product.push(spec)
        assert counted(recorder) <= 6, describe(recorder)
        assert len(recorder.requests("PUT")) == 5
        recorder.log.clear()
        product.push(spec)
        assert counted(recorder) <= 4, describe(recorder)
        assert not recorder.requests("PUT")


@pytest.mark.slow
def test_fifty_platforms_share_sixteen_connections(registry_token: Registry, repository: str, product: Product) -> None:
    """J3: 101 manifests, configs and tags make seven waves of sixteen, however they mix."""
    with recording(registry_token) as recorder:
        recorder.intercept = Lull()
        product.login(recorder.registry)
        where = f"{recorder.registry.host}/{repository}"
        images = [image("windows/amd64", os_version=f"10.0.{20000 + number}.1", layers=1) for number in range(50)]
        listed = [f"{where}@{push(registry_token, repository, each)}" for each in images]
        product.push(f"image: {where}:1\nsources: {listed}")
        assert counted(recorder) <= 11, describe(recorder)
        assert len({exchange.connection for exchange in recorder.log}) <= 16


def test_flattening_needs_no_config(registry_token: Registry, repository: str, product: Product) -> None:
    """J1i: what the sources are is in the indexes already."""
    with recording(registry_token) as recorder:
        recorder.intercept = Lull()
        product.login(recorder.registry)
        where = f"{recorder.registry.host}/{repository}"
        for name in ("amd64", "arm64"):
            push(registry_token, repository, buildx_index([image(f"linux/{name}")]), name)
        product.push(f"image: {where}:1\nsources: ['{where}:amd64', '{where}:arm64']")
        assert counted(recorder) <= 5, describe(recorder)
        assert not recorder.requests("GET", "/blobs/")


def test_one_token_covers_mounting_from_another_repository(
    registry_token: Registry, repository: str, product: Product
) -> None:
    """J4: challenge, token, manifests, configs and are the children there, mounts, children, tag, read-back."""
    with recording(registry_token) as recorder:
        recorder.intercept = Lull()
        product.login(recorder.registry)
        where = f"{recorder.registry.host}/{repository}"
        build = f"{repository}-build"
        listed = [f"{where}-build@{push(registry_token, build, image(f'linux/{name}'))}" for name in ARCHITECTURES[:2]]
        product.push(f"image: {where}:1\nsources: {listed}")
        assert counted(recorder) <= 8, describe(recorder)
        assert len(recorder.requests(part="/token")) == 1
        assert recorder.blob_bytes_sent == 0
        numbers = {exchange.connection for exchange in recorder.log}
        assert max(numbers) <= 16, "more connections than sixteen and one that found out there is no TLS"


def test_large_layers_are_mounted_without_a_byte(registry_token: Registry, repository: str, product: Product) -> None:
    """J4b: four images of five layers from another repository of the same registry."""
    with recording(registry_token) as recorder:
        product.login(recorder.registry)
        where = f"{recorder.registry.host}/{repository}"
        images = [image(f"linux/{name}", layers=5, layer_size=100_000) for name in ARCHITECTURES[:4]]
        listed = [f"{where}-build@{push(registry_token, f'{repository}-build', each)}" for each in images]
        product.push(f"image: {where}:1\nsources: {listed}")
        assert len(recorder.requests("POST", "mount=")) == 24
        assert recorder.blob_bytes_sent == 0
        assert not [each for each in recorder.requests("HEAD") if "/blobs/" in each.path]


def test_layers_go_to_another_registry_while_others_are_looked_for(
    registry_token: Registry, repository: str, product: Product
) -> None:
    """J5: challenge, token, manifests and are the children there, configs and are the sixteen largest layers there.

    Then 20 layers and 4 configs are sent (opened at both ends at once, then streamed; five waves for all, as there are
    more than sixteen), children, tag, read-back. What is attached is looked for beside that.
    """
    lull = Lull()
    with recording(registry_token) as near, recording(registry_token) as far:
        near.intercept = far.intercept = lull
        product.login(near.registry)
        product.login(far.registry)
        build = f"{repository}-build"
        images = [image(f"linux/{name}", layers=5, layer_size=100_000) for name in ARCHITECTURES[:4]]
        listed = [f"{near.registry.host}/{build}@{push(registry_token, build, each)}" for each in images]
        product.push(f"image: {far.registry.host}/{repository}:1\nsources: {listed}")
        log = [*near.log, *far.log]
        assert waves(log) <= 11, f"{describe(near)}\n\n{describe(far)}"
        opened = near.requests("GET", "/blobs/")
        configs = opened[:4]
        looks = [each for each in far.requests("HEAD") if "/blobs/" in each.path]
        assert len(looks) == 20
        let_go = min(each.end for each in [*configs, *looks])
        beside = [each for each in looks if each.start < let_go]
        assert len(beside) == 16, "the largest are looked for beside reading the configs"
        assert len(far.requests("POST")) == len(far.requests("PUT", "/blobs/")) == 24
        assert len({each.connection for each in far.log}) <= 17
        for each in far.requests("POST"):
            beside_it = [other for other in opened if other.start < each.end and each.start < other.end]
            assert beside_it, "the source is opened beside the upload"


@pytest.mark.slow
def test_signing_in_both_formats_is_a_few_waves_more(
    registry_token: Registry, repository: str, product: Product
) -> None:
    """J7 with two platforms and one tag: three things to sign, in both formats, at a registry without referrers API.

    After the four waves until the index is known: the index, while blobs are sent (two) and what is there is looked at
    (two, as there is no API); manifests, and `.sig` tags looked at; these tags written, and lists of referrers read
    and written (two); all of them read again (two, as each waits by itself, for a time that chance has a part in); the
    tag; read-back. One more is allowed for chance.
    """
    product.environment["COSIGN_PRIVATE_KEY"] = key_pair().private
    with recording(registry_token) as recorder:
        recorder.intercept = Lull()
        product.login(recorder.registry)
        where = f"{recorder.registry.host}/{repository}"
        listed = [f"{where}@{push(registry_token, repository, image(f'linux/{name}'))}" for name in ARCHITECTURES[:2]]
        product.push(f"image: {where}:1\nsign: cosign\nsources: {listed}")
        assert counted(recorder) <= 14, describe(recorder)
        assert not [each for each in recorder.requests("HEAD") if "/blobs/" in each.path]
