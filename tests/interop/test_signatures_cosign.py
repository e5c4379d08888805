"""Signatures by key pair, ours read by cosign 3, cosign 2 and openssl, and theirs by us."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.support import signatures
from tests.support.images import buildx_index, image, push
from tests.support.keys import PASSPHRASE, key_pair
from tests.support.peers import Cosign, find_peer
from tests.support.product import Product
from tests.support.servers import Registry
from tests.support.signatures import Signed

IMAGES = [image("linux/amd64"), image("linux/arm64")]
FORMATS = ["bundle", "tag"]


@dataclass(frozen=True)
class Published:
    """A signed index: where it is, its digest, and those of what it lists."""

    registry: Registry
    repository: str
    digest: str
    instances: Sequence[str]

    @property
    def digests(self) -> list[str]:
        """Everything that is signed."""
        return [self.digest, *self.instances]

    def reference(self, digest: str = "") -> str:
        """A digest of it, the index's own by default."""
        return f"{self.registry.host}/{self.repository}@{digest or self.digest}"


def publish(product: Product, registry: Registry, repository: str, form: str, key: str = "") -> Published:
    """Push an index of two images with buildx attestations under two tags, signed in one form or both."""
    digest = push(registry, repository, buildx_index(IMAGES))
    product.environment["COSIGN_PRIVATE_KEY"] = key or key_pair().private
    spec = f"image: {registry.host}/{repository}:1\ntags: [latest]\nsign: {{cosign: {{format: {form}}}}}\n"
    report = product.push(f"{spec}sources:\n- {registry.host}/{repository}@{digest}\n")
    (index,) = report["indexes"]
    return Published(registry, repository, index["digest"], [entry["digest"] for entry in index["entries"]])


def ours(product: Product, published: Published, key: Path, form: str) -> bool:
    """Whether our own command accepts it."""
    result = product.run("verify", "--key", key, "--format", form, published.reference())
    assert result.returncode in (0, 11), result.stderr
    return result.returncode == 0


@pytest.mark.parametrize("server", ["registry", "registry_v3"])
@pytest.mark.parametrize("form", FORMATS)
def test_everybody_accepts_the_index_and_every_instance(
    server: str,
    form: str,
    request: pytest.FixtureRequest,
    repository: str,
    product: Product,
    cosign: Cosign,
    cosign2: Cosign,
) -> None:
    published = publish(product, request.getfixturevalue(server), repository, form)
    key = key_pair().write_public(product.folder)
    assert len(published.digests) == 5
    for verifier in (cosign, cosign2):
        for digest in published.digests:
            assert verifier.verifies(published.reference(digest), key, bundle=form == "bundle")
    assert ours(product, published, key, form)


def test_cosign_3_finds_either_form_when_both_are_there(
    registry: Registry, repository: str, product: Product, cosign: Cosign
) -> None:
    published = publish(product, registry, repository, "both")
    key = key_pair().write_public(product.folder)
    for digest in published.digests:
        assert cosign.verifies(published.reference(digest), key, bundle=True)
        assert cosign.verifies(published.reference(digest), key, bundle=False)
    assert ours(product, published, key, "both")


def flipped(signed: Signed) -> Signed:
    return replace(signed, signature=signed.signature[:-1] + bytes([signed.signature[-1] ^ 1]))


def altered(signed: Signed) -> Signed:
    return replace(signed, payload=signed.payload.replace(b"test/", b"tess/"))


def truncated(signed: Signed) -> Signed:
    return replace(signed, signature=signed.signature[:-1])


@pytest.mark.parametrize("change", [flipped, altered, truncated])
@pytest.mark.parametrize("form", FORMATS)
def test_everybody_rejects_what_was_changed(
    change: Callable[[Signed], Signed],
    form: str,
    registry: Registry,
    repository: str,
    product: Product,
    cosign: Cosign,
    cosign2: Cosign,
) -> None:
    published = publish(product, registry, repository, form)
    key = key_pair().write_public(product.folder)
    if form == "bundle":
        (bundle,) = signatures.bundles(registry, repository, published.digest)
        bad = signatures.with_signed(bundle, change)
        assert bad != bundle
        signatures.refer(registry, repository, published.digest, bad)
    else:
        good = signatures.attached(registry, repository, published.digest)[0]
        assert change(good) != good
        signatures.attach(registry, repository, published.digest, change(good))
    assert_rejected(product, published, key, form, cosign, cosign2)


