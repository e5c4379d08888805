"""What a log's promise must say about a signature, and what certificates must be, to count for a policy."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from manifest_action.signing.fulcio import certified_key, good_certificate, load_authorities
from manifest_action.signing.keys import LocalPublicKey, load_public_key
from manifest_action.signing.rekor import logged_at, pem_content
from tests.support.keys import key_pair
from tests.support.sigstore import Sigstore, sigstore

PAYLOAD, SIGNATURE = b"payload", b"signature"
SIGNER = key_pair().public.encode()
EMAIL, ISSUER = "release@acme.example", "https://issuer.example"


@pytest.fixture(scope="module")
def services() -> Iterator[Sigstore]:
    with sigstore() as running:
        yield running


def promise(services: Sigstore, change: Callable[[dict[str, Any]], None] = lambda _: None) -> str:
    """The log's promise about an entry, which a change makes another one."""
    spec = {
        "signature": {"content": _text(SIGNATURE), "publicKey": {"content": _text(SIGNER)}},
        "data": {"hash": {"algorithm": "sha256", "value": hashlib.sha256(PAYLOAD).hexdigest()}},
    }
    proposed: dict[str, Any] = {"kind": "hashedrekord", "apiVersion": "0.0.1", "spec": spec}
    change(proposed)
    (entry,) = json.loads(services.enter(proposed)).values()
    stamp = entry.pop("verification")["signedEntryTimestamp"]
    return json.dumps({"SignedEntryTimestamp": stamp, "Payload": entry})


def log(services: Sigstore) -> LocalPublicKey:
    return load_public_key(services.log_pem, "test")


def when(services: Sigstore, text: str, payload: bytes = PAYLOAD) -> datetime:
    return logged_at(text, [log(services)], pem_content(SIGNER), SIGNATURE, payload)


def test_the_time_of_a_good_promise(services: Sigstore) -> None:
    assert abs(when(services, promise(services)) - datetime.now(UTC)) < timedelta(minutes=1)


CHANGES: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "kind": (lambda entry: entry.update(kind="intoto"), "no hashedrekord"),
    "version": (lambda entry: entry.update(apiVersion="0.0.2"), "no hashedrekord"),
    "signature": (lambda entry: entry["spec"]["signature"].update(content=_text(b"x")), "another signature"),
    "no signature": (lambda entry: entry["spec"].pop("signature"), "signature must be an object"),
    "signer": (
        lambda entry: entry["spec"]["signature"]["publicKey"].update(content=_text(key_pair("b").public.encode())),
        "another signer",
    ),
    "signer is no PEM": (
        lambda entry: entry["spec"]["signature"]["publicKey"].update(content=_text(b"x")),
        "no PEM",
    ),
    "signer is no base64": (
        lambda entry: entry["spec"]["signature"]["publicKey"].update(content="*"),
        "must be base64",
    ),
    "digest": (lambda entry: entry["spec"]["data"]["hash"].update(value="00"), "another payload"),
    "algorithm": (lambda entry: entry["spec"]["data"]["hash"].update(algorithm="sha512"), "another payload"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_an_entry_must_be_about_this_signature(name: str, services: Sigstore) -> None:
    change, what = CHANGES[name]
    with pytest.raises(ValueError, match=what):
        when(services, promise(services, change))


def test_a_promise_must_be_the_logs_own_and_whole(services: Sigstore) -> None:
    good = json.loads(promise(services))
    later = {**good, "Payload": good["Payload"] | {"integratedTime": 1}}
    for document in (
        later,
        {**good, "more": 1},
        {**good, "Payload": good["Payload"] | {"more": 1}},
        {**good, "SignedEntryTimestamp": 1},
        {"Payload": good["Payload"]},
        {},
    ):
        with pytest.raises(ValueError, match=r"promise|Payload"):
            when(services, json.dumps(document))
    with pytest.raises(ValueError, match="another payload"):
        when(services, json.dumps(good), b"other")
    other = load_public_key(key_pair("other").public.encode(), "test")
    with pytest.raises(ValueError, match="not one of the log's"):
        logged_at(json.dumps(good), [other], pem_content(SIGNER), SIGNATURE, PAYLOAD)


def certificate(services: Sigstore, email: str = EMAIL) -> str:
    key = load(SIGNER)
    answer = json.loads(services.issue(key, {"iss": ISSUER, "certify": email}))
    found: str = answer["signedCertificateEmbeddedSct"]["chain"]["certificates"][0]
    return found


def load(pem: bytes) -> ec.EllipticCurvePublicKey:
    key = load_pem_public_key(pem)
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key


def test_the_key_of_a_good_certificate(services: Sigstore) -> None:
    text, authorities = certificate(services), load_authorities(services.root_pem)
    now = datetime.now(UTC)
    found = good_certificate(text, "", authorities, now)
    assert good_certificate(text, services.root_pem.decode(), authorities, now) == found
    assert certified_key(found, ISSUER, EMAIL).pem == SIGNER.decode()
    for time in (now - timedelta(hours=1), now + timedelta(hours=1)):
        with pytest.raises(ValueError, match="no authority of the policy"):
            good_certificate(text, "", authorities, time)
    for bad in ("", text * 2, "x"):
        with pytest.raises(ValueError, match=r"certificate"):
            good_certificate(bad, "", authorities, now)
    with pytest.raises(ValueError, match="vouched for it"):
        certified_key(found, "https://other.example", EMAIL)
    with pytest.raises(ValueError, match="it is not for"):
        certified_key(found, ISSUER, "acme.example")


def test_a_certificate_by_another_authority_is_none(services: Sigstore) -> None:
    with sigstore() as stranger, pytest.raises(ValueError, match="no authority of the policy"):
        good_certificate(certificate(services), "", load_authorities(stranger.root_pem), datetime.now(UTC))


def test_a_certificate_without_the_purpose_is_none(services: Sigstore) -> None:
    """The authority's own is no end of a chain, and says nothing of code."""
    root = services.root_pem.decode()
    with pytest.raises(ValueError, match="no authority of the policy"):
        good_certificate(root, "", load_authorities(services.root_pem), datetime.now(UTC))
    with pytest.raises(ValueError, match="who vouched for it"):
        certified_key(x509.load_pem_x509_certificate(services.root_pem), ISSUER, EMAIL)


def test_public_keys_compare_by_their_content() -> None:
    der = load(SIGNER).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert pem_content(SIGNER) == der
    for text in (b"", SIGNER * 2, b"x", SIGNER + b"x"):
        with pytest.raises(ValueError, match="no PEM with one block"):
            pem_content(text)


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
