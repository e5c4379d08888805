"""What is wrong with signatures, case by case; good ones are good."""

import base64
import json
from dataclasses import replace

import pytest

from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.reference import Repository
from manifest_action.signing.attachment import LAYER, SIGNATURE_ANNOTATION
from manifest_action.signing.base import Attachment, Referrer, Signature, SignRequest
from manifest_action.signing.cosign import FORMATS, CosignSigner
from manifest_action.signing.keys import load_private_key
from manifest_action.signing.payload import bundle, pre_authentication, statement
from manifest_action.signing.verification import attachment_fault, bundle_fault
from tests.support.keys import key_pair

KEY = load_private_key(key_pair().private.encode(), None, "k")
OTHER = load_private_key(key_pair("other").private.encode(), None, "k")
DIGEST = Digest.of(b"signed")
REPOSITORY = Repository("docker", "ghcr.io", "acme/app")
NAMES = ("ghcr.io/acme/app:1", "ghcr.io/acme/app:2")
REQUEST = SignRequest(REPOSITORY, Descriptor("application/vnd.oci.image.index.v1+json", DIGEST, 6), NAMES)
SIGNER = CosignSigner(KEY, FORMATS["both"])
INTOTO = "application/vnd.in-toto+json"


def made() -> tuple[bytes, list[Attachment]]:
    """A bundle's bytes and the attachments."""
    found = [signature.artefact for signature in SIGNER.sign(REQUEST)]
    (referrer,) = [each for each in found if isinstance(each, Referrer)]
    return list(referrer.blobs.values())[1], [each for each in found if isinstance(each, Attachment)]


def test_one_bundle_and_one_attachment_for_each_name() -> None:
    kinds = [(str(each.kind), each.identity) for each in SIGNER.sign(REQUEST)]
    assert kinds == [("cosign-bundle", ""), *(("cosign-tag", name) for name in NAMES)]
    assert [len(CosignSigner(KEY, FORMATS[name]).sign(REQUEST)) for name in ("bundle", "tag")] == [1, 2]
    assert {each.author.public_key for each in SIGNER.sign(REQUEST)} == {key_pair().public}


def test_good_ones_are_good() -> None:
    content, attachments = made()
    assert not bundle_fault(content, DIGEST, KEY.public)
    for attachment in attachments:
        assert attachment.tag == f"sha256-{DIGEST.encoded}.sig"
        assert not attachment_fault(attachment.layer, attachment.content, DIGEST, str(REPOSITORY), KEY.public)


def payload_fault(payload: bytes) -> str:
    """What is wrong with an attachment of this payload, signed with the key."""
    signature = base64.b64encode(KEY.sign(payload)).decode()
    layer = Descriptor(LAYER, Digest.of(payload), len(payload), annotations={SIGNATURE_ANNOTATION: signature})
    return attachment_fault(layer, payload, DIGEST, str(REPOSITORY), KEY.public)


def simple(**changes: object) -> bytes:
    critical = {
        "identity": {"docker-reference": NAMES[0]},
        "image": {"docker-manifest-digest": str(DIGEST)},
        "type": "cosign container image signature",
    }
    document = {"critical": critical | {k: v for k, v in changes.items() if k in (*critical, "more")}}
    return json.dumps(document | {"optional": None} | {k: v for k, v in changes.items() if k == "odd"}).encode()


def test_simple_signing_is_accepted_in_other_spellings() -> None:
    assert not payload_fault(simple())
    assert not payload_fault(simple() + b"\n")
    assert not payload_fault(simple(identity={"docker-reference": "ghcr.io/acme/app"}))


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        (b"", "not valid: not JSON"),
        (simple(more=1), "not valid: critical must have exactly the members"),
        (simple(odd=1), "not valid: the payload must have exactly the members"),
        (b'{"critical":{}}', "not valid: the payload must have exactly the members"),
        (b'{"critical":{},"optional":null}', "not valid: critical must have exactly the members"),
        (simple().replace(b"null", b'{"timestamp": 1.5}'), "not valid: optional.timestamp must be a whole number"),
        (simple().replace(b"null", b"[]"), "not valid: optional must be an object"),
        (simple(type="atomic container signature"), "not valid: critical.type is not"),
        (simple(identity={"docker-reference": 3}), "not valid: docker-reference must be a string"),
        (simple(identity={"docker-reference": "A B"}), "not valid"),
        (simple(image={"docker-manifest-digest": f"sha256:{'0' * 64}"}), "about another digest, sha256:000"),
        (simple(identity={"docker-reference": "ghcr.io/acme/other:1"}), "for another name, ghcr.io/acme/other:1"),
        (simple(identity={"docker-reference": "acme/app:1"}), "for another name"),
        (simple().replace(b'"optional"', b'"critical": 1, "optional"'), "not valid: a JSON object holds"),
    ],
)
def test_faults_of_payloads(payload: bytes, fault: str) -> None:
    assert fault in payload_fault(payload)


