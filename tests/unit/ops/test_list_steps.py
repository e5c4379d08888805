"""Finding what a list shall take in, editing it, and pushing it, with repositories in memory."""

import json
import sys
from pathlib import Path

import pytest

from manifest_action.errors import ConfigError, ContentError, ResolveError, StoreError
from manifest_action.events import TagState
from manifest_action.model import mediatype
from manifest_action.model.digest import Digest
from manifest_action.model.instances import Change
from manifest_action.model.platform import Platform
from manifest_action.model.reference import Reference, parse_reference
from manifest_action.ops.lists.edit import add_to_list, annotate_list, create_list, remove_instances
from manifest_action.ops.lists.find import Addition, find_instances, system_for
from manifest_action.ops.lists.push import ListPush, Selection, push_list
from manifest_action.store import SavedList, Store
from tests.support.images import SyntheticImage, SyntheticIndex, artifact, digest_of, image, index
from tests.unit.ops.memory import MemoryTransport, Recorder
from tests.unit.ops.world import place

HERE = "near.test/acme/app"
NAME = "localhost/app:1"
AMD64, ARM64 = image("linux/amd64"), image("linux/arm64")


@pytest.fixture
def transport() -> MemoryTransport:
    return MemoryTransport()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "lists")


def platforms_of(transport: MemoryTransport, reference: Reference, **options: object) -> list[Platform | None]:
    found = find_instances([Addition(reference, **options)], transport, jobs=2)  # type: ignore[arg-type]
    return [instance.platform for instance, _ in found]


def with_config(config: bytes) -> SyntheticImage:
    """An image with this config, whatever it says."""
    document = json.loads(AMD64.manifest_bytes)
    document["config"] |= {"digest": digest_of(config), "size": len(config)}
    blobs = {**AMD64.blobs, digest_of(config): config}
    return SyntheticImage(json.dumps(document).encode(), AMD64.media_type, blobs, {})


def without_platforms(children: list[SyntheticImage]) -> SyntheticIndex:
    document = json.loads(index(children).manifest_bytes)
    for entry in document["manifests"]:
        del entry["platform"]
    return SyntheticIndex(json.dumps(document).encode(), index(children).media_type, tuple(children))


def test_the_config_says_what_the_manifest_does_not(transport: MemoryTransport) -> None:
    windows = image("windows/amd64:10.0.17763.1", os_features=["win32k"])
    expected = Platform("windows", "amd64", "", "10.0.17763.1", ("win32k",))
    assert platforms_of(transport, place(transport, f"{HERE}:1", windows)) == [expected]
    unstated = place(transport, f"{HERE}:2", without_platforms([windows, AMD64]))
    assert platforms_of(transport, unstated, all_instances=True) == [expected, Platform("linux", "amd64")]


def test_what_is_stated_wins_and_makes_up_for_a_silent_config(transport: MemoryTransport) -> None:
    stated = Change(Platform("linux", "arm", "v7"))
    assert platforms_of(transport, place(transport, f"{HERE}:1", AMD64), change=stated) == [stated.platform]
    silent = place(transport, f"{HERE}:2", with_config(b'{"os":"linux"}'))
    assert platforms_of(transport, silent, change=Change(Platform(architecture="arm64"))) == [
        Platform("linux", "arm64")
    ]
    with pytest.raises(ResolveError, match="states os and architecture"):
        platforms_of(transport, silent)


def test_an_artifact_has_no_platform(transport: MemoryTransport) -> None:
    assert platforms_of(transport, place(transport, f"{HERE}:1", artifact())) == [None]


def test_an_index_that_states_platforms_costs_one_request(transport: MemoryTransport) -> None:
    reference = place(transport, f"{HERE}:1", index([AMD64, ARM64]))
    arm64 = Change(Platform("linux", "arm64", os_version="6"), {"a": "b"})
    ((instance, location),) = find_instances([Addition(reference, change=arm64)], transport, jobs=2)
    assert (str(instance.digest), instance.platform) == (ARM64.digest, Platform("linux", "arm64", os_version="6"))
    assert (instance.annotations, location) == ({"a": "b"}, reference)
    assert [call[0] for call in transport.calls] == ["resolve"]


def test_an_index_within_an_index_is_refused(transport: MemoryTransport) -> None:
    inner = index([AMD64])
    reference = place(transport, f"{HERE}:1", index([inner]))
    with pytest.raises(ResolveError, match="lists another index") as caught:
        platforms_of(transport, reference, all_instances=True)
    assert inner.digest in caught.value.hint


def test_all_instances_keep_their_own_platforms(transport: MemoryTransport) -> None:
    reference = place(transport, f"{HERE}:1", index([AMD64, ARM64]))
    with pytest.raises(ConfigError, match="for all instances"):
        platforms_of(transport, reference, all_instances=True, change=Change(Platform(os="linux")))


def test_an_index_that_lies_about_an_image_is_found_out(transport: MemoryTransport) -> None:
    lying = without_platforms([AMD64])
    document = json.loads(lying.manifest_bytes)
    document["manifests"][0]["size"] += 1
    reference = place(transport, f"{HERE}:1", SyntheticIndex(json.dumps(document).encode(), lying.media_type, (AMD64,)))
    with pytest.raises(ContentError, match="the index says"):
        platforms_of(transport, reference, all_instances=True)


