"""Signing with keys that stay elsewhere: a fake of Vault's API, and of what securesystemslib offers for clouds."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from securesystemslib.exceptions import UnsupportedAlgorithmError

from manifest_action.errors import SigningError
from manifest_action.signing import kms
from manifest_action.signing.cosign import open_cosign
from manifest_action.signing.keys import load_public_key
from manifest_action.signing.kms import is_kms, open_kms_key
from manifest_action.signing.material import Material
from tests.support.images import image, push
from tests.support.peers import Cosign
from tests.support.product import Product
from tests.support.servers import Registry
from tests.support.vault import TOKEN, Vault, vault
from tests.unit.ops.memory import Recorder


@pytest.fixture
def server() -> Iterator[Vault]:
    with vault() as running:
        yield running


def spec(registry: Registry, repository: str, name: str = "release") -> str:
    made = [push(registry, repository, image(f"linux/{each}")) for each in ("amd64", "arm64")]
    listed = "".join(f"- {registry.host}/{repository}@{digest}\n" for digest in made)
    sign = f"{{cosign: {{key: 'hashivault://{name}'}}}}"
    return f"image: {registry.host}/{repository}:1\nverify: true\nsign: {sign}\nsources:\n{listed}"


@pytest.mark.parametrize("name", ["release", "old"])
def test_cosign_verifies_what_vault_signed(
    name: str, server: Vault, registry: Registry, repository: str, product: Product, cosign: Cosign
) -> None:
    product.environment |= {"VAULT_ADDR": server.url, "VAULT_TOKEN": TOKEN, "VAULT_NAMESPACE": "team"}
    (index,) = product.push(spec(registry, repository, name))["indexes"]
    public = product.folder / "cosign.pub"
    public.write_text(server.public(name))
    for digest in (index["digest"], *(entry["digest"] for entry in index["entries"])):
        for bundle in (True, False):
            assert cosign.verifies(f"{registry.host}/{repository}@{digest}", public, bundle=bundle)
    assert {headers["x-vault-namespace"] for _, _, headers, _ in server.requests} == {"team"}
    assert {body["key_version"] for method, _, _, body in server.requests if method == "POST"} == {
        len(server.keys[name])
    }


def test_an_equal_signature_by_vault_is_not_made_twice(
    server: Vault, registry: Registry, repository: str, product: Product
) -> None:
    product.environment |= {"VAULT_ADDR": f"{server.url}/", "TRANSIT_SECRET_ENGINE_PATH": "keys/here"}
    (product.folder / ".vault-token").write_text(f"{TOKEN}\n")
    server.mount = "keys/here"
    text = spec(registry, repository)
    first, second = product.push(text)["indexes"][0], product.push(text)["indexes"][0]
    assert {each["added"] for each in first["signatures"]} == {True}
    assert {each["added"] for each in second["signatures"]} == {False}


def refuse(status: int, *said: str) -> Callable[[Vault], None]:
    def change(server: Vault) -> None:
        server.refusal = (status, list(said))

    return change


def answer(path: str, content: bytes) -> Callable[[Vault], None]:
    return lambda server: server.answers.update({f"/v1/transit/{path}": content})


def key_answer(**data: Any) -> Callable[[Vault], None]:
    return answer("keys/release", json.dumps({"data": data}).encode())


BROKEN: dict[str, tuple[Callable[[Vault], object], str]] = {
    "refused": (refuse(403, "permission denied for " + TOKEN), "HTTP 403 permission denied for ***"),
    "refused at length": (refuse(403, "x" * 280 + TOKEN), f"{'x' * 280}***"),
    "not there": (refuse(404), "is there such a key"),
    "redirected": (refuse(307), "HTTP 307"),
    "no JSON": (answer("keys/release", b"<html>"), "makes no sense"),
    "no data": (answer("keys/release", b"{}"), "it has no data"),
    "no public key": (key_answer(type="ecdsa-p256", latest_version=1, keys={}), "it has no public key"),
    "another kind": (key_answer(type="aes256-gcm96"), "a key of this kind is not accepted: aes256-gcm96"),
    "no signature": (answer("sign/release/sha2-256", b'{"data": {"signature": "vault:v1:!"}}'), "is no good"),
    "a false signature": (answer("sign/release/sha2-256", b'{"data": {"signature": "vault:v1:QUJD"}}'), "is no good"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_vault_says_amiss_is_told_without_the_token(
    name: str, server: Vault, registry: Registry, repository: str, product: Product
) -> None:
    change, what = BROKEN[name]
    change(server)
    product.environment |= {"VAULT_ADDR": server.url, "VAULT_TOKEN": TOKEN, "MANIFEST_ACTION_DEBUG": "1"}
    result = product.run("push", product.spec(spec(registry, repository)))
    assert result.returncode == 11
    assert what in result.stderr.decode()
    assert TOKEN.encode() not in result.stdout + result.stderr
    assert registry.tags(repository) == []


def material(**environment: str) -> Material:
    return Material(environment, Recorder())


@pytest.mark.parametrize(
    ("uri", "environment", "what"),
    [
        ("hashivault://a", {}, "the address of Vault is missing"),
        ("hashivault://a", {"VAULT_ADDR": "http://u:p@127.0.0.1"}, "the address of Vault is missing"),
        ("hashivault://a", {"VAULT_ADDR": "http://127.0.0.1:1"}, "the token of Vault is missing"),
        ("hashivault://a", {"VAULT_ADDR": "http://127.0.0.1:1", "VAULT_TOKEN": TOKEN}, "Vault cannot be asked"),
        ("hashivault://../a", {}, "this is no name of a key in Vault"),
        ("awskms://host/a", {}, "this is no key of AWS"),
        ("awskms:///", {}, "this is no key of AWS"),
        ("gcpkms://projects/a", {}, "this is no version of a key of Google Cloud"),
        ("azurekms://vault", {}, "this is no key of Azure"),
    ],
)
def test_what_cannot_be_asked_for(uri: str, environment: dict[str, str], what: str, tmp_path: Path) -> None:
    with pytest.raises(SigningError, match=what) as caught:
        open_kms_key(uri, material(**environment, HOME=str(tmp_path)))
    assert caught.value.hint
    assert TOKEN not in str(caught.value)


URIS = {
    "awskms:///alias/release": "AWSSigner",
    "gcpkms://projects/p/locations/l/keyRings/r/cryptoKeys/k/versions/1": "GCPSigner",
    "azurekms://acme.vault.azure.net/release": "AzureSigner",
}


def test_what_is_a_key_elsewhere() -> None:
    assert all(is_kms(uri) for uri in (*URIS, "hashivault://a"))
    assert not any(is_kms(text) for text in ("env://A", "file://a", "a", "hashivault", "awskms"))


@pytest.mark.parametrize("uri", URIS)
def test_clouds_without_their_libraries_name_the_extra(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SigningError, match="are not installed") as caught:
        open_kms_key(uri, material())
    assert "manifest-action[kms]" in caught.value.hint
    monkeypatch.setitem(__import__("sys").modules, "securesystemslib.signer", None)
    with pytest.raises(SigningError, match="are not installed"):
        open_kms_key(uri, material())


class Cloud:
    """A signer of securesystemslib as its interface has it, with a key in this process."""

    def __init__(self, scheme: str = "ecdsa-sha2-nistp256") -> None:
        self.key: Any = ec.generate_private_key(ec.SECP256R1())
        self.scheme = scheme
        self.asked: list[tuple[object, ...]] = []
        self.fails_to_sign = False
        self.is_another_key = False

    def import_(self, *arguments: object) -> tuple[str, Any]:
        self.asked.append(arguments)
        if arguments[-1] == "rsa-pkcs1v15-sha256":
            raise UnsupportedAlgorithmError
        pem = self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        return "cloud:key", SimpleNamespace(scheme=self.scheme, keyval={"public": pem})

    def from_priv_key_uri(self, uri: str, _: object) -> "Cloud":
        assert uri == "cloud:key"
        return self

    def sign(self, payload: bytes) -> Any:
        if self.fails_to_sign:
            raise RuntimeError("canary-of-a-cloud")
        key = ec.generate_private_key(ec.SECP256R1()) if self.is_another_key else self.key
        return SimpleNamespace(signature=key.sign(payload, ec.ECDSA(SHA256())).hex())


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    fake = Cloud()
    for name in (*URIS.values(), "Signer"):
        monkeypatch.setattr(f"securesystemslib.signer.{name}", fake)
    return fake


@pytest.mark.parametrize("uri", URIS)
def test_clouds_sign(uri: str, cloud: Cloud) -> None:
    signer = open_cosign({"key": uri, "passphrase": "env://NONE", "format": "both"}, material())
    key = signer._key
    message = b"message"
    assert load_public_key(key.public.pem.encode(), "x").verifies(key.sign(message), message)
    assert cloud.asked[-1] in (
        ("alias/release", "ecdsa-sha2-nistp256"),
        ("projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1",),
        ("acme", "release"),
    )


def test_what_clouds_do_amiss(cloud: Cloud) -> None:
    uri = "azurekms://acme/release"
    key = open_kms_key(uri, material())
    cloud.fails_to_sign = True
    with pytest.raises(SigningError, match="does not sign: RuntimeError") as caught:
        key.sign(b"x")
    assert "canary" not in str(caught.value)
    cloud.fails_to_sign, cloud.is_another_key = False, True
    with pytest.raises(SigningError, match="is no good"):
        key.sign(b"x")
    cloud.scheme = "ecdsa-sha2-nistp384"
    with pytest.raises(SigningError, match="is not accepted: ecdsa-sha2-nistp384"):
        open_kms_key(uri, material())
    cloud.key = None
    with pytest.raises(SigningError, match="does not give the key: AttributeError"):
        open_kms_key(uri, material())
    assert set(kms._OPENERS) == {"hashivault", "awskms", "gcpkms", "azurekms"}
