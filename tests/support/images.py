"""Synthetic images: small, valid, the same on every run, and written without the product's own code.

Formats: OCI image-spec 1.1 (manifest.md, config.md, layer.md, image-index.md, image-layout.md) and Docker image
manifest v2 schema 2; BuildKit's attestation manifests.
"""

import gzip
import hashlib
import io
import json
import random
import shutil
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.servers import Registry, Response

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
EMPTY_CONFIG = "application/vnd.oci.empty.v1+json"
IN_TOTO = "application/vnd.in-toto+json"

CREATED = "2026-01-01T00:00:00Z"
_MIB = 1024 * 1024

Blob = bytes | Path
"""The bytes of a blob, or the file that holds them when they are many."""


@dataclass(frozen=True)
class SyntheticImage:
    """An image or an artifact: its manifest, and the blobs that it refers to, by digest.

    platform: the object for an index's entry; empty for artifacts
    """

    manifest_bytes: bytes = field(repr=False)
    media_type: str
    blobs: Mapping[str, Blob] = field(repr=False)
    platform: Mapping[str, object]

    @property
    def digest(self) -> str:
        """`sha256:…` of the manifest."""
        return digest_of(self.manifest_bytes)

    def descriptor(self, **members: object) -> dict[str, object]:
        """The entry of an index for it; `members` are added at the end."""
        platform = {"platform": dict(self.platform)} if self.platform else {}
        return _descriptor(self.media_type, self.manifest_bytes) | platform | members


@dataclass(frozen=True)
class SyntheticIndex:
    """An index or manifest list, and what it refers to."""

    manifest_bytes: bytes = field(repr=False)
    media_type: str
    children: tuple["Synthetic", ...]

    @property
    def digest(self) -> str:
        """`sha256:…` of the index."""
        return digest_of(self.manifest_bytes)

    def descriptor(self, **members: object) -> dict[str, object]:
        """The entry of an index for it; `members` are added at the end."""
        return _descriptor(self.media_type, self.manifest_bytes) | members


Synthetic = SyntheticImage | SyntheticIndex


@dataclass(frozen=True)
class Layer:
    """A layer: `content` has `size` bytes and `digest`; `diff_id` is the digest of the tar in it."""

    media_type: str
    digest: str
    size: int
    content: Blob = field(repr=False)
    diff_id: str


def image(
    platform: str = "linux/amd64",
    *,
    layers: int = 2,
    layer_size: int = 1024,
    docker: bool = False,
    os_version: str = "",
    os_features: Sequence[str] = (),
    seed: str = "",
    extra_layers: Iterable[Layer] = (),
    annotations: Mapping[str, str] | None = None,
) -> SyntheticImage:
    """An image with real layers (a tar of one file of `layer_size` random bytes, gzip) and a matching config.

    platform: `os/architecture[/variant]`, with `:os.version` at its end if there is one
    docker:   Docker's media types instead of OCI's
    seed:     images with other seeds have other layers; those of one seed and platform are equal
    """
    stated = _platform(platform, os_version, os_features)
    made = [gzip_layer(f"{seed}/{platform}/{number}", layer_size, docker=docker) for number in range(layers)]
    made += extra_layers
    config = _json(
        dict(stated)
        | {
            "created": CREATED,
            "config": {"Env": ["PATH=/bin"], "Cmd": ["/hello"], "Labels": {"seed": seed}},
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in made]},
            "history": [{"created": CREATED, "created_by": f"COPY {number} /"} for number in range(len(made))],
        }
    )
    manifest: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST if docker else OCI_MANIFEST,
        "config": _descriptor(DOCKER_CONFIG if docker else OCI_CONFIG, config),
        "layers": [{"mediaType": each.media_type, "digest": each.digest, "size": each.size} for each in made],
    }
    if annotations:
        manifest["annotations"] = dict(annotations)
    blobs: dict[str, Blob] = {digest_of(config): config}
    blobs.update((layer.digest, layer.content) for layer in made)
    return SyntheticImage(_json(manifest), str(manifest["mediaType"]), blobs, stated)


