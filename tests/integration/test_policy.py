"""Runs under a signature policy, against a real registry: what is refused leaves everything as it was."""

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.gpg import gpg, payload, store
from tests.support.images import Synthetic, SyntheticImage, buildx_index, digest_of, image, index, push
from tests.support.product import Product
from tests.support.servers import Registry

Sign = Callable[[bytes], bytes]
LAYER = "application/vnd.dev.cosign.simplesigning.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
TYPE = "cosign container image signature"
REKOR = {"rekorPublicKeyData": base64.b64encode(b"x").decode()}
FULCIO = {"caPath": "ca.pem", "oidcIssuer": "https://issuer.example", "subjectEmail": "a@example.com"}


def pem(key: Any) -> bytes:
    public: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return public


def curve_key() -> tuple[Sign, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    return lambda content: key.sign(content, ec.ECDSA(SHA256())), pem(key)


def rsa_key() -> tuple[Sign, bytes]:
    key = rsa.generate_private_key(65537, 2048)
    return lambda content: key.sign(content, padding.PKCS1v15(), SHA256()), pem(key)


def attach(registry: Registry, repository: str, digest: str, signed: Mapping[bytes, bytes]) -> None:
    """Put payloads and signatures under a digest's `.sig` tag, as containers/image and cosign do."""
    config = b"{}"
    layers = [
        {
            "mediaType": LAYER,
            "digest": digest_of(content),
            "size": len(content),
            "annotations": {"dev.cosignproject.cosign/signature": base64.b64encode(signature).decode()},
        }
        for content, signature in signed.items()
    ]
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "digest": digest_of(config), "size": len(config)},
        "layers": layers,
    }
    blobs = {digest_of(content): content for content in (config, *signed)}
    made = SyntheticImage(json.dumps(manifest).encode(), MANIFEST, blobs, {})
    push(registry, repository, made, f"{digest.replace(':', '-')}.sig")


@pytest.fixture
def policy(product: Product) -> Callable[..., str]:
    """Writes a policy with one requirement by default; the option that names it."""

    def write(**requirement: object) -> str:
        (product.folder / "policy.json").write_text(json.dumps({"default": [requirement]}))
        return "--policy=policy.json"

    return write


@pytest.fixture
def source(registry: Registry, repository: str) -> tuple[str, str]:
    """An image at a registry: its reference with a tag, and its digest."""
    return f"{registry.host}/{repository}/src:v1", push(registry, f"{repository}/src", image(), "v1")


def spec(registry: Registry, repository: str, *sources: str) -> str:
    return f"image: {registry.host}/{repository}/out:1\nsources: {list(sources)}\n"


def refused(product: Product, registry: Registry, repository: str, *sources: str) -> str:
    """Push under policy.json, which refuses: nothing was written and the error says why."""
    push(registry, f"{repository}/out", image(seed="before"), "1")
    before = registry.manifest_bytes(f"{repository}/out", "1")
    blobs = sorted(registry.storage.rglob("*"))
    report = product.push(spec(registry, repository, *sources), "--policy=policy.json", code=12)
    assert registry.manifest_bytes(f"{repository}/out", "1") == before
    assert sorted(registry.storage.rglob("*")) == blobs
    assert report["error"]["code"] == "policy"
    assert report["changed"] is False
    finding = report["error"]["findings"][0]
    assert (finding["mark"]["file"], finding["mark"]["line"]) == ("spec.yml", 2)
    return str(finding["why"])


def test_a_refused_source_leaves_everything_as_it_was(
    product: Product, registry: Registry, repository: str, source: tuple[str, str], policy: Callable[..., str]
) -> None:
    policy(type="reject")
    why = refused(product, registry, repository, source[0])
    assert why == f"{product.folder}/policy.json: default[0], reject: images of this scope are rejected"


