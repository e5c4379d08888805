"""Tags for children, and temporary tags that go away: in memory, in every case."""

from dataclasses import replace

import pytest

from manifest_action.errors import AuthError, RegistryError
from manifest_action.events import CleanupState, TagState, Warned
from manifest_action.model.digest import Digest
from manifest_action.model.reference import parse_reference
from manifest_action.ops.outcome import Outcome
from manifest_action.ops.protect import child_tags
from manifest_action.ops.run import run
from manifest_action.plan.plan import make_plan
from manifest_action.plan.spec import IndexSpec, Protection
from tests.support.images import buildx_index, image
from tests.unit.ops.memory import MemoryRepository, MemoryTransport, Recorder
from tests.unit.ops.world import HOME, place, spec

AMD64, ARM64 = image("linux/amd64"), image("linux/arm64")
FAR = "far.test/acme/app"


@pytest.fixture
def transport() -> MemoryTransport:
    return MemoryTransport()


@pytest.fixture
def home(transport: MemoryTransport) -> MemoryRepository:
    """The repository of the index, with an image for each architecture under a temporary tag."""
    place(transport, f"{HOME}:build-amd64", AMD64)
    place(transport, f"{HOME}:build-arm64", ARM64)
    return transport[parse_reference(HOME).repository]


def carry_out(transport: MemoryTransport, *specs: IndexSpec, push: bool = True) -> tuple[Outcome, list[str]]:
    """The outcome of a run, and its warnings."""
    recorder = Recorder()
    outcome = run(make_plan(specs), transport, recorder, jobs=2, push=push)
    return outcome, [event.text for event in recorder.events if isinstance(event, Warned)]


def built(*destinations: str, **fields: object) -> IndexSpec:
    return spec([f"{HOME}:build-amd64", f"{HOME}:build-arm64"], *destinations, **fields)


def temporary(*tags: str) -> tuple[object, ...]:
    return tuple(parse_reference(f"{HOME}:{tag}") for tag in tags)


def states(outcome: Outcome) -> dict[str, CleanupState]:
    return {str(each.reference): each.state for report in outcome.reports for each in report.cleanups}


def test_temporary_tags_go_away_and_nothing_else(transport: MemoryTransport, home: MemoryRepository) -> None:
    before = dict(home.manifests)
    outcome, warnings = carry_out(transport, built(cleanup=temporary("build-amd64", "build-arm64", "build-s390x")))
    assert outcome.error is None
    assert set(home.tags) == {"1"}
    assert before.items() <= home.manifests.items()
    assert list(states(outcome).values()) == [CleanupState.REMOVED, CleanupState.REMOVED, CleanupState.ABSENT]
    assert not warnings
    assert outcome.reports[0].changed


def test_a_dry_run_and_a_failed_run_leave_temporary_tags(transport: MemoryTransport, home: MemoryRepository) -> None:
    wanted = built(cleanup=temporary("build-amd64"))
    carry_out(transport, wanted, push=False)
    home.refuse["tag", "1"] = RegistryError("no", status=400)
    outcome, _ = carry_out(transport, wanted)
    assert outcome.error is not None
    assert "build-amd64" in home.tags
    assert transport.count("remove_tag") == 0
    assert states(outcome) == {}


def test_a_tag_of_something_else_stays(transport: MemoryTransport, home: MemoryRepository) -> None:
    place(transport, f"{HOME}:other", image("linux/s390x"))
    outcome, warnings = carry_out(transport, built(cleanup=temporary("other")))
    assert outcome.error is None
    assert states(outcome) == {f"{HOME}:other": CleanupState.KEPT}
    assert "other" in home.tags
    assert warnings == [f"the tag {HOME}:other stays: it points to something that is no part of this index"]


@pytest.mark.parametrize("error", [RegistryError("no", why="HTTP 405", status=405), AuthError("no", why="HTTP 403")])
def test_a_registry_that_does_not_remove_tags_is_no_failure(
    transport: MemoryTransport, home: MemoryRepository, error: RegistryError
) -> None:
    home.refuse["remove_tag", "build-amd64"] = error
    outcome, warnings = carry_out(transport, built(cleanup=temporary("build-amd64", "build-arm64")))
    assert outcome.error is None
    assert list(states(outcome).values()) == [CleanupState.KEPT, CleanupState.REMOVED]
    assert warnings == [f"the tag {HOME}:build-amd64 stays: {error.why}"]


def test_an_image_that_goes_with_its_tag_is_put_back(transport: MemoryTransport, home: MemoryRepository) -> None:
    home.forgetful = True
    outcome, warnings = carry_out(transport, built(cleanup=temporary("build-amd64", "build-arm64")))
    assert outcome.error is None
    assert {str(Digest.of(each.manifest_bytes)) for each in (AMD64, ARM64)} <= home.manifests.keys()
    assert len(warnings) == 2
    assert warnings[0].endswith("together with its tag; it is put back")


def test_an_index_of_one_build_is_known_by_its_tag(transport: MemoryTransport) -> None:
    place(transport, f"{FAR}:build", buildx_index([AMD64]))
    tag = parse_reference(f"{FAR}:build")
    outcome, warnings = carry_out(transport, spec([f"{FAR}:build"], cleanup=(tag,)))
    assert states(outcome) == {f"{FAR}:build": CleanupState.REMOVED}
    assert not warnings


def test_children_get_tags_before_the_index_does(transport: MemoryTransport, home: MemoryRepository) -> None:
    outcome, _ = carry_out(transport, built(protect=Protection.PLATFORM))
    assert outcome.error is None
    assert {"1", "1-linux-amd64", "1-linux-arm64"} <= home.tags.keys()
    assert [str(each) for each in outcome.reports[0].protected] == [f"{HOME}:1-linux-amd64", f"{HOME}:1-linux-arm64"]
    order = [call[2] for call in transport.calls if call[0] == "tag"]
    assert order[-1] == "1"


