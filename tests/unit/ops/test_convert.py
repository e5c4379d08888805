import json
from collections.abc import Mapping
from typing import Any

import pytest

from manifest_action.errors import AssembleError
from manifest_action.events import InstanceConverted, Warned
from manifest_action.model import mediatype
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import parse_reference
from manifest_action.ops.outcome import Outcome
from manifest_action.ops.run import run
from manifest_action.plan.plan import make_plan
from manifest_action.plan.spec import Attestations, Existing, Format, IndexSpec
from tests.support.images import Layer, artifact, buildx_index, gzip_layer, image, index
from tests.unit.ops.memory import MemoryTransport, Recorder
from tests.unit.ops.world import HOME, place, spec

FAR = "far.test/acme/app"
AMD64, ARM64 = image("linux/amd64"), image("linux/arm64")
DOCKER_AMD64, DOCKER_ARM64 = image("linux/amd64", docker=True), image("linux/arm64", docker=True)


@pytest.fixture
def transport() -> MemoryTransport:
    return MemoryTransport()


def carry_out(transport: MemoryTransport, *specs: IndexSpec) -> tuple[Outcome, Recorder]:
    recorder = Recorder()
    return run(make_plan(specs), transport, recorder, jobs=2, push=True), recorder


def listed(outcome: Outcome) -> list[Mapping[str, Any]]:
    assert outcome.error is None, outcome.error
    assert outcome.reports[0].manifest is not None
    found: list[Mapping[str, Any]] = json.loads(outcome.reports[0].manifest.raw)["manifests"]
    return found


def child(transport: MemoryTransport, entry: Mapping[str, Any], repository: str = HOME) -> Manifest:
    return transport[parse_reference(repository).repository].manifests[entry["digest"]]


def test_docker_children_are_converted_where_they_lie(transport: MemoryTransport) -> None:
    sources = [place(transport, HOME, DOCKER_AMD64), place(transport, HOME, ARM64)]
    outcome, recorder = carry_out(transport, spec(sources, format=Format.OCI))
    first, second = listed(outcome)
    assert first["platform"] == {"architecture": "amd64", "os": "linux"}
    assert second["digest"] == ARM64.digest
    made = child(transport, first)
    assert first["mediaType"] == made.media_type == mediatype.OCI_MANIFEST
    assert first["size"] == len(made.raw)
    assert {str(blob.digest) for blob in made.blobs} == set(DOCKER_AMD64.blobs)
    assert transport.count("push_blob") == 0
    assert [(e.original, e.digest) for e in recorder.events if isinstance(e, InstanceConverted)] == [
        (sources[0].digest, made.digest)
    ]


def test_a_second_run_changes_nothing(transport: MemoryTransport) -> None:
    sources = [place(transport, HOME, DOCKER_AMD64)]
    first, _ = carry_out(transport, spec(sources, format=Format.OCI))
    again, _ = carry_out(transport, spec(sources, format=Format.OCI))
    assert first.reports[0].changed
    assert not again.reports[0].changed
    assert first.reports[0].manifest == again.reports[0].manifest


def test_oci_children_travel_into_a_docker_list(transport: MemoryTransport) -> None:
    sources = [place(transport, FAR, AMD64), place(transport, "registry.test/build", ARM64)]
    outcome, _ = carry_out(
        transport, spec(sources, f"{HOME}:1", "registry.test/other:1", f"{FAR}:1", format=Format.DOCKER)
    )
    assert outcome.reports[0].manifest is not None
    assert outcome.reports[0].manifest.media_type == mediatype.DOCKER_LIST
    for repository in (HOME, "registry.test/other", FAR):
        for entry in listed(outcome):
            made = child(transport, entry, repository)
            assert made.media_type == mediatype.DOCKER_MANIFEST
            blobs = transport[parse_reference(repository).repository].blobs
            assert all(str(blob.digest) in blobs for blob in made.blobs)
    sent = [call for call in transport.calls if call[0] == "push_blob" and call[1] == FAR]
    assert {call[2] for call in sent} == set(ARM64.blobs)


def test_nothing_is_converted_unless_asked(transport: MemoryTransport) -> None:
    outcome, recorder = carry_out(transport, spec([place(transport, HOME, DOCKER_AMD64)]))
    assert listed(outcome)[0]["digest"] == DOCKER_AMD64.digest
    assert not [e for e in recorder.events if isinstance(e, InstanceConverted)]


def test_an_attestation_follows_its_converted_image(transport: MemoryTransport) -> None:
    place(transport, f"{HOME}:src", buildx_index([DOCKER_AMD64]))
    outcome, _ = carry_out(transport, spec([f"{HOME}:src"], format=Format.OCI))
    made, about = listed(outcome)
    assert made["digest"] != DOCKER_AMD64.digest
    assert about["annotations"]["vnd.docker.reference.digest"] == made["digest"]


