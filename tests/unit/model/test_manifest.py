"""Manifests: read as they were written, or refused when they could be read in two ways."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifest_action.model import mediatype
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import ENTRY_LIMIT, LAYER_LIMIT, SIZE_LIMIT, Manifest
from tests.support.images import artifact, buildx_index, image, index
from tests.support.strategies import JSON_VALUES

BLOB = {"mediaType": "application/x", "digest": str(Digest.of(b"x")), "size": 1}
OTHER = {"mediaType": "application/y", "digest": str(Digest.of(b"y")), "size": 2}
CONFIG = {"mediaType": mediatype.OCI_CONFIG, "digest": str(Digest.of(b"{}")), "size": 2}
IMAGE: dict[str, object] = {"schemaVersion": 2, "mediaType": mediatype.OCI_MANIFEST, "config": CONFIG, "layers": []}
INDEX: dict[str, object] = {"schemaVersion": 2, "mediaType": mediatype.OCI_INDEX, "manifests": []}


def _raw(document: object) -> bytes:
    return json.dumps(document).encode()


def _without(document: dict[str, object], *names: str) -> dict[str, object]:
    return {name: value for name, value in document.items() if name not in names}


@pytest.mark.parametrize("docker", [False, True])
def test_an_image_is_read(docker: bool) -> None:
    made = image("linux/arm/v7", layers=3, docker=docker, annotations={"a": "b"})
    manifest = Manifest.parse(made.manifest_bytes, media_type=made.media_type)
    assert manifest.raw == made.manifest_bytes
    assert str(manifest.digest) == made.digest
    assert (manifest.is_index, manifest.is_image) == (False, True)
    assert {str(blob.digest): blob.size for blob in manifest.blobs} == {
        digest: len(content) for digest, content in made.blobs.items() if isinstance(content, bytes)
    }
    assert manifest.annotations == {"a": "b"}
    assert manifest.descriptor.media_type == made.media_type
    assert manifest.descriptor.size == len(made.manifest_bytes)


@pytest.mark.parametrize("docker", [False, True])
def test_an_index_is_read(docker: bool) -> None:
    made = index([image(docker=docker), image("windows/amd64:10.0.17763.1", docker=docker)], docker=docker)
    manifest = Manifest.parse(made.manifest_bytes, media_type=f"{made.media_type}; charset=utf-8")
    assert (manifest.is_index, manifest.is_image, manifest.blobs) == (True, False, ())
    assert [str(entry.digest) for entry in manifest.entries] == [child.digest for child in made.children]
    assert [str(entry.platform) for entry in manifest.entries] == ["linux/amd64", "windows(10.0.17763.1)/amd64"]


def test_an_artifact_is_no_image_and_has_a_subject() -> None:
    subject = buildx_index([image()])
    manifest = Manifest.parse(artifact("application/vnd.example.x", subject=subject).manifest_bytes)
    assert not manifest.is_image
    assert manifest.artifact_type == manifest.descriptor.artifact_type == "application/vnd.example.x"
    assert manifest.subject is not None
    assert str(manifest.subject.digest) == subject.digest


def test_the_digest_is_of_the_bytes_whatever_the_algorithm() -> None:
    raw = _raw(IMAGE) + b"\n \n"
    assert Manifest.parse(raw).digest == Digest.of(raw)
    assert Manifest.parse(raw, algorithm="sha512").digest == Digest.of(raw, "sha512")


def test_each_blob_is_named_once_in_order() -> None:
    manifest = Manifest.parse(_raw(IMAGE | {"layers": [BLOB, OTHER, BLOB, CONFIG]}))
    assert [str(blob.digest) for blob in manifest.blobs] == [CONFIG["digest"], BLOB["digest"], OTHER["digest"]]
    assert len(manifest.layers) == 4


@pytest.mark.parametrize(
    ("document", "served_as", "expected"),
    [
        (_without(INDEX, "mediaType"), "", mediatype.OCI_INDEX),
        (_without(INDEX, "mediaType"), mediatype.DOCKER_LIST, mediatype.DOCKER_LIST),
        (_without(IMAGE, "mediaType"), "", mediatype.OCI_MANIFEST),
        (_without(IMAGE, "mediaType"), mediatype.DOCKER_MANIFEST, mediatype.DOCKER_MANIFEST),
        (IMAGE, "application/octet-stream", mediatype.OCI_MANIFEST),
        (IMAGE, mediatype.OCI_MANIFEST.upper(), mediatype.OCI_MANIFEST),
        (INDEX | {"subject": None, "annotations": None}, "text/plain", mediatype.OCI_INDEX),
    ],
)
def test_the_media_type_is_what_the_document_says_else_what_it_was_served_as(
    document: dict[str, object], served_as: str, expected: str
) -> None:
    assert Manifest.parse(_raw(document), media_type=served_as).media_type == expected


@pytest.mark.parametrize(
    ("document", "served_as", "complaint"),
    [
        (INDEX | {"layers": []}, "", "could be read either way"),
        (INDEX | {"config": CONFIG}, "", "could be read either way"),
        (INDEX | {"fsLayers": []}, "", "could be read either way"),
        (IMAGE | {"manifests": []}, "", "could be read either way"),
        (IMAGE, mediatype.OCI_INDEX, "says it is .*manifest.v1.* but it was served as .*index"),
        (INDEX, mediatype.DOCKER_LIST, "but it was served as"),
        (IMAGE | {"mediaType": mediatype.OCI_INDEX}, "", "does not have the members of"),
        (INDEX | {"mediaType": mediatype.OCI_MANIFEST}, "", "does not have the members of"),
        (_without(INDEX, "mediaType"), mediatype.OCI_MANIFEST, "does not have the members of"),
        (_without(IMAGE, "mediaType"), mediatype.OCI_INDEX, "does not have the members of"),
        (IMAGE | {"mediaType": "application/json"}, "", "is no image manifest or index"),
        (IMAGE | {"mediaType": 1}, "", "mediaType must be a string"),
        (IMAGE | {"schemaVersion": 1}, "", "the schema 1 manifest is not signed"),
        (IMAGE, mediatype.DOCKER_SCHEMA1_SIGNED, "the schema 1 manifest is not signed"),
        (IMAGE | {"mediaType": mediatype.DOCKER_SCHEMA1}, "", "is no image manifest or index"),
        (IMAGE | {"schemaVersion": 3}, "", "schemaVersion must be 2"),
        (IMAGE | {"schemaVersion": "2"}, "", "schemaVersion must be 2"),
        (_without(IMAGE, "schemaVersion"), "", "schemaVersion must be 2"),
        (_without(IMAGE, "config"), "", "a descriptor must be an object"),
        (_without(IMAGE, "layers"), "", "layers must be a list"),
        (IMAGE | {"layers": None}, "", "layers must be a list"),
        (INDEX | {"manifests": {}}, "", "manifests must be a list"),
        (INDEX | {"manifests": [None]}, "", "a descriptor must be an object"),
        (INDEX | {"manifests": [BLOB] * (ENTRY_LIMIT + 1)}, "", "1001 entries, over the limit of 1000"),
        (IMAGE | {"layers": [BLOB] * (LAYER_LIMIT + 1)}, "", "1001 entries, over the limit of 1000"),
        (INDEX | {"subject": "x"}, "", "a descriptor must be an object"),
        (INDEX | {"annotations": {"a": 1}}, "", "annotations must map"),
        (INDEX | {"artifactType": 1}, "", "artifactType must be a string"),
        ({"schemaVersion": 2}, "", "a descriptor must be an object"),
        ([], "", "not a JSON object"),
    ],
)
def test_ambiguous_and_malformed_documents_are_refused(document: object, served_as: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Manifest.parse(_raw(document), media_type=served_as)


def test_limits_are_the_last_good_values() -> None:
    assert len(Manifest.parse(_raw(INDEX | {"manifests": [BLOB] * ENTRY_LIMIT})).entries) == ENTRY_LIMIT
    padded = _raw(INDEX).ljust(SIZE_LIMIT)
    assert Manifest.parse(padded).digest == Digest.of(padded)
    with pytest.raises(ValueError, match="4194305 bytes is over the limit of 4194304"):
        Manifest.parse(padded + b" ")


def test_raw_bytes_are_not_in_the_representation() -> None:
    assert "raw" not in repr(Manifest.parse(_raw(IMAGE)))


@given(st.sampled_from([IMAGE, INDEX]), st.sampled_from([*IMAGE, *INDEX, "subject", "annotations"]), JSON_VALUES)
def test_any_document_is_read_or_refused(document: dict[str, object], name: str, value: object) -> None:
    raw = _raw(document | {name: value})
    try:
        manifest = Manifest.parse(raw)
    except ValueError:
        return
    assert manifest.digest.matches(raw)
    assert manifest.media_type in mediatype.MANIFESTS
