"""Images of engines and of Podman's store, which keep no digests of manifests, in lists and in the main job."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.images import SyntheticImage, image, write_layout
from tests.support.peers import Peer, Podman
from tests.support.product import Product
from tests.support.servers import Registry

MADE = image("linux/arm64")
LIST = "localhost/list:1"


@pytest.fixture(params=["docker-daemon", "containers-storage"])
def place(request: pytest.FixtureRequest, podman: Podman, skopeo: Peer, product: Product) -> Iterator[str]:
    """What a name of an image begins with, in a place that has none yet."""
    assert skopeo("--version")
    with podman.serving(product.folder / "engine.sock") as host:
        product.environment["DOCKER_HOST"] = host
        store = f"[vfs@{podman.home / 'root'}+{podman.home / 'runroot'}]"
        yield "docker-daemon:docker.io/acme/" if request.param == "docker-daemon" else f"{request.param}:{store}acme/"


def listed(product: Product, *arguments: str | Path, code: int = 0) -> dict[str, Any]:
    result = product.run("list", arguments[0], "--json", *arguments[1:])
    assert result.returncode == code, result.stderr.decode()
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def put(product: Product, made: SyntheticImage, target: str) -> None:
    """Bring one image to a place that holds single images."""
    layout = write_layout(product.folder / made.digest.partition(":")[2], {"1": made})
    listed(product, "create", "localhost/way:1", f"oci:{layout}:1", "--all")
    listed(product, "push", "localhost/way:1", target, "--system", "--os", "linux", "--arch", "arm64", "--rm")


def test_a_list_takes_them_in_and_is_pushed_by_another_process(
    place: str, product: Product, registry: Registry, repository: str
) -> None:
    put(product, MADE, f"{place}app:1")
    where = f"{registry.host}/{repository}:1"
    (entry,) = listed(product, "create", LIST, f"{place}app:1")["instances"]
    report = listed(product, "push", LIST, where)["indexes"][0]
    assert [each["digest"] for each in report["entries"]] == [entry["digest"]]
    pushed = registry.manifest_bytes(repository, entry["digest"])
    assert pushed is not None
    assert json.loads(pushed)["config"]["digest"] == json.loads(MADE.manifest_bytes)["config"]["digest"]
    # The name leads to another image since: what is in the list cannot be had any more, and nothing is written.
    put(product, image("linux/arm64", seed="other"), f"{place}app:1")
    refused = listed(product, "push", LIST, f"{registry.host}/{repository}:2", code=3)
    assert entry["digest"] in json.dumps(refused["error"])
    assert registry.tags(repository) == ["1"]


def test_the_main_job_holds_them_to_a_digest(place: str, product: Product, registry: Registry, repository: str) -> None:
    put(product, MADE, f"{place}app:1")
    spec = f"image: {registry.host}/{repository}:1\nsources: ['{place}app:1{{}}']"
    digest = product.push(spec.format(""))["indexes"][0]["entries"][0]["digest"]
    assert product.push(spec.format(f"@{digest}"))["changed"] is False
    assert product.push(spec.format(f"@sha256:{'0' * 64}"), code=3)["error"]["code"] == "resolve"


PLATFORM = {"os": "linux", "architecture": "arm64"}


@pytest.mark.parametrize("target", ["oci:{}/layout:1", "oci-archive:{}/out.tar:1", "dir:{}/directory"])
def test_they_go_to_every_place_that_holds_indexes_with_one_digest(place: str, target: str, product: Product) -> None:
    put(product, MADE, f"{place}app:1")
    made = [
        product.push(f"image: {where.format(product.folder)}\nsources: ['{place}app:1']")["indexes"][0]
        for where in (target, "oci:{}/another:1")
    ]
    assert made[0]["digest"] == made[1]["digest"]
    assert [each["platform"] for each in made[0]["entries"]] == [PLATFORM]


@pytest.mark.parametrize("target", ["docker-archive:{folder}/saved.tar:docker.io/acme/app:2", "{place}other:1"])
def test_they_go_to_every_place_that_holds_single_images(place: str, target: str, product: Product) -> None:
    put(product, MADE, f"{place}app:1")
    where = target.format(folder=product.folder, place=place)
    listed(product, "create", LIST, f"{place}app:1", "--all")
    listed(product, "push", LIST, where, "--system", "--os", "linux", "--arch", "arm64")
    (entry,) = listed(product, "create", "localhost/again:1", where)["instances"]
    assert entry["platform"] == PLATFORM
