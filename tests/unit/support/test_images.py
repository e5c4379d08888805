"""The synthetic images are right by the word of programs that others wrote."""

import json
import subprocess
import sys
from pathlib import Path

from tests.support.images import (
    Synthetic,
    artifact,
    buildx_index,
    digest_of,
    file_layer,
    image,
    index,
    push,
    write_layout,
)
from tests.support.peers import Peer
from tests.support.servers import ROOT, Registry


def _everything() -> list[str]:
    return [
        image().digest,
        image("windows/amd64:10.0.17763.1", docker=True).digest,
        buildx_index([image("linux/arm/v7", seed="x")]).digest,
    ]


def test_images_are_the_same_in_every_process() -> None:
    code = "from tests.unit.support.test_images import _everything; print(*_everything())"
    again = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert len(set(_everything())) == 3
    assert again.stdout.split() == _everything()


def test_platforms_are_stated_in_config_and_entry() -> None:
    child = image("windows/amd64:10.0.17763.1", os_features=["win32k"])
    config = json.loads(child.manifest_bytes)["config"]
    stated = {"architecture": "amd64", "os": "windows", "os.version": "10.0.17763.1", "os.features": ["win32k"]}
    content = child.blobs[config["digest"]]
    assert isinstance(content, bytes)
    assert stated.items() <= json.loads(content).items()
    assert json.loads(index([child]).manifest_bytes)["manifests"][0]["platform"] == stated


def test_skopeo_reads_every_kind(registry: Registry, repository: str, tmp_path: Path, skopeo: Peer) -> None:
    kinds: dict[str, Synthetic] = {
        "oci": buildx_index([image(), image("linux/arm64/v8"), image("windows/amd64:10.0.17763.1")]),
        "docker": index([image(docker=True), image("linux/arm/v7", docker=True)], docker=True),
        "large": image(layers=1, extra_layers=[file_layer(tmp_path / "layer", 5_000_000)]),
    }
    for name, what in kinds.items():
        push(registry, repository, what, name)
        source = f"docker://{registry.host}/{repository}:{name}"
        skopeo("copy", "--all", "--preserve-digests", "--src-tls-verify=false", source, f"dir:{tmp_path / name}")
        assert (tmp_path / name / "manifest.json").read_bytes() == what.manifest_bytes


def test_skopeo_copies_from_a_layout(registry: Registry, repository: str, tmp_path: Path, skopeo: Peer) -> None:
    kinds: dict[str, Synthetic] = {
        "index": buildx_index([image(), image("linux/arm64/v8")]),
        "image": image("linux/s390x"),
    }
    layout = write_layout(tmp_path / "layout", kinds)
    for name, what in kinds.items():
        target = f"docker://{registry.host}/{repository}:{name}"
        skopeo("copy", "--all", "--preserve-digests", "--dest-tls-verify=false", f"oci:{layout}:{name}", target)
        assert registry.manifest_bytes(repository, name) == what.manifest_bytes


def test_crane_validates_what_was_pushed(registry: Registry, repository: str, crane: Peer) -> None:
    what = index([image(), image("linux/arm64/v8"), image(docker=True)])
    push(registry, repository, what, "v1")
    target = f"{registry.host}/{repository}:v1"
    crane("validate", "--remote", target)
    assert crane("manifest", target) == what.manifest_bytes
    assert crane("digest", target).decode().strip() == digest_of(what.manifest_bytes)


def test_regctl_and_oras_read_artifacts(registry: Registry, repository: str, regctl: Peer, oras: Peer) -> None:
    subject = index([image()])
    push(registry, repository, subject, "v1")
    report = artifact(subject=subject)
    push(registry, repository, report, "report")
    target = f"{registry.host}/{repository}:report"
    plain = ("--host", f"reg={registry.host},tls=disabled")
    assert regctl(*plain, "manifest", "get", "--format", "raw-body", target) == report.manifest_bytes
    assert oras("manifest", "fetch", "--plain-http", target) == report.manifest_bytes


def test_a_layer_in_a_file_notices_bytes_in_the_wrong_place(tmp_path: Path) -> None:
    layer = file_layer(tmp_path / "layer", 3 * 1024 * 1024)
    content = (tmp_path / "layer").read_bytes()
    swapped = content[:512] + content[512 + 1024 * 1024 : 512 + 2 * 1024 * 1024] + content[512 : 512 + 1024 * 1024]
    assert digest_of(content) == layer.digest
    assert digest_of(swapped + content[len(swapped) :]) != layer.digest
