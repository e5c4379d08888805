"""The bytes of payloads and bundles, held against the documents that the specifications show."""

import base64
import hashlib
import json

import pytest

from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.mediatype import OCI_EMPTY
from manifest_action.signing.payload import (
    SIGNATURE_PREDICATE,
    bundle,
    bundle_referrer,
    is_signature,
    pre_authentication,
    simple_signing,
    statement,
)

DIGEST = Digest.parse("sha256:" + "35150d" + "0" * 58)
INDEX = "application/vnd.oci.image.index.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"


def test_simple_signing_byte_for_byte() -> None:
    """The form that containers/image and cosign were seen to accept."""
    assert simple_signing("127.0.0.1:42571/c/legacy:1", DIGEST) == (
        b'{"critical":{"identity":{"docker-reference":"127.0.0.1:42571/c/legacy:1"},'
        b'"image":{"docker-manifest-digest":"sha256:35150d' + b"0" * 58 + b'"},'
        b'"type":"cosign container image signature"},"optional":null}'
    )


def test_what_dsse_signs_is_the_example_of_its_protocol() -> None:
    assert pre_authentication("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_lengths_count_bytes() -> None:
    assert pre_authentication("é", "ü".encode()) == "DSSEv1 2 é 2 ü".encode()


def test_a_statement_names_its_subject() -> None:
    found = json.loads(statement("ghcr.io/acme/app", DIGEST, "https://example.test/p", {"a": 1}))
    assert found == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "ghcr.io/acme/app", "digest": {"sha256": DIGEST.encoded}}],
        "predicateType": "https://example.test/p",
        "predicate": {"a": 1},
    }


def test_a_bundle_holds_the_very_bytes_that_were_signed() -> None:
    found = json.loads(bundle(b'{"x": 1}', b"\0sig", b"der"))
    assert found == {
        "mediaType": BUNDLE,
        "verificationMaterial": {"publicKey": {"hint": base64.b64encode(hashlib.sha256(b"der").digest()).decode()}},
        "dsseEnvelope": {
            "payload": base64.b64encode(b'{"x": 1}').decode(),
            "payloadType": "application/vnd.in-toto+json",
            "signatures": [{"sig": base64.b64encode(b"\0sig").decode()}],
        },
    }


def test_a_referrer_leads_from_its_subject_to_the_bundle() -> None:
    subject = Descriptor(INDEX, DIGEST, 7, annotations={"left": "out"})
    made = bundle_referrer(subject, b"content", "https://example.test/p")
    document = json.loads(made.manifest.raw)
    assert list(made.blobs.values()) == [b"{}", b"content"]
    assert {blob.digest for blob in made.manifest.blobs} == made.blobs.keys()
    assert document["artifactType"] == document["layers"][0]["mediaType"] == BUNDLE
    assert document["config"] == {
        "mediaType": "application/vnd.oci.empty.v1+json",
        "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        "size": 2,
    }
    assert document["subject"] == {"mediaType": INDEX, "digest": str(DIGEST), "size": 7}
    assert document["annotations"] == {
        "dev.sigstore.bundle.content": "dsse-envelope",
        "dev.sigstore.bundle.predicateType": "https://example.test/p",
    }
    assert made.manifest == bundle_referrer(subject, b"content", "https://example.test/p").manifest


@pytest.mark.parametrize(
    ("kind", "annotations", "config", "expected"),
    [
        (BUNDLE, {}, OCI_EMPTY, True),
        (BUNDLE, {"dev.sigstore.bundle.predicateType": SIGNATURE_PREDICATE}, OCI_EMPTY, True),
        (BUNDLE, {"dev.sigstore.bundle.predicateType": "https://slsa.dev/provenance/v1"}, OCI_EMPTY, False),
        ("application/vnd.cncf.notary.signature", {}, OCI_EMPTY, True),
        ("", {}, "application/vnd.cncf.notary.signature", True),
        ("application/vnd.dev.cosign.artifact.sig.v1+json", {}, OCI_EMPTY, True),
        ("application/spdx+json", {}, OCI_EMPTY, False),
    ],
)
def test_a_signature_is_told_from_an_attestation(
    kind: str, annotations: dict[str, str], config: str, expected: bool
) -> None:
    document = {
        "schemaVersion": 2,
        "artifactType": kind,
        "config": {"mediaType": config, "digest": str(Digest.of(b"{}")), "size": 2},
        "layers": [],
        "annotations": annotations,
    }
    assert is_signature(Manifest.parse(json.dumps(document).encode())) is expected
