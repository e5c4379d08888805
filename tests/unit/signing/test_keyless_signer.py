"""The signer without a key where its services are silent or slow, and what is said of bundles that are none."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from manifest_action.errors import SigningError
from manifest_action.events import Event, SecretLearned
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.reference import parse_reference
from manifest_action.signing import keyless
from manifest_action.signing.base import Held, SignRequest
from manifest_action.signing.certified import keyless_verifier, trust_config
from manifest_action.signing.keyless import KeylessSigner
from manifest_action.signing.material import Material
from manifest_action.signing.oidc import Tokens
from manifest_action.signing.payload import bundle, statement
from tests.support.servers import free_port
from tests.support.sigstore import IDENTITY, ISSUER, Sigstore, sigstore, token

REPOSITORY = parse_reference("a.b/c").repository
DIGEST = Digest.of(b"index")
REQUEST = SignRequest(REPOSITORY, Descriptor("application/vnd.oci.image.index.v1+json", DIGEST, 5), ("a.b/c:1",))


class Listener:
    def __init__(self) -> None:
        self.secrets: list[str] = []

    def emit(self, event: Event) -> None:
        if isinstance(event, SecretLearned):
            self.secrets.append(event.value)


@pytest.fixture
def services() -> Iterator[Sigstore]:
    with sigstore() as running:
        yield running


def signer(config: bytes, pauses: list[float] | None = None) -> KeylessSigner:
    material = Material({"SIGSTORE_ID_TOKEN": token()}, Listener())
    tokens = Tokens("env://SIGSTORE_ID_TOKEN", "sigstore", material)
    return KeylessSigner(trust_config(config, "test"), tokens, sleep=([] if pauses is None else pauses).append)


def test_a_service_that_cannot_be_reached_is_asked_three_times(services: Sigstore, tmp_path: Path) -> None:
    pauses: list[float] = []
    config = services.write(tmp_path).read_text().replace(services.server.host, f"127.0.0.1:{free_port()}")
    with pytest.raises(SigningError, match="Fulcio, which certifies identities, gave no answer that can be used"):
        signer(config.encode(), pauses).sign(REQUEST)
    assert pauses == [1.0, 2.0]


def slow(*_: object) -> bytes:
    time.sleep(0.5)
    return b"{}"


def test_a_service_that_never_answers_is_given_up(
    services: Sigstore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyless, "_PATIENCE", 0.05)
    monkeypatch.setattr(Sigstore, "issue", slow)
    with pytest.raises(SigningError, match="Fulcio"):
        signer(services.write(tmp_path).read_bytes()).sign(REQUEST)


def test_what_was_signed_is_recognised_and_nothing_else(services: Sigstore, tmp_path: Path) -> None:
    own = signer(services.write(tmp_path).read_bytes())
    (made,) = own.sign(REQUEST)
    (verifier,) = own.verifiers()
    content = _content(made)
    assert made.author.subject == IDENTITY
    assert made.author.issuer == ISSUER
    assert verifier.fault(Held(content), DIGEST, REPOSITORY) == ""
    assert "about another digest" in verifier.fault(Held(content), Digest.of(b"other"), REPOSITORY)
    config = trust_config(services.write(tmp_path).read_bytes(), "test")
    other = keyless_verifier("somebody@else.invalid", ISSUER, config)
    assert "SANs do not match" in other.fault(Held(content), DIGEST, REPOSITORY)
    key = bundle(statement("a.b/c", DIGEST, "x", {}), b"signature", b"key")
    assert "with a key, and not by" in verifier.fault(Held(key), DIGEST, REPOSITORY)
    for raw in (b"", b"[]", b"{}", b'{"verificationMaterial": {"certificate": {}}}', content[:-2]):
        assert verifier.fault(Held(raw), DIGEST, REPOSITORY)


def test_a_statement_of_another_kind_is_no_signature(services: Sigstore, tmp_path: Path) -> None:
    own = signer(services.write(tmp_path).read_bytes())
    (made,) = own.sign(REQUEST)
    document = json.loads(_content(made))
    document["dsseEnvelope"]["payloadType"] = "text/plain"
    (verifier,) = own.verifiers()
    assert verifier.fault(Held(json.dumps(document).encode()), DIGEST, REPOSITORY)


def test_the_token_is_told_to_whoever_must_not_show_it() -> None:
    listener = Listener()
    text = token()
    Tokens("env://X", "sigstore", Material({"X": f"{text}\n"}, listener)).current()
    assert listener.secrets == [f"{text}\n"]


def _content(made: object) -> bytes:
    blobs = made.artefact.blobs  # type: ignore[attr-defined]
    (content,) = (blob for blob in blobs.values() if blob != b"{}")
    assert isinstance(content, bytes)
    return content
