"""The action against real registries: outputs, logins, and what the log says when one is missing."""

import hashlib
import json
from pathlib import Path

import pytest

from tests.action.runner import Runner, StepResult
from tests.support.images import image, push
from tests.support.servers import Registry


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    """A runner with an empty workspace."""
    return Runner(tmp_path)


def pushed_sources(registry: Registry, repository: str) -> str:
    """Two images in the registry; their references on lines, as the input takes them."""
    platforms = ("linux/amd64", "linux/arm64")
    digests = [push(registry, repository, image(platform)) for platform in platforms]
    return "\n".join(f"{registry.host}/{repository}@{digest}" for digest in digests)


def test_the_digest_is_what_the_registry_serves_under_every_tag(
    runner: Runner, registry: Registry, repository: str
) -> None:
    name = f"{registry.host}/{repository}"
    sources = pushed_sources(registry, repository)
    result = runner.run(image=f"{name}:1.0", tags="1.1\nlatest", sources=sources, expect="linux/amd64,linux/arm64")
    assert result.code == 0, result.log
    for tag in ("1.0", "1.1", "latest"):
        served = registry.manifest_bytes(repository, tag)
        assert served is not None
        assert "sha256:" + hashlib.sha256(served).hexdigest() == result.outputs["digest"]
    assert result.outputs["image"] == f"{name}@{result.outputs['digest']}"
    assert f"docker pull {name}@{result.outputs['digest']}" in result.summary


def test_a_directory_of_digests_is_merged(runner: Runner, registry: Registry, repository: str) -> None:
    digests = runner.workspace / "digests"
    digests.mkdir()
    for source in pushed_sources(registry, repository).splitlines():
        (digests / source.rpartition(":")[2]).touch()
    result = runner.run(image=f"{registry.host}/{repository}:1.0", digests="digests")
    assert result.code == 0, result.log
    assert sorted(result.json("platforms")) == ["linux/amd64", "linux/arm64"]


def secure_step(runner: Runner, registry: Registry, repository: str, **inputs: str) -> StepResult:
    """A step that pushes to a registry with TLS and passwords."""
    assert registry.ca_file is not None
    (runner.workspace / "ca.pem").write_bytes(registry.ca_file.read_bytes())
    sources = pushed_sources(registry, repository)
    return runner.run(image=f"{registry.host}/{repository}:1", sources=sources, ca_certificates="ca.pem", **inputs)


@pytest.mark.parametrize("way", ["username", "registries", "DOCKER_CONFIG"])
def test_every_way_to_log_in_works(runner: Runner, registry_tls: Registry, repository: str, way: str) -> None:
    inputs = {"username": registry_tls.username, "password": registry_tls.password}
    if way == "registries":
        inputs = {"registries": json.dumps({registry_tls.host: inputs})}
    elif way == "DOCKER_CONFIG":
        inputs = {}
        registry_tls.write_login(runner.folder)
        runner.environment["DOCKER_CONFIG"] = str(runner.folder)
    result = secure_step(runner, registry_tls, repository, **inputs)
    assert result.code == 0, result.log
    assert registry_tls.tags(repository) == ["1"]
    shown = "\n".join(line for line in result.log.splitlines() if not line.startswith("::add-mask::"))
    assert registry_tls.password not in shown + result.summary + result.errors + "".join(result.outputs.values())


def test_a_missing_login_ends_with_the_ways_out(runner: Runner, registry_tls: Registry, repository: str) -> None:
    result = secure_step(runner, registry_tls, repository)
    assert (result.code, result.outputs["error-code"]) == (6, "auth")
    assert "not visible inside a container action" in result.log
    assert "not visible inside a container action" in result.summary
    assert registry_tls.tags(repository) == []


def test_a_wrong_password_is_not_shown(runner: Runner, registry_tls: Registry, repository: str) -> None:
    result = secure_step(runner, registry_tls, repository, username="me", password="canary-password")
    assert result.code == 6
    shown = "\n".join(line for line in result.log.splitlines() if not line.startswith("::add-mask::"))
    assert "canary-password" not in shown + result.summary + result.errors
    assert "input username" in result.log
