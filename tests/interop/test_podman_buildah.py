"""What we have written, as Podman and Buildah take it: looked at, loaded, and built from. No container is run."""

import json
from pathlib import Path

import pytest

from tests.support.images import SyntheticImage, image, push, write_layout
from tests.support.peers import Podman, find_peer
from tests.support.product import Product
from tests.support.servers import Registry

AMD64, ARM64 = (image(f"linux/{name}") for name in ("amd64", "arm64"))
DOCKER = image("linux/amd64", docker=True)


@pytest.fixture
def buildah(tmp_path_factory: pytest.TempPathFactory) -> Podman:
    """buildah, which takes podman's options for its storage, with an empty home."""
    found = find_peer("buildah", tmp_path_factory.mktemp("buildah"))
    return Podman(found.program, found.home)


def trusting(peer: Podman, registry: Registry) -> Podman:
    """Let it speak plain HTTP to a registry."""
    folder = peer.home / ".config" / "containers"
    folder.mkdir(parents=True)
    (folder / "registries.conf").write_text(f'[[registry]]\nlocation = "{registry.host}"\ninsecure = true\n')
    return peer


def image_id(made: SyntheticImage) -> str:
    """What engines call an image: the digest of its config."""
    config: dict[str, str] = json.loads(made.manifest_bytes)["config"]
    return config["digest"].partition(":")[2]


def built_from(buildah: Podman, *arguments: str | Path) -> str:
    """The image of the container that `buildah from` makes."""
    name = buildah("from", *arguments).decode().split()[-1]
    containers = json.loads(buildah("containers", "--json"))
    (found,) = [each["imageid"] for each in containers if each["containername"] == name]
    return str(found)


@pytest.mark.peer
def test_buildah_builds_from_a_pushed_index(
    registry: Registry, repository: str, product: Product, buildah: Podman
) -> None:
    where = f"{registry.host}/{repository}"
    for made in (AMD64, ARM64):
        push(registry, repository, made)
    product.push(f"image: {where}:1\nsources: ['{where}@{AMD64.digest}', '{where}@{ARM64.digest}']")
    trusting(buildah, registry)
    assert built_from(buildah, "--arch", "amd64", f"{where}:1") == image_id(AMD64)
    assert built_from(buildah, "--arch", "arm64", "--pull-always", f"{where}:1") == image_id(ARM64)


@pytest.mark.peer
@pytest.mark.parametrize("form", ["oci-archive", "oci"])
def test_buildah_builds_from_files(form: str, product: Product, buildah: Podman) -> None:
    write_layout(product.folder / "src", {"amd64": AMD64, "arm64": ARM64})
    product.push(f"image: {form}:out:1\nsources: ['oci:src:amd64', 'oci:src:arm64']")
    for architecture, made in (("amd64", AMD64), ("arm64", ARM64)):
        assert built_from(buildah, "--arch", architecture, f"{form}:{product.folder}/out:1") == image_id(made)


@pytest.mark.parametrize("form", ["docker", "oci"])
def test_podman_looks_at_a_pushed_index(
    registry: Registry, repository: str, product: Product, podman: Podman, form: str
) -> None:
    where = f"{registry.host}/{repository}"
    for made in (AMD64, ARM64):
        push(registry, repository, made)
    report = product.push(
        f"image: {where}:1\nformat: {form}\nsources: ['{where}@{AMD64.digest}', '{where}@{ARM64.digest}']"
    )["indexes"][0]
    seen = json.loads(trusting(podman, registry)("manifest", "inspect", f"{where}:1"))
    # podman 4.3 shows every index as a Docker list; the entries are those of the index.
    assert [each["digest"] for each in seen["manifests"]] == [entry["digest"] for entry in report["entries"]]
    assert [each["platform"]["architecture"] for each in seen["manifests"]] == ["amd64", "arm64"]


@pytest.mark.parametrize("form", ["docker-archive", "oci-archive"])
def test_podman_loads_what_was_written(product: Product, podman: Podman, form: str) -> None:
    made = DOCKER if form == "docker-archive" else AMD64
    write_layout(product.folder / "src", {"1": made})
    name = "localhost/acme/app:1" if form == "docker-archive" else "1"
    assert product.run("list", "create", "localhost/one:1", "oci:src:1").returncode == 0
    options = ["--system", "--os", "linux", "--arch", "amd64"]
    pushed = product.run("list", "push", "localhost/one:1", f"{form}:out.tar:{name}", *options)
    assert pushed.returncode == 0, pushed.stderr.decode()
    podman("load", "--input", product.folder / "out.tar")
    (identity,) = podman("images", "--all", "--quiet", "--no-trunc").decode().split()
    assert identity.partition(":")[2] == image_id(made)
