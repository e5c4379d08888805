"""Temporary tags and tags of children at real registries, one of which cannot take a tag away."""

from collections.abc import Iterator

import pytest

from tests.support.images import image, push
from tests.support.peers import Peer
from tests.support.product import Product
from tests.support.servers import Registry, distribution


@pytest.fixture(scope="module")
def registry_v3_token() -> Iterator[Registry]:
    """distribution v3 with a token server: removing needs a scope of its own."""
    with distribution("token") as running:
        yield running


@pytest.mark.parametrize("kind", ["registry_v3", "registry_v3_token"])
def test_temporary_tags_are_taken_away(
    kind: str, request: pytest.FixtureRequest, repository: str, product: Product, crane: Peer
) -> None:
    registry: Registry = request.getfixturevalue(kind)
    product.login(registry)
    name = f"{registry.host}/{repository}"
    digests = {arch: push(registry, repository, image(f"linux/{arch}"), f"build-{arch}") for arch in ("amd64", "arm64")}
    spec = f"image: {name}:1\nsources: [{name}:build-amd64, {name}:build-arm64]\ncleanup-tags: true\n"
    report = product.push(spec)["indexes"][0]
    assert [each["state"] for each in report["cleanup"]] == ["removed", "removed"]
    assert registry.tags(repository) == ["1"]
    for digest in digests.values():
        assert registry.manifest_bytes(repository, digest) is not None
    if registry.tokens is None:  # crane asks no token server on a loopback address
        assert crane("validate", "--insecure", "--remote", f"{name}:1").startswith(b"PASS")


def test_a_registry_that_cannot_take_a_tag_away_keeps_it_and_is_named(
    registry: Registry, repository: str, product: Product
) -> None:
    name = f"{registry.host}/{repository}"
    push(registry, repository, image("linux/amd64"), "build-amd64")
    spec = product.spec(f"image: {name}:1\nsources: [{name}:build-amd64]\ncleanup-tags: [build-amd64]\n")
    result = product.run("push", spec)
    assert result.returncode == 0, result.stderr
    assert sorted(registry.tags(repository)) == ["1", "build-amd64"]
    assert f"the tag {name}:build-amd64 stays: the registry cannot remove a tag over this API".encode() in result.stderr


def test_children_have_tags_that_survive_a_second_run(
    registry_v3: Registry, repository: str, product: Product, skopeo: Peer
) -> None:
    name = f"{registry_v3.host}/{repository}"
    pushed = [push(registry_v3, repository, image(f"linux/{arch}")) for arch in ("amd64", "arm64")]
    sources = "".join(f"- {name}@{digest}\n" for digest in pushed)
    spec = f"image: {name}:1\nsources:\n{sources}protect-children: platform\n"
    report = product.push(spec)
    assert report["indexes"][0]["protected"] == [f"{name}:1-linux-amd64", f"{name}:1-linux-arm64"]
    assert sorted(registry_v3.tags(repository)) == ["1", "1-linux-amd64", "1-linux-arm64"]
    raw = skopeo("inspect", "--tls-verify=false", "--format", "{{.Digest}}", f"docker://{name}:1-linux-arm64")
    assert raw.decode().strip() == pushed[1]
    assert product.push(spec)["changed"] is False
