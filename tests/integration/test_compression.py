"""`compression: add zstd` to real registries and archives, what others make of it, and how much memory it takes."""

import json
from typing import Any

import pytest

from tests.integration.test_large_layers import RESIDENT_LIMIT_KIB, watch
from tests.support.images import OCI_LAYER, buildx_index, file_layer, image, index, push, write_layout
from tests.support.peers import Peer, Podman
from tests.support.product import Product
from tests.support.recorder import recording
from tests.support.servers import Registry

ZSTD = "io.github.containers.compression.zstd"
IMAGES = [image(f"linux/{name}") for name in ("amd64", "arm64")]
MIB = 1024 * 1024


def marked(entries: list[dict[str, Any]]) -> list[bool]:
    return [entry.get("annotations", {}).get(ZSTD) == "true" for entry in entries]


@pytest.mark.parametrize("server", ["registry", "registry_v3"])
def test_a_second_run_sends_nothing(
    request: pytest.FixtureRequest, server: str, repository: str, product: Product, skopeo: Peer
) -> None:
    place: Registry = request.getfixturevalue(server)
    push(place, repository, buildx_index(IMAGES), "src")
    with recording(place) as recorder:
        where = f"{recorder.registry.host}/{repository}"
        arguments = ["--image", f"{where}-out:1", "--source", f"{where}:src", "--add-compression", "zstd", "--json"]
        plan = json.loads(product.run("plan", *arguments).stdout)
        assert recorder.blob_bytes_sent == 0
        first = json.loads(product.run("push", *arguments).stdout)
        recorder.log.clear()
        second = json.loads(product.run("push", *arguments).stdout)
        assert recorder.blob_bytes_sent == 0
    assert (first["changed"], second["changed"]) == (True, False)
    assert len({each["indexes"][0]["digest"] for each in (plan, first, second)}) == 1
    listed = json.loads(place.manifest(f"{repository}-out", "1").body)["manifests"]
    assert marked(listed) == [False, True, False, True, False, False]
    for entry, made in zip(listed[1::2], IMAGES, strict=False):
        manifest = json.loads(place.manifest(f"{repository}-out", entry["digest"]).body)
        assert manifest["config"] == json.loads(made.manifest_bytes)["config"]
        assert {layer["mediaType"] for layer in manifest["layers"]} == {f"{OCI_LAYER}+zstd"}
        for layer in manifest["layers"]:
            assert place.blob(f"{repository}-out", layer["digest"]).startswith(b"\x28\xb5\x2f\xfd")
    name = f"docker://{place.host}/{repository}-out:1"
    skopeo("copy", "--all", "--src-tls-verify=false", name, f"oci:{product.folder}/copy:1")


def test_podman_unpacks_what_was_compressed(product: Product, podman: Podman, skopeo: Peer) -> None:
    write_layout(product.folder / "src", {"1": index(IMAGES)})
    arguments = ["--image", "oci-archive:out.tar:1", "--source", "oci:src:1", "--add-compression", "zstd"]
    assert product.run("push", *arguments).returncode == 0
    shown = json.loads(product.run("inspect", "--json", "oci-archive:out.tar:1").stdout)
    variant = json.loads(shown["manifest"])["manifests"][1]["digest"]
    assert product.run("list", "create", "localhost/x:1", f"oci-archive:out.tar@{variant}").returncode == 0
    assert product.run("list", "push", "localhost/x:1", "oci:single:1", "--system", "--arch", "amd64").returncode == 0
    identity = podman("pull", "--quiet", f"oci:{product.folder}/single:1").decode().split()[-1]
    config = json.loads(IMAGES[0].manifest_bytes)["config"]["digest"]
    assert identity == config.partition(":")[2]


def test_a_saved_list_is_pushed_with_zstd_instances(registry: Registry, repository: str, product: Product) -> None:
    docker = image("linux/amd64", docker=True)
    write_layout(product.folder / "src", {"1": index(IMAGES), "docker": docker})
    where = f"{registry.host}/{repository}"
    assert product.run("list", "create", "localhost/x:1", "oci:src:1", "--all").returncode == 0
    push_it = ["list", "push", "localhost/x:1", f"{where}:1", "--add-compression", "zstd"]
    assert product.run(*push_it).returncode == 0
    assert marked(json.loads(registry.manifest(repository, "1").body)["manifests"]) == [False, True, False, True]
    for more in (["--system"], ["--list-only"], ["--instance", IMAGES[0].digest]):
        refused = product.run(*push_it, *more)
        assert (refused.returncode, b"needs the list and all" in refused.stderr) == (2, True)
    assert product.run("list", "create", "localhost/y:1", "oci:src:docker").returncode == 0
    push_docker = ["list", "push", "localhost/y:1", f"{where}:2", "--add-compression", "zstd"]
    assert b"a Docker image cannot have layers" in product.run(*push_docker).stderr
    assert product.run(*push_docker, "--format", "oci").returncode == 0
    assert marked(json.loads(registry.manifest(repository, "2").body)["manifests"]) == [False, True]


def test_large_layers_stay_out_of_memory(product: Product) -> None:
    layer = file_layer(product.folder / "layer.tar", 400 * MIB)
    write_layout(product.folder / "src", {"1": image("linux/amd64", layers=0, extra_layers=[layer])})
    (product.folder / "temporary").mkdir()
    product.environment["TMPDIR"] = str(product.folder / "temporary")
    arguments = ["--image", "oci:out:1", "--source", "oci:src:1", "--add-compression", "zstd"]
    with product.start("push", *arguments) as process:
        peak = watch(process.pid)
        process.communicate(timeout=300)
        assert process.returncode == 0
    assert max(peak) < RESIDENT_LIMIT_KIB, f"{max(peak)} KiB resident at the most"
    assert list((product.folder / "temporary").iterdir()) == []
