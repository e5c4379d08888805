import gzip
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from manifest_action.convert.schema1 import to_schema1
from manifest_action.errors import AssembleError, ContentError, ResolveError
from manifest_action.events import InstanceConverted, SourceResolved
from manifest_action.model import mediatype
from manifest_action.model.index import Index
from manifest_action.model.manifest import Manifest
from manifest_action.model.platform import Platform
from manifest_action.model.reference import Reference, parse_reference
from manifest_action.model.schema1 import EMPTY_LAYER_DIGEST
from manifest_action.ops.outcome import Outcome
from manifest_action.ops.run import run
from manifest_action.ops.schema1 import modernise
from manifest_action.plan.plan import make_plan
from manifest_action.plan.spec import Format, IndexSpec
from tests.support.images import Layer, SyntheticImage, buildx_index, digest_of, gzip_layer, image
from tests.unit.ops.memory import MemoryRepository, MemoryTransport, Recorder
from tests.unit.ops.world import HOME, place, spec

FAR = "far.test/acme/app"
AMD64, ARM64 = image("linux/amd64"), image("linux/arm64", docker=True)


@pytest.fixture
def transport() -> MemoryTransport:
    return MemoryTransport()


def carry_out(transport: MemoryTransport, *specs: IndexSpec) -> tuple[Outcome, Recorder]:
    recorder = Recorder()
    return run(make_plan(specs), transport, recorder, jobs=2, push=True), recorder


def entries(outcome: Outcome) -> list[Mapping[str, Any]]:
    assert outcome.error is None, outcome.error
    assert outcome.reports[0].manifest is not None
    found: list[Mapping[str, Any]] = json.loads(outcome.reports[0].manifest.raw)["manifests"]
    return found


def place_old(transport: MemoryTransport, reference: str, made: SyntheticImage) -> Reference:
    """Put an image there as schema 1, and nothing that only later formats have."""
    target = parse_reference(reference)
    repository = transport[target.repository]
    config = json.loads(made.manifest_bytes)["config"]["digest"]
    blobs = {digest: blob for digest, blob in made.blobs.items() if isinstance(blob, bytes)}
    result = to_schema1(Manifest.parse(made.manifest_bytes), blobs.pop(config), "acme/app")
    repository.blobs |= blobs | {str(digest): blob for digest, blob in result.blobs.items()}
    repository.manifests[str(result.manifest.digest)] = Manifest.parse(result.manifest.raw)
    return Reference(target.repository, digest=result.manifest.digest)


@pytest.mark.parametrize("where", [HOME, FAR])
def test_a_source_of_schema_1_becomes_an_image_of_the_index(transport: MemoryTransport, where: str) -> None:
    old = place_old(transport, where, ARM64)
    outcome, recorder = carry_out(transport, spec([old, place(transport, HOME, image(docker=True))]))
    first = entries(outcome)[0]
    assert (first["mediaType"], first["platform"]) == (
        mediatype.DOCKER_MANIFEST,
        {"architecture": "arm64", "os": "linux"},
    )
    home = transport[parse_reference(HOME).repository]
    made = home.manifests[first["digest"]]
    assert made.config is not None
    config = json.loads(home.blobs[str(made.config.digest)])
    was = json.loads(ARM64.blobs[json.loads(ARM64.manifest_bytes)["config"]["digest"]])  # type: ignore[arg-type]
    assert (config["rootfs"], config["config"]) == (was["rootfs"], was["config"])
    assert [layer["size"] for layer in json.loads(made.raw)["layers"]] == [
        layer["size"] for layer in json.loads(ARM64.manifest_bytes)["layers"]
    ]
    assert outcome.reports[0].entries[0].source == old
    assert next(event.digest for event in recorder.events if isinstance(event, SourceResolved)) == old.digest
    converted = [event for event in recorder.events if isinstance(event, InstanceConverted)]
    assert [(str(event.original), str(event.digest)) for event in converted] == [(str(old.digest), first["digest"])]