def test_paths_are_remembered_for_every_directory(transport: MemoryTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    place(transport, "oci:/somewhere/layout:1", AMD64)
    monkeypatch.setattr("os.getcwd", lambda: "/somewhere")
    ((_, location),) = find_instances([Addition(parse_reference("oci:layout:1"))], transport, jobs=1)
    assert str(location) == "oci:/somewhere/layout:1"


@pytest.mark.parametrize(
    ("system", "reported", "platform"),
    [
        ("linux", "x86_64", "linux/amd64"),
        ("linux", "aarch64", "linux/arm64"),
        ("linux", "armv7l", "linux/arm/v7"),
        ("linux", "armv6l", "linux/arm/v6"),
        ("win32", "AMD64", "windows/amd64"),
        ("darwin", "arm64", "darwin/arm64"),
        ("linux", "riscv64", "linux/riscv64"),
    ],
)
def test_the_machine_is_named_as_images_name_it(
    monkeypatch: pytest.MonkeyPatch, system: str, reported: str, platform: str
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr("platform.machine", lambda: reported)
    assert system_for(Platform()) == Platform.parse(platform)
    assert system_for(Platform(architecture="arm")).variant == ""
    assert system_for(Platform(os="linux", variant="v9")).variant == "v9"


def test_a_list_is_made_and_added_to_and_amended(transport: MemoryTransport, store: Store) -> None:
    amd64, arm64 = (place(transport, f"{HERE}:{n}", each) for n, each in enumerate((AMD64, ARM64)))
    create_list(store, [NAME], [Addition(amd64)], transport, jobs=1, annotations={"a": "b"})
    with pytest.raises(StoreError, match="is taken"):
        create_list(store, [NAME], [], transport, jobs=1)
    amended = create_list(store, [NAME], [Addition(arm64)], transport, jobs=1, amend=True)
    assert [str(entry.digest) for entry in amended.index.entries] == [AMD64.digest, ARM64.digest]
    assert amended.index.annotations == {"a": "b"}
    assert annotate_list(store, NAME, {}).index.annotations == {}
    assert create_list(store, ["other"], [], transport, jobs=1, amend=True).names == ("other",)


def test_nothing_is_read_for_a_list_that_is_not_there(transport: MemoryTransport, store: Store) -> None:
    with pytest.raises(StoreError, match="no list named"):
        add_to_list(store, NAME, [Addition(place(transport, f"{HERE}:1", AMD64))], transport, jobs=1)
    assert transport.calls == []


def test_removing_several_is_all_or_nothing(transport: MemoryTransport, store: Store) -> None:
    create_list(store, [NAME], [Addition(place(transport, f"{HERE}:1", AMD64))], transport, jobs=1)
    with pytest.raises(ResolveError, match="does not list"):
        remove_instances(store, NAME, [Digest.parse(AMD64.digest), Digest.parse(ARM64.digest)])
    assert len(store.load(NAME).index.entries) == 1


def saved_list(transport: MemoryTransport, store: Store) -> SavedList:
    reference = place(transport, f"{HERE}:all", index([AMD64, ARM64]))
    return create_list(store, [NAME], [Addition(reference, all_instances=True)], transport, jobs=1)


def test_a_push_to_where_the_instances_are_reads_and_copies_nothing(transport: MemoryTransport, store: Store) -> None:
    saved = saved_list(transport, store)
    transport.calls.clear()
    wanted = ListPush((parse_reference(f"{HERE}:new"),))
    outcome = push_list(saved, store.repository, wanted, transport, Recorder(), jobs=2)
    assert outcome.error is None
    assert [tag.state for tag in outcome.reports[0].tags] == [TagState.CREATED]
    assert [call[0] for call in transport.calls] == ["tagged", "push_manifest", "tag", "tagged"]
    assert outcome.reports[0].manifest == saved.manifest


def test_instances_without_a_location_come_from_the_store(transport: MemoryTransport, store: Store) -> None:
    saved = saved_list(transport, store)
    place(transport, str(store.repository), index([AMD64, ARM64]))
    del transport.repositories[parse_reference(HERE).repository]
    moved = SavedList(saved.names, saved.index, {}, saved.manifest)
    wanted = ListPush((parse_reference(f"{HERE}:new"),), Selection.SYSTEM, system=Platform("linux", "arm64"))
    outcome = push_list(moved, store.repository, wanted, transport, Recorder(), jobs=2)
    assert outcome.error is None
    assert transport[parse_reference(HERE).repository].tags == {"new": ARM64.digest}
    assert outcome.reports[0].entries[0].source.repository == store.repository


def test_a_list_that_was_chosen_to_be_docker_stays_so(transport: MemoryTransport, store: Store) -> None:
    saved = store.save(saved_list(transport, store), mediatype.DOCKER_LIST)
    outcome = push_list(
        saved, store.repository, ListPush((parse_reference(f"{HERE}:new"),)), transport, Recorder(), jobs=2
    )
    assert outcome.reports[0].manifest == saved.manifest
    assert saved.index.media_type == mediatype.DOCKER_LIST
