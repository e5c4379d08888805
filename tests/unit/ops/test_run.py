from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from manifest_action.errors import (
    AssembleError,
    ContentError,
    Interrupted,
    Mark,
    NetworkError,
    PartialTagError,
    RegistryError,
    ResolveError,
)
from manifest_action.events import Event, Stage, StageStarted, TagState
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import parse_reference
from manifest_action.ops import tag as tag_module
from manifest_action.ops.inspect import inspect
from manifest_action.ops.outcome import Outcome, Totals
from manifest_action.ops.run import run
from manifest_action.plan.plan import make_plan
from manifest_action.plan.spec import AttachSpec, Existing, IndexSpec, Protection, SignerSpec
from manifest_action.signing.cosign import FORMATS, CosignSigner
from manifest_action.signing.keys import LocalKey
from tests.support.images import Layer, buildx_index, gzip_layer, image
from tests.unit.ops.memory import MemoryTransport, Recorder
from tests.unit.ops.world import HOME, place, spec

AMD64 = image("linux/amd64")
ARM64 = image("linux/arm64")
FAR = "far.test/acme/app"


@pytest.fixture
def transport() -> MemoryTransport:
    return MemoryTransport()


def carry_out(transport: MemoryTransport, *specs: IndexSpec, push: bool = True) -> Outcome:
    return run(make_plan(specs), transport, Recorder(), jobs=4, push=push)


def home(transport: MemoryTransport, *images: object) -> list[str]:
    return [str(place(transport, HOME, each)) for each in images]  # type: ignore[arg-type]


def states(outcome: Outcome) -> dict[str, TagState]:
    return {str(tag.reference): tag.state for report in outcome.reports for tag in report.tags}


def test_same_repository_images_become_an_index_under_every_tag(transport: MemoryTransport) -> None:
    outcome = carry_out(transport, spec(home(transport, AMD64, ARM64), f"{HOME}:1", f"{HOME}:latest"))
    assert outcome.error is None
    (report,) = outcome.reports
    assert report.manifest is not None
    digest = str(report.manifest.digest)
    assert transport[report.spec.main.repository].tags == {"1": digest, "latest": digest}
    assert states(outcome) == {f"{HOME}:1": TagState.CREATED, f"{HOME}:latest": TagState.CREATED}
    assert (report.pushed, report.changed, report.totals) == (True, True, Totals())


def test_nothing_is_written_when_the_tags_are_right_already(transport: MemoryTransport) -> None:
    sources = home(transport, AMD64, ARM64)
    first = carry_out(transport, spec(sources, f"{HOME}:1", f"{HOME}:latest"))
    transport.calls.clear()
    again = carry_out(transport, spec(sources, f"{HOME}:1", f"{HOME}:latest"))
    assert transport.writes() == []
    assert set(states(again).values()) == {TagState.UNCHANGED}
    assert not again.reports[0].changed
    assert again.reports[0].manifest == first.reports[0].manifest


def test_a_dry_run_writes_nothing_and_knows_the_digest(transport: MemoryTransport) -> None:
    dry = carry_out(transport, spec(home(transport, AMD64, ARM64)), push=False)
    assert transport.writes() == []
    assert dry.dry_run
    assert states(dry) == {f"{HOME}:1": TagState.PENDING}
    wet = carry_out(transport, spec(home(transport, AMD64, ARM64)))
    assert dry.reports[0].manifest == wet.reports[0].manifest


def test_children_and_blobs_travel_before_the_index_and_tags_move_last(transport: MemoryTransport) -> None:
    sources = [str(place(transport, f"{FAR}:{n}", each)) for n, each in enumerate([AMD64, ARM64])]
    outcome = carry_out(transport, spec(sources, f"{HOME}:1", "other.test/app:1"))
    assert outcome.error is None
    order = [call[0] for call in transport.writes()]
    assert order == sorted(order, key=["push_blob", "push_manifest", "tag"].index)
    pushed = [call[2] for call in transport.calls if call[0] == "push_manifest"]
    assert outcome.reports[0].manifest is not None
    assert set(pushed[-2:]) == {str(outcome.reports[0].manifest.digest)}
    totals = outcome.reports[0].totals
    assert totals.copied_blobs == 2 * len({*AMD64.blobs, *ARM64.blobs})


def test_neighbours_on_one_registry_mount_what_came_from_afar(transport: MemoryTransport) -> None:
    source = str(place(transport, f"{FAR}:1", AMD64))
    outcome = carry_out(transport, spec([source], "registry.test/a:1", "registry.test/b:1"))
    totals = outcome.reports[0].totals
    assert (totals.copied_blobs, totals.mounted_blobs) == (len(AMD64.blobs), len(AMD64.blobs))
    assert transport.count("open") == len(AMD64.blobs) + 1  # and the config once, for the platform


