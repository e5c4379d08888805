import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifest_action.convert.image import Unconvertible, docker_losses, to_docker, to_oci
from manifest_action.model import mediatype
from manifest_action.model.manifest import Manifest
from tests.support.images import DOCKER_CONFIG, OCI_CONFIG, artifact, attestation, digest_of, image
from tests.support.strategies import DIGESTS, TEXTS

OCI = "application/vnd.oci.image.layer"
DOCKER = "application/vnd.docker.image.rootfs"
PAIRS = [
    (f"{OCI}.v1.tar", f"{DOCKER}.diff.tar"),
    (f"{OCI}.v1.tar+gzip", f"{DOCKER}.diff.tar.gzip"),
    (f"{OCI}.nondistributable.v1.tar", f"{DOCKER}.foreign.diff.tar"),
    (f"{OCI}.nondistributable.v1.tar+gzip", f"{DOCKER}.foreign.diff.tar.gzip"),
]
DIGEST = "sha256:" + "0" * 64


def blob(media_type: str, digest: str = DIGEST, size: int = 7, **more: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest, "size": size, **more}


def manifest(media_type: str, config: dict[str, Any], *layers: dict[str, Any], **more: Any) -> Manifest:
    document = {"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": list(layers), **more}
    return Manifest.parse(json.dumps(document).encode())


def oci(*layers: dict[str, Any], **more: Any) -> Manifest:
    return manifest(mediatype.OCI_MANIFEST, more.pop("config", blob(OCI_CONFIG)), *layers, **more)


def docker(*layers: dict[str, Any], **more: Any) -> Manifest:
    return manifest(mediatype.DOCKER_MANIFEST, more.pop("config", blob(DOCKER_CONFIG)), *layers, **more)


@pytest.mark.parametrize(("of_oci", "of_docker"), PAIRS)
def test_every_type_of_layer_has_its_counterpart(of_oci: str, of_docker: str) -> None:
    urls = ["https://example.com/layer"]
    made = to_docker(oci(blob(of_oci, urls=urls)))
    assert json.loads(made.raw) == {
        "schemaVersion": 2,
        "mediaType": mediatype.DOCKER_MANIFEST,
        "config": blob(DOCKER_CONFIG),
        "layers": [blob(of_docker, urls=urls)],
    }
    assert json.loads(to_oci(made).raw)["layers"] == [blob(of_oci, urls=urls)]
    assert json.loads(to_oci(made).raw)["config"]["mediaType"] == OCI_CONFIG


def test_the_byte_form_is_fixed() -> None:
    made = to_oci(docker(blob(f"{DOCKER}.diff.tar.gzip")))
    assert list(json.loads(made.raw)) == ["schemaVersion", "mediaType", "config", "layers"]
    assert made.raw.startswith(b'{\n  "schemaVersion": 2,\n  "mediaType": "application/vnd.oci')
    assert str(made.digest) == digest_of(made.raw)


def test_a_manifest_of_the_wanted_kind_keeps_its_bytes() -> None:
    assert to_oci(oci(annotations={"a": "1"})).raw == oci(annotations={"a": "1"}).raw
    assert to_docker(docker()) == docker()


def test_an_oci_layer_inside_a_docker_manifest_stays_one() -> None:
    assert to_oci(docker(blob(f"{OCI}.v1.tar+gzip"))).layers[0].media_type == f"{OCI}.v1.tar+gzip"


def test_everything_that_would_be_lost_is_named_at_once() -> None:
    rich = oci(
        blob(f"{OCI}.v1.tar+gzip", annotations={"on.layer": "1"}),
        annotations={"on.image": "1", "other": "2"},
        artifactType="application/vnd.example",
        subject=blob(mediatype.OCI_MANIFEST, size=3),
    )
    with pytest.raises(Unconvertible) as caught:
        to_docker(rich)
    for word in ("on.layer", "on.image", "other", "application/vnd.example", "subject sha256:000"):
        assert word in str(caught.value)
    made = json.loads(to_docker(rich, lossy=True).raw)
    assert made["layers"] == [blob(f"{DOCKER}.diff.tar.gzip")]
    assert not made.keys() & {"annotations", "artifactType", "subject"}


def test_inlined_data_is_no_loss() -> None:
    made = to_docker(oci(config=blob(OCI_CONFIG, data="e30=")))
    assert json.loads(made.raw)["config"] == blob(DOCKER_CONFIG)


@pytest.mark.parametrize(
    ("unfit", "what"),
    [
        (oci(blob(f"{OCI}.v1.tar+zstd")), r"tar\+zstd have no Docker counterpart"),
        (Manifest.parse(artifact().manifest_bytes), "is no image but an artifact"),
        (Manifest.parse(attestation(image()).manifest_bytes), "in-toto.*no Docker counterpart"),
    ],
)
def test_what_has_no_docker_form_is_refused_even_with_lossy(unfit: Manifest, what: str) -> None:
    with pytest.raises(Unconvertible, match=what):
        to_docker(unfit, lossy=True)


@pytest.mark.parametrize(
    ("unfit", "what"),
    [
        (docker(config=blob("application/vnd.docker.plugin.v1+json")), "docker.plugin.v1"),
        (docker(blob("application/vnd.example.layer")), "vnd.example.layer have no OCI counterpart"),
    ],
)
def test_what_has_no_oci_form_is_refused(unfit: Manifest, what: str) -> None:
    with pytest.raises(Unconvertible, match=what):
        to_oci(unfit)


def test_an_index_is_no_image() -> None:
    listed = Manifest.parse(
        json.dumps({"schemaVersion": 2, "mediaType": mediatype.OCI_INDEX, "manifests": []}).encode()
    )
    with pytest.raises(Unconvertible, match=r"image\.index\.v1\+json has no Docker counterpart"):
        to_docker(listed)


def test_what_a_docker_manifest_says_beyond_its_specification_is_kept() -> None:
    said = {
        "artifactType": "application/vnd.example",
        "subject": blob(mediatype.OCI_MANIFEST),
        "annotations": {"a": "1"},
    }
    made = json.loads(to_oci(docker(**said)).raw)
    assert {name: made[name] for name in said} == said


def test_a_docker_manifest_loses_nothing() -> None:
    assert docker_losses(docker()).droppable == ()
    assert docker_losses(docker()).fatal == ()


LAYERS = st.lists(st.tuples(st.sampled_from(PAIRS), DIGESTS, st.integers(0, 2**53 - 1)), max_size=5)


@given(layers=LAYERS, config=DIGESTS, first=st.booleans())
def test_there_and_back_keeps_every_blob_and_gives_the_same_bytes(layers: Any, config: Any, first: bool) -> None:
    side = 0 if first else 1
    listed = [blob(pair[side], str(digest), size) for pair, digest, size in layers]
    start = (oci if first else docker)(*listed, config=blob(OCI_CONFIG if first else DOCKER_CONFIG, str(config)))
    there, back = (to_docker, to_oci) if first else (to_oci, to_docker)
    middle = there(start)
    again = back(middle)
    assert [(b.digest, b.size) for b in start.blobs] == [(b.digest, b.size) for b in middle.blobs]
    assert (again.config, again.layers) == (start.config, start.layers)
    assert there(again).raw == middle.raw
    assert there(start).raw == middle.raw


@given(st.dictionaries(TEXTS, TEXTS, min_size=1, max_size=4))
def test_the_order_of_annotations_makes_no_difference(annotations: dict[str, str]) -> None:
    turned = dict(reversed(annotations.items()))
    assert to_oci(docker(annotations=annotations)).raw == to_oci(docker(annotations=turned)).raw
