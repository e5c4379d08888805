"""`index remove|filter|annotate` on real registries, layouts and archives, with what other tools see afterwards."""

import json
from typing import Any

import pytest

from tests.support.images import SyntheticIndex, buildx_index, image, index, push, write_layout
from tests.support.peers import Peer, Podman
from tests.support.product import Product
from tests.support.recorder import recording
from tests.support.servers import Registry

AMD64, ARM64, ARMV7 = (image(f"linux/{name}") for name in ("amd64", "arm64", "arm/v7"))
BUILDX = buildx_index([AMD64, ARM64, ARMV7])
WRITES = ("PUT", "POST", "PATCH", "DELETE")


def run(product: Product, *arguments: str, code: int = 0) -> dict[str, Any]:
    """`index --json`; what it printed. AssertionError when it ends with another code."""
    result = product.run("index", arguments[0], "--json", *arguments[1:])
    assert result.returncode == code, result.stderr.decode()
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def entries(raw: bytes | str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(raw)["manifests"]
    return found


@pytest.mark.parametrize("server", ["registry", "registry_v3"])
def test_one_request_writes_and_no_image_is_asked_for(
    request: pytest.FixtureRequest, server: str, repository: str, product: Product
) -> None:
    place: Registry = request.getfixturevalue(server)
    push(place, repository, BUILDX, "1")
    listed = entries(BUILDX.manifest_bytes)
    with recording(place) as recorder:
        where = f"{recorder.registry.host}/{repository}:1"
        preview = run(product, "remove", where, "linux/arm64", "--dry-run")
        assert [each for each in recorder.log if each.method in WRITES] == []
        report = run(product, "remove", where, "linux/arm64", "--expect-digest", BUILDX.digest)
        written = [each.route for each in recorder.log if each.method in WRITES]
        assert written == [f"/v2/{repository}/manifests/1"], "the tag carries the index"
        touched = {digest for each in (AMD64, ARM64, ARMV7) for digest in (each.digest, *each.blobs)}
        assert not [each for each in recorder.log for digest in touched if digest in each.path]

        recorder.log.clear()
        again = run(product, "filter", where, "linux/amd64", "linux/arm/v7")
        assert (again["changed"], again["indexes"][0]["tags"][0]["state"]) == (False, "unchanged")
        assert [each for each in recorder.log if each.method in WRITES] == []
    assert preview["indexes"][0]["digest"] == report["indexes"][0]["digest"] == again["indexes"][0]["digest"]
    assert entries(place.manifest_bytes(repository, "1") or b"") == [listed[place] for place in (0, 2, 3, 5)]


def test_a_tag_that_somebody_else_moved_stays(registry: Registry, repository: str, product: Product) -> None:
    where = f"{registry.host}/{repository}:1"
    push(registry, repository, BUILDX)
    push(registry, repository, index([AMD64, ARM64]), "1")
    report = run(product, "remove", where, "linux/arm64", "--expect-digest", BUILDX.digest, code=3)
    assert f"not to {BUILDX.digest}" in json.dumps(report["error"])
    run(product, "remove", f"{where}@{BUILDX.digest}", "linux/arm64", code=3)
    assert registry.manifest_bytes(repository, "1") == index([AMD64, ARM64]).manifest_bytes


def test_the_result_can_go_elsewhere(
    registry: Registry, other_registry: Registry, repository: str, product: Product
) -> None:
    push(registry, repository, BUILDX, "1")
    where = f"{registry.host}/{repository}"
    targets = ["--tag", "small", "--tag", f"{other_registry.host}/{repository}:1", "--tag", "oci-archive:small.tar:1"]
    report = run(product, "filter", f"{where}:1", ARMV7.digest, *targets)["indexes"][0]
    assert registry.manifest_bytes(repository, "1") == BUILDX.manifest_bytes
    small = registry.manifest_bytes(repository, "small")
    assert small == other_registry.manifest_bytes(repository, "1") == report["index"].encode()
    assert other_registry.manifest_bytes(repository, ARMV7.digest) == ARMV7.manifest_bytes
    assert other_registry.manifest_bytes(repository, AMD64.digest) is None
    shown = json.loads(product.run("inspect", "--json", "oci-archive:small.tar:1").stdout)
    assert shown["digest"] == report["digest"]


@pytest.mark.parametrize("form", ["oci", "oci-archive", "dir"])
def test_files_are_changed_where_they_are(form: str, product: Product, skopeo: Peer) -> None:
    write_layout(product.folder / "first", {"1": BUILDX})
    place = f"{form}:{product.folder}/place"
    name = place if form == "dir" else f"{place}:1"
    assert product.run("push", "--image", name, "--source", "oci:first:1").returncode == 0
    run(product, "remove", name, "linux/amd64")
    run(product, "annotate", name, "linux/arm/v7", "--annotation", "org.example.a=b", "--os-version", "6.1")
    last = run(product, "annotate", name, "--index", "--annotation", "org.example.c=d")["indexes"][0]
    assert last["transfers"]["copied"]["blobs"] == 0
    raw = skopeo("inspect", "--raw", name)
    assert raw == last["index"].encode()
    found = json.loads(raw)
    assert found["annotations"] == {"org.example.c": "d"}
    arm = next(entry for entry in found["manifests"] if entry["digest"] == ARMV7.digest)
    assert arm["annotations"] == {"org.example.a": "b"}
    assert arm["platform"] == {"architecture": "arm", "os": "linux", "os.version": "6.1", "variant": "v7"}
    skopeo("copy", "--all", name, f"oci:{product.folder}/copy:1")


def test_what_podman_sees(registry: Registry, repository: str, product: Product, podman: Podman) -> None:
    where = f"{registry.host}/{repository}:1"
    docker = [image(f"linux/{name}", docker=True) for name in ("amd64", "arm64", "arm/v7")]
    listed: SyntheticIndex = index(docker, docker=True)
    push(registry, repository, listed, "1")
    run(product, "annotate", where, docker[0].digest, "--features", "sse4,avx2", "--os-version", "1")
    report = run(product, "remove", where, "linux/arm64")["indexes"][0]
    configuration = podman.home / ".config" / "containers"
    configuration.mkdir(parents=True)
    (configuration / "registries.conf").write_text(f'[[registry]]\nlocation = "{registry.host}"\ninsecure = true\n')
    said = json.loads(podman("manifest", "inspect", where))
    assert [entry["digest"] for entry in said["manifests"]] == [docker[0].digest, docker[2].digest]
    assert said["mediaType"] == report["mediaType"] == listed.media_type
    assert entries(report["index"])[0]["platform"]["features"] == ["sse4", "avx2"]
    run(product, "annotate", where, "--index", "--annotation", "a=b", code=4)
