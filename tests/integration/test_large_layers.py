"""A layer is never held in memory, whatever its size."""

import json
import tarfile
import threading
from pathlib import Path

import pytest

from tests.support.images import file_layer, image, push
from tests.support.product import Product
from tests.support.servers import Registry

GIB = 1024**3
RESIDENT_LIMIT_KIB = 120 * 1024
ARCHIVE_LIMIT_KIB = 150 * 1024


@pytest.mark.slow
def test_a_layer_of_one_gibibyte_needs_little_memory(
    registry: Registry, other_registry: Registry, repository: str, product: Product, tmp_path: Path
) -> None:
    layer = file_layer(tmp_path / "layer", GIB)
    made = image(layers=1, extra_layers=[layer])
    digest = push(other_registry, repository, made)
    spec = f"image: {registry.host}/{repository}:1\nsources: ['{other_registry.host}/{repository}@{digest}']\n"
    with product.start("push", product.spec(spec)) as process:
        peak = watch(process.pid)
        process.communicate(timeout=300)
        assert process.returncode == 0
    assert max(peak) < RESIDENT_LIMIT_KIB, f"{max(peak)} KiB resident at the most"
    assert registry.has_blob(repository, layer.digest)


@pytest.mark.slow
def test_an_archive_of_docker_save_of_two_gibibytes_needs_little_memory(product: Product) -> None:
    layer = file_layer(product.folder / "layer.tar", 2 * GIB)
    config = {"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": [layer.digest]}}
    (product.folder / "config.json").write_text(json.dumps(config))
    saved = [{"Config": "config.json", "RepoTags": ["acme/app:1"], "Layers": ["layer.tar"]}]
    (product.folder / "manifest.json").write_text(json.dumps(saved))
    with tarfile.open(product.folder / "saved.tar", "w") as archive:
        for name in ("layer.tar", "config.json", "manifest.json"):
            archive.add(product.folder / name, name)
    (product.folder / "layer.tar").unlink()
    with product.start("push", "--image", "oci:out:1", "--source", "docker-archive:saved.tar:acme/app:1") as process:
        peak = watch(process.pid)
        process.communicate(timeout=600)
        assert process.returncode == 0
    assert max(peak) < ARCHIVE_LIMIT_KIB, f"{max(peak)} KiB resident at the most"
    copied = product.folder / "out" / "blobs" / "sha256" / layer.digest.partition(":")[2]
    assert copied.stat().st_size == layer.size
    copied.unlink()
    (product.folder / "saved.tar").unlink()


def watch(pid: int) -> list[int]:
    """The resident sizes seen while the process runs, in KiB, filled in by a thread."""
    seen = [0]

    def look() -> None:
        status = Path(f"/proc/{pid}/status")
        try:
            while True:
                lines = status.read_text().splitlines()
                seen.append(next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0))
                pause.wait(0.05)
        except OSError:
            pass

    pause = threading.Event()
    threading.Thread(target=look, daemon=True).start()
    return seen