def test_a_second_run_moves_no_tag_of_a_child(transport: MemoryTransport, home: MemoryRepository) -> None:
    wanted = built(protect=Protection.DIGEST)
    first, _ = carry_out(transport, wanted)
    again, _ = carry_out(transport, wanted)
    assert first.reports[0].changed
    assert not again.reports[0].changed
    assert again.reports[0].protected == first.reports[0].protected
    assert all(tag.startswith("keep-sha256-") for tag in home.tags if tag not in ("1", "build-amd64", "build-arm64"))


def test_children_are_protected_wherever_the_index_goes(transport: MemoryTransport, home: MemoryRepository) -> None:
    outcome, _ = carry_out(transport, built(f"{HOME}:1", f"{FAR}:1", protect=Protection.DIGEST))
    assert len(outcome.reports[0].protected) == 4
    far = transport[parse_reference(FAR).repository]
    assert far.tags.keys() - {"1"} == {tag for tag in home.tags if tag.startswith("keep-")}


def test_a_refused_tag_of_a_child_leaves_the_index_s_own(transport: MemoryTransport, home: MemoryRepository) -> None:
    home.refuse["tag", "1-linux-arm64"] = RegistryError("no", status=400)
    outcome, _ = carry_out(transport, built(protect=Protection.PLATFORM))
    assert outcome.error is not None
    assert "1" not in home.tags


def test_a_tag_that_moved_is_told_as_moved(transport: MemoryTransport, home: MemoryRepository) -> None:
    place(transport, f"{HOME}:1-linux-arm64", image("linux/s390x"))
    recorder = Recorder()
    run(make_plan([built(protect=Protection.PLATFORM)]), transport, recorder, jobs=2, push=True)
    told = {str(getattr(event, "reference", "")): getattr(event, "state", None) for event in recorder.events}
    assert told[f"{HOME}:1-linux-arm64"] is TagState.MOVED
    assert told[f"{HOME}:1-linux-amd64"] is TagState.CREATED
    assert home.tags["1-linux-arm64"] == str(Digest.of(ARM64.manifest_bytes))


def test_children_with_one_platform_or_none_have_names_of_their_own(transport: MemoryTransport) -> None:
    place(transport, f"{HOME}:build", buildx_index([AMD64, ARM64]))
    outcome, _ = carry_out(transport, spec([f"{HOME}:build"], protect=Protection.PLATFORM))
    names = [each.tag for each in outcome.reports[0].protected]
    assert names[:2] == ["1-linux-amd64", "1-linux-arm64"]
    assert all(name.startswith("1-attestation-") for name in names[2:])
    assert len(set(names)) == 4


def test_names_fit_into_a_tag() -> None:
    long = spec([f"{HOME}:a"], f"{HOME}:{'x' * 128}", protect=Protection.PLATFORM)
    assert child_tags(long, ()) == {}


def test_a_temporary_tag_that_protects_a_child_stays(transport: MemoryTransport, home: MemoryRepository) -> None:
    place(transport, f"{HOME}:1-linux-amd64", AMD64)
    wanted = spec([f"{HOME}:1-linux-amd64"], protect=Protection.PLATFORM, cleanup=temporary("1-linux-amd64"))
    outcome, warnings = carry_out(transport, wanted)
    assert outcome.error is None
    assert "1-linux-amd64" in home.tags
    assert states(outcome) == {f"{HOME}:1-linux-amd64": CleanupState.KEPT}
    assert warnings == [f"the tag {HOME}:1-linux-amd64 stays: it protects a child of this run"]


def test_a_child_of_another_index_is_put_back_too(transport: MemoryTransport, home: MemoryRepository) -> None:
    home.forgetful = True
    elsewhere = built(f"{FAR}:1", cleanup=temporary("build-amd64", "build-arm64"))
    outcome, warnings = carry_out(transport, elsewhere, built(f"{HOME}:2"))
    assert outcome.error is None
    assert {str(Digest.of(each.manifest_bytes)) for each in (AMD64, ARM64)} <= home.manifests.keys()
    assert len(warnings) == 2


def test_a_tag_that_an_index_goes_to_is_no_tag_of_a_child(transport: MemoryTransport, home: MemoryRepository) -> None:
    other = spec([f"{HOME}:build-arm64"], f"{HOME}:1-linux-amd64")
    outcome, _ = carry_out(transport, built(protect=Protection.PLATFORM), other)
    assert outcome.error is None
    digest = Digest.of(AMD64.manifest_bytes)
    assert [each.tag for each in outcome.reports[0].protected] == [f"1-linux-amd64-{digest.short}", "1-linux-arm64"]
    moved = [call[2] for call in transport.calls if call[0] == "tag"]
    assert moved.count("1-linux-amd64") == 1


def test_children_of_two_indexes_with_one_name_each_have_a_tag(
    transport: MemoryTransport, home: MemoryRepository
) -> None:
    place(transport, f"{HOME}:new-amd64", image("linux/amd64", seed="2"))
    specs = [built(f"{HOME}:1", f"{FAR}:2"), spec([f"{HOME}:new-amd64"], f"{FAR}:1")]
    outcome, _ = carry_out(transport, *(replace(each, protect=Protection.PLATFORM) for each in specs))
    assert outcome.error is None
    far = transport[parse_reference(FAR).repository]
    protected = [each for report in outcome.reports for each in report.protected if str(each).startswith(FAR)]
    assert len(protected) == len({far.tags[each.tag] for each in protected}) == 3