def test_the_same_registry_is_mounted_from(transport: MemoryTransport) -> None:
    source = str(place(transport, "registry.test/build:1", AMD64))
    outcome = carry_out(transport, spec([source]))
    assert outcome.reports[0].totals.mounted_blobs == len(AMD64.blobs)
    assert outcome.reports[0].totals.copied_blobs == 0


def test_children_that_are_there_are_not_sent_again(transport: MemoryTransport) -> None:
    source = str(place(transport, f"{FAR}:1", AMD64))
    place(transport, HOME, AMD64)
    carry_out(transport, spec([source]))
    assert transport.count("push_blob") == 0
    assert transport.count("push_manifest") == 1


def test_layers_that_lie_elsewhere_by_licence_are_neither_fetched_nor_sent(transport: MemoryTransport) -> None:
    plain = gzip_layer("windows", 100)
    foreign = Layer(
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        plain.digest,
        plain.size,
        plain.content,
        plain.diff_id,
    )
    picture = image("windows/amd64:10.0.17763.1", docker=True, extra_layers=[foreign])
    with_urls = picture.manifest_bytes.replace(
        b'foreign.diff.tar.gzip"', b'foreign.diff.tar.gzip","urls":["https://evil.test/layer"]'
    )
    source = place(transport, f"{FAR}:1", replace(picture, manifest_bytes=with_urls))
    outcome = carry_out(transport, spec([source]))
    assert outcome.error is None
    assert plain.digest not in {call[2] for call in transport.calls if call[0] in ("push_blob", "open")}


def test_a_destination_without_a_tag_gets_the_index_by_digest(transport: MemoryTransport) -> None:
    sources = home(transport, AMD64)
    first = carry_out(transport, spec(sources, HOME))
    assert first.reports[0].tags == ()
    assert (first.reports[0].pushed, first.reports[0].changed) == (True, True)
    again = carry_out(transport, spec(sources, HOME))
    assert (again.reports[0].pushed, again.reports[0].changed) == (True, False)


def test_a_missing_source_stops_all_indexes_before_any_write(transport: MemoryTransport) -> None:
    good = spec(home(transport, AMD64), f"{HOME}:good")
    bad = spec([f"{HOME}:missing"], f"{HOME}:bad")
    outcome = carry_out(transport, good, bad)
    assert isinstance(outcome.error, ResolveError)
    assert transport.writes() == []
    assert all(report.manifest is None for report in outcome.reports)


def test_an_unacceptable_index_stops_all_before_any_write(transport: MemoryTransport) -> None:
    source = home(transport, AMD64)
    outcome = carry_out(transport, spec(source, f"{HOME}:good"), spec(source * 2, f"{HOME}:bad"))
    assert isinstance(outcome.error, AssembleError)
    assert transport.writes() == []


def test_a_blob_that_is_not_what_it_should_be_stops_before_any_tag(transport: MemoryTransport) -> None:
    source = place(transport, f"{FAR}:1", AMD64)
    layer = max(AMD64.blobs, key=lambda digest: len(AMD64.blobs[digest]))  # type: ignore[arg-type]
    blobs = transport[source.repository].blobs
    blobs[layer] = blobs[layer][:-1] + b"!"
    outcome = carry_out(transport, spec([source]))
    assert isinstance(outcome.error, ContentError)
    assert transport.count("tag") == 0
    assert outcome.reports[0].manifest is not None


@pytest.mark.parametrize("step", ["push_blob", "push_manifest"])
def test_a_refused_write_leaves_every_tag(transport: MemoryTransport, step: str) -> None:
    source = place(transport, f"{FAR}:1", AMD64)
    target = transport[parse_reference(HOME).repository]
    which = next(iter(AMD64.blobs)) if step == "push_blob" else AMD64.digest
    target.refuse[step, which] = RegistryError("no room", status=507)
    outcome = carry_out(transport, spec([source]))
    assert isinstance(outcome.error, RegistryError)
    assert transport.count("tag") == 0
    assert states(outcome) == {f"{HOME}:1": TagState.PENDING}


def test_one_refused_tag_does_not_hold_up_the_others(transport: MemoryTransport) -> None:
    sources = home(transport, AMD64)
    target = transport[parse_reference(HOME).repository]
    target.refuse["tag", "2"] = RegistryError("the tag is immutable", status=400)
    outcome = carry_out(transport, spec(sources, f"{HOME}:1", f"{HOME}:2", f"{HOME}:3"))
    assert isinstance(outcome.error, PartialTagError)
    assert outcome.error.exit_code == 13
    assert "1 of 3 tags" in outcome.error.what
    assert list(states(outcome).values()) == [TagState.CREATED, TagState.FAILED, TagState.CREATED]
    assert outcome.reports[0].tags[1].error is not None
    assert set(target.tags) == {"1", "3"}


