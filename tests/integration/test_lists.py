"""Saved lists and real registries: taking images in, changing what is recorded, pushing in every way."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.support.images import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    SyntheticImage,
    buildx_index,
    image,
    index,
    push,
)
from tests.support.peers import Podman
from tests.support.product import Product
from tests.support.servers import Registry

NAME = "localhost/app:1"
IMAGES = [image("linux/amd64"), image("linux/arm64"), image("linux/arm/v7"), image("linux/arm/v6")]
AMD64, ARM64, ARMV7, ARMV6 = IMAGES


def run(product: Product, *arguments: str, code: int = 0) -> dict[str, Any]:
    """`list --json`; what it printed. AssertionError when it ends with another code."""
    result = product.run("list", arguments[0], "--json", *arguments[1:])
    assert result.returncode == code, result.stderr.decode()
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def error(product: Product, *arguments: str, code: int) -> str:
    return json.dumps(run(product, *arguments, code=code)["error"])


def digests(report: dict[str, Any]) -> list[str]:
    return [instance["digest"] for instance in report["instances"]]


@pytest.fixture
def where(registry: Registry, repository: str) -> str:
    """A repository with an index of all images under `all`."""
    push(registry, repository, index(IMAGES), "all")
    return f"{registry.host}/{repository}"


def test_one_instance_of_an_index_is_taken_by_system(where: str, product: Product) -> None:
    run(product, "create", NAME)
    for options, expected in (
        (["--os", "linux", "--arch", "arm64"], ARM64),
        (["--os", "linux", "--arch", "arm", "--variant", "v8"], ARMV7),
        (["--os", "linux", "--arch", "armhf", "--os-version", "6.1"], ARMV7),
        (["--os", "linux", "--arch", "arm", "--variant", "v6"], ARMV6),
    ):
        report = run(product, "add", NAME, f"{where}:all", *options)
        assert digests(report)[-1] == expected.digest
    assert run(product, "inspect", NAME)["instances"][-1]["location"] == f"{where}:all"
    assert "no image for windows/amd64" in error(
        product, "add", NAME, f"{where}:all", "--os", "windows", "--arch", "amd64", code=3
    )


def test_all_instances_and_their_attestations_are_taken(registry: Registry, repository: str, product: Product) -> None:
    made = buildx_index(IMAGES[:2])
    push(registry, repository, made, "all")
    source = f"{registry.host}/{repository}:all"
    report = run(product, "create", NAME, source, "--all", "--annotation", "org.example.a=b")
    listed = json.loads(made.manifest_bytes)["manifests"]
    assert digests(report) == [entry["digest"] for entry in listed]
    assert [each["annotations"] for each in report["instances"]] == [entry.get("annotations", {}) for entry in listed]
    assert report["annotations"] == {"org.example.a": "b"}
    assert "cannot be stated for all" in error(product, "add", NAME, source, "--all", "--arch", "arm64", code=2)


def test_a_push_copies_from_where_the_instances_are(
    where: str, other_registry: Registry, repository: str, product: Product
) -> None:
    run(product, "create", NAME, f"{where}:all", "--all")
    run(product, "annotate", NAME, ARM64.digest, "--annotation", "org.example.a=b", "--url", "https://example.test/x")
    saved = run(product, "inspect", NAME)
    target = f"{other_registry.host}/{repository}:1"
    preview = run(product, "push", NAME, target, "--dry-run")["indexes"][0]
    assert (preview["pushed"], preview["digest"]) == (False, saved["digest"])
    assert other_registry.tags(repository) == []
    report = run(product, "push", NAME, target, "--rm")["indexes"][0]
    assert other_registry.manifest_bytes(repository, "1") == saved["index"].encode()
    assert report["digest"] == saved["digest"]
    assert report["transfers"]["copied"]["blobs"] == sum(len(each.blobs) for each in IMAGES)
    for each in IMAGES:
        assert other_registry.manifest_bytes(repository, each.digest) == each.manifest_bytes
    assert run(product, "ls")["lists"] == []


def test_only_one_system_is_pushed_as_an_image(
    where: str, other_registry: Registry, repository: str, product: Product
) -> None:
    run(product, "create", NAME, f"{where}:all", "--all")
    options = ["--system", "--os", "linux", "--arch", "arm", "--variant", "v7"]
    run(product, "push", NAME, f"{other_registry.host}/{repository}:arm", *options)
    assert other_registry.manifest_bytes(repository, "arm") == ARMV7.manifest_bytes
    assert other_registry.manifest_bytes(repository, ARM64.digest) is None


def test_listed_instances_are_pushed_where_the_others_are(
    where: str, other_registry: Registry, repository: str, product: Product
) -> None:
    run(product, "create", NAME, f"{where}:all", "--all")
    target = f"{other_registry.host}/{repository}:1"
    run(product, "push", NAME, target, "--instance", ARM64.digest, code=5)
    assert other_registry.tags(repository) == []
    for each in (AMD64, ARMV6, ARMV7):
        push(other_registry, repository, each)
    report = run(product, "push", NAME, target, "--instance", ARM64.digest)["indexes"][0]
    assert [entry["digest"] for entry in report["entries"]] == [ARM64.digest]
    run(product, "push", NAME, f"{target}-again", "--list-only")
    assert other_registry.tags(repository) == ["1", "1-again"]
    assert "does not list" in error(product, "push", NAME, target, "--instance", f"sha256:{'0' * 64}", code=3)


def converted(registry: Registry, repository: str, tag: str) -> tuple[str, Sequence[str]]:
    answer = registry.manifest(repository, tag)
    return answer.headers["Content-Type"], [each["mediaType"] for each in json.loads(answer.body)["manifests"]]


def test_a_list_is_converted_when_asked_for(
    where: str, other_registry: Registry, repository: str, product: Product
) -> None:
    run(product, "create", NAME, f"{where}:all", "--all")
    target = f"{other_registry.host}/{repository}"
    run(product, "push", NAME, f"{target}:docker", "--format", "v2s2")
    assert converted(other_registry, repository, "docker") == (DOCKER_LIST, [DOCKER_MANIFEST] * 4)
    run(product, "push", NAME, f"{target}:oci", "--format", "oci")
    assert converted(other_registry, repository, "oci")[0] == OCI_INDEX
    assert "to be converted" in error(
        product, "push", NAME, f"{target}:x", "--format", "v2s2", "--instance", ARM64.digest, code=4
    )
    run(product, "annotate", NAME, "--index", "--annotation", "org.example.a=b")
    run(product, "push", NAME, f"{target}:x", "--format", "v2s2", code=4)
    run(product, "push", NAME, f"{target}:lossy", "--format", "v2s2", "--lossy")
    assert converted(other_registry, repository, "lossy") == converted(other_registry, repository, "docker")


def test_a_list_of_schema_1_is_for_the_oldest_registries(
    where: str, registry_schema1: Registry, repository: str, product: Product
) -> None:
    run(product, "create", NAME, f"{where}:all", "--all")
    run(product, "push", NAME, f"{registry_schema1.host}/{repository}:old", "--format", "v2s1")
    media_type, kinds = converted(registry_schema1, repository, "old")
    assert (media_type, set(kinds)) == (DOCKER_LIST, {"application/vnd.docker.distribution.manifest.v1+prettyjws"})
    assert "to registries only" in error(product, "push", NAME, "oci:out:1", "--format", "v2s1", code=4)


def test_features_make_a_docker_list_whatever_the_images_are(
    where: str, registry: Registry, repository: str, product: Product
) -> None:
    run(product, "create", NAME, f"{where}:all", "--all")
    report = run(product, "annotate", NAME, AMD64.digest, "--features", "sse4,avx2", "--os-features", "x")
    assert report["mediaType"] == DOCKER_LIST
    run(product, "push", NAME, f"{where}:features")
    listed = json.loads(registry.manifest_bytes(repository, "features") or b"")["manifests"]
    assert listed[0]["platform"] == {
        "architecture": "amd64",
        "os": "linux",
        "os.features": ["x"],
        "features": ["sse4", "avx2"],
    }


def test_images_that_go_away_and_lists_that_are_empty_are_said(
    where: str, other_registry: Registry, repository: str, product: Product
) -> None:
    run(product, "create", NAME)
    target = f"{other_registry.host}/{repository}:1"
    assert "the list is empty" in error(product, "push", NAME, target, code=4)
    assert "does not list" in error(product, "remove", NAME, AMD64.digest, code=3)
    assert run(product, "add", NAME, f"{where}:gone", code=3)["error"]["code"] == "resolve"
    assert run(product, "add", "nobody", f"{where}:all", code=10)["error"]["code"] == "store"
    product.run("push", "--image", "oci:away:1", "--source", f"{where}:all")
    run(product, "add", NAME, "oci:away:1", "--all")
    (product.folder / "away" / "index.json").unlink()
    (product.folder / "away" / "oci-layout").unlink()
    run(product, "push", NAME, target, code=3)
    assert other_registry.tags(repository) == []


def test_podman_and_we_push_the_same_list_to_a_registry(
    podman: Podman, where: str, registry: Registry, repository: str, product: Product
) -> None:
    podman("manifest", "create", NAME)
    podman("manifest", "add", "--tls-verify=false", "--all", NAME, f"docker://{where}:all")
    podman("manifest", "push", "--tls-verify=false", "--all", NAME, f"docker://{where}:theirs")
    run(product, "create", NAME, f"{where}:all", "--all")
    run(product, "push", NAME, f"{where}:ours")
    ours, theirs = (json.loads(registry.manifest_bytes(repository, tag) or b"") for tag in ("ours", "theirs"))
    assert ours == theirs
    read = podman("manifest", "create", "localhost/back").decode().strip()
    podman("manifest", "add", "--tls-verify=false", "--all", "localhost/back", f"docker://{where}:ours")
    assert json.loads(podman.stored_list(read)) == ours
    assert digests(run(product, "create", "localhost/back", f"{where}:theirs", "--all")) == [i.digest for i in IMAGES]


def test_the_machine_itself_is_the_default_system(registry: Registry, repository: str, product: Product) -> None:
    made: list[SyntheticImage] = [image("windows/riscv64"), *IMAGES, image("linux/386"), image("linux/riscv64")]
    push(registry, repository, index(made), "all")
    report = run(product, "create", NAME, f"{registry.host}/{repository}:all")
    assert report["instances"][0]["platform"]["os"] == "linux"
    assert len(report["instances"]) == 1