def test_all_that_docker_cannot_hold_is_named_in_one_message(transport: MemoryTransport) -> None:
    place(transport, f"{HOME}:src", index([image(annotations={"on.image": "1"}), ARM64], annotations={"on.index": "1"}))
    place(transport, f"{HOME}:other", buildx_index([image("linux/s390x")]))
    outcome, _ = carry_out(transport, spec([f"{HOME}:src", f"{HOME}:other"], format=Format.DOCKER))
    assert isinstance(outcome.error, AssembleError)
    assert "on.image" in outcome.error.why
    assert "the attestation sha256:" in outcome.error.why
    assert "lossy: true" in outcome.error.hint
    assert transport.writes() == []
    alone, _ = carry_out(transport, spec([f"{HOME}:src"], format=Format.DOCKER))
    assert alone.error is not None
    assert "on.index" in alone.error.why


def test_lossy_leaves_it_out_and_says_so(transport: MemoryTransport) -> None:
    rich = index([image(annotations={"on.image": "1"}), ARM64], annotations={"on.index": "1"})
    place(transport, f"{HOME}:rich", rich)
    outcome, recorder = carry_out(transport, spec([f"{HOME}:rich"], format=Format.DOCKER, lossy=True))
    assert [entry["platform"]["architecture"] for entry in listed(outcome)] == ["amd64", "arm64"]
    warnings = " ".join(event.text for event in recorder.events if isinstance(event, Warned))
    assert "on.image" in warnings
    assert "on.index" in warnings


def test_lossy_drops_attestations(transport: MemoryTransport) -> None:
    place(transport, f"{HOME}:src", buildx_index([AMD64, ARM64]))
    outcome, recorder = carry_out(transport, spec([f"{HOME}:src"], format=Format.DOCKER, lossy=True))
    assert len(listed(outcome)) == 2
    assert len([event for event in recorder.events if isinstance(event, Warned)]) == 2


def test_attestations_that_are_not_taken_are_no_loss(transport: MemoryTransport) -> None:
    place(transport, f"{HOME}:src", buildx_index([AMD64]))
    outcome, _ = carry_out(transport, spec([f"{HOME}:src"], format=Format.DOCKER, attestations=Attestations.DROP))
    assert len(listed(outcome)) == 1


@pytest.mark.parametrize("lossy", [False, True])
def test_zstd_layers_and_artifacts_have_no_docker_form(transport: MemoryTransport, lossy: bool) -> None:
    plain = gzip_layer("zstd", 10)
    layer = Layer("application/vnd.oci.image.layer.v1.tar+zstd", plain.digest, plain.size, plain.content, plain.diff_id)
    sources = [place(transport, HOME, image(extra_layers=[layer])), place(transport, HOME, artifact())]
    outcome, _ = carry_out(transport, spec(sources, format=Format.DOCKER, lossy=lossy))
    assert isinstance(outcome.error, AssembleError)
    assert "tar+zstd have no Docker counterpart" in outcome.error.why
    assert "is no image but an artifact" in outcome.error.why
    assert "lossy" not in outcome.error.hint


def test_an_existing_index_is_converted_as_it_grows(transport: MemoryTransport) -> None:
    carry_out(transport, spec([place(transport, HOME, AMD64)]))
    grown = spec([place(transport, HOME, ARM64)], existing=Existing.APPEND, format=Format.DOCKER)
    outcome, _ = carry_out(transport, grown)
    assert [entry["mediaType"] for entry in listed(outcome)] == [mediatype.DOCKER_MANIFEST] * 2
    again, _ = carry_out(transport, grown)
    assert not again.reports[0].changed


def test_docker_images_of_an_oci_index_lose_its_annotations_only_when_asked(transport: MemoryTransport) -> None:
    place(transport, f"{HOME}:src", index([DOCKER_AMD64, DOCKER_ARM64], annotations={"on.index": "1"}))
    refused, _ = carry_out(transport, spec([f"{HOME}:src"], format=Format.DOCKER))
    assert isinstance(refused.error, AssembleError)
    assert "on.index" in refused.error.why
    lossy, _ = carry_out(transport, spec([f"{HOME}:src"], format=Format.DOCKER, lossy=True))
    assert [entry["digest"] for entry in listed(lossy)] == [DOCKER_AMD64.digest, DOCKER_ARM64.digest]


def test_a_docker_list_that_is_one_already_keeps_its_bytes(transport: MemoryTransport) -> None:
    whole = index([DOCKER_AMD64, DOCKER_ARM64], docker=True)
    place(transport, f"{HOME}:src", whole)
    outcome, _ = carry_out(transport, spec([f"{HOME}:src"], format=Format.DOCKER))
    assert outcome.reports[0].manifest is not None
    assert outcome.reports[0].manifest.raw == whole.manifest_bytes