def test_and_an_oci_image_where_that_is_asked_for(transport: MemoryTransport) -> None:
    outcome, recorder = carry_out(transport, spec([place_old(transport, FAR, ARM64)], format=Format.OCI))
    (entry,) = entries(outcome)
    assert entry["mediaType"] == mediatype.OCI_MANIFEST
    assert len([event for event in recorder.events if isinstance(event, InstanceConverted)]) == 2
    again, _ = carry_out(transport, spec([place_old(transport, FAR, ARM64)], format=Format.OCI))
    assert not again.reports[0].changed


def test_a_list_of_schema_1_images(transport: MemoryTransport) -> None:
    sources = [place(transport, HOME, AMD64), place(transport, FAR, ARM64)]
    wanted = spec(sources, f"{HOME}:1", "other.test/b:1", format=Format.SCHEMA1)
    outcome, _ = carry_out(transport, wanted)
    assert outcome.reports[0].manifest is not None
    assert outcome.reports[0].manifest.media_type == mediatype.DOCKER_LIST
    for repository in (HOME, "other.test/b"):
        for entry in entries(outcome):
            assert entry["mediaType"] == mediatype.DOCKER_SCHEMA1_SIGNED
            made = transport[parse_reference(repository).repository].manifests[entry["digest"]]
            assert json.loads(made.raw)["name"] == "acme/app"
            assert entry["size"] == len(made.raw)
    again, _ = carry_out(transport, wanted)
    assert not again.reports[0].changed


def test_schema_1_stays_schema_1_when_that_is_asked_for(transport: MemoryTransport) -> None:
    outcome, _ = carry_out(transport, spec([place_old(transport, FAR, ARM64)], format=Format.SCHEMA1))
    assert entries(outcome)[0]["mediaType"] == mediatype.DOCKER_SCHEMA1_SIGNED


def test_the_empty_layer_is_made_where_it_is_needed(transport: MemoryTransport) -> None:
    made = image("linux/amd64", layers=1)
    parsed = json.loads(made.manifest_bytes)
    old_config = made.blobs[parsed["config"]["digest"]]
    assert isinstance(old_config, bytes)
    config = json.loads(old_config)
    config["history"].append({"empty_layer": True, "created_by": "CMD"})
    raw = json.dumps(config).encode()
    parsed["config"] |= {"digest": digest_of(raw), "size": len(raw)}
    changed = replace(made, manifest_bytes=json.dumps(parsed).encode(), blobs={**made.blobs, digest_of(raw): raw})
    outcome, _ = carry_out(transport, spec([place(transport, HOME, changed)], format=Format.SCHEMA1))
    assert outcome.error is None
    home = transport[parse_reference(HOME).repository]
    assert gzip.decompress(home.blobs[str(EMPTY_LAYER_DIGEST)]) == bytes(1024)


def test_what_schema_1_cannot_hold_is_named(transport: MemoryTransport) -> None:
    place(transport, f"{HOME}:src", buildx_index([image(annotations={"on.image": "1"})]))
    outcome, _ = carry_out(transport, spec([f"{HOME}:src"], format=Format.SCHEMA1))
    assert isinstance(outcome.error, AssembleError)
    assert "on.image" in outcome.error.why
    assert "the attestation" in outcome.error.why
    lossy, _ = carry_out(transport, spec([f"{HOME}:src"], format=Format.SCHEMA1, lossy=True))
    assert len(entries(lossy)) == 1


def test_a_config_whose_history_does_not_fit_is_named(transport: MemoryTransport) -> None:
    made = image(layers=2)
    parsed = json.loads(made.manifest_bytes)
    parsed["layers"].pop()
    broken = replace(made, manifest_bytes=json.dumps(parsed).encode())
    outcome, _ = carry_out(transport, spec([place(transport, HOME, broken)], format=Format.SCHEMA1))
    assert isinstance(outcome.error, AssembleError)
    assert "history has 2 steps" in outcome.error.why


def test_a_forged_signature_stops_everything(transport: MemoryTransport) -> None:
    old = place_old(transport, HOME, ARM64)
    assert old.digest is not None
    manifests = transport[old.repository].manifests
    raw = manifests[str(old.digest)].raw.replace(b'"arm64"', b'"arm65"', 1)
    manifests[str(old.digest)] = Manifest.parse(raw)
    outcome, _ = carry_out(transport, spec([old]))
    assert isinstance(outcome.error, ContentError)
    assert "not over this document" in outcome.error.why
    assert transport.writes() == []


