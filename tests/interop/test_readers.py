"""Programs that others wrote read what this one has written."""

import json
from pathlib import Path

import pytest

from tests.support.images import Synthetic, artifact, buildx_index, image, push
from tests.support.peers import Peer
from tests.support.product import Product
from tests.support.servers import Registry

CASES: dict[str, list[Synthetic]] = {
    "oci": [image("linux/amd64"), image("linux/arm64"), image("linux/arm/v7")],
    "docker": [image("linux/amd64", docker=True), image("linux/arm64", docker=True)],
    "buildx": [buildx_index([image("linux/amd64")]), buildx_index([image("linux/arm64")])],
    "windows": [image("windows/amd64:10.0.17763.6893", os_features=["win32k"]), image("linux/amd64")],
}


@pytest.fixture(params=list(CASES))
def pushed(
    request: pytest.FixtureRequest, registry: Registry, other_registry: Registry, repository: str, product: Product
) -> tuple[str, str, list[Synthetic]]:
    """An index with annotations made by us from images of another registry: repository, digest and the images."""
    made = CASES[request.param]
    listed = [f"{other_registry.host}/{repository}@{push(other_registry, repository, each)}" for each in made]
    annotations = "" if request.param == "docker" else "annotations: {org.opencontainers.image.title: Ünïcode <&>}\n"
    report = product.push(f"image: {registry.host}/{repository}:1\n{annotations}sources: {listed}\n")
    return f"{registry.host}/{repository}", report["indexes"][0]["digest"], made


def children(made: list[Synthetic]) -> dict[str, bytes]:
    found = {}
    for each in made:
        found.update({child.digest: child.manifest_bytes for child in getattr(each, "children", [each])})
    return found


def test_skopeo_reads_and_copies_all(
    skopeo: Peer, registry: Registry, pushed: tuple[str, str, list[Synthetic]], tmp_path: Path
) -> None:
    where, digest, made = pushed
    raw = skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{where}:1")
    assert raw == registry.manifest_bytes(where.partition("/")[2], digest)
    skopeo("copy", "--all", "--src-tls-verify=false", f"docker://{where}:1", f"dir:{tmp_path}/copy")
    assert (tmp_path / "copy" / "manifest.json").read_bytes() == raw
    for child, content in children(made).items():
        copied = tmp_path / "copy" / f"{child.partition(':')[2]}.manifest.json"
        assert copied.read_bytes() == content == registry.manifest_bytes(where.partition("/")[2], child)


def test_crane_validates(crane: Peer, pushed: tuple[str, str, list[Synthetic]]) -> None:
    where, digest, _ = pushed
    assert crane("digest", "--insecure", f"{where}:1").decode().strip() == digest
    listed = json.loads(crane("manifest", "--insecure", f"{where}:1"))["manifests"]
    images = [entry["digest"] for entry in listed if entry["platform"]["os"] != "unknown"]
    # It counts attestations as images with missing layers, wherever they come from; so those are left out.
    for selector in [f"{where}@{child}" for child in images] + ([] if len(images) < len(listed) else [f"{where}:1"]):
        crane("validate", "--insecure", "--remote", selector)


def test_regctl_reads(regctl: Peer, pushed: tuple[str, str, list[Synthetic]]) -> None:
    where, digest, made = pushed
    regctl("registry", "set", "--tls", "disabled", where.partition("/")[0])
    assert regctl("manifest", "head", f"{where}:1").decode().strip() == digest
    listed = json.loads(regctl("manifest", "get", "--format", "raw-body", f"{where}:1"))
    assert [entry["digest"] for entry in listed["manifests"]] == list(children(made))


def test_oras_fetches(oras: Peer, registry: Registry, pushed: tuple[str, str, list[Synthetic]]) -> None:
    where, digest, _ = pushed
    fetched = oras("manifest", "fetch", "--plain-http", f"{where}:1")
    assert fetched == registry.manifest_bytes(where.partition("/")[2], digest)
    described = json.loads(oras("manifest", "fetch", "--descriptor", "--plain-http", f"{where}:1"))
    assert described["digest"] == digest


def test_layouts_are_read_by_skopeo_and_the_other_way_round(
    skopeo: Peer, registry: Registry, repository: str, product: Product
) -> None:
    made = CASES["oci"]
    listed = [f"{registry.host}/{repository}@{push(registry, repository, each)}" for each in made]
    ours = product.push(f"image: oci:ours:1\nsources: {listed}\n")["indexes"][0]["digest"]
    skopeo("copy", "--all", f"oci:{product.folder}/ours:1", f"oci:{product.folder}/theirs:1")
    theirs = product.push("image: oci:again:1\nsources: ['oci:theirs:1']\n")["indexes"][0]["digest"]
    assert ours == theirs


def test_an_artifact_among_images_is_read(
    oras: Peer, crane: Peer, registry: Registry, repository: str, product: Product
) -> None:
    where = f"{registry.host}/{repository}"
    digests = [push(registry, repository, each) for each in (image(), artifact())]
    product.push(f"image: {where}:1\nsources: {[f'{where}@{digest}' for digest in digests]}\n")
    crane("validate", "--insecure", "--remote", f"{where}@{digests[0]}")
    listed = json.loads(oras("manifest", "fetch", "--plain-http", f"{where}:1"))["manifests"]
    assert listed[1]["artifactType"] == "application/vnd.example.report+json"
    assert "platform" not in listed[1]
