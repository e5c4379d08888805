"""The store of saved lists, used by one program."""

import json
import threading
from functools import partial
from pathlib import Path

import pytest

from manifest_action.errors import ManifestActionError, StoreError
from manifest_action.model import mediatype
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.index import Index
from manifest_action.model.instances import Change
from manifest_action.model.platform import Platform
from manifest_action.model.reference import Reference, Repository, parse_reference
from manifest_action.store import SavedList, Store


def instance(word: str, platform: Platform = Platform("linux", "amd64")) -> Descriptor:  # noqa: B008 - a value
    return Descriptor(mediatype.OCI_MANIFEST, Digest.of(word.encode()), len(word), platform)


PLACE = parse_reference("ghcr.io/acme/app:1")
A, B = instance("a"), instance("b", Platform("linux", "arm64"))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "lists", lock_timeout=1)


def names_of_layout(store: Store) -> dict[str, str]:
    """What other tools see: reference name to digest."""
    listed = json.loads((store.path / "index.json").read_bytes())["manifests"]
    return {entry["annotations"]["org.opencontainers.image.ref.name"]: entry["digest"] for entry in listed}


def blobs(store: Store) -> set[str]:
    return {f"sha256:{file.name}" for file in (store.path / "blobs" / "sha256").iterdir()}


def test_a_store_that_is_not_there_is_empty_and_is_not_made_by_looking(store: Store) -> None:
    assert store.lists() == ()
    with pytest.raises(StoreError, match="no list named x"):
        store.load("x")
    assert not store.path.exists()


def test_what_is_created_is_loaded_as_it_was(store: Store) -> None:
    created = store.create(SavedList(("one", "two")).add(A, PLACE).add(B))
    assert store.load("one") == store.load("two") == store.lists()[0] == created
    assert created.locations == {A.digest: PLACE}
    assert created.instance(B.digest) == B
    assert created.manifest is not None
    assert names_of_layout(store) == dict.fromkeys(("one", "two"), str(created.manifest.digest))
    assert blobs(store) == {str(created.manifest.digest)}


def test_a_list_is_empty_at_first_and_then_a_docker_list(store: Store) -> None:
    assert store.create(SavedList(("x",))).index.media_type == mediatype.DOCKER_LIST
    assert store.edit("x", lambda saved: saved.add(A)).index.media_type == mediatype.OCI_INDEX


def test_every_edit_moves_all_names_and_leaves_only_the_last_list(store: Store) -> None:
    store.create(SavedList(("one", "two")))
    for word in ("a", "b", "c"):
        store.edit("two", lambda saved, word=word: saved.add(instance(word), PLACE))  # type: ignore[misc]
    edited = store.load("one")
    assert edited.manifest is not None
    assert [entry.digest for entry in edited.index.entries] == [Digest.of(word) for word in (b"a", b"b", b"c")]
    assert names_of_layout(store) == dict.fromkeys(("one", "two"), str(edited.manifest.digest))
    assert blobs(store) == {str(edited.manifest.digest)}
    assert not list(store.path.glob(".*"))


def test_the_first_recorded_location_stays_until_the_instance_is_removed(store: Store) -> None:
    other = parse_reference("oci:elsewhere:1")
    store.create(SavedList(("x",)).add(A, PLACE))
    assert store.edit("x", lambda saved: saved.add(A, other)).locations == {A.digest: PLACE}
    assert store.edit("x", lambda saved: saved.remove(A.digest)).locations == {}
    assert store.edit("x", lambda saved: saved.add(A, other)).locations == {A.digest: other}


@pytest.mark.parametrize(
    "location",
    [
        Reference(Repository("oci", "", "/a@b:c/ü"), "1"),
        Reference(Repository("docker", "ghcr.io", "a/b"), "1", Digest.of(b"x")),
        Reference(Repository("docker-archive", "", "/x.tar"), "@1"),
    ],
)
def test_locations_come_back_as_they_were(store: Store, location: Reference) -> None:
    store.create(SavedList(("x",)).add(A, location))
    assert store.load("x").locations == {A.digest: location}


def test_an_edit_that_fails_changes_nothing(store: Store) -> None:
    before = store.create(SavedList(("x",)).add(A))

    def fail(saved: SavedList) -> SavedList:
        return saved.remove(B.digest)

    with pytest.raises(LookupError):
        store.edit("x", fail)
    assert store.load("x") == before


def test_names_that_are_taken_are_refused(store: Store) -> None:
    store.create(SavedList(("one",)))
    with pytest.raises(StoreError, match="the name one is taken"):
        store.create(SavedList(("two", "one")))
    assert [saved.names for saved in store.lists()] == [("one",)]


def test_saving_takes_names_from_other_lists(store: Store) -> None:
    store.create(SavedList(("one", "two")).add(A))
    store.create(SavedList(("three",)).add(B))
    saved = store.save(SavedList(("two", "three"), annotations_index("x")))
    assert [each.names for each in store.lists()] == [("one",), ("two", "three")]
    assert saved.manifest is not None
    assert names_of_layout(store)["three"] == str(saved.manifest.digest)
    assert len(blobs(store)) == 2


def annotations_index(value: str) -> Index:
    return Index((), annotations={"org.example.x": value})


def test_a_media_type_can_be_chosen(store: Store) -> None:
    store.create(SavedList(("x",)).add(A))
    assert store.save(store.load("x"), mediatype.DOCKER_LIST).index.media_type == mediatype.DOCKER_LIST
    assert store.load("x").index.media_type == mediatype.DOCKER_LIST
    with pytest.raises(StoreError, match="cannot be saved like this") as caught:
        store.edit("x", lambda saved: saved.annotate({"a": "b"}), mediatype.DOCKER_LIST)
    assert "cannot hold annotations" in caught.value.why


