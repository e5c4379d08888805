"""`format` with children of another kind: what real registries hold afterwards, and what skopeo makes of it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from manifest_action.convert.jws import verify
from manifest_action.model.schema1 import parse_schema1
from tests.support.images import (
    DOCKER_CONFIG,
    DOCKER_LAYER,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    SyntheticImage,
    buildx_index,
    image,
    push,
)
from tests.support.peers import Peer
from tests.support.product import Product
from tests.support.recorder import recording
from tests.support.servers import Registry

KINDS = {
    "oci": (OCI_INDEX, OCI_MANIFEST, OCI_CONFIG, f"{OCI_LAYER}+gzip"),
    "docker": (DOCKER_LIST, DOCKER_MANIFEST, DOCKER_CONFIG, DOCKER_LAYER),
}
SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"


def images(*, docker: bool) -> list[SyntheticImage]:
    return [image(f"linux/{name}", docker=docker) for name in ("amd64", "arm64")]


def child(registry: Registry, repository: str, digest: str) -> Mapping[str, Any]:
    raw = registry.manifest_bytes(repository, digest)
    assert raw is not None
    parsed: Mapping[str, Any] = json.loads(raw)
    return parsed


def check(registry: Registry, repository: str, wanted: str, made: list[SyntheticImage]) -> None:
    """The index and every child are of the wanted kind, and every blob is the one that was there before."""
    list_type, manifest_type, config_type, layer_type = KINDS[wanted]
    answer = registry.manifest(repository, "1")
    assert answer.headers["Content-Type"] == list_type
    entries = json.loads(answer.body)["manifests"]
    assert [entry["platform"] for entry in entries] == [dict(each.platform) for each in made]
    for entry, was in zip(entries, made, strict=True):
        found = child(registry, repository, entry["digest"])
        assert entry["mediaType"] == found["mediaType"] == manifest_type
        assert found["config"]["mediaType"] == config_type
        assert {layer["mediaType"] for layer in found["layers"]} == {layer_type}
        blobs = [found["config"], *found["layers"]]
        assert {blob["digest"] for blob in blobs} == set(was.blobs)
        assert all(registry.blob(repository, blob["digest"]) == was.blobs[blob["digest"]] for blob in blobs)


@pytest.mark.parametrize("wanted", ["oci", "docker"])
@pytest.mark.parametrize("server", ["registry", "registry_v3"])
def test_children_are_converted_in_their_own_repository_without_sending_a_blob(
    request: pytest.FixtureRequest, server: str, repository: str, product: Product, wanted: str
) -> None:
    place: Registry = request.getfixturevalue(server)
    made = images(docker=wanted == "oci")
    digests = [push(place, repository, each) for each in made]
    with recording(place) as recorder:
        where = f"{recorder.registry.host}/{repository}"
        spec = f"image: {where}:1\nformat: {wanted}\nsources: [{where}@{digests[0]}, {where}@{digests[1]}]"
        first = product.push(spec)
        assert recorder.blob_bytes_sent == 0
        second = product.push(spec)
    assert (first["changed"], second["changed"]) == (True, False)
    assert first["indexes"][0]["digest"] == second["indexes"][0]["digest"]
    check(place, repository, wanted, made)


@pytest.mark.parametrize("wanted", ["oci", "docker"])
def test_children_are_converted_on_their_way_to_other_places(
    registry: Registry,
    other_registry: Registry,
    repository: str,
    product: Product,
    skopeo: Peer,
    wanted: str,
    tmp_path: Path,
) -> None:
    made = images(docker=wanted == "oci")
    near, far = (f"{place.host}/{repository}-build" for place in (registry, other_registry))
    sources = [
        f"{near}@{push(registry, f'{repository}-build', made[0])}",
        f"{far}@{push(other_registry, f'{repository}-build', made[1])}",
    ]
    product.push(
        f"image: {registry.host}/{repository}:1\ntags: ['{other_registry.host}/{repository}:1', '{far}:1']\n"
        f"format: {wanted}\nsources: ['{sources[0]}', '{sources[1]}']"
    )
    check(registry, repository, wanted, made)
    check(other_registry, repository, wanted, made)
    check(other_registry, f"{repository}-build", wanted, made)
    name = f"docker://{other_registry.host}/{repository}:1"
    skopeo("copy", "--all", "--src-tls-verify=false", name, f"dir:{tmp_path / 'out'}")
    skopeo("copy", "--all", "--src-tls-verify=false", name, f"oci:{tmp_path / 'layout'}:x")
    arm64 = json.loads(skopeo("--override-arch", "arm64", "inspect", "--tls-verify=false", name))
    assert arm64["Architecture"] == "arm64"


def test_what_docker_cannot_hold_stops_before_any_write(registry: Registry, repository: str, product: Product) -> None:
    push(registry, repository, buildx_index(images(docker=False)), "build")
    where = f"{registry.host}/{repository}"
    report = product.push(f"image: {where}:1\nformat: docker\nsources: ['{where}:build']", code=4)
    assert report["error"]["code"] == "assemble"
    assert "lossy: true" in json.dumps(report["error"])
    assert registry.tags(repository) == ["build"]
    product.push(f"image: {where}:1\nformat: docker\nlossy: true\nsources: ['{where}:build']")
    check(registry, repository, "docker", images(docker=False))


def test_a_layout_is_converted_into_a_registry(registry: Registry, repository: str, product: Product) -> None:
    made = images(docker=False)
    where = f"{registry.host}/{repository}"
    for each in made:
        push(registry, repository, each)
    product.push(f"image: oci:out:1\nsources: ['{where}@{made[0].digest}', '{where}@{made[1].digest}']")
    product.push(f"image: {where}-back:1\nformat: docker\nsources: ['oci:out:1']")
    check(registry, f"{repository}-back", "docker", made)


def test_a_list_of_schema_1_images(
    registry_schema1: Registry, repository: str, product: Product, skopeo: Peer, tmp_path: Path
) -> None:
    made = images(docker=False)
    where = f"{registry_schema1.host}/{repository}"
    sources = ", ".join(f"{where}@{push(registry_schema1, repository, each)}" for each in made)
    spec = f"image: {where}-old:1\nformat: v2s1\nsources: [{sources}]"
    product.push(spec)
    assert product.push(spec)["changed"] is False
    for entry in json.loads(registry_schema1.manifest(f"{repository}-old", "1").body)["manifests"]:
        assert entry["mediaType"] == SIGNED
        answer = registry_schema1.manifest(f"{repository}-old", entry["digest"])
        assert len(answer.body) == entry["size"]
        verify(parse_schema1(answer.body))
    name = f"docker://{where}-old:1"
    skopeo("copy", "--all", "--src-tls-verify=false", name, f"dir:{tmp_path / 'out'}")
    seen = json.loads(skopeo("--override-arch", "arm64", "inspect", "--tls-verify=false", name))
    assert seen["Architecture"] == "arm64"
    assert seen["Layers"] == [layer["digest"] for layer in json.loads(made[1].manifest_bytes)["layers"]]


@pytest.mark.parametrize("wanted", ["docker", "oci"])
def test_schema_1_is_read_from_where_skopeo_wrote_it(
    registry_schema1: Registry, other_registry: Registry, repository: str, product: Product, skopeo: Peer, wanted: str
) -> None:
    made = images(docker=True)
    where = f"{registry_schema1.host}/{repository}"
    for each in made:
        push(registry_schema1, repository, each, "new")
        tls = ("--src-tls-verify=false", "--dest-tls-verify=false")
        architecture = str(each.platform["architecture"])
        skopeo("copy", "--format", "v2s1", *tls, f"docker://{where}:new", f"docker://{where}:{architecture}")
    report = product.push(
        f"image: {other_registry.host}/{repository}:1\ntags: ['{where}-to:1', '{where}:1']\nformat: {wanted}\n"
        f"sources: ['{where}:amd64', '{where}:arm64']"
    )
    list_type, manifest_type, config_type, layer_type = KINDS[wanted]
    assert report["indexes"][0]["mediaType"] == list_type
    for place, name in (
        (other_registry, repository),
        (registry_schema1, f"{repository}-to"),
        (registry_schema1, repository),
    ):
        for entry, was in zip(json.loads(place.manifest(name, "1").body)["manifests"], made, strict=True):
            found = child(place, name, entry["digest"])
            assert (found["mediaType"], found["config"]["mediaType"]) == (manifest_type, config_type)
            assert {layer["mediaType"] for layer in found["layers"]} == {layer_type}
            original = json.loads(was.manifest_bytes)
            assert [layer["digest"] for layer in found["layers"]] == [layer["digest"] for layer in original["layers"]]
            assert [layer["size"] for layer in found["layers"]] == [layer["size"] for layer in original["layers"]]
            config = json.loads(place.blob(name, found["config"]["digest"]))
            before = was.blobs[original["config"]["digest"]]
            assert isinstance(before, bytes)
            assert config["rootfs"] == json.loads(before)["rootfs"]
            assert all(place.has_blob(name, layer["digest"]) for layer in found["layers"])
    name = f"docker://{other_registry.host}/{repository}:1"
    seen = json.loads(skopeo("--override-arch", "arm64", "inspect", "--config", "--tls-verify=false", name))
    assert seen["architecture"] == "arm64"
