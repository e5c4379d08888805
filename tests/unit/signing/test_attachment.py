"""The image under a `.sig` tag: what is there stays, byte for byte."""

import json

import pytest

from manifest_action.errors import SigningError
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.signing.attachment import LAYER, attachment_tag, with_attachments
from manifest_action.signing.base import Attachment

OCI = "application/vnd.oci.image.manifest.v1+json"


def attachment(content: bytes) -> Attachment:
    return Attachment("t", Descriptor(LAYER, Digest.of(content), len(content), annotations={"a": "b"}), content)


def test_the_first_signature() -> None:
    manifest, blobs = with_attachments(None, [attachment(b"one")])
    config = json.loads(blobs[manifest.blobs[0].digest])
    assert config == {
        "architecture": "",
        "os": "",
        "rootfs": {"type": "layers", "diff_ids": [str(Digest.of(b"one"))]},
    }
    assert (manifest.media_type, manifest.layers) == (OCI, (attachment(b"one").layer,))
    assert {blob.digest for blob in manifest.blobs} == blobs.keys()


def test_what_is_there_stays_as_it_is() -> None:
    first, _ = with_attachments(None, [attachment(b"one")])
    document = json.loads(first.raw)
    document["annotations"] = {"kept": "yes"}
    document["layers"][0] |= {"odd": 1}
    document["odd"] = [1]
    before = Manifest.parse(json.dumps(document).encode(), media_type=OCI)
    after, blobs = with_attachments(before, [attachment(b"two")])
    found = json.loads(after.raw)
    assert (found["annotations"], found["odd"]) == ({"kept": "yes"}, [1])
    assert found["layers"] == [document["layers"][0], attachment(b"two").layer.to_document()]
    config = json.loads(blobs[after.blobs[0].digest])
    assert config["rootfs"]["diff_ids"] == [str(Digest.of(b"one")), str(Digest.of(b"two"))]
    assert Digest.of(b"one") not in blobs


def test_another_kind_of_image_is_not_touched() -> None:
    first, _ = with_attachments(None, [attachment(b"one")])
    docker = "application/vnd.docker.distribution.manifest.v2+json"
    text = first.raw.replace(OCI.encode(), docker.encode())
    with pytest.raises(ValueError, match="its media type is application"):
        with_attachments(Manifest.parse(text, media_type=docker), [attachment(b"two")])


def test_an_image_that_is_full() -> None:
    many = [attachment(str(number).encode()) for number in range(1001)]
    with pytest.raises(ValueError, match="1001 entries"):
        with_attachments(None, many)


def test_the_tag_of_a_digest() -> None:
    assert attachment_tag(Digest.of(b"")) == f"sha256-{Digest.of(b'').encoded}.sig"
    with pytest.raises(SigningError, match="sha256 digest only"):
        attachment_tag(Digest.of(b"", "sha512"))