def gzip_layer(seed: str, size: int, *, docker: bool = False) -> Layer:
    """A layer with one file of `size` bytes that depend on `seed` only."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        entry = tarfile.TarInfo("hello")
        entry.size = size
        entry.mode = 0o755
        archive.addfile(entry, io.BytesIO(random.Random(seed).randbytes(size)))
    content = gzip.compress(tar.getvalue(), compresslevel=1, mtime=0)
    media_type = DOCKER_LAYER if docker else f"{OCI_LAYER}+gzip"
    return Layer(media_type, digest_of(content), len(content), content, digest_of(tar.getvalue()))


def file_layer(path: Path, size: int) -> Layer:
    """A layer in a file: a tar (not compressed) whose one file has `size` bytes; needs little memory and disk.

    The file is sparse but for a counter in every MiB, so that bytes which arrive in the wrong place are noticed.
    """
    entry = tarfile.TarInfo("large")
    entry.size = size
    # The standard format has no room for the size of a file of 8 GiB or more.
    header = entry.tobuf(tarfile.USTAR_FORMAT if size < 8 * 1024**3 else tarfile.GNU_FORMAT)
    padded = -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
    with path.open("wb") as file:
        file.write(header)
        for offset in range(0, size - 8, _MIB):
            file.seek(len(header) + offset)
            file.write(offset.to_bytes(8, "big"))
        file.truncate(len(header) + padded + 2 * tarfile.BLOCKSIZE)
    with path.open("rb") as file:
        digest = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    return Layer(OCI_LAYER, digest, path.stat().st_size, path, digest)


def artifact(
    artifact_type: str = "application/vnd.example.report+json",
    *,
    subject: Synthetic | None = None,
    payload: bytes = b'{"findings":[]}',
) -> SyntheticImage:
    """An artifact manifest with the empty config, attached to `subject` if there is one."""
    empty = b"{}"
    manifest: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": artifact_type,
        "config": _descriptor(EMPTY_CONFIG, empty),
        "layers": [_descriptor(artifact_type, payload)],
    }
    if subject:
        manifest["subject"] = _descriptor(subject.media_type, subject.manifest_bytes)
    return SyntheticImage(_json(manifest), OCI_MANIFEST, {digest_of(empty): empty, digest_of(payload): payload}, {})


def attestation(subject: SyntheticImage) -> SyntheticImage:
    """A BuildKit provenance manifest about `subject`."""
    statement = _json(
        {
            "_type": "https://in-toto.io/Statement/v0.1",
            "predicateType": "https://slsa.dev/provenance/v0.2",
            "subject": [{"name": "_", "digest": {"sha256": subject.digest.partition(":")[2]}}],
            "predicate": {"builder": {"id": ""}, "buildType": "https://mobyproject.org/buildkit@v1"},
        }
    )
    platform = {"architecture": "unknown", "os": "unknown"}
    diff_ids = [digest_of(statement)]
    config = _json(platform | {"config": {}, "rootfs": {"type": "layers", "diff_ids": diff_ids}})
    layer = _descriptor(IN_TOTO, statement) | {
        "annotations": {"in-toto.io/predicate-type": "https://slsa.dev/provenance/v0.2"}
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": _descriptor(OCI_CONFIG, config),
        "layers": [layer],
    }
    blobs = {digest_of(config): config, digest_of(statement): statement}
    return SyntheticImage(_json(manifest), OCI_MANIFEST, blobs, platform)


def index(
    children: Sequence[Synthetic], *, docker: bool = False, annotations: Mapping[str, str] | None = None
) -> SyntheticIndex:
    """An OCI index (or a Docker manifest list) of `children`, in their order."""
    return _index([child.descriptor() for child in children], children, docker=docker, annotations=annotations)


def buildx_index(images: Sequence[SyntheticImage], *, attestations: bool = True) -> SyntheticIndex:
    """An index as buildx pushes it: the images, then one attestation manifest about each."""
    entries = [each.descriptor() for each in images]
    children: list[Synthetic] = list(images)
    for each in images if attestations else ():
        about = attestation(each)
        marks = {
            "vnd.docker.reference.digest": each.digest,
            "vnd.docker.reference.type": "attestation-manifest",
        }
        entries.append(about.descriptor(annotations=marks))
        children.append(about)
    return _index(entries, children, docker=False, annotations=None)


def digest_of(content: bytes) -> str:
    """`sha256:…` of `content`."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def push(registry: Registry, repository: str, what: Synthetic, tag: str = "") -> str:
    """Put an image or index and all it refers to into `repository`, under `tag` if one is given; its digest."""
    if isinstance(what, SyntheticIndex):
        for child in what.children:
            push(registry, repository, child)
    else:
        for digest, content in what.blobs.items():
            push_blob(registry, repository, digest, content)
    _expect(
        201,
        registry.request(
            "PUT",
            f"/v2/{repository}/manifests/{tag or what.digest}",
            headers={"Content-Type": what.media_type},
            body=what.manifest_bytes,
        ),
    )
    return what.digest


