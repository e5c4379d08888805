"""Changing an index where it is, with repositories in memory: what is read, what is written, and when nothing is."""

import json
from functools import partial

import pytest

from manifest_action.errors import AssembleError, ConfigError, ContentError, ResolveError
from manifest_action.events import TagState
from manifest_action.model.digest import Digest
from manifest_action.model.index import Index
from manifest_action.model.instances import annotate
from manifest_action.model.platform import Platform
from manifest_action.model.reference import parse_reference
from manifest_action.ops.index.choose import only, without
from manifest_action.ops.index.edit import Edit, IndexEdit, edit_index
from manifest_action.ops.outcome import Outcome
from tests.support.images import Synthetic, SyntheticIndex, buildx_index, image, index
from tests.unit.ops.memory import MemoryTransport, Recorder
from tests.unit.ops.world import HOME, place

AMD64, ARM64 = image("linux/amd64"), image("linux/arm64")
BOTH = buildx_index([AMD64, ARM64])
WITHOUT_ARM64: Edit = partial(without, choices=[Platform("linux", "arm64")])
AS_IT_IS: Edit = partial(only, choices=[Platform("linux", "amd64"), Platform("linux", "arm64")])
OTHER = "far.test/acme/app:2"


def world(what: Synthetic = BOTH, name: str = f"{HOME}:1") -> MemoryTransport:
    transport = MemoryTransport()
    place(transport, name, what)
    return transport


def run(
    transport: MemoryTransport,
    edit: Edit = WITHOUT_ARM64,
    *destinations: str,
    reference: str = f"{HOME}:1",
    expected: str = "",
    push: bool = True,
) -> Outcome:
    wanted = IndexEdit(
        parse_reference(reference),
        edit,
        tuple(map(parse_reference, destinations)),
        Digest.parse(expected) if expected else None,
    )
    return edit_index(wanted, transport, Recorder(), jobs=2, push=push)


def test_only_the_index_is_read_and_written() -> None:
    transport = world()
    outcome = run(transport)
    (report,) = outcome.reports
    assert (outcome.error, report.changed) == (None, True)
    assert [call[0] for call in transport.calls if call[0] != "tagged"] == ["resolve", "push_manifest", "tag"]
    home = transport[parse_reference(HOME).repository]
    assert report.manifest is not None
    assert home.tags == {"1": str(report.manifest.digest)}
    listed = json.loads(BOTH.manifest_bytes)["manifests"]
    assert json.loads(report.manifest.raw)["manifests"] == [listed[0], listed[2]]
    assert [entry.is_attestation for entry in report.entries] == [False, True]


def test_an_index_that_stays_as_it_is_keeps_its_bytes_and_nothing_is_written() -> None:
    transport = world()
    (report,) = run(transport, AS_IT_IS).reports
    assert report.manifest is not None
    assert report.manifest.raw == BOTH.manifest_bytes
    assert (report.changed, report.tags[0].state, transport.writes()) == (False, TagState.UNCHANGED, [])


def test_a_dry_run_writes_nothing() -> None:
    transport = world()
    outcome = run(transport, push=False)
    assert (outcome.dry_run, outcome.error, transport.writes()) == (True, None, [])
    assert outcome.reports[0].manifest is not None


def test_other_tags_take_the_result_and_the_name_it_was_read_by_stays() -> None:
    transport = world()
    assert run(transport, WITHOUT_ARM64, f"{HOME}:2", f"{HOME}:3").error is None
    tags = transport[parse_reference(HOME).repository].tags
    assert tags["1"] == BOTH.digest
    assert tags["2"] == tags["3"] != BOTH.digest
    assert transport.count("push_blob") == 0


def test_images_are_copied_to_other_repositories() -> None:
    transport = world()
    (report,) = run(transport, WITHOUT_ARM64, OTHER).reports
    far = transport[parse_reference(OTHER).repository]
    assert far.manifests[AMD64.digest].raw == AMD64.manifest_bytes
    assert ARM64.digest not in far.manifests
    assert set(AMD64.blobs) < set(far.blobs)
    assert (report.totals.copied_blobs, report.changed) == (5, True)
    assert transport[parse_reference(HOME).repository].tags == {"1": BOTH.digest}


