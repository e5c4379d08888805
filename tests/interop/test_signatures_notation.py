"""Signatures with certificates, ours read by notation, and theirs by us."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support import signatures
from tests.support.chains import BAD, GOOD
from tests.support.images import buildx_index, image, push, push_blob
from tests.support.notation import Notation, Signing, find_notation, self_signed, signing
from tests.support.product import Product
from tests.support.servers import Registry
from tests.support.signatures import Published

IMAGES = [image("linux/amd64"), image("linux/arm64")]
TYPE = "application/vnd.cncf.notary.signature"
IDENTITY = "x509.subject: C=DE, ST=Hesse, O=Acme, CN=release"


@pytest.fixture
def notation(tmp_path_factory: pytest.TempPathFactory) -> Notation:
    """notation, with an empty home."""
    return find_notation(tmp_path_factory.mktemp("notation"))


def publish(product: Product, registry: Registry, repository: str, made: Signing) -> Published:
    """Push an index of two images with buildx attestations under two tags, signed."""
    product.environment |= {"NOTATION_KEY": made.key, "NOTATION_CERTIFICATES": made.certificates}
    digest = push(registry, repository, buildx_index(IMAGES))
    spec = f"image: {registry.host}/{repository}:1\ntags: [latest]\nsign: notation\nverify: true\n"
    (index,) = product.push(f"{spec}sources:\n- {registry.host}/{repository}@{digest}\n")["indexes"]
    assert [each["kind"] for each in index["signatures"]] == ["notation"] * 5
    return Published(registry, repository, index["digest"], [entry["digest"] for entry in index["entries"]])


def ours(product: Product, notation: Notation, published: Published, policy: Path) -> bool:
    store = notation.folder / "truststore" / "x509"
    result = product.run("verify", "--trust-store", store, "--trust-policy", policy, published.reference())
    assert result.returncode in (0, 11), result.stderr
    return result.returncode == 0


@pytest.mark.parametrize(
    ("kind", "server"),
    [("p256", "registry"), ("2048", "registry_v3"), *((kind, "registry") for kind in ("p384", "p521", "3072", "4096"))],
)
def test_notation_accepts_the_index_and_every_instance(
    server: str, kind: str, request: pytest.FixtureRequest, repository: str, product: Product, notation: Notation
) -> None:
    made = signing(kind)
    published = publish(product, request.getfixturevalue(server), repository, made)
    policy = notation.trust(made.root, IDENTITY, scope=f"{published.registry.host}/{repository}")
    for digest in published.digests:
        assert notation.verifies(published.reference(digest))
    assert ours(product, notation, published, policy)


def test_a_certificate_that_stands_alone_is_accepted(
    registry: Registry, repository: str, product: Product, notation: Notation
) -> None:
    made = self_signed()
    published = publish(product, registry, repository, made)
    policy = notation.trust(made.root)
    assert notation.verifies(published.reference())
    assert ours(product, notation, published, policy)


def test_notation_lists_and_inspects_it(
    registry: Registry, repository: str, product: Product, notation: Notation
) -> None:
    published = publish(product, registry, repository, signing())
    text = notation.peer("inspect", "--insecure-registry", "--output", "json", published.reference()).decode()
    (found,) = json.loads(text)["Signatures"]
    assert found["mediaType"] == "application/jose+json"
    assert len(found["certificates"]) == 3


Change = Callable[[dict[str, Any]], dict[str, Any]]


def flipped(envelope: dict[str, Any]) -> dict[str, Any]:
    raw = decoded(envelope["signature"])
    return envelope | {"signature": encoded(raw[:-1] + bytes([raw[-1] ^ 1]))}


def altered(envelope: dict[str, Any]) -> dict[str, Any]:
    """The payload says another size."""
    payload = json.loads(decoded(envelope["payload"]))
    payload["targetArtifact"]["size"] += 1
    return envelope | {"payload": encoded(json.dumps(payload).encode())}


def other_time(envelope: dict[str, Any]) -> dict[str, Any]:
    protected = json.loads(decoded(envelope["protected"]))
    protected["io.cncf.notary.signingTime"] = "2020-01-01T00:00:00Z"
    return envelope | {"protected": encoded(json.dumps(protected).encode())}


def same(envelope: dict[str, Any]) -> dict[str, Any]:
    return envelope


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def envelope_of(published: Published, digest: str) -> dict[str, Any]:
    """The one envelope that the fallback tag of a digest lists."""
    raw = published.registry.manifest_bytes(published.repository, digest.replace(":", "-"))
    assert raw is not None
    (entry,) = json.loads(raw)["manifests"]
    assert entry["artifactType"] == TYPE
    manifest = published.registry.manifest_bytes(published.repository, entry["digest"])
    assert manifest is not None
    layer = json.loads(manifest)["layers"][0]["digest"]
    found: dict[str, Any] = json.loads(published.registry.blob(published.repository, layer))
    return found


def replace_envelope(published: Published, digest: str, envelope: dict[str, Any]) -> None:
    """Let this be the only envelope that the fallback tag of a digest lists."""
    registry, repository = published.registry, published.repository
    subject = registry.manifest(repository, digest)
    content = json.dumps(envelope).encode()
    config = signatures._descriptor(TYPE, b"{}")
    manifest = {
        "schemaVersion": 2,
        "mediaType": signatures.OCI_MANIFEST,
        "config": config,
        "layers": [signatures._descriptor("application/jose+json", content)],
        "subject": signatures._descriptor(subject.headers["Content-Type"], subject.body),
        "annotations": {"io.cncf.notary.x509chain.thumbprint#S256": "[]"},
    }
    raw = json.dumps(manifest).encode()
    for blob in (b"{}", content):
        push_blob(registry, repository, signatures.digest_of(blob), blob)
    signatures._put(registry, repository, signatures.digest_of(raw), signatures.OCI_MANIFEST, raw)
    entry = signatures._descriptor(signatures.OCI_MANIFEST, raw) | {"artifactType": TYPE}
    index = {"schemaVersion": 2, "mediaType": signatures.OCI_INDEX, "manifests": [entry]}
    signatures._put(registry, repository, digest.replace(":", "-"), signatures.OCI_INDEX, json.dumps(index).encode())


@pytest.mark.parametrize(("change", "good"), [(same, True), (flipped, False), (altered, False), (other_time, False)])
@pytest.mark.parametrize("kind", ["p256", "2048"])
def test_both_reject_what_was_changed(
    change: Change,
    good: bool,
    kind: str,
    registry: Registry,
    repository: str,
    product: Product,
    notation: Notation,
) -> None:
    made = signing(kind)
    published = publish(product, registry, repository, made)
    policy = notation.trust(made.root)
    replace_envelope(published, published.digest, change(envelope_of(published, published.digest)))
    assert notation.verifies(published.reference()) is good
    assert ours(product, notation, published, policy) is good


def test_both_reject_the_signature_of_another_digest(
    registry: Registry, repository: str, product: Product, notation: Notation
) -> None:
    made = signing()
    published = publish(product, registry, repository, made)
    policy = notation.trust(made.root)
    replace_envelope(published, published.digest, envelope_of(published, published.instances[0]))
    assert not notation.verifies(published.reference())
    assert not ours(product, notation, published, policy)


def test_both_reject_another_root_and_another_identity(
    registry: Registry, repository: str, product: Product, notation: Notation
) -> None:
    made = signing()
    published = publish(product, registry, repository, made)
    for root, identity in (
        (signing().root, IDENTITY),
        (made.root, IDENTITY.replace("release", "other")),
    ):
        policy = notation.trust(root, identity)
        assert not notation.verifies(published.reference())
        assert not ours(product, notation, published, policy)


@pytest.mark.parametrize("server", ["registry", "registry_v3"])
def test_we_accept_what_notation_signed(
    server: str, request: pytest.FixtureRequest, repository: str, product: Product, notation: Notation
) -> None:
    registry = request.getfixturevalue(server)
    made = signing("2048")
    index = buildx_index(IMAGES, attestations=False)
    digest = push(registry, repository, index, "1")
    reference = f"{registry.host}/{repository}@{digest}"
    for each in (digest, *(entry["digest"] for entry in json.loads(index.manifest_bytes)["manifests"])):
        notation.sign(f"{registry.host}/{repository}@{each}", made)
    policy = notation.trust(made.root, IDENTITY)
    store = notation.folder / "truststore" / "x509"
    result = product.run("verify", "--trust-store", store, "--trust-policy", policy, reference)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count(b" good") == 3
    certificates = product.folder / "root.pem"
    certificates.write_text(made.root)
    who = ("--trusted-identity", "O=Acme, CN=release")
    assert product.run("verify", "--trust-store", certificates, *who, reference).returncode == 0
    assert (
        product.run("verify", "--trust-store", certificates, "--trusted-identity", "CN=x", reference).returncode == 11
    )
    product.environment |= {"NOTATION_KEY": made.key, "NOTATION_CERTIFICATES": made.certificates}
    spec = f"image: {registry.host}/{repository}:1\nsources: ['{reference}']\nsign: notation\n"
    assert [each["added"] for each in product.push(spec)["indexes"][0]["signatures"]] == [False] * 3


@pytest.mark.parametrize("name", [*GOOD, *BAD])
def test_notation_has_the_same_rules_for_certificates(
    name: str, registry: Registry, repository: str, product: Product, notation: Notation
) -> None:
    made = GOOD[name]() if name in GOOD else BAD[name][0]()
    reference = f"{registry.host}/{repository}@{push(registry, repository, IMAGES[0])}"
    theirs = notation.try_to_sign(reference, made)
    product.environment |= {"NOTATION_KEY": made.key, "NOTATION_CERTIFICATES": made.certificates}
    spec = f"image: {registry.host}/{repository}-x:1\nsources: ['{reference}']\nsign: notation\n"
    result = product.run("push", product.spec(spec))
    assert (result.returncode == 0, theirs) == (name in GOOD, name in GOOD), result.stderr
    assert registry.tags(f"{repository}-x").count("1") == (name in GOOD)
