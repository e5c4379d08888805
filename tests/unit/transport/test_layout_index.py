"""`index.json` of a layout: strict reading, and changes that leave everything else alone."""

import itertools
import json

import pytest

from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.transport.layout.index import LayoutIndex

REF_NAME = "org.opencontainers.image.ref.name"
FULL_NAME = "io.containerd.image.name"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def target(number: int) -> Descriptor:
    return Descriptor(OCI_MANIFEST, Digest.of(b"%d" % number), 100 + number)


def entry(number: int, name: str = "", **members: object) -> dict[str, object]:
    annotations = {"annotations": {REF_NAME: name}} if name else {}
    return {**target(number).to_document(), **annotations, **members}


def document(*entries: object, **members: object) -> bytes:
    return json.dumps({"schemaVersion": 2, "manifests": entries, **members}).encode()


def index(*entries: object, **members: object) -> LayoutIndex:
    return LayoutIndex.parse(document(*entries, **members))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{}",
        b'{"schemaVersion":2}',
        b'{"schemaVersion":2,"manifests":null}',
        b'{"schemaVersion":2,"manifests":{}}',
        b'{"schemaVersion":2,"manifests":[],"manifests":[]}',
        b'{"schemaVersion":1,"manifests":[]}',
        b'{"schemaVersion":"2","manifests":[]}',
        b'{"schemaVersion":2,"manifests":["x"]}',
        b'\xef\xbb\xbf{"schemaVersion":2,"manifests":[]}',
        '{"schemaVersion":2,"manifests":[]}'.encode("utf-16"),
        b'{"schemaVersion":2,"manifests":[],"x":NaN}',
        b'{"schemaVersion":2,"manifests":' + b"[" * 100_000,
        document(mediaType=OCI_MANIFEST),
        document(mediaType=2),
        document(entry(1, digest="sha256:../../../etc/passwd")),
        document(entry(1, digest="md5:d41d8cd98f00b204e9800998ecf8427e")),
        document(entry(1, size=-1)),
        document(entry(1, size="9")),
        document(entry(1, annotations={REF_NAME: 1})),
        document(entry(1, mediaType="")),
    ],
)
def test_what_is_not_a_strict_index_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        LayoutIndex.parse(raw)


def test_entries_are_found_by_reference_name_before_full_name() -> None:
    annotations = {FULL_NAME: "docker.io/acme/app:1.0", REF_NAME: "1.0"}
    both = index(entry(1, annotations=annotations), entry(2, annotations={FULL_NAME: "1.0"}))
    assert both.named("1.0") == (both.entries[0].descriptor,)
    assert both.named("docker.io/acme/app:1.0") == (both.entries[0].descriptor,)
    assert both.named("1") == ()


def test_the_empty_name_is_that_of_entries_without_one() -> None:
    some = index(entry(1, "1.0"), entry(2), entry(3, annotations={"other": "yes"}))
    assert [each.digest for each in some.named("")] == [target(2).digest, target(3).digest]
    assert index(entry(1, "1.0")).named("") == ()
    after = index(entry(2), entry(1, "1.0")).with_name(target(4), "")
    assert json.loads(after.serialise())["manifests"] == [entry(4), entry(1, "1.0")]


def test_one_digest_under_several_entries_counts_once() -> None:
    several = index(entry(1, "1.0"), entry(1, "latest"), entry(1, "1.0"))
    assert len(several.all()) == 1
    assert len(several.named("1.0")) == 1
    assert several.names() == ("1.0", "latest")


def test_a_name_can_be_held_by_different_images() -> None:
    assert len(index(entry(1, "1.0"), entry(2, "1.0")).named("1.0")) == 2


def test_the_first_name_of_a_layout() -> None:
    named = LayoutIndex.empty().with_name(target(1), "1.0")
    assert json.loads(named.serialise()) == {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [entry(1, "1.0")],
    }


def test_a_moved_name_keeps_its_place_and_others_keep_every_member() -> None:
    others = [entry(1, "a", urls=["https://example.com"], future={"x": [1.5, None]}), entry(9), entry(3, "c")]
    before = index(others[0], others[1], entry(2, "b"), others[2], annotations={"kept": "yes"}, future=[1])
    after = json.loads(before.with_name(target(7), "b").serialise())
    assert after["manifests"] == [others[0], others[1], entry(7, "b"), others[2]]
    assert (after["annotations"], after["future"]) == ({"kept": "yes"}, [1])


def test_every_previous_holder_of_a_name_loses_it() -> None:
    before = index(entry(1, "a"), entry(2, "b"), entry(3, "a"), entry(4, "c"))
    after = json.loads(before.with_name(target(5), "a").serialise())
    assert after["manifests"] == [entry(5, "a"), entry(2, "b"), entry(4, "c")]


def test_two_holders_of_the_right_digest_become_one() -> None:
    after = index(entry(1, "a"), entry(2, "a")).with_name(target(1), "a")
    assert [each.descriptor.digest for each in after.entries] == [target(1).digest]


def test_a_name_that_is_right_already_changes_nothing() -> None:
    before = index(entry(1, annotations={REF_NAME: "a", FULL_NAME: "docker.io/acme/app:a"}))
    assert before.with_name(target(1), "a") is before


def test_the_file_does_not_depend_on_the_order_in_which_names_are_added() -> None:
    before = index(entry(8, "m"), entry(9), entry(7, "c"))
    results = set()
    for order in itertools.permutations(("1.0", "d", "latest", "m", "z")):
        after = before
        for name in order:
            after = after.with_name(target(ord(name[0])), name)
        results.add(after.serialise())
    assert len(results) == 1
    names = [each["annotations"][REF_NAME] for each in json.loads(results.pop())["manifests"] if "annotations" in each]
    assert names == ["m", "1.0", "c", "d", "latest", "z"]


def test_bytes_survive_a_round_trip() -> None:
    once = index(entry(1, "größe"), entry(2)).serialise()
    assert LayoutIndex.parse(once).serialise() == once
    assert "größe".encode() in once