def test_a_damaged_layer_stops_everything(transport: MemoryTransport) -> None:
    old = place_old(transport, HOME, ARM64)
    blobs = transport[old.repository].blobs
    layer = json.loads(ARM64.manifest_bytes)["layers"][0]["digest"]
    blobs[layer] = blobs[layer][:-1] + b"!"
    outcome, _ = carry_out(transport, spec([old]))
    assert isinstance(outcome.error, ContentError)
    assert transport.writes() == []


def odd_layer(content: bytes, plain: bytes) -> Layer:
    return Layer(mediatype.DOCKER_LAYER, digest_of(content), len(content), content, digest_of(plain))


def test_layers_may_be_plain_or_of_several_members(transport: MemoryTransport) -> None:
    several = gzip.compress(b"one") + gzip.compress(bytes(3_000_000))
    odd = [odd_layer(b"a tar", b"a tar"), odd_layer(several, b"one" + bytes(3_000_000))]
    old = place_old(transport, HOME, image(docker=True, extra_layers=odd))
    outcome, _ = carry_out(transport, spec([old]))
    home = transport[parse_reference(HOME).repository]
    made = home.manifests[entries(outcome)[0]["digest"]]
    assert made.config is not None
    diff_ids = json.loads(home.blobs[str(made.config.digest)])["rootfs"]["diff_ids"]
    assert diff_ids[2:] == [layer.diff_id for layer in odd]
    assert made.layers[2].media_type == "application/vnd.docker.image.rootfs.diff.tar"


@pytest.mark.parametrize(
    ("content", "what"),
    [(gzip_layer("x", 5000).content[:-20], "ends too early"), (b"\x1f\x8bnothing", "no gzip")],  # type: ignore[index]
)
def test_a_layer_that_cannot_be_unpacked_is_refused(transport: MemoryTransport, content: bytes, what: str) -> None:
    old = place_old(transport, HOME, image(docker=True, extra_layers=[odd_layer(content, b"")]))
    outcome, _ = carry_out(transport, spec([old]))
    assert isinstance(outcome.error, ContentError)
    assert what in outcome.error.what


def test_schema_1_within_a_list_stays_there_or_is_named(transport: MemoryTransport) -> None:
    old = place_old(transport, HOME, ARM64)
    assert old.digest is not None
    manifest = transport[old.repository].manifests[str(old.digest)]
    entry = replace(manifest.descriptor, platform=Platform("linux", "arm64"))
    listed = Index((entry,), mediatype.DOCKER_LIST).manifest()
    transport[old.repository].manifests[str(listed.digest)] = listed
    source = Reference(old.repository, digest=listed.digest)
    same, _ = carry_out(transport, spec([source]))
    assert entries(same)[0]["digest"] == str(old.digest)
    away, _ = carry_out(transport, spec([source], f"{FAR}:1"))
    assert isinstance(away.error, ResolveError)
    assert str(old.digest) in away.error.hint


class NotMeasuring:
    """A source that cannot say how large a blob is, as files can."""

    def __init__(self, source: MemoryRepository) -> None:
        self.resolve = source.resolve
        self.open = source.open


def test_places_that_cannot_say_how_large_a_blob_is_have_no_schema_1(transport: MemoryTransport) -> None:
    old = place_old(transport, HOME, ARM64)
    source = NotMeasuring(transport[old.repository])
    with pytest.raises(ResolveError, match="from registries only"):
        modernise(source, source.resolve(str(old.digest)), "here")


def test_schema_1_is_not_written_into_files(transport: MemoryTransport) -> None:
    wanted = spec([place(transport, HOME, AMD64)], "oci:out:1", format=Format.SCHEMA1)
    outcome, _ = carry_out(transport, wanted)
    assert isinstance(outcome.error, AssembleError)
    assert "registries only" in outcome.error.what
    assert transport.writes() == []