def test_tags_that_all_fail_are_the_registrys_own_error(transport: MemoryTransport) -> None:
    sources = home(transport, AMD64)
    target = transport[parse_reference(HOME).repository]
    target.refuse["tag", "1"] = RegistryError("the tag is immutable", status=400)
    outcome = carry_out(transport, spec(sources))
    assert outcome.error is target.refuse["tag", "1"]


def test_a_tag_that_reads_back_otherwise_has_failed(
    transport: MemoryTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tag_module, "READ_BACK_DELAYS", (0.0, 0.0))
    sources = home(transport, AMD64)
    target = transport[parse_reference(HOME).repository]
    monkeypatch.setattr(target, "tag", lambda *_: None)
    outcome = carry_out(transport, spec(sources))
    assert isinstance(outcome.error, RegistryError)
    assert "reads back as missing" in outcome.error.what
    assert transport.count("tagged") == 1 + 2


def test_equal_tags_are_success_and_others_an_error_before_any_write(transport: MemoryTransport) -> None:
    amd64, arm64 = home(transport, AMD64, ARM64)
    assert carry_out(transport, spec([amd64], existing=Existing.KEEP_EQUAL)).error is None
    transport.calls.clear()
    assert carry_out(transport, spec([amd64], existing=Existing.KEEP_EQUAL)).error is None
    outcome = carry_out(transport, spec([amd64, arm64], existing=Existing.KEEP_EQUAL))
    assert isinstance(outcome.error, AssembleError)
    assert transport.writes() == []


def test_appending_copies_nothing_that_is_there(transport: MemoryTransport) -> None:
    amd64, arm64 = home(transport, AMD64, ARM64)
    carry_out(transport, spec([amd64]))
    outcome = carry_out(transport, spec([arm64], existing=Existing.APPEND))
    assert [str(entry.platform) for entry in outcome.reports[0].entries] == ["linux/amd64", "linux/arm64"]
    again = carry_out(transport, spec([arm64], existing=Existing.APPEND))
    assert not again.reports[0].changed


def test_appending_the_same_index_twice_changes_nothing(transport: MemoryTransport) -> None:
    place(transport, f"{HOME}:build", buildx_index([AMD64, ARM64]))
    again = [f"{HOME}:build"]
    first = carry_out(transport, spec(again, existing=Existing.APPEND))
    second = carry_out(transport, spec(again, existing=Existing.APPEND))
    assert (first.error, second.error) == (None, None)
    assert first.reports[0].manifest == second.reports[0].manifest
    assert not second.reports[0].changed


@pytest.mark.parametrize("existing", [Existing.APPEND, Existing.KEEP_EQUAL])
def test_a_tag_that_moves_meanwhile_is_not_overwritten_where_it_matters(
    transport: MemoryTransport, monkeypatch: pytest.MonkeyPatch, existing: Existing
) -> None:
    amd64, arm64 = home(transport, AMD64, ARM64)
    target = transport[parse_reference(HOME).repository]
    push = target.push_manifest

    def push_while_another_job_tags(manifest: Manifest) -> None:
        push(manifest)
        target.tags["1"] = arm64.rpartition("@")[2]

    monkeypatch.setattr(target, "push_manifest", push_while_another_job_tags)
    outcome = carry_out(transport, spec([amd64], existing=existing))
    assert isinstance(outcome.error, RegistryError)
    assert "now points to" in outcome.error.what
    assert target.tags["1"] == arm64.rpartition("@")[2]
    assert states(outcome) == {f"{HOME}:1": TagState.FAILED}


