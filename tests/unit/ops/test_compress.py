"""`compression: add zstd` with repositories in memory: which images get a second instance, and what it is made of."""

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
import zstandard

from manifest_action.errors import AssembleError, ContentError, StoreError
from manifest_action.events import InstanceCompressed
from manifest_action.model.compression import ZSTD
from manifest_action.model.reference import parse_reference
from manifest_action.ops.outcome import Outcome
from manifest_action.ops.run import run
from manifest_action.plan.plan import make_plan
from manifest_action.plan.spec import Compression, Existing, Format, IndexSpec
from tests.support.images import (
    OCI_LAYER,
    Layer,
    SyntheticImage,
    artifact,
    buildx_index,
    digest_of,
    gzip_layer,
    image,
    index,
)
from tests.unit.ops.memory import MemoryTransport, Recorder
from tests.unit.ops.world import HOME, place, spec

AMD64, ARM64 = image("linux/amd64"), image("linux/arm64")
FAR = "far.test/acme/app"


@pytest.fixture
def transport() -> MemoryTransport:
    return MemoryTransport()


def carry_out(transport: MemoryTransport, wanted: IndexSpec, *, push: bool = True) -> tuple[Outcome, Recorder]:
    recorder = Recorder()
    return run(make_plan([wanted]), transport, recorder, jobs=2, push=push), recorder


def adding(*sources: str, **fields: object) -> IndexSpec:
    return spec(sources, compression=Compression.ADD_ZSTD, **fields)


def listed(outcome: Outcome) -> list[dict[str, Any]]:
    assert outcome.error is None, outcome.error
    (report,) = outcome.reports
    assert report.manifest is not None
    entries: list[dict[str, Any]] = json.loads(report.manifest.raw)["manifests"]
    return entries


def marked(entries: list[dict[str, Any]]) -> list[bool]:
    return [entry.get("annotations", {}).get(ZSTD) == "true" for entry in entries]


def document(transport: MemoryTransport, repository: str, digest: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(transport[parse_reference(repository).repository].manifests[digest].raw)
    return found


def unpacked(transport: MemoryTransport, repository: str, digest: str) -> str:
    raw = transport[parse_reference(repository).repository].blobs[digest]
    return digest_of(zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True).read())


@pytest.mark.parametrize("source", [HOME, FAR])
def test_each_image_is_there_a_second_time(transport: MemoryTransport, source: str) -> None:
    place(transport, f"{source}:src", buildx_index([AMD64, ARM64]))
    outcome, recorder = carry_out(transport, adding(f"{source}:src"))
    entries = listed(outcome)
    assert [entry["digest"] for entry in entries[::2][:2]] == [AMD64.digest, ARM64.digest]
    assert marked(entries) == [False, True, False, True, False, False]
    assert len([event for event in recorder.events if isinstance(event, InstanceCompressed)]) == 2
    for made, entry in zip((AMD64, ARM64), entries[1::2], strict=False):
        assert entry["platform"] == made.platform
        old, new = json.loads(made.manifest_bytes), document(transport, HOME, entry["digest"])
        assert new["config"] == old["config"]
        assert {layer["mediaType"] for layer in new["layers"]} == {f"{OCI_LAYER}+zstd"}
        config = json.loads(transport[parse_reference(HOME).repository].blobs[old["config"]["digest"]])
        diff_ids = [unpacked(transport, HOME, layer["digest"]) for layer in new["layers"]]
        assert diff_ids == config["rootfs"]["diff_ids"]


def test_a_second_run_changes_nothing(transport: MemoryTransport) -> None:
    place(transport, f"{HOME}:src", index([AMD64, ARM64]))
    first, _ = carry_out(transport, adding(f"{HOME}:src"))
    transport.calls.clear()
    second, _ = carry_out(transport, adding(f"{HOME}:src"))
    assert listed(first) == listed(second)
    assert (second.reports[0].changed, transport.writes()) == (False, [])


def test_a_dry_run_knows_the_digest(transport: MemoryTransport) -> None:
    place(transport, f"{HOME}:src", AMD64)
    planned, _ = carry_out(transport, adding(f"{HOME}:src"), push=False)
    assert transport.writes() == []
    assert listed(planned) == listed(carry_out(transport, adding(f"{HOME}:src"))[0])


