"""Schema 1 manifests against the programs that made it what it is: docker-registry, and skopeo as writer and reader."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from manifest_action.convert.jws import verify
from manifest_action.convert.schema1 import ReadLayer, from_schema1, to_schema1
from manifest_action.model import mediatype
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.schema1 import parse_schema1
from tests.support.images import SyntheticImage, image, push, push_blob
from tests.support.peers import Peer
from tests.support.servers import Registry, Response

SIGNED = mediatype.DOCKER_SCHEMA1_SIGNED


def config_of(made: SyntheticImage) -> bytes:
    found = made.blobs[json.loads(made.manifest_bytes)["config"]["digest"]]
    assert isinstance(found, bytes)
    return found


def put(registry: Registry, repository: str, selector: str, raw: bytes) -> Response:
    return registry.request("PUT", f"/v2/{repository}/manifests/{selector}", headers={"Content-Type": SIGNED}, body=raw)


@pytest.fixture
def written(registry_schema1: Registry, repository: str) -> tuple[SyntheticImage, Manifest]:
    """An image in the registry, and the schema 1 manifest made from it, under the tag `old`."""
    made = image("linux/arm64")
    push(registry_schema1, repository, made)
    result = to_schema1(Manifest.parse(made.manifest_bytes), config_of(made), repository)
    for digest, blob in result.blobs.items():
        push_blob(registry_schema1, repository, str(digest), blob)
    answer = put(registry_schema1, repository, "old", result.manifest.raw)
    assert answer.status == 201, answer.body
    assert answer.headers["Docker-Content-Digest"] == str(result.manifest.digest)
    return made, result.manifest


def test_the_registry_takes_what_is_signed_and_refuses_what_is_not(
    registry_schema1: Registry, repository: str, written: tuple[SyntheticImage, Manifest]
) -> None:
    _, manifest = written
    assert put(registry_schema1, repository, str(manifest.digest), manifest.raw).status == 201
    forged = manifest.raw.replace(b'"architecture": "arm64"', b'"architecture": "arm65"')
    assert forged != manifest.raw
    refused = put(registry_schema1, repository, "forged", forged)
    assert refused.status == 400
    with pytest.raises(ValueError, match="not over this document"):
        verify(parse_schema1(forged))


def test_the_registry_signs_it_anew_in_as_many_bytes(
    registry_schema1: Registry, repository: str, written: tuple[SyntheticImage, Manifest]
) -> None:
    _, manifest = written
    answer = registry_schema1.manifest(repository, "old")
    served = Manifest.parse(answer.body, media_type=answer.headers["Content-Type"])
    verify(parse_schema1(served.raw))
    assert served.raw != manifest.raw
    assert served.descriptor == manifest.descriptor


def test_skopeo_reads_it(
    registry_schema1: Registry,
    repository: str,
    written: tuple[SyntheticImage, Manifest],
    skopeo: Peer,
    tmp_path: Path,
) -> None:
    made, _ = written
    name = f"docker://{registry_schema1.host}/{repository}:old"
    raw = skopeo("inspect", "--raw", "--tls-verify=false", name)
    verify(parse_schema1(raw))
    seen = json.loads(skopeo("inspect", "--tls-verify=false", name))
    assert (seen["Architecture"], seen["Os"]) == ("arm64", "linux")
    skopeo("copy", "--src-tls-verify=false", name, f"dir:{tmp_path / 'out'}")
    for layer in json.loads(made.manifest_bytes)["layers"]:
        assert (tmp_path / "out" / layer["digest"].partition(":")[2]).read_bytes() == made.blobs[layer["digest"]]
    skopeo("copy", "--src-tls-verify=false", name, f"oci:{tmp_path / 'layout'}:x")


def test_what_skopeo_writes_becomes_an_image(
    registry_schema1: Registry, repository: str, skopeo: Peer, tmp_path: Path
) -> None:
    made = image("linux/arm64", docker=True)
    push(registry_schema1, repository, made, "new")
    name = f"docker://{registry_schema1.host}/{repository}"
    skopeo(
        "copy", "--format", "v2s1", "--src-tls-verify=false", "--dest-tls-verify=false", f"{name}:new", f"{name}-1:old"
    )
    answer = registry_schema1.manifest(f"{repository}-1", "old")
    old = parse_schema1(answer.body)
    verify(old)
    blobs = {layer: registry_schema1.blob(f"{repository}-1", str(layer)) for layer in old.layers}
    read = {layer: ReadLayer(len(blob), Digest.of(gzip.decompress(blob))) for layer, blob in blobs.items()}
    result = from_schema1(old, read)
    for digest, blob in result.blobs.items():
        push_blob(registry_schema1, f"{repository}-1", str(digest), blob)
    assert _put_v2(registry_schema1, f"{repository}-1", result.manifest).status == 201
    was, config = json.loads(config_of(made)), json.loads(next(iter(result.blobs.values())))
    assert [layer.digest for layer in result.manifest.layers] == [
        Digest.parse(layer["digest"]) for layer in json.loads(made.manifest_bytes)["layers"]
    ]
    assert config["rootfs"] == was["rootfs"]
    assert [config[name] for name in ("os", "architecture", "config")] == [
        was[name] for name in ("os", "architecture", "config")
    ]
    seen: dict[str, Any] = json.loads(skopeo("inspect", "--tls-verify=false", f"{name}-1:back"))
    assert seen["Architecture"] == "arm64"


def _put_v2(registry: Registry, repository: str, manifest: Manifest) -> Response:
    headers = {"Content-Type": manifest.media_type}
    return registry.request("PUT", f"/v2/{repository}/manifests/back", headers=headers, body=manifest.raw)