def test_the_name_is_latest_where_a_registry_is_given_none() -> None:
    transport = world(name=f"{HOME}:latest")
    (report,) = run(transport, reference=HOME).reports
    assert [str(tag.reference) for tag in report.tags] == [f"{HOME}:latest"]


def test_the_index_must_be_the_expected_one() -> None:
    transport = world()
    assert run(transport, expected=BOTH.digest, push=False).error is None
    error = run(transport, expected=ARM64.digest).error
    assert isinstance(error, ResolveError)
    assert f"points to {BOTH.digest}, not to {ARM64.digest}" in error.what
    assert transport.writes() == []


def test_a_name_that_points_elsewhere_than_its_digest_is_not_moved() -> None:
    transport = world()
    place(transport, f"{HOME}:1", index([AMD64]))
    error = run(transport, reference=f"{HOME}:1@{BOTH.digest}").error
    assert isinstance(error, ResolveError)
    assert f"points to {index([AMD64]).digest}, not to {BOTH.digest}" in error.what
    assert transport.writes() == []
    assert run(transport, WITHOUT_ARM64, OTHER, reference=f"{HOME}@{BOTH.digest}").error is None


def test_a_result_needs_a_name() -> None:
    with pytest.raises(ConfigError, match="by digest alone"):
        run(world(), reference=f"{HOME}@{BOTH.digest}")


def test_a_layout_without_that_very_name_is_not_given_another() -> None:
    transport = world(name="oci:out:1")
    transport[parse_reference("oci:out").repository].tags[""] = ""
    transport[parse_reference("oci:out").repository].manifests[""] = transport[
        parse_reference("oci:out").repository
    ].manifests[BOTH.digest]
    error = run(transport, reference="oci:out").error
    assert isinstance(error, ResolveError)
    assert "very name" in error.what
    assert transport.writes() == []


@pytest.mark.parametrize(
    ("what", "edit", "kind", "said"),
    [
        (AMD64, WITHOUT_ARM64, ResolveError, "single image"),
        (BOTH, partial(without, choices=[Platform("linux", "s390x")]), ResolveError, "does not list linux/s390x"),
        (index([ARM64]), WITHOUT_ARM64, AssembleError, "no image would be left"),
        (
            index([image("linux/amd64", docker=True)], docker=True),
            partial(annotate, annotations={"a": "b"}),
            AssembleError,
            "cannot hold annotations",
        ),
    ],
)
def test_what_cannot_be_is_an_error_before_any_write(
    what: Synthetic, edit: Edit, kind: type[ResolveError | AssembleError], said: str
) -> None:
    transport = world(what)
    error = run(transport, edit).error
    assert isinstance(error, kind)
    assert said in error.what
    assert error.hint or kind is AssembleError
    assert transport.writes() == []


def test_indexes_within_an_index_stay_but_do_not_travel() -> None:
    nested = index([AMD64, index([ARM64])])
    transport = world(nested)
    label: Edit = partial(annotate, annotations={"a": "b"})
    error = run(transport, label, OTHER).error
    assert isinstance(error, ResolveError)
    assert "which is an index" in error.what
    assert transport.writes() == []
    (report,) = run(transport, label).reports
    assert report.manifest is not None
    assert json.loads(report.manifest.raw)["manifests"] == json.loads(nested.manifest_bytes)["manifests"]


def test_an_entry_that_lies_is_found_out_when_its_image_travels() -> None:
    document = json.loads(index([AMD64]).manifest_bytes)
    document["manifests"][0]["size"] += 1
    transport = world(SyntheticIndex(json.dumps(document).encode(), index([AMD64]).media_type, (AMD64,)))
    assert isinstance(run(transport, lambda found: found, OTHER).error, ContentError)


def test_a_docker_list_stays_one() -> None:
    transport = world(index([image("linux/amd64", docker=True), image("linux/arm64", docker=True)], docker=True))
    (report,) = run(transport).reports
    assert report.manifest is not None
    assert Index.of(report.manifest).media_type == index([], docker=True).media_type