def test_every_refused_source_is_named(
    product: Product, registry: Registry, repository: str, policy: Callable[..., str]
) -> None:
    names = [f"{registry.host}/{repository}/src:{arch}" for arch in ("amd64", "arm64")]
    for name in names:
        arch = name.rpartition(":")[2]
        push(registry, f"{repository}/src", image(f"linux/{arch}"), arch)
    report = product.push(spec(registry, repository, *names), policy(type="reject"), code=12)
    where = [finding["where"] for finding in report["error"]["findings"]]
    assert len(where) == len(set(where)) == 2


def test_a_dry_run_is_held_to_it_too(
    product: Product, registry: Registry, repository: str, source: tuple[str, str], policy: Callable[..., str]
) -> None:
    product.spec(spec(registry, repository, source[0]))
    result = product.run("plan", policy(type="reject"), "spec.yml")
    assert result.returncode == 12
    assert b"images of this scope are rejected" in result.stderr


@pytest.mark.parametrize("make", [curve_key, rsa_key])
@pytest.mark.parametrize("form", ["keyPath", "keyPaths", "keyData", "keyDatas"])
def test_a_sigstore_signature_lets_an_image_in(
    form: str,
    make: Callable[[], tuple[Sign, bytes]],
    product: Product,
    registry: Registry,
    repository: str,
    source: tuple[str, str],
    policy: Callable[..., str],
) -> None:
    reference, digest = source
    (sign, public), (_, other) = make(), curve_key()
    for name, key in (("cosign.pub", public), ("other.pub", other)):
        (product.folder / name).write_bytes(key)
    data = [base64.b64encode(key).decode() for key in (other, public)]
    keys = {"keyPath": "cosign.pub", "keyPaths": ["other.pub", "cosign.pub"], "keyData": data[1], "keyDatas": data}
    option = policy(type="sigstoreSigned", **{form: keys[form]})
    content = payload(reference, digest, type=TYPE, optional=None)
    attach(registry, f"{repository}/src", digest, {content: sign(content)})
    assert product.push(spec(registry, repository, reference), option)["success"] is True


