"""What the command line gives to verify with, and what is wrong with it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from manifest_action.adapters.arguments import parser
from manifest_action.adapters.verifiers import open_verifiers
from manifest_action.errors import ConfigError, SigningError
from manifest_action.signing.gpg_signer import GpgVerifier
from manifest_action.signing.material import Material
from manifest_action.signing.notation import NotationVerifier
from tests.support.gpg import gpg
from tests.support.notation import Signing, signing
from tests.unit.ops.memory import Recorder

MADE = signing()


@pytest.fixture
def material() -> Iterator[Material]:
    with Material({}, Recorder()) as made:
        yield made


def opened(material: Material, *options: str | Path) -> tuple[object, ...]:
    arguments = parser().parse_args(["verify", *map(str, options), "ghcr.io/acme/app:1"])
    return open_verifiers(arguments, material)


def store(folder: Path, made: Signing = MADE) -> Path:
    """A trust store as notation has it, with two certificates in the store `acme`."""
    place = folder / "x509" / "ca" / "acme"
    place.mkdir(parents=True)
    (place / "root.pem").write_text(made.root)
    (place / "other.crt").write_text(signing().root)
    (place / "notes.txt").write_text("no certificate")
    return folder / "x509"


def policy(folder: Path, stores: str = "ca:acme") -> Path:
    statement = {
        "name": "acme",
        "registryScopes": ["ghcr.io/acme/app"],
        "signatureVerification": {"level": "strict"},
        "trustStores": [stores],
        "trustedIdentities": ["x509.subject: CN=release", "x509.subject: CN=other"],
    }
    file = folder / "trustpolicy.json"
    file.write_text(json.dumps({"version": "1.0", "trustPolicies": [statement]}))
    return file


def test_a_trust_store_by_file_folder_and_policy(tmp_path: Path, material: Material) -> None:
    places = store(tmp_path)
    for options, certificates, identities in (
        (("--trust-store", places / "ca/acme/root.pem"), 1, 0),
        (("--trust-store", places), 2, 0),
        (("--trust-store", places, "--trusted-identity", "O=Acme, CN=release"), 2, 1),
        (("--trust-store", places, "--trust-policy", policy(tmp_path)), 2, 2),
    ):
        (verifier,) = opened(material, *options)
        assert isinstance(verifier, NotationVerifier)
        assert (len(verifier.trusted), len(verifier.identities)) == (certificates, identities)


def test_a_keyring_and_a_trust_store_ask_for_both(tmp_path: Path, material: Material) -> None:
    with gpg() as program:
        (tmp_path / "a.gpg").write_bytes(program.make_key("a <a@example.com>", kind="ed25519"))
    found = opened(
        material, "--keyring", tmp_path / "a.gpg", "--lookaside", "file:///a", "--trust-store", store(tmp_path)
    )
    assert [type(each) for each in found] == [GpgVerifier, NotationVerifier]


def test_a_keyring_that_is_none(tmp_path: Path, material: Material) -> None:
    (tmp_path / "a.gpg").write_bytes(b"nonsense")
    with pytest.raises(SigningError, match="this is no public GPG key") as caught:
        opened(material, "--keyring", tmp_path / "a.gpg")
    assert caught.value.hint
    with pytest.raises(SigningError, match="the file of keyring cannot be read"):
        opened(material, "--keyring", tmp_path / "missing")


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ((), "there is nothing to verify with"),
        (("--trust-policy", "a"), "there are no certificates to trust"),
        (("--trusted-identity", "CN=a"), "there are no certificates to trust"),
        (("--lookaside", "file:///a"), "there is nothing to verify with"),
    ],
)
def test_arguments_that_come_to_nothing(options: tuple[str, ...], what: str, material: Material) -> None:
    with pytest.raises(ConfigError, match=what):
        opened(material, *options)


def test_arguments_that_do_not_go_together(tmp_path: Path, material: Material) -> None:
    both = ("--trust-store", store(tmp_path), "--trust-policy", policy(tmp_path), "--trusted-identity", "CN=a")
    with pytest.raises(ConfigError, match="a trust policy names the identities itself"):
        opened(material, *both)
    with pytest.raises(ConfigError, match="this is no subject of a certificate"):
        opened(material, *both[:2], "--trusted-identity", "nonsense")


def test_stores_and_policies_that_cannot_be_used(tmp_path: Path, material: Material) -> None:
    places = store(tmp_path)
    for stores, what in (
        ("ca:missing", "the trust store cannot be read"),
        ("x:acme", "the trust policy cannot be used"),
    ):
        with pytest.raises(SigningError, match=what):
            opened(material, "--trust-store", places, "--trust-policy", policy(tmp_path, stores))
    (tmp_path / "empty").mkdir()
    with pytest.raises(SigningError, match="there is no certificate in the trust store"):
        opened(material, "--trust-store", tmp_path / "empty")
    with pytest.raises(SigningError, match="the trust store cannot be used"):
        opened(material, "--trust-store", places / "ca/acme/notes.txt")