def test_a_tag_whose_answer_was_lost_is_looked_at(transport: MemoryTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = home(transport, AMD64)
    target = transport[parse_reference(HOME).repository]
    move = target.tag

    def move_and_lose_the_answer(manifest: Manifest, tag: str) -> None:
        move(manifest, tag)
        raise NetworkError("the connection broke")

    monkeypatch.setattr(target, "tag", move_and_lose_the_answer)
    outcome = carry_out(transport, spec(sources))
    assert outcome.error is None
    assert states(outcome) == {f"{HOME}:1": TagState.CREATED}


def test_a_tag_that_nobody_can_tell_of_is_unknown(transport: MemoryTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = home(transport, AMD64)
    target = transport[parse_reference(HOME).repository]

    def lose(*_: object) -> None:
        target.refuse["tagged", "1"] = NetworkError("nobody answers")
        raise NetworkError("the connection broke")

    monkeypatch.setattr(target, "tag", lose)
    outcome = carry_out(transport, spec(sources))
    assert isinstance(outcome.error, NetworkError)
    assert states(outcome) == {f"{HOME}:1": TagState.UNKNOWN}
    assert outcome.reports[0].changed


def test_a_signal_while_a_tag_is_on_its_way_leaves_it_unknown(
    transport: MemoryTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = home(transport, AMD64)
    target = transport[parse_reference(HOME).repository]

    def stop(*_: object) -> None:
        raise Interrupted("SIGTERM", 143)

    monkeypatch.setattr(target, "tag", stop)
    monkeypatch.setattr(tag_module, "_put", lambda *_: stop())
    outcome = carry_out(transport, spec(sources))
    assert isinstance(outcome.error, Interrupted)
    assert states(outcome) == {f"{HOME}:1": TagState.UNKNOWN}


def test_what_was_sent_before_a_failure_is_told(transport: MemoryTransport) -> None:
    source = place(transport, f"{FAR}:1", AMD64)
    transport[parse_reference(HOME).repository].refuse["push_manifest", AMD64.digest] = RegistryError(
        "full", status=507
    )
    (report,) = carry_out(transport, spec([source])).reports
    assert report.totals.copied_blobs == len(AMD64.blobs)
    assert (report.pushed, report.changed) == (False, True)


def test_errors_of_destinations_point_to_the_spec(transport: MemoryTransport) -> None:
    mark = Mark("spec.yml", 7, 1)
    sources = home(transport, AMD64)
    target = transport[parse_reference(HOME).repository]
    for step in ("tagged", "tag"):
        target.refuse = {(step, "1"): RegistryError("no", status=403)}
        outcome = carry_out(transport, spec(sources, mark=mark))
        assert outcome.error is not None
        assert outcome.error.mark == mark


class Stops:
    """Raises as a signal handler would, when a stage begins."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def emit(self, event: Event, /) -> None:
        if isinstance(event, StageStarted) and event.stage is self._stage:
            raise Interrupted("SIGTERM", 143)


@pytest.mark.parametrize("stage", list(Stage))
def test_a_signal_at_any_stage_leaves_the_tags_and_a_true_account(transport: MemoryTransport, stage: Stage) -> None:
    source = place(transport, f"{FAR}:1", AMD64)
    signer = CosignSigner(LocalKey(generate_private_key(SECP256R1())), FORMATS["tag"])
    temporary = (parse_reference(f"{FAR}:1"),)
    attach = (AttachSpec("a.txt", "text/plain", content=b"a"),)
    more = {"verify": True, "protect": Protection.DIGEST, "cleanup": temporary, "attach": attach, "provenance": True}
    plan = make_plan([spec([source], sign=(SignerSpec("cosign"),), **more)])
    outcome = run(plan, transport, Stops(stage), jobs=2, push=True, opening=lambda _: signer)
    assert isinstance(outcome.error, Interrupted)
    assert outcome.error.exit_code == 143
    assert "1" in transport[parse_reference(FAR).repository].tags
    if stage is Stage.CLEAN_UP:
        assert states(outcome) == {f"{HOME}:1": TagState.CREATED}
        return
    assert "1" not in transport[parse_reference(HOME).repository].tags
    assert states(outcome) == {f"{HOME}:1": TagState.PENDING}
    assert (outcome.reports[0].manifest is None) == (stage in (Stage.RESOLVE, Stage.ASSEMBLE))
    finished = carry_out(transport, spec([source]))
    assert finished.error is None
    assert states(finished) == {f"{HOME}:1": TagState.CREATED}


def test_what_is_wanted_is_said_beforehand(transport: MemoryTransport) -> None:
    source = place(transport, f"{FAR}:1", AMD64)
    carry_out(transport, spec([source]))
    assert {(str(access.repository), access.push) for access in transport.prepared} == {(FAR, False), (HOME, True)}


def test_inspect_lists_an_index_and_a_single_image(transport: MemoryTransport) -> None:
    place(transport, f"{HOME}:all", buildx_index([AMD64, ARM64]))
    place(transport, f"{HOME}:one", AMD64)
    manifest, entries = inspect(parse_reference(f"{HOME}:all"), transport, 4)
    assert manifest.is_index
    assert [(str(entry.platform), entry.is_attestation) for entry in entries] == [
        ("linux/amd64", False),
        ("linux/arm64", False),
        ("unknown/unknown", True),
        ("unknown/unknown", True),
    ]
    assert entries[0].image_size == len(AMD64.manifest_bytes) + sum(
        len(blob) for blob in AMD64.blobs.values() if isinstance(blob, bytes)
    )
    _, (only,) = inspect(parse_reference(f"{HOME}:one"), transport, 4)
    assert str(only.platform) == "linux/amd64"
