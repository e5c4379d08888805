"""Files and workflow steps that were written for other tools run here as they are."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.images import buildx_index, image, push
from tests.support.product import Product
from tests.support.recorder import recording
from tests.support.servers import ROOT, Registry


def step(folder: Path, inputs: Mapping[str, str]) -> tuple["subprocess.CompletedProcess[bytes]", dict[str, str]]:
    """Run the action's entry point as the runner does; its result and the outputs it wrote."""
    output, summary = folder / "output", folder / "summary"
    output.touch()
    summary.touch()
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_WORKSPACE": str(folder),
        "GITHUB_OUTPUT": str(output),
        "GITHUB_STEP_SUMMARY": str(summary),
    } | {f"INPUT_{name.upper()}": value for name, value in inputs.items()}
    result = subprocess.run(
        [sys.executable, ROOT / "entrypoint.py"], env=environment, cwd=folder, capture_output=True, check=False
    )
    found = re.findall(r"^([\w-]+)<<(\S+)\n(.*?)\n\2$", output.read_text(), re.DOTALL | re.MULTILINE)
    return result, {name: value for name, _, value in found}


def test_a_manifest_tool_file(registry: Registry, repository: str, product: Product) -> None:
    where = f"{registry.host}/{repository}"
    for name in ("amd64", "arm64", "arm"):
        platform = "linux/arm/v6" if name == "arm" else f"linux/{name}"
        push(registry, repository, image(platform, docker=True), f"build-{name}")
    push(registry, repository, image("windows/amd64:10.0.17763.1", docker=True), "build-windows")
    spec = f"""
image: {where}:1.0
tags: ['1', latest]
manifests:
  -
    image: {where}:build-amd64
    platform:
      architecture: amd64
      os: linux
  -
    image: {where}:build-arm64
    platform:
      architecture: arm64
      os: linux
      variant: v8
  -
    image: {where}:build-arm
    platform:
      architecture: arm
      os: linux
      variant: v6
  -
    image: {where}:build-windows
    platform:
      architecture: amd64
      os: windows
      osversion: 10.0.17763.1
"""
    product.push(spec)
    assert registry.tags(repository) == sorted(
        ["1", "1.0", "latest", "build-amd64", "build-arm", "build-arm64", "build-windows"]
    )
    listed = json.loads(registry.manifest(repository, "latest").body)
    assert [entry["platform"] for entry in listed["manifests"]] == [
        {"architecture": "amd64", "os": "linux"},
        {"architecture": "arm64", "os": "linux", "variant": "v8"},
        {"architecture": "arm", "os": "linux", "variant": "v6"},
        {"architecture": "amd64", "os": "windows", "os.version": "10.0.17763.1"},
    ]
    assert "docker.distribution.manifest.list" in listed["mediaType"]


def test_a_step_of_int128_docker_manifest_create_action(registry: Registry, repository: str, tmp_path: Path) -> None:
    where = f"{registry.host}/{repository}"
    for name in ("amd64", "arm64"):
        push(registry, repository, buildx_index([image(f"linux/{name}")]), f"main-{name}")
    inputs = {
        "tags": f"{where}:main\n{where}:sha-1234567\n",
        "sources": f"{where}:main-amd64\n{where}:main-arm64\n",
        "index-annotations": "index:org.opencontainers.image.title=app\n"
        'index:org.opencontainers.image.description=One, two = "three": it\'s here\n',
        "push": "true",
    }
    result, outputs = step(tmp_path, inputs)
    assert result.returncode == 0, result.stdout.decode() + result.stderr.decode()
    answer = registry.manifest(repository, "main")
    assert outputs["digest"] == answer.headers["Docker-Content-Digest"]
    assert outputs["changed"] == "true"
    assert answer.body == registry.manifest_bytes(repository, "sha-1234567")
    assert json.loads(answer.body)["annotations"] == {
        "org.opencontainers.image.title": "app",
        "org.opencontainers.image.description": 'One, two = "three": it\'s here',
    }
    assert where in (tmp_path / "summary").read_text()
    dry, outputs = step(tmp_path, inputs | {"push": "false", "tags": f"{where}:other\n"})
    assert dry.returncode == 0
    assert "other" not in registry.tags(repository)


def test_a_mistake_in_an_input_touches_nothing(registry: Registry, repository: str, tmp_path: Path) -> None:
    with recording(registry) as recorder:
        where = f"{recorder.registry.host}/{repository}"
        result, outputs = step(tmp_path, {"tags": f"{where}:main", "sources": f"{where}:UPPER CASE"})
        assert result.returncode == 2
        assert outputs["error-code"] == "config"
        assert recorder.log == []
    assert b"::error" in result.stdout