BAD: dict[str, tuple[Callable[[str, str], bytes], str]] = {
    "another tag": (
        lambda name, digest: payload(name.replace(":v1", ":v2"), digest, type=TYPE, optional=None),
        "which matchRepoDigestOrExact does not accept",
    ),
    "cosign's bare name": (
        lambda name, digest: payload(name.removesuffix(":v1"), digest, type=TYPE, optional=None),
        "which matchRepoDigestOrExact does not accept",
    ),
    "another digest": (
        lambda name, _: payload(name, f"sha256:{'0' * 64}", type=TYPE, optional=None),
        "is about another image",
    ),
    "GPG's type": (payload, "critical.type is not"),
    "more in critical": (lambda name, digest: payload(name, digest, type=TYPE, more=1), "exactly the members"),
    "no JSON": (lambda *_: b"x", "not JSON"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_sigstore_signature_over_something_else_does_not(
    case: str,
    product: Product,
    registry: Registry,
    repository: str,
    source: tuple[str, str],
    policy: Callable[..., str],
) -> None:
    sign, public = curve_key()
    make, reason = BAD[case]
    content = make(*source)
    attach(registry, f"{repository}/src", source[1], {content: sign(content)})
    policy(type="sigstoreSigned", keyData=base64.b64encode(public).decode())
    assert reason in refused(product, registry, repository, source[0])


def test_another_key_does_not_count_but_one_good_signature_is_enough(
    product: Product, registry: Registry, repository: str, source: tuple[str, str], policy: Callable[..., str]
) -> None:
    reference, digest = source
    (sign, public), (other, _) = curve_key(), curve_key()
    option = policy(type="sigstoreSigned", keyData=base64.b64encode(public).decode())
    assert refused(product, registry, repository, reference).endswith("a signature is required, and there is none")
    first, second = (payload(reference, digest, type=TYPE, optional=each) for each in (None, {"a": "b"}))
    attach(registry, f"{repository}/src", digest, {first: other(first)})
    assert "made by another key, or over something else" in refused(product, registry, repository, reference)
    attach(registry, f"{repository}/src", digest, {first: other(first), second: sign(second)})
    assert product.push(spec(registry, repository, reference), option)["success"] is True


def test_attachments_can_be_turned_off(
    product: Product, registry: Registry, repository: str, source: tuple[str, str], policy: Callable[..., str]
) -> None:
    sign, public = curve_key()
    content = payload(*source, type=TYPE, optional=None)
    attach(registry, f"{repository}/src", source[1], {content: sign(content)})
    policy(type="sigstoreSigned", keyData=base64.b64encode(public).decode())
    (product.folder / "registries.d").mkdir()
    (product.folder / "registries.d" / "off.yaml").write_text("default-docker: {use-sigstore-attachments: false}\n")
    assert refused(product, registry, repository, source[0]).endswith("a signature is required, and there is none")


@pytest.mark.parametrize(
    ("requirement", "reason"),
    [
        ({"fulcio": FULCIO, **REKOR}, "ca.pem: a key of the policy cannot be read: No such file or directory"),
        ({"keyPath": "a.pub", **REKOR}, "a.pub: a key of the policy cannot be read: No such file or directory"),
        ({"pki": {"caRootsPath": "ca.pem", "subjectEmail": "a@example.com"}}, "pki cannot be checked by this version"),
        ({"keyPath": "missing.pub"}, "missing.pub: a key of the policy cannot be read: No such file or directory"),
        ({"keyData": "eA=="}, "a key of the policy cannot be used: there is no public key in PEM form"),
    ],
)
def test_what_cannot_be_checked_is_refused(
    requirement: dict[str, object],
    reason: str,
    product: Product,
    registry: Registry,
    repository: str,
    source: tuple[str, str],
    policy: Callable[..., str],
) -> None:
    content = payload(*source, type=TYPE, optional=None)
    attach(registry, f"{repository}/src", source[1], {content: b"x"})
    policy(type="sigstoreSigned", **requirement)
    assert refused(product, registry, repository, source[0]).endswith(reason)


@pytest.mark.parametrize("attestations", ["keep", "drop"])
def test_attestations_count_unless_they_are_left_behind(
    attestations: str, product: Product, registry: Registry, repository: str, policy: Callable[..., str]
) -> None:
    made = buildx_index([image("linux/amd64"), image("linux/arm64")])
    push(registry, f"{repository}/src", made, "v1")
    sign, public = curve_key()
    for child in made.children[:2]:
        content = payload(f"{registry.host}/{repository}/src:v1", child.digest, type=TYPE, optional=None)
        attach(registry, f"{repository}/src", child.digest, {content: sign(content)})
    option = policy(type="sigstoreSigned", keyData=base64.b64encode(public).decode())
    text = spec(registry, repository, f"{registry.host}/{repository}/src:v1") + f"attestations: {attestations}\n"
    report = product.push(text, option, code=12 if attestations == "keep" else 0)
    if attestations == "keep":
        assert "does not allow this attestation" in report["error"]["findings"][0]["what"]
        assert "`attestations: drop` leaves it behind" in report["error"]["findings"][0]["hint"]


def test_what_we_sign_passes_the_policy_for_it(
    product: Product, registry: Registry, repository: str, policy: Callable[..., str]
) -> None:
    product.environment["COSIGN_PASSWORD"] = canary = "canary passphrase 51c3"
    assert product.run("keygen").returncode == 0
    children: list[Synthetic] = [image("linux/amd64"), image("linux/arm64")]
    push(registry, f"{repository}/src", index(children), "v1")
    first = f"image: {registry.host}/{repository}/mid:1\nsources: ['{registry.host}/{repository}/src:v1']\n"
    product.push(f"{first}sign: [cosign: {{key: cosign.key}}]\n")
    option = policy(type="sigstoreSigned", keyPath="cosign.pub")
    product.spec(spec(registry, repository, f"{registry.host}/{repository}/mid:1"))
    result = product.run("push", option, "spec.yml")
    assert result.returncode == 0, result.stderr
    assert b"2 images of the sources allowed by" in result.stderr
    assert canary.encode() not in result.stdout + result.stderr


def test_a_gpg_signature_is_checked_under_each_name_that_is_used(
    product: Product, registry: Registry, repository: str, source: tuple[str, str], policy: Callable[..., str]
) -> None:
    reference, digest = source
    push(registry, f"{repository}/src", image(), "v2")
    with gpg() as signer:
        (product.folder / "key.gpg").write_bytes(signer.make_key("a@test.invalid"))
        signature = signer.sign("a@test.invalid", payload(reference, digest))
    store(product.folder / "sigs", f"{repository}/src", digest, {1: signature})
    (product.folder / "registries.d").mkdir()
    place = f"default-docker: {{lookaside: 'file://{product.folder}/sigs'}}\n"
    (product.folder / "registries.d" / "here.yaml").write_text(place)
    option = policy(type="signedBy", keyType="GPGKeys", keyPath="key.gpg")
    assert product.push(spec(registry, repository, reference), option)["success"] is True
    assert product.push(spec(registry, repository, f"{reference}@{digest}"), option)["success"] is True
    other = f"{reference.removesuffix(':v1')}:v2"
    assert "does not accept" in refused(product, registry, repository, reference, other)


def test_without_a_policy_it_says_so_once(
    product: Product, registry: Registry, repository: str, source: tuple[str, str]
) -> None:
    product.spec(spec(registry, repository, source[0], source[0]))
    result = product.run("plan", "spec.yml")
    said = b"no signature policy is given or installed; sources are accepted as they are"
    system = Path("/etc/containers/policy.json")
    assert result.stderr.count(b"allowed by /etc/containers/policy.json" if system.exists() else said) == 1
    assert b"warning" not in result.stderr


def test_the_users_policy_is_found(
    product: Product, registry: Registry, repository: str, source: tuple[str, str], policy: Callable[..., str]
) -> None:
    folder = product.folder / ".config/containers"
    folder.mkdir(parents=True)
    policy(type="reject")
    (product.folder / "policy.json").rename(folder / "policy.json")
    product.push(spec(registry, repository, source[0]), code=12)


def test_a_policy_that_cannot_be_understood_ends_the_run_first(
    product: Product, registry: Registry, repository: str, source: tuple[str, str], policy: Callable[..., str]
) -> None:
    option = policy(type="signedBy", keyType="GPGKeys")
    report = product.push(spec(registry, repository, source[0]), option, code=2)
    finding = report["error"]["findings"][0]
    assert "$.default[0]" in json.dumps(finding)
    assert "exactly one of keyPath, keyPaths, keyData must be given" in finding["what"]


def test_saved_lists_are_held_to_it(product: Product, source: tuple[str, str], policy: Callable[..., str]) -> None:
    assert product.run("list", "create", "localhost/app:1", source[0]).returncode == 0
    result = product.run("list", "push", policy(type="reject"), "localhost/app:1", "oci:out:1")
    assert result.returncode == 12
    assert not (product.folder / "out").exists()
    assert product.run("list", "push", "localhost/app:1", "oci:out:1").returncode == 0


def test_an_index_that_is_extended_is_held_to_it(
    product: Product, registry: Registry, repository: str, source: tuple[str, str]
) -> None:
    push(registry, f"{repository}/out", index([image("linux/arm64")]), "1")
    scopes = {f"{registry.host}/{repository}/src": [{"type": "insecureAcceptAnything"}]}
    document: dict[str, object] = {"default": [{"type": "reject"}], "transports": {"docker": scopes}}
    (product.folder / "policy.json").write_text(json.dumps(document))
    text = spec(registry, repository, source[0])
    product.push(f"{text}existing: append\n", "--policy=policy.json", code=12)
    product.push(text, "--policy=policy.json")
