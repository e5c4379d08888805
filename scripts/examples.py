"""Write the OCI layouts under examples/images: tiny, but real images, the same bytes on every machine.

    python3 scripts/examples.py [directory]

Needs Python alone. Formats: OCI image-spec 1.1 (image-layout.md, image-index.md, manifest.md, config.md, layer.md),
BuildKit's attestation manifests, in-toto Statement v0.1 with SLSA provenance v0.2.
"""

import hashlib
import io
import json
import shutil
import sys
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

IMAGES = Path(__file__).resolve().parent.parent / "examples" / "images"

CREATED = "2026-01-01T00:00:00Z"
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
IN_TOTO = "application/vnd.in-toto+json"
PROVENANCE = "https://slsa.dev/provenance/v0.2"

LINUX_AMD64 = {"architecture": "amd64", "os": "linux"}
LINUX_ARM64 = {"architecture": "arm64", "os": "linux", "variant": "v8"}
LINUX_ARM_V7 = {"architecture": "arm", "os": "linux", "variant": "v7"}
WINDOWS_AMD64 = {"architecture": "amd64", "os": "windows", "os.version": "10.0.20348.2700"}
UNKNOWN = {"architecture": "unknown", "os": "unknown"}

Descriptor = dict[str, object]


@dataclass
class Layout:
    """What will be in one layout: blobs by hex digest, and the entries of its index.json."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    entries: list[Descriptor] = field(default_factory=list)

    def add(self, media_type: str, content: bytes, **members: object) -> Descriptor:
        """Put a blob in; its descriptor."""
        digest = hashlib.sha256(content).hexdigest()
        self.blobs[digest] = content
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content), **members}

    def add_image(self, platform: Mapping[str, str]) -> Descriptor:
        """Put an image with one layer in; its descriptor with its platform."""
        # Windows layers keep their files below Files.
        name = "Files/hello.txt" if platform["os"] == "windows" else "hello.txt"
        tar = layer_tar(name, f"Hello from {platform['os']}/{platform['architecture']}!\n")
        layer = self.add(LAYER, stored_gzip(tar))
        config = {
            **platform,
            "created": CREATED,
            "config": {"Labels": {"org.opencontainers.image.title": "hello"}},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(tar).hexdigest()}"]},
            "history": [{"created": CREATED, "created_by": "COPY hello.txt ."}],
        }
        return self._add_manifest(self.add(CONFIG, as_json(config)), layer, platform=dict(platform))

    def add_attestation(self, image: Descriptor) -> Descriptor:
        """Put provenance about an image of this layout in, as BuildKit does; its descriptor."""
        hex_digest = str(image["digest"]).partition(":")[2]
        statement = {
            "_type": "https://in-toto.io/Statement/v0.1",
            "predicateType": PROVENANCE,
            "subject": [{"name": "pkg:docker/acme/hello@1.0", "digest": {"sha256": hex_digest}}],
            "predicate": {"builder": {"id": ""}, "buildType": "https://mobyproject.org/buildkit@v1"},
        }
        content = as_json(statement)
        layer = self.add(IN_TOTO, content, annotations={"in-toto.io/predicate-type": PROVENANCE})
        rootfs = {"type": "layers", "diff_ids": [layer["digest"]]}
        config = self.add(CONFIG, as_json({**UNKNOWN, "config": {}, "rootfs": rootfs}))
        about = {
            "vnd.docker.reference.digest": image["digest"],
            "vnd.docker.reference.type": "attestation-manifest",
        }
        return self._add_manifest(config, layer, annotations=about, platform=UNKNOWN)

    def _add_manifest(self, config: Descriptor, layer: Descriptor, **members: object) -> Descriptor:
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
        return self.add(MANIFEST, as_json(manifest), **members)

    def write(self, path: Path) -> None:
        """Write the directory."""
        blobs = path / "blobs" / "sha256"
        blobs.mkdir(parents=True)
        for digest, content in self.blobs.items():
            (blobs / digest).write_bytes(content)
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": self.entries}
        (path / "index.json").write_bytes(as_json(index))
        (path / "oci-layout").write_bytes(as_json({"imageLayoutVersion": "1.0.0"}))


def as_json(document: object) -> bytes:
    """Compact JSON."""
    return json.dumps(document, separators=(",", ":")).encode()


def layer_tar(name: str, text: str) -> bytes:
    """A tar with one short text file."""
    entry = tarfile.TarInfo(name)
    entry.size = len(text)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        tar.addfile(entry, io.BytesIO(text.encode()))
    # Header, one block of content and the end mark; the rest is padding for tape drives.
    return archive.getvalue()[: 4 * tarfile.BLOCKSIZE]


def stored_gzip(content: bytes) -> bytes:
    """At most 65535 bytes as gzip (RFC 1952) without compression, which every zlib version would do differently."""
    size = len(content).to_bytes(2, "little")
    inverse = bytes(byte ^ 0xFF for byte in size)
    header = bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255])
    trailer = zlib.crc32(content).to_bytes(4, "little") + len(content).to_bytes(4, "little")
    return header + b"\x01" + size + inverse + content + trailer


def single(platform: Mapping[str, str]) -> Layout:
    """A layout with one image, as most tools write it."""
    layout = Layout()
    entry = layout.add_image(platform)
    layout.entries = [{**entry, "annotations": {"org.opencontainers.image.ref.name": "1.0"}}]
    return layout


def buildx(platform: Mapping[str, str]) -> Layout:
    """A layout as `docker buildx build --output type=oci,tar=false` writes it: an index of image and attestation."""
    layout = Layout()
    image = layout.add_image(platform)
    manifests = [image, layout.add_attestation(image)]
    names = {
        "io.containerd.image.name": "docker.io/acme/hello:1.0",
        "org.opencontainers.image.created": CREATED,
        "org.opencontainers.image.ref.name": "1.0",
    }
    index = as_json({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests})
    layout.entries = [layout.add(INDEX, index, annotations=names)]
    return layout


def layouts() -> dict[str, Layout]:
    """Every layout by the name of its directory."""
    return {
        "amd64": single(LINUX_AMD64),
        "arm64": single(LINUX_ARM64),
        "armv7": single(LINUX_ARM_V7),
        "windows": single(WINDOWS_AMD64),
        "buildx-amd64": buildx(LINUX_AMD64),
        "buildx-arm64": buildx(LINUX_ARM64),
    }


def write_all(directory: Path) -> None:
    """Write every layout below `directory`, in place of those that are there."""
    for name, layout in layouts().items():
        shutil.rmtree(directory / name, ignore_errors=True)
        layout.write(directory / name)


if __name__ == "__main__":
    write_all(Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES)
