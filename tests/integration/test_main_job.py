"""The main job against real registries: what is in the registry afterwards, byte for byte."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.support.images import (
    DOCKER_LIST,
    OCI_INDEX,
    SyntheticImage,
    SyntheticIndex,
    buildx_index,
    image,
    push,
)
from tests.support.product import Product
from tests.support.recorder import recording
from tests.support.servers import Registry

ARCHITECTURES = ["amd64", "arm64", "arm/v7", "arm/v6", "386", "ppc64le", "s390x", "riscv64"]
SERVERS = ["registry", "registry_tls", "registry_token", "registry_v3"]


@pytest.fixture(params=SERVERS)
def any_registry(request: pytest.FixtureRequest) -> Registry:
    """Each kind of real registry in turn."""
    found: Registry = request.getfixturevalue(request.param)
    return found


def images(count: int, **more: Any) -> list[SyntheticImage]:
    names = [*ARCHITECTURES, *(f"test{number}" for number in range(count))][:count]
    return [image(f"linux/{name}", **more) for name in names]


def sources(where: str, registry: Registry, repository: str, made: Sequence[SyntheticImage | SyntheticIndex]) -> str:
    """Push images and name them as the sources of a spec, by digest."""
    return "".join(f"  - {where}/{repository}@{push(registry, repository, each)}\n" for each in made)


def entries(registry: Registry, repository: str, selector: str) -> list[dict[str, Any]]:
    raw = registry.manifest_bytes(repository, selector)
    assert raw is not None
    listed: list[dict[str, Any]] = json.loads(raw)["manifests"]
    return listed


@pytest.mark.parametrize("count", [2, 8, 50])
def test_images_of_one_repository_become_an_index(
    any_registry: Registry, repository: str, product: Product, count: int
) -> None:
    product.login(any_registry)
    made = images(count, layers=1)
    listed = sources(any_registry.host, any_registry, repository, made)
    report = product.push(f"image: {any_registry.host}/{repository}:1\ntags: [latest]\nsources:\n{listed}")
    digest = report["indexes"][0]["digest"]
    answers = [any_registry.manifest(repository, selector) for selector in (digest, "1", "latest")]
    assert {answer.headers["Docker-Content-Digest"] for answer in answers} == {digest}
    assert len({answer.body for answer in answers}) == 1
    assert answers[0].headers["Content-Type"] == OCI_INDEX
    assert [entry["digest"] for entry in json.loads(answers[0].body)["manifests"]] == [each.digest for each in made]
    assert [entry["platform"] for entry in json.loads(answers[0].body)["manifests"]] == [
        dict(each.platform) for each in made
    ]


def test_a_second_run_moves_nothing_and_says_so(any_registry: Registry, repository: str, product: Product) -> None:
    listed = sources(any_registry.host, any_registry, repository, images(2))
    with recording(any_registry) as recorder:
        product.login(recorder.registry)
        host = recorder.registry.host
        listed = listed.replace(any_registry.host, host)
        spec = f"image: {host}/{repository}:1\nsources:\n{listed}"
        first = product.push(spec)
        recorder.log.clear()
        second = product.push(spec)
        assert (first["changed"], second["changed"]) == (True, False)
        assert first["indexes"][0]["digest"] == second["indexes"][0]["digest"]
        assert [tag["state"] for tag in second["indexes"][0]["tags"]] == ["unchanged"]
        assert {exchange.method for exchange in recorder.log if "/token" not in exchange.path} <= {"GET", "HEAD"}


def test_another_repository_of_the_registry_mounts_and_sends_no_blob(
    any_registry: Registry, repository: str, product: Product
) -> None:
    made = images(2, layer_size=50_000)
    build = f"{repository}-build"
    listed = sources(any_registry.host, any_registry, build, made)
    with recording(any_registry) as recorder:
        product.login(recorder.registry)
        host = recorder.registry.host
        listed = listed.replace(any_registry.host, host)
        report = product.push(f"image: {host}/{repository}:1\nsources:\n{listed}")
        assert recorder.blob_bytes_sent == 0
    transfers = report["indexes"][0]["transfers"]
    assert transfers["mounted"]["blobs"] == sum(len(each.blobs) for each in made)
    assert transfers["copied"]["blobs"] == 0
    for each in made:
        assert any_registry.manifest_bytes(repository, each.digest) == each.manifest_bytes
        assert all(any_registry.blob(repository, digest) == blob for digest, blob in each.blobs.items())


def test_another_registry_gets_every_byte(
    any_registry: Registry, other_registry: Registry, repository: str, product: Product
) -> None:
    product.login(any_registry)
    made = images(3, layer_size=300_000)
    listed = sources(other_registry.host, other_registry, repository, made)
    report = product.push(f"image: {any_registry.host}/{repository}:1\nsources:\n{listed}")
    copied = report["indexes"][0]["transfers"]["copied"]
    assert copied == {
        "blobs": sum(len(each.blobs) for each in made),
        "bytes": sum(len(blob) for each in made for blob in each.blobs.values() if isinstance(blob, bytes)),
    }
    for each in made:
        assert any_registry.manifest_bytes(repository, each.digest) == each.manifest_bytes
        assert all(any_registry.blob(repository, digest) == blob for digest, blob in each.blobs.items())
    assert len(entries(any_registry, repository, "1")) == 3


def test_five_tags_over_two_registries_are_one_digest(
    any_registry: Registry, other_registry: Registry, repository: str, product: Product
) -> None:
    product.login(any_registry)
    listed = sources(any_registry.host, any_registry, repository, images(2))
    report = product.push(
        f"image: {any_registry.host}/{repository}:1.2.3\n"
        f"tags:\n  - 1.2\n  - latest\n  - {other_registry.host}/{repository}:1.2.3\n"
        f"  - {other_registry.host}/{repository}-mirror:stable\nsources:\n{listed}"
    )
    found = [any_registry.manifest_bytes(repository, tag) for tag in ("1.2.3", "1.2", "latest")]
    found += [other_registry.manifest_bytes(repository, "1.2.3")]
    found += [other_registry.manifest_bytes(f"{repository}-mirror", "stable")]
    assert found[0] is not None
    assert set(found) == {found[0]}
    assert {tag["state"] for tag in report["indexes"][0]["tags"]} == {"created"}


def test_indexes_of_buildx_are_flattened_with_their_attestations(
    any_registry: Registry, other_registry: Registry, repository: str, product: Product
) -> None:
    product.login(any_registry)
    made = [buildx_index([each]) for each in images(2)]
    for place in (any_registry, other_registry):
        for number, each in enumerate(made):
            push(place, repository, each, f"build-{number}")
        listed = "".join(f"  - {place.host}/{repository}:build-{number}\n" for number in range(2))
        product.push(f"image: {any_registry.host}/{repository}:from-{place.host[-2:]}\nsources:\n{listed}")
        expected = [entry for each in made for entry in json.loads(each.manifest_bytes)["manifests"]]
        found = entries(any_registry, repository, f"from-{place.host[-2:]}")
        assert [{**e, "annotations": e.get("annotations")} for e in found] == [
            {**e, "annotations": e.get("annotations")} for e in expected
        ]


def test_attestations_can_be_dropped(registry: Registry, repository: str, product: Product) -> None:
    push(registry, repository, buildx_index(images(2)), "build")
    source = f"{registry.host}/{repository}:build"
    product.push(f"image: {registry.host}/{repository}:1\nattestations: drop\nsources: [{source}]")
    assert [entry["platform"]["architecture"] for entry in entries(registry, repository, "1")] == ["amd64", "arm64"]


def test_docker_children_make_a_docker_list(any_registry: Registry, repository: str, product: Product) -> None:
    product.login(any_registry)
    listed = sources(any_registry.host, any_registry, repository, images(2, docker=True))
    report = product.push(f"image: {any_registry.host}/{repository}:1\nsources:\n{listed}")
    assert report["indexes"][0]["mediaType"] == DOCKER_LIST
    assert any_registry.manifest(repository, "1").headers["Content-Type"] == DOCKER_LIST


def test_windows_images_keep_their_version_and_features(
    any_registry: Registry, repository: str, product: Product
) -> None:
    product.login(any_registry)
    made = [
        image("windows/amd64:10.0.17763.6893", os_features=["win32k"]),
        image("windows/amd64:10.0.20348.3207"),
    ]
    listed = sources(any_registry.host, any_registry, repository, made)
    product.push(f"image: {any_registry.host}/{repository}:1\nsources:\n{listed}")
    found = [entry["platform"] for entry in entries(any_registry, repository, "1")]
    assert found == [
        {
            "architecture": "amd64",
            "os": "windows",
            "os.version": "10.0.17763.6893",
            "os.features": ["win32k"],
        },
        {"architecture": "amd64", "os": "windows", "os.version": "10.0.20348.3207"},
    ]


def test_appending_and_keeping_equal(any_registry: Registry, repository: str, product: Product) -> None:
    product.login(any_registry)
    amd64, arm64 = images(2)
    where = f"{any_registry.host}/{repository}"
    first, second = (f"{where}@{push(any_registry, repository, each)}" for each in (amd64, arm64))
    product.push(f"image: {where}:1\nsources: ['{first}']")
    product.push(f"image: {where}:1\nexisting: append\nsources: ['{second}']")
    assert [entry["digest"] for entry in entries(any_registry, repository, "1")] == [amd64.digest, arm64.digest]
    kept = product.push(f"image: {where}:1\nexisting: keep-equal\nsources: ['{first}', '{second}']")
    assert kept["changed"] is False
    refused = product.push(f"image: {where}:1\nexisting: keep-equal\nsources: ['{first}']", code=4)
    assert refused["error"]["code"] == "assemble"
    assert len(entries(any_registry, repository, "1")) == 2


def test_nothing_is_written_when_a_platform_is_missing(registry: Registry, repository: str, product: Product) -> None:
    with recording(registry) as recorder:
        host = recorder.registry.host
        listed = sources(host, registry, repository, images(1))
        spec = f"image: {host}/{repository}:1\nexpect: [linux/amd64, linux/arm64]\nsources:\n{listed}"
        report = product.push(spec, code=4)
        assert {exchange.method for exchange in recorder.log} <= {"GET", "HEAD"}
    assert "missing linux/arm64" in report["error"]["findings"][0]["what"]


def test_layouts_and_registries_are_sources_and_destinations_of_each_other(
    any_registry: Registry, repository: str, product: Product
) -> None:
    product.login(any_registry)
    listed = sources(any_registry.host, any_registry, repository, images(2))
    out = product.push(f"image: oci:out:1\nsources:\n{listed}")
    back = product.push(f"image: {any_registry.host}/{repository}-back:1\nsources: ['oci:out:1']")
    assert out["indexes"][0]["digest"] == back["indexes"][0]["digest"]
    digest = out["indexes"][0]["digest"].partition(":")[2]
    assert (
        any_registry.manifest_bytes(f"{repository}-back", "1")
        == (product.folder / "out" / "blobs" / "sha256" / digest).read_bytes()
    )


def test_an_index_with_a_subject_is_found_from_it(any_registry: Registry, repository: str, product: Product) -> None:
    product.login(any_registry)
    amd64, arm64 = images(2)
    where = f"{any_registry.host}/{repository}"
    for each, tag in ((amd64, "amd64"), (arm64, "subject")):
        push(any_registry, repository, each, tag)
    report = product.push(f"image: {where}:1\nsubject: {where}:subject\nsources: ['{where}:amd64']")
    fallback = entries(any_registry, repository, arm64.digest.replace(":", "-"))
    assert [entry["digest"] for entry in fallback] == [report["indexes"][0]["digest"]]
