"""Signatures in a registry: read, and put back with something changed, without the product's own code."""

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.support.images import push_blob
from tests.support.servers import Registry

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
SIGNATURE = "dev.cosignproject.cosign/signature"


@dataclass(frozen=True)
class Signed:
    """What was signed, and the signature over it."""

    payload: bytes
    signature: bytes


Change = Callable[[Signed], Signed]


def attached(registry: Registry, repository: str, digest: str) -> list[Signed]:
    """The signatures under the `.sig` tag of a digest; none when there is no such tag."""
    raw = registry.manifest_bytes(repository, f"{digest.replace(':', '-')}.sig")
    layers = json.loads(raw)["layers"] if raw else []
    return [
        Signed(registry.blob(repository, layer["digest"]), base64.b64decode(layer["annotations"][SIGNATURE]))
        for layer in layers
    ]


def bundles(registry: Registry, repository: str, digest: str) -> list[dict[str, Any]]:
    """The bundles that the fallback tag of a digest lists."""
    raw = registry.manifest_bytes(repository, digest.replace(":", "-"))
    found = []
    for entry in json.loads(raw)["manifests"] if raw else []:
        manifest = registry.manifest_bytes(repository, entry["digest"])
        assert manifest is not None
        found.append(json.loads(registry.blob(repository, json.loads(manifest)["layers"][0]["digest"])))
    return found


def attach(registry: Registry, repository: str, digest: str, signed: Signed) -> None:
    """Let this be the only signature under the `.sig` tag of a digest."""
    config = b'{"architecture":"","os":"","rootfs":{"type":"layers","diff_ids":[]}}'
    layer = _descriptor("application/vnd.dev.cosign.simplesigning.v1+json", signed.payload)
    layer["annotations"] = {SIGNATURE: base64.b64encode(signed.signature).decode()}
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": _descriptor("application/vnd.oci.image.config.v1+json", config),
        "layers": [layer],
    }
    for blob in (config, signed.payload):
        push_blob(registry, repository, digest_of(blob), blob)
    _put(registry, repository, f"{digest.replace(':', '-')}.sig", OCI_MANIFEST, json.dumps(manifest).encode())


def refer(registry: Registry, repository: str, digest: str, bundle: dict[str, Any]) -> None:
    """Let this be the only bundle that the fallback tag of a digest lists."""
    subject = registry.manifest(repository, digest)
    kind = bundle["mediaType"]
    content = json.dumps(bundle).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": kind,
        "config": _descriptor("application/vnd.oci.empty.v1+json", b"{}"),
        "layers": [_descriptor(kind, content)],
        "subject": _descriptor(subject.headers["Content-Type"], subject.body),
    }
    raw = json.dumps(manifest).encode()
    for blob in (b"{}", content):
        push_blob(registry, repository, digest_of(blob), blob)
    _put(registry, repository, digest_of(raw), OCI_MANIFEST, raw)
    entry = _descriptor(OCI_MANIFEST, raw) | {"artifactType": kind}
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]}
    _put(registry, repository, digest.replace(":", "-"), OCI_INDEX, json.dumps(index).encode())


def with_signed(bundle: dict[str, Any], change: Change) -> dict[str, Any]:
    """A bundle with its statement and signature changed."""
    envelope = bundle["dsseEnvelope"]
    was = Signed(base64.b64decode(envelope["payload"]), base64.b64decode(envelope["signatures"][0]["sig"]))
    now = change(was)
    signatures = [{"sig": base64.b64encode(now.signature).decode()}]
    payload = base64.b64encode(now.payload).decode()
    return bundle | {"dsseEnvelope": envelope | {"payload": payload, "signatures": signatures}}


def _put(registry: Registry, repository: str, selector: str, kind: str, raw: bytes) -> None:
    path = f"/v2/{repository}/manifests/{selector}"
    answer = registry.request("PUT", path, headers={"Content-Type": kind}, body=raw)
    assert answer.status == 201, (answer.status, answer.body)


def _descriptor(kind: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "digest": digest_of(content), "size": len(content)}


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass(frozen=True)
class Published:
    """A signed index: where it is, its digest, and those of what it lists."""

    registry: Registry
    repository: str
    digest: str
    instances: Sequence[str]

    @property
    def digests(self) -> list[str]:
        """Everything that is signed."""
        return [self.digest, *self.instances]

    def reference(self, digest: str = "") -> str:
        """A digest of it, the index's own by default."""
        return f"{self.registry.host}/{self.repository}@{digest or self.digest}"