def test_temporary_files_are_gone_afterwards(
    transport: MemoryTransport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    place(transport, f"{HOME}:src", AMD64)
    carry_out(transport, adding(f"{HOME}:src"))
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    place(transport, f"{HOME}:other", ARM64)
    outcome, _ = carry_out(transport, adding(f"{HOME}:other"))
    assert isinstance(outcome.error, StoreError)


def test_layers_are_compressed_once(transport: MemoryTransport) -> None:
    common = gzip_layer("common", 2048)
    place(transport, f"{HOME}:a", image("linux/amd64", extra_layers=[common]))
    place(transport, f"{FAR}:b", image("linux/arm64", extra_layers=[common, common]))
    transport.calls.clear()
    entries = listed(carry_out(transport, adding(f"{HOME}:a", f"{FAR}:b"), push=False)[0])
    assert len(entries) == 4
    assert [call[2] for call in transport.calls if call[0] == "open"].count(common.digest) == 1


def test_images_with_a_zstd_instance_need_no_other(transport: MemoryTransport) -> None:
    place(transport, f"{HOME}:src", index([AMD64, ARM64]))
    entries = listed(carry_out(transport, adding(f"{HOME}:src"))[0])
    transport.calls.clear()
    again = spec([f"{HOME}:1"], f"{HOME}:2", compression=Compression.ADD_ZSTD)
    assert listed(carry_out(transport, again)[0]) == entries
    assert transport.count("push_blob") == 0


def test_what_is_replaced_takes_its_zstd_instance_along(transport: MemoryTransport) -> None:
    place(transport, f"{HOME}:src", index([AMD64, ARM64]))
    carry_out(transport, adding(f"{HOME}:src"))
    newer = image("linux/amd64", seed="newer")
    place(transport, f"{HOME}:newer", newer)
    plain = listed(carry_out(transport, spec([f"{HOME}:newer"], existing=Existing.APPEND), push=False)[0])
    assert marked(plain) == [False, False, True]
    entries = listed(carry_out(transport, adding(f"{HOME}:newer", existing=Existing.APPEND))[0])
    assert marked(entries) == [False, True, False, True]
    assert (entries[0]["digest"], entries[2]["digest"]) == (newer.digest, ARM64.digest)
    config = json.loads(newer.manifest_bytes)["config"]
    assert document(transport, HOME, entries[1]["digest"])["config"] == config


def test_an_image_that_is_named_again_keeps_its_zstd_instance(transport: MemoryTransport) -> None:
    place(transport, f"{HOME}:src", index([AMD64, ARM64]))
    entries = listed(carry_out(transport, adding(f"{HOME}:src"))[0])
    for compression in Compression:
        again = spec([f"{HOME}@{AMD64.digest}"], existing=Existing.APPEND, compression=compression)
        transport.calls.clear()
        assert listed(carry_out(transport, again)[0]) == entries
        assert transport.writes() == []
        layers = {layer["digest"] for layer in json.loads(AMD64.manifest_bytes)["layers"]}
        assert not layers & {call[2] for call in transport.calls if call[0] == "open"}


def test_docker_images_must_be_converted(transport: MemoryTransport) -> None:
    place(transport, f"{HOME}:src", image("linux/amd64", docker=True))
    outcome, _ = carry_out(transport, adding(f"{HOME}:src"))
    assert isinstance(outcome.error, AssembleError)
    assert "format: oci" in outcome.error.hint
    assert transport.writes() == []
    entries = listed(carry_out(transport, adding(f"{HOME}:src", format=Format.OCI))[0])
    assert marked(entries) == [False, True]
    layers = document(transport, HOME, entries[1]["digest"])["layers"]
    assert {layer["mediaType"] for layer in layers} == {f"{OCI_LAYER}+zstd"}


def test_artifacts_and_other_layers_stay_as_they_are(transport: MemoryTransport) -> None:
    tar = io.BytesIO()
    tarfile.open(fileobj=tar, mode="w").close()
    plain = tar.getvalue()
    packed = zstandard.ZstdCompressor().compress(plain)
    zstd = Layer(f"{OCI_LAYER}+zstd", digest_of(packed), len(packed), packed, digest_of(plain))
    bare = Layer(OCI_LAYER, digest_of(plain), len(plain), plain, digest_of(plain))
    place(transport, f"{HOME}:artifact", artifact())
    place(transport, f"{HOME}:zstd", image("linux/arm64", layers=0, extra_layers=[zstd]))
    place(transport, f"{HOME}:mixed", image("linux/amd64", extra_layers=[bare, zstd]))
    entries = listed(carry_out(transport, adding(f"{HOME}:artifact", f"{HOME}:zstd", f"{HOME}:mixed"))[0])
    assert marked(entries) == [False, False, False, True]
    layers = document(transport, HOME, entries[3]["digest"])["layers"]
    assert layers[3]["digest"] == zstd.digest
    assert {layer["mediaType"] for layer in layers} == {f"{OCI_LAYER}+zstd"}
    assert unpacked(transport, HOME, layers[2]["digest"]) == bare.diff_id


def with_config(change: dict[str, Any]) -> SyntheticImage:
    """An image whose config says something else."""
    manifest = json.loads(AMD64.manifest_bytes)
    raw = AMD64.blobs[manifest["config"]["digest"]]
    assert isinstance(raw, bytes)
    config = json.dumps(json.loads(raw) | change).encode()
    manifest["config"] |= {"digest": digest_of(config), "size": len(config)}
    blobs = {**AMD64.blobs, digest_of(config): config}
    return SyntheticImage(json.dumps(manifest).encode(), AMD64.media_type, blobs, AMD64.platform)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rootfs": None}, "does not say what"),
        ({"rootfs": {"diff_ids": "x"}}, "0 diff_ids for 2 layers"),
        ({"rootfs": {"diff_ids": ["sha256:12", "sha256:34"]}}, "64 lower-case hex"),
        ({"rootfs": {"diff_ids": [digest_of(b"a")]}}, "1 diff_ids for 2 layers"),
        ({"rootfs": {"diff_ids": [digest_of(b"a"), digest_of(b"b")]}}, "should unpack to"),
    ],
)
def test_layers_must_be_what_the_config_says(transport: MemoryTransport, change: dict[str, Any], said: str) -> None:
    place(transport, f"{HOME}:src", with_config(change))
    outcome, _ = carry_out(transport, adding(f"{HOME}:src"))
    assert isinstance(outcome.error, ContentError)
    assert said in f"{outcome.error} {outcome.error.why}"
    assert transport.writes() == []


def test_a_layer_that_is_not_its_digest_is_found_out(transport: MemoryTransport) -> None:
    place(transport, f"{HOME}:src", AMD64)
    blobs = transport[parse_reference(HOME).repository].blobs
    layer = json.loads(AMD64.manifest_bytes)["layers"][0]["digest"]
    blobs[layer] = gzip.compress(hashlib.sha256(b"").digest()).ljust(len(blobs[layer]), b"\0")
    outcome, _ = carry_out(transport, adding(f"{HOME}:src"))
    assert isinstance(outcome.error, ContentError)
    assert transport.writes() == []
