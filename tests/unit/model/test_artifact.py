"""The manifests of artifacts: only what is given is in them, so the same artifact is always the same bytes."""

import json

from manifest_action.model.artifact import EMPTY, artifact
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from tests.support.images import OCI_INDEX, OCI_MANIFEST

LAYER = Descriptor("text/plain", Digest.of(b"x"), 1)
SUBJECT = Descriptor(OCI_INDEX, Digest.of(b"subject"), 7, annotations={"of": "its entry"})


def test_it_says_what_it_is_and_what_it_is_about() -> None:
    made = artifact("text/plain", SUBJECT, LAYER)
    assert json.loads(made.raw) == {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": "text/plain",
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": str(Digest.of(EMPTY)), "size": 2},
        "layers": [{"mediaType": "text/plain", "digest": str(LAYER.digest), "size": 1}],
        "subject": {"mediaType": OCI_INDEX, "digest": str(SUBJECT.digest), "size": 7},
    }
    assert artifact("text/plain", SUBJECT, LAYER).digest == made.digest


def test_annotations_and_the_type_of_its_config_are_as_wanted() -> None:
    made = artifact("text/plain", SUBJECT, LAYER, annotations={"b": "1", "a": "2"}, config_type="text/config")
    assert list(made.annotations) == ["b", "a"]
    assert made.config is not None
    assert made.config.media_type == "text/config"
    assert made.raw.endswith(b'"annotations":{"b":"1","a":"2"}}')
