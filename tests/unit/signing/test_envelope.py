"""Envelopes with certificates: what is in them, and what is wrong with those that were changed."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from manifest_action.errors import SigningError
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.reference import parse_reference
from manifest_action.signing.base import Held, SignRequest
from manifest_action.signing.certificates import parse_chain
from manifest_action.signing.envelope import JWS, make_envelope, open_envelope, sign_with, verify_with
from manifest_action.signing.material import Material
from manifest_action.signing.notation import NotationSigner, NotationVerifier, open_notation
from tests.support.keys import PASSPHRASE
from tests.support.notation import Signing, self_signed, signing
from tests.unit.ops.memory import Recorder

REPOSITORY = parse_reference("ghcr.io/acme/app").repository
SUBJECT = Descriptor("application/vnd.oci.image.index.v1+json", Digest.of(b"x"), 1)
OTHER = Digest.of(b"y")
NOW = datetime.now(UTC)
MADE = signing()


def content(made: Signing = MADE) -> bytes:
    chain = parse_chain(made.certificates.encode())
    key: Any = load_pem_private_key(made.key.encode(), None)
    return make_envelope(SUBJECT, chain, sign_with(key, chain.algorithm), NOW, "test/1")


def encoded(document: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


def signed(protected: dict[str, Any], payload: object, made: Signing = MADE, **header: object) -> bytes:
    """An envelope over anything, with a good signature."""
    chain = parse_chain(made.certificates.encode())
    key: Any = load_pem_private_key(made.key.encode(), None)
    head = {
        "alg": chain.algorithm,
        "cty": "application/vnd.cncf.notary.payload.v1+json",
        "crit": ["io.cncf.notary.signingScheme"],
        "io.cncf.notary.signingScheme": "notary.x509",
        "io.cncf.notary.signingTime": "2026-01-01T00:00:00Z",
    } | protected
    text = f"{encoded(head)}.{encoded(payload)}"
    signature = base64.urlsafe_b64encode(sign_with(key, chain.algorithm)(text.encode())).rstrip(b"=").decode()
    certificates = [base64.b64encode(each).decode() for each in chain.der]
    document = {
        "payload": encoded(payload),
        "protected": encoded(head),
        "header": {"x5c": certificates} | header,
        "signature": signature,
    }
    return json.dumps(document).encode()


TARGET = {"targetArtifact": {"mediaType": SUBJECT.media_type, "digest": str(SUBJECT.digest), "size": 1}}


def verifier(made: Signing = MADE) -> NotationVerifier:
    return NotationVerifier(frozenset({parse_chain(made.certificates.encode()).der[-1]}))


def fault(raw: bytes, by: NotationVerifier | None = None) -> str:
    return (by or verifier()).fault(Held(raw), SUBJECT.digest, REPOSITORY)


def test_what_is_made_is_good() -> None:
    raw = content()
    assert fault(raw) == ""
    document = json.loads(raw)
    assert list(document) == ["payload", "protected", "header", "signature"]
    assert document["header"]["io.cncf.notary.signingAgent"] == "test/1"
    envelope = open_envelope(raw)
    assert envelope.target == TARGET["targetArtifact"]
    assert envelope.expiry is None
    assert fault(signed({}, TARGET)) == ""


EXPIRY = {"crit": ["io.cncf.notary.signingScheme", "io.cncf.notary.expiry"]}


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (b"x", "it is not valid: not JSON"),
        (b"{}", "it is not valid: protected must be text"),
        (signed({}, TARGET, x5c=[]), "there are 0 certificates"),
        (signed({}, TARGET, x5c="a"), "it has no certificates"),
        (signed({}, TARGET, x5c=["!"]), "it is not valid"),
        (signed({"alg": "ES384"}, TARGET), "its algorithm is not that of its certificate's key"),
        (signed({"alg": "none"}, TARGET), "its algorithm is not that of its certificate's key"),
        (signed({"crit": []}, TARGET), "critical headers that are missing or not understood"),
        (signed({"crit": ["io.cncf.notary.signingScheme", "x"]}, TARGET), "missing or not understood"),
        (signed({"io.cncf.notary.signingScheme": "notary.x509.signingAuthority"}, TARGET), "of a signing scheme"),
        (signed({"cty": "text/plain"}, TARGET), "of a signing scheme or over a payload"),
        (signed({}, {}), "its payload names no artifact"),
        (signed({}, {"targetArtifact": {"digest": str(OTHER)}}), f"it is about another digest, {OTHER}"),
        (signed(EXPIRY | {"io.cncf.notary.expiry": "2020-01-01T00:00:00Z"}, TARGET), "it has expired"),
        (signed(EXPIRY | {"io.cncf.notary.expiry": "2020-01-01T00:00:00"}, TARGET), "its expiry has no time zone"),
        (signed({}, TARGET, self_signed()), "no certificate that is trusted is in its chain"),
        (signed({}, TARGET, signing(uses=("content_commitment",))), "no critical key usage"),
        (signed({}, TARGET).replace(b'"signature": "', b'"signature": "AA'), "it was changed after it was made"),
        (signed({}, TARGET).replace(b'"signature": "', b'"signature": "='), "it is padded"),
    ],
)
def test_what_is_wrong(raw: bytes, what: str) -> None:
    assert what in fault(raw)


def test_an_expiry_to_come_is_good() -> None:
    to_come = (NOW + timedelta(days=1)).isoformat()
    assert fault(signed(EXPIRY | {"io.cncf.notary.expiry": to_come}, TARGET)) == ""


def test_other_envelopes_are_named() -> None:
    held = Held(b"", Descriptor("application/cose", Digest.of(b""), 0))
    assert "is a application/cose" in verifier().fault(held, SUBJECT.digest, REPOSITORY)


def test_signatures_of_another_kind_of_key() -> None:
    assert not verify_with(object(), "ES256", b"", b"")
    chain = parse_chain(MADE.certificates.encode())
    assert not verify_with(chain.leaf.public_key(), "ES256", b"short", b"")


def signer(made: Signing) -> NotationSigner:
    environment = {"NOTATION_KEY": made.key, "NOTATION_CERTIFICATES": made.certificates}
    return opened(environment)


def opened(environment: dict[str, str]) -> NotationSigner:
    names = {"key": "env://NOTATION_KEY", "certificates": "env://NOTATION_CERTIFICATES", "passphrase": "env://PASS"}
    return open_notation(names, Material(environment, Recorder()))


def test_a_signature_is_repeated_by_the_same_certificates_only() -> None:
    own, other = signer(MADE), signer(signing())
    (made,) = own.sign(SignRequest(REPOSITORY, SUBJECT, ("ghcr.io/acme/app:1",)))
    layer = Descriptor(JWS, Digest.of(b""), 0)
    assert own.repeats(made, layer, content())
    assert not other.repeats(made, layer, content())
    assert not own.repeats(made, layer, b"x")
    assert not own.repeats(made, Descriptor("application/cose", Digest.of(b""), 0), content())
    assert not own.repeats(made, layer, signed({}, {"targetArtifact": {"digest": str(OTHER)}}))
    assert [each.fault(Held(content()), SUBJECT.digest, REPOSITORY) for each in own.verifiers()] == [""]


@pytest.mark.parametrize(
    ("environment", "what"),
    [
        ({}, "the variable NOTATION_KEY is not set"),
        ({"NOTATION_KEY": " "}, "the key is empty"),
        ({"NOTATION_KEY": "x"}, "there is no private key in PEM form"),
        ({"NOTATION_KEY": MADE.key}, "the variable NOTATION_CERTIFICATES is not set"),
        ({"NOTATION_KEY": MADE.key, "NOTATION_CERTIFICATES": "x"}, "the certificates cannot be read"),
        (
            {"NOTATION_KEY": signing().key, "NOTATION_CERTIFICATES": MADE.certificates},
            "the first certificate is not that of the key",
        ),
        ({"NOTATION_KEY": signing("2560").key, "NOTATION_CERTIFICATES": ""}, "a key of this kind is not accepted"),
    ],
)
def test_what_cannot_sign(environment: dict[str, str], what: str) -> None:
    with pytest.raises(SigningError, match=what):
        opened(environment)


def test_certificates_that_notation_would_refuse() -> None:
    with pytest.raises(SigningError, match="notation would refuse these certificates") as caught:
        signer(signing(uses=("content_commitment",)))
    assert "no critical key usage" in caught.value.why


def test_a_key_under_a_passphrase() -> None:
    key: Any = load_pem_private_key(MADE.key.encode(), None)
    closed = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSPHRASE.encode()))
    environment = {"NOTATION_KEY": closed.decode(), "NOTATION_CERTIFICATES": MADE.certificates, "PASS": PASSPHRASE}
    assert opened(environment).verifiers()
    with pytest.raises(SigningError, match="the key needs a passphrase"):
        opened(environment | {"PASS": ""})
    with pytest.raises(SigningError, match="the private key cannot be read") as caught:
        opened(environment | {"PASS": "canary-5d1c9b"})
    assert "canary" not in str(caught.value)
