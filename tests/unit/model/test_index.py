"""Indexes: the same content always has the same bytes, and the bytes say what was meant."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifest_action.model import mediatype
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.index import Index
from manifest_action.model.platform import Platform
from tests.support.strategies import DESCRIPTORS, TEXTS

ENTRY = Descriptor(mediatype.OCI_MANIFEST, Digest.of(b"x"), 7, Platform("linux", "arm", "v7"))
DOCKER_ENTRY = replace(ENTRY, media_type=mediatype.DOCKER_MANIFEST)
DOCKER_LIST = Index((DOCKER_ENTRY,), mediatype.DOCKER_LIST)

BYTES = """{
  "schemaVersion": 2,
  "mediaType": "application/vnd.oci.image.index.v1+json",
  "manifests": [
    {
      "mediaType": "application/vnd.oci.image.manifest.v1+json",
      "digest": "sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
      "size": 7,
      "annotations": {
        "a": "é",
        "b": "1"
      },
      "platform": {
        "architecture": "arm",
        "os": "linux",
        "variant": "v7"
      }
    }
  ],
  "annotations": {
    "x": "1",
    "y": "2"
  }
}"""


def test_the_byte_form_is_this_one() -> None:
    entry = replace(ENTRY, annotations={"b": "1", "a": "é"})
    assert Index((entry,), annotations={"y": "2", "x": "1"}).serialise() == BYTES.encode()


def test_members_come_in_one_order() -> None:
    index = Index((), annotations={"a": "b"}, artifact_type="application/x", subject=ENTRY)
    expected = ["schemaVersion", "mediaType", "artifactType", "manifests", "subject", "annotations"]
    assert list(json.loads(index.serialise())) == expected


def test_a_docker_list_is_written() -> None:
    document = json.loads(DOCKER_LIST.serialise())
    assert document["mediaType"] == mediatype.DOCKER_LIST
    assert document["manifests"] == [DOCKER_ENTRY.to_document()]
    assert DOCKER_LIST.manifest().media_type == mediatype.DOCKER_LIST


@pytest.mark.parametrize(
    "index",
    [
        replace(DOCKER_LIST, annotations={"a": "b"}),
        replace(DOCKER_LIST, artifact_type="application/x"),
        replace(DOCKER_LIST, subject=ENTRY),
    ],
)
def test_a_docker_list_refuses_what_it_cannot_hold(index: Index) -> None:
    with pytest.raises(ValueError, match="a Docker manifest list cannot hold"):
        index.serialise()


@pytest.mark.parametrize(
    "entry",
    [
        replace(DOCKER_ENTRY, annotations={"a": "b"}),
        replace(DOCKER_ENTRY, artifact_type="application/x"),
        replace(DOCKER_ENTRY, data="e30="),
    ],
)
def test_an_entry_of_a_docker_list_refuses_what_it_cannot_hold(entry: Descriptor) -> None:
    with pytest.raises(ValueError, match="an entry of a Docker manifest list cannot hold"):
        replace(DOCKER_LIST, entries=(entry,)).serialise()


@given(
    st.lists(DESCRIPTORS, max_size=3).map(tuple),
    st.dictionaries(TEXTS, TEXTS, max_size=3),
    st.none() | DESCRIPTORS,
)
def test_what_is_written_is_read_back(
    entries: tuple[Descriptor, ...], annotations: dict[str, str], subject: Descriptor | None
) -> None:
    index = Index(entries, annotations=annotations, subject=subject)
    manifest = index.manifest()
    assert manifest.raw == index.serialise()
    assert manifest.digest == Digest.of(manifest.raw)
    assert (manifest.entries, manifest.annotations, manifest.subject) == (entries, annotations, subject)
    assert Index.of(manifest) == index
    backwards = dict(reversed(annotations.items()))
    assert replace(index, annotations=backwards).serialise() == manifest.raw