def test_two_lists_of_the_same_bytes_are_two_lists(store: Store) -> None:
    for name in ("one", "two"):
        store.create(SavedList((name,)).add(A))
    assert len(blobs(store)) == 1
    store.remove("one")
    assert store.load("two").index.entries == (A,)
    store.edit("two", lambda saved: saved.change(A.digest, Change(Platform(variant="v2"))))
    assert len(blobs(store)) == 1


def test_removing_forgets_all_names(store: Store) -> None:
    store.create(SavedList(("one", "two")).add(A))
    assert store.remove("two").names == ("one", "two")
    assert store.lists() == ()
    assert names_of_layout(store) == {}
    assert blobs(store) == set()
    with pytest.raises(StoreError, match="no list named one"):
        store.remove("one")


def test_a_list_that_has_changed_is_not_removed_by_those_who_did_not_see_it(store: Store) -> None:
    before = store.create(SavedList(("x",)))
    after = store.edit("x", lambda saved: saved.add(A))
    assert before.manifest is not None
    assert after.manifest is not None
    with pytest.raises(StoreError, match="changed by another program"):
        store.remove("x", before.manifest.digest)
    assert store.remove("x", after.manifest.digest) == after


@pytest.mark.parametrize("name", ["", "-x", "a\nb", "x" * 300, "a@sha256:" + "0" * 64, " a"])
def test_what_cannot_be_a_name_is_refused(store: Store, name: str) -> None:
    with pytest.raises(StoreError, match="name"):
        store.create(SavedList((name,)))
    with pytest.raises(StoreError, match="needs a name"):
        store.create(SavedList())


def test_images_of_others_in_the_same_layout_are_left_alone(store: Store) -> None:
    store.create(SavedList(("x",)))
    file = store.path / "index.json"
    document = json.loads(file.read_bytes())
    foreign = {
        "mediaType": mediatype.OCI_MANIFEST,
        "digest": str(A.digest),
        "size": 1,
        "annotations": {"org.opencontainers.image.ref.name": "theirs"},
    }
    document["manifests"].append(foreign)
    file.write_text(json.dumps(document))
    (store.path / "blobs" / "sha256" / A.digest.encoded).write_bytes(b"a")
    store.edit("x", lambda saved: saved.add(A))
    store.remove("x")
    assert json.loads(file.read_bytes())["manifests"] == [foreign]
    assert blobs(store) == {str(A.digest)}
    with pytest.raises(StoreError, match="the name theirs is taken"):
        store.create(SavedList(("theirs",)))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{", "not JSON"),
        ('{"version": 2, "lists": []}', "version is '2'"),
        ('{"version": 1, "lists": {}}', "lists must be a list"),
        ('{"version": 1, "lists": [[]]}', "a list must be an object"),
        ('{"version": 1, "lists": [{"names": []}]}', "at least one"),
        ('{"version": 1, "lists": [{"names": ["x"], "locations": {}}]}', "descriptor must be an object"),
    ],
)
def test_a_damaged_state_is_an_error_and_stays_for_inspection(store: Store, content: str, why: str) -> None:
    store.create(SavedList(("x",)))
    state = store.path / "manifest-lists.json"
    state.write_text(content)
    for act in (store.lists, lambda: store.create(SavedList(("y",)))):
        with pytest.raises(StoreError, match="is damaged") as caught:
            act()
        assert why in caught.value.why
    assert state.read_text() == content


def test_bytes_that_are_gone_or_changed_are_an_error(store: Store) -> None:
    manifest = store.create(SavedList(("x",)).add(A)).manifest
    assert manifest is not None
    blob = store.path / "blobs" / "sha256" / manifest.digest.encoded
    blob.write_bytes(b"{}")
    with pytest.raises(StoreError, match="missing or changed"):
        store.load("x")
    blob.unlink()
    with pytest.raises(StoreError, match="missing or changed"):
        store.load("x")
    with pytest.raises(StoreError, match="missing or changed"):
        store.edit("x", lambda saved: saved)


def test_a_place_where_something_else_is_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path, tmp_path / "file"):
        with pytest.raises(ManifestActionError):
            Store(path).create(SavedList(("x",)))
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_readers_do_not_wait_and_always_find_a_whole_list(store: Store) -> None:
    store.create(SavedList(("x",)))
    writer = threading.Thread(target=lambda: [store.edit("x", partial(_with, number)) for number in range(60)])
    writer.start()
    seen = []
    while writer.is_alive():
        found = Store(store.path).load("x").index.entries
        assert [entry.digest for entry in found] == [Digest.of(b"%d" % number) for number in range(len(found))]
        seen.append(len(found))
    writer.join()
    assert seen == sorted(seen)
    assert len(set(seen)) > 5
    assert len(store.load("x").index.entries) == 60


def _with(number: int, saved: SavedList) -> SavedList:
    return saved.add(instance(str(number)))


@pytest.mark.parametrize("lag", [1, 2])
def test_a_change_begins_by_making_up_for_a_writer_that_was_killed(store: Store, lag: int) -> None:
    store.create(SavedList(("x",)))
    store.create(SavedList(("y",)))
    late = (store.path / "index.json").read_bytes()
    for number in range(lag):
        store.edit("x", partial(_with, number))
    (store.path / "index.json").write_bytes(late)
    changed = store.edit("y", partial(_with, 0))
    known = store.load("x").manifest
    assert known is not None
    assert changed.manifest is not None
    assert names_of_layout(store) == {"x": str(known.digest), "y": str(changed.manifest.digest)}