@pytest.mark.parametrize("form", FORMATS)
def test_everybody_rejects_the_signature_of_another_digest(
    form: str, registry: Registry, repository: str, product: Product, cosign: Cosign, cosign2: Cosign
) -> None:
    published = publish(product, registry, repository, form)
    key = key_pair().write_public(product.folder)
    other = published.instances[0]
    if form == "bundle":
        (bundle,) = signatures.bundles(registry, repository, other)
        signatures.refer(registry, repository, published.digest, bundle)
    else:
        good = signatures.attached(registry, repository, other)[0]
        signatures.attach(registry, repository, published.digest, good)
    assert_rejected(product, published, key, form, cosign, cosign2)


@pytest.mark.parametrize("form", FORMATS)
def test_everybody_rejects_another_key(
    form: str, registry: Registry, repository: str, product: Product, cosign: Cosign, cosign2: Cosign
) -> None:
    published = publish(product, registry, repository, form)
    key = key_pair("other").write_public(product.folder)
    assert_rejected(product, published, key, form, cosign, cosign2)


def assert_rejected(product: Product, published: Published, key: Path, form: str, *verifiers: Cosign) -> None:
    for verifier in verifiers:
        assert not verifier.verifies(published.reference(), key, bundle=form == "bundle")
    assert not ours(product, published, key, form)


def test_what_was_changed_back_is_accepted_again(
    registry: Registry, repository: str, product: Product, cosign: Cosign
) -> None:
    """The tests above put signatures into the registry in a form that is accepted when they are good."""
    published = publish(product, registry, repository, "both")
    key = key_pair().write_public(product.folder)
    (bundle,) = signatures.bundles(registry, repository, published.digest)
    signatures.refer(registry, repository, published.digest, signatures.with_signed(bundle, lambda signed: signed))
    good = signatures.attached(registry, repository, published.digest)[0]
    signatures.attach(registry, repository, published.digest, good)
    assert cosign.verifies(published.reference(), key, bundle=True)
    assert cosign.verifies(published.reference(), key, bundle=False)
    assert ours(product, published, key, "both")


def test_openssl_verifies_every_attached_signature(registry: Registry, repository: str, product: Product) -> None:
    openssl = find_peer("openssl", product.folder)
    published = publish(product, registry, repository, "tag")
    key = key_pair().write_public(product.folder)
    payload, signature = product.folder / "payload", product.folder / "signature"
    for digest in published.digests:
        found = signatures.attached(registry, repository, digest)
        assert len(found) == 2
        for signed in found:
            payload.write_bytes(signed.payload)
            signature.write_bytes(signed.signature)
            openssl("dgst", "-sha256", "-verify", key, "-signature", signature, payload)


def test_we_accept_what_cosign_signed_and_add_no_bundle_to_it(
    registry: Registry, repository: str, product: Product, cosign: Cosign, cosign2: Cosign
) -> None:
    product.environment["COSIGN_PASSWORD"] = PASSPHRASE
    assert product.run("keygen").returncode == 0
    key, private = product.folder / "cosign.pub", product.folder / "cosign.key"
    digest = push(registry, repository, buildx_index(IMAGES), "1")
    reference = f"{registry.host}/{repository}@{digest}"
    cosign.sign(reference, private, bundle=True)
    cosign2.sign(reference, private, bundle=False)
    result = product.run("verify", "--key", key, reference)
    assert result.returncode == 0, result.stdout
    assert result.stdout.count(b" good") == 10
    spec = f"image: {registry.host}/{repository}:1\nsources: ['{reference}']\nsign: {{cosign: {{key: cosign.key}}}}\n"
    (index,) = product.push(spec)["indexes"]
    added = [(each["kind"], each["added"]) for each in index["signatures"]]
    assert added == [("cosign-bundle", False)] * 5 + [("cosign-tag", True)] * 5
    assert len(signatures.bundles(registry, repository, digest)) == 1
    assert len(signatures.attached(registry, repository, digest)) == 2


def test_a_key_made_by_cosign_signs(
    registry: Registry, repository: str, product: Product, cosign: Cosign, cosign2: Cosign
) -> None:
    product.environment["COSIGN_PASSWORD"] = PASSPHRASE
    for number, maker in enumerate((cosign, cosign2)):
        maker("generate-key-pair")
        name = f"{repository}-{number}"
        published = publish(product, registry, name, "both", (maker.home / "cosign.key").read_text())
        assert cosign.verifies(published.reference(), maker.home / "cosign.pub", bundle=True)
        assert cosign.verifies(published.reference(), maker.home / "cosign.pub", bundle=False)