def push_blob(registry: Registry, repository: str, digest: str, content: Blob) -> None:
    """Upload one blob in one piece."""
    if registry.has_blob(repository, digest):
        return
    started = _expect(
        202, registry.request("POST", f"/v2/{repository}/blobs/uploads/", headers={"Content-Length": "0"})
    )
    location = urlsplit(started.headers["Location"])
    target = f"{location.path}?{location.query}{'&' if location.query else ''}digest={digest}"
    size = len(content) if isinstance(content, bytes) else content.stat().st_size
    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
    if isinstance(content, bytes):
        _expect(201, registry.request("PUT", target, headers=headers, body=content))
        return
    with content.open("rb") as file:
        _expect(201, registry.request("PUT", target, headers=headers, body=file))


def write_layout(path: Path, images: Mapping[str, Synthetic]) -> Path:
    """Write an OCI image layout that holds `images` under their names (an empty name is none); the layout's path."""
    blobs = path / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    (path / "oci-layout").write_bytes(b'{"imageLayoutVersion":"1.0.0"}')
    entries = []
    for name, what in images.items():
        _store(blobs, what)
        annotations = {"annotations": {"org.opencontainers.image.ref.name": name}} if name else {}
        entries.append(what.descriptor(**annotations))
    (path / "index.json").write_bytes(_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}))
    return path


def write_directory(path: Path, what: Synthetic) -> Path:
    """Write an image or index as `dir:` has it; the directory's path."""
    path.mkdir(parents=True)
    (path / "version").write_bytes(b"Directory Transport Version: 1.1\n")
    (path / "manifest.json").write_bytes(what.manifest_bytes)
    for child in what.children if isinstance(what, SyntheticIndex) else ():
        _store(path, child, end=".manifest.json")
    _store_blobs(path, what)
    return path


def _store(blobs: Path, what: Synthetic, *, end: str = "") -> None:
    (blobs / f"{what.digest.partition(':')[2]}{end}").write_bytes(what.manifest_bytes)
    for child in what.children if isinstance(what, SyntheticIndex) else ():
        _store(blobs, child, end=end)
    _store_blobs(blobs, what)


def _store_blobs(blobs: Path, what: Synthetic) -> None:
    for digest, content in () if isinstance(what, SyntheticIndex) else what.blobs.items():
        file = blobs / digest.partition(":")[2]
        if isinstance(content, bytes):
            file.write_bytes(content)
        else:
            shutil.copyfile(content, file)


def _index(
    entries: Sequence[object],
    children: Sequence[Synthetic],
    *,
    docker: bool,
    annotations: Mapping[str, str] | None,
) -> SyntheticIndex:
    media_type = DOCKER_LIST if docker else OCI_INDEX
    document: dict[str, object] = {"schemaVersion": 2, "mediaType": media_type, "manifests": list(entries)}
    if annotations:
        document["annotations"] = dict(annotations)
    return SyntheticIndex(_json(document), media_type, tuple(children))


def _platform(text: str, os_version: str, os_features: Sequence[str]) -> dict[str, object]:
    body, _, version = text.partition(":")
    os, architecture, *variant = body.split("/")
    stated: dict[str, object] = {"architecture": architecture, "os": os}
    if version or os_version:
        stated["os.version"] = version or os_version
    if os_features:
        stated["os.features"] = list(os_features)
    if variant:
        stated["variant"] = variant[0]
    return stated


def _descriptor(media_type: str, content: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


def _json(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def _expect(status: int, response: Response) -> Response:
    assert response.status == status, (response.status, response.body[:300])
    return response
