"""The main job from and to every place that is a file, an engine or a store."""

import json
from itertools import product as pairs
from pathlib import Path

import pytest

from manifest_action.model.reference import Repository
from manifest_action.transport.archive.docker import DockerArchiveTransport
from tests.contract.places import files_of, push_all
from tests.support.images import image, index, write_directory, write_layout
from tests.support.peers import Peer
from tests.support.product import Product
from tests.support.servers import Registry
from tests.support.tarballs import write_tar

PLATFORMS = ("linux/amd64", "linux/arm64")
WHOLE = index([image(platform) for platform in PLATFORMS])
FORMS = ("oci", "oci-archive", "dir", "docker")


@pytest.fixture
def sources(tmp_path: Path, registry: Registry, repository: str, skopeo: Peer) -> dict[str, str]:
    """One index in every form that holds indexes."""
    layout = write_layout(tmp_path / "layout", {"1.0": WHOLE})
    write_tar(tmp_path / "archive.tar", files_of(layout))
    write_directory(tmp_path / "directory", WHOLE)
    there = f"{registry.host}/{repository}:1.0"
    skopeo("copy", "--all", "--preserve-digests", "--dest-tls-verify=false", f"oci:{layout}:1.0", f"docker://{there}")
    return {
        "oci": f"oci:{layout}:1.0",
        "oci-archive": f"oci-archive:{tmp_path / 'archive.tar'}:1.0",
        "dir": f"dir:{tmp_path / 'directory'}",
        "docker": there,
    }


@pytest.mark.parametrize(("start", "end"), list(pairs(FORMS, FORMS)))
def test_an_index_keeps_its_digest_between_every_pair_of_places(
    start: str,
    end: str,
    sources: dict[str, str],
    tmp_path: Path,
    product: Product,
    skopeo: Peer,
    registry: Registry,
    repository: str,
) -> None:
    targets = {
        "oci": f"oci:{tmp_path / 'out'}:2.0",
        "oci-archive": f"oci-archive:{tmp_path / 'out.tar'}:2.0",
        "dir": f"dir:{tmp_path / 'out.dir'}",
        "docker": f"{registry.host}/{repository}-copy:2.0",
    }
    report = product.push(f"{{image: '{targets[end]}', sources: ['{sources[start]}']}}")
    assert report["indexes"][0]["digest"] == WHOLE.digest
    target = f"docker://{targets[end]}" if end == "docker" else targets[end]
    assert (
        skopeo("inspect", "--raw", *(["--tls-verify=false"] if end == "docker" else []), target) == WHOLE.manifest_bytes
    )


def test_images_of_docker_save_become_an_index(tmp_path: Path, product: Product, skopeo: Peer) -> None:
    transport = DockerArchiveTransport()
    destination = transport.destination(Repository("docker-archive", "", str(tmp_path / "saved.tar")))
    for platform in PLATFORMS:
        name = f"docker.io/acme/app:{platform.partition('/')[2]}"
        destination.tag(push_all(destination, image(platform)), name)
    transport.close()
    archive = f"docker-archive:{tmp_path / 'saved.tar'}"
    sources = f"['{archive}:acme/app:amd64', '{archive}:@1']"
    target = f"dir:{tmp_path / 'out'}"
    product.push(f"{{image: '{target}', sources: {sources}, expect: [linux/amd64, linux/arm64], format: docker}}")
    entries = json.loads(skopeo("inspect", "--raw", target))["manifests"]
    assert [entry["platform"]["architecture"] for entry in entries] == ["amd64", "arm64"]
    again = product.push(f"{{image: '{target}', sources: {sources}, format: docker}}")
    assert not again["indexes"][0]["changed"]


@pytest.mark.parametrize(
    ("target", "complaint"),
    [("docker-archive:out.tar:acme/app:1", "single images only"), ("containers-storage:acme/app:1", "single images")],
)
def test_an_index_where_only_images_fit_says_what_to_use_instead(
    target: str, complaint: str, tmp_path: Path, product: Product, skopeo: Peer
) -> None:
    layout = write_layout(tmp_path / "layout", {"1.0": WHOLE})
    assert skopeo("--version")
    result = product.run("push", "--image", target, "--source", f"oci:{layout}:1.0")
    assert result.returncode == 10
    assert complaint in result.stderr.decode() + result.stdout.decode()
    assert not (tmp_path / "out.tar").exists()
    assert not list(tmp_path.glob(".manifest-staging-*"))