def test_faults_of_attachments() -> None:
    (first, second) = made()[1]
    name = str(REPOSITORY)
    assert "not made with this key" in attachment_fault(first.layer, first.content, DIGEST, name, OTHER.public)
    assert "not made with this key" in attachment_fault(first.layer, second.content, DIGEST, name, KEY.public)
    for annotations in ({}, {SIGNATURE_ANNOTATION: "no base64"}):
        bare = replace(first.layer, annotations=annotations)
        assert "not made with this key" in attachment_fault(bare, first.content, DIGEST, name, KEY.public)
    other = replace(first.layer, media_type="text/plain")
    assert "its layer is a text/plain" in attachment_fault(other, first.content, DIGEST, name, KEY.public)


def sealed_statement(payload: bytes) -> bytes:
    return bundle(payload, KEY.sign(pre_authentication(INTOTO, payload)), KEY.public.der)


PREDICATE = "https://sigstore.dev/cosign/sign/v1"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"[]", "not valid: not a JSON object"),
        (b"{}", "dsseEnvelope must be an object"),
        (b'{"dsseEnvelope":{}}', "signatures must be a list"),
        (made()[0].replace(b"v0.3", b"v0.2"), "no bundle v0.3"),
        (made()[0].replace(b"in-toto", b"in-tata"), "no bundle v0.3"),
        (sealed_statement(b"{}"), "states something else"),
        (sealed_statement(b"x"), "statement is not valid"),
        (sealed_statement(statement("a", DIGEST, "https://slsa.dev/provenance/v1", {})), "slsa.dev"),
        (sealed_statement(statement("a", Digest.of(b"x"), PREDICATE, {})), "about another digest"),
        (bundle(statement("a", DIGEST, PREDICATE, {}), b"sig", b""), "not made with this key"),
    ],
)
def test_faults_of_bundles(content: bytes, fault: str) -> None:
    assert fault in bundle_fault(content, DIGEST, KEY.public)


def test_a_bundle_of_another_key_or_with_two_signatures() -> None:
    content = made()[0]
    assert "not made with this key" in bundle_fault(content, DIGEST, OTHER.public)
    document = json.loads(content)
    document["dsseEnvelope"]["signatures"] *= 2
    assert "not made with this key" in bundle_fault(json.dumps(document).encode(), DIGEST, KEY.public)


def test_what_says_the_same_is_recognised() -> None:
    referrer, first, second = SIGNER.sign(REQUEST)
    content, attachments = made()
    layer = Descriptor("x", Digest.of(content), len(content))
    assert SIGNER.repeats(referrer, layer, content)
    assert not CosignSigner(OTHER, FORMATS["both"]).repeats(referrer, layer, content)
    assert not SIGNER.repeats(referrer, layer, b"{}")
    assert SIGNER.repeats(first, attachments[0].layer, attachments[0].content)
    assert not SIGNER.repeats(second, attachments[0].layer, attachments[0].content)
    assert not CosignSigner(OTHER, FORMATS["both"]).repeats(first, attachments[0].layer, attachments[0].content)


def test_signatures_show_neither_content_nor_key() -> None:
    shown = "".join(map(repr, SIGNER.sign(REQUEST)))
    assert "BEGIN" not in shown
    assert "content=" not in shown
    assert isinstance(SIGNER.sign(REQUEST)[0], Signature)
