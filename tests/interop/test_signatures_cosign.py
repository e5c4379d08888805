"""Signatures by key pair, ours read by cosign 3 and 2, npm's sigstore, skopeo's library and openssl, theirs by us."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.support import signatures
from tests.support.images import buildx_index, image, push
from tests.support.keys import PASSPHRASE, key_pair
from tests.support.peers import BundleVerifier, Cosign, ImageCopy, Peer, find_peer
from tests.support.product import Product
from tests.support.servers import Registry
from tests.support.signatures import Published, Signed

IMAGES = [image("linux/amd64"), image("linux/arm64")]
FORMATS = ["bundle", "tag"]


def publish(product: Product, registry: Registry, repository: str, form: str, key: str = "") -> Published:
    """Push an index of two images with buildx attestations under two tags, signed in one form or both."""
    digest = push(registry, repository, buildx_index(IMAGES))
    product.environment["COSIGN_PRIVATE_KEY"] = key or key_pair().private
    spec = f"image: {registry.host}/{repository}:1\ntags: [latest]\nsign: {{cosign: {{format: {form}}}}}\n"
    report = product.push(f"{spec}sources:\n- {registry.host}/{repository}@{digest}\n")
    (index,) = report["indexes"]
    return Published(registry, repository, index["digest"], [entry["digest"] for entry in index["entries"]])


@dataclass(frozen=True)
class Judges:
    """Everybody who verifies signatures by keys."""

    product: Product
    cosigns: dict[str, Cosign]
    npm: BundleVerifier
    imagecopy: ImageCopy
    openssl: Peer

    def verdicts(self, published: Published, digest: str, key: Path, form: str) -> dict[str, bool]:
        """Who accepts the signature of one digest."""
        reference = published.reference(digest)
        found = {name: each.verifies(reference, key, bundle=form == "bundle") for name, each in self.cosigns.items()}
        if form == "bundle":
            (bundle,) = signatures.bundles(published.registry, published.repository, digest)
            found["npm"] = self.npm.verifies(bundle, digest, key)
        else:
            good = signatures.attached(published.registry, published.repository, digest)
            found["openssl"] = all(self._verified(signed, digest, key) for signed in good)
            # The rules of Podman and skopeo are about instances; they never look at an index's own signature.
            if digest != published.digest:
                found["containers/image"] = self.imagecopy.allows(reference, signed_by(key))
        found["ours"] = ours(self.product, reference, key, form)
        return found

    def _verified(self, signed: Signed, digest: str, key: Path) -> bool:
        payload, signature = self.product.folder / "payload", self.product.folder / "signature"
        payload.write_bytes(signed.payload)
        signature.write_bytes(signed.signature)
        result = self.openssl.run("dgst", "-sha256", "-verify", key, "-signature", signature, payload)
        image = json.loads(signed.payload)["critical"]["image"]
        return result.returncode == 0 and image["docker-manifest-digest"] == digest

    def accept(self, published: Published, digest: str, key: Path, form: str) -> None:
        verdicts = self.verdicts(published, digest, key, form)
        assert all(verdicts.values()), verdicts

    def reject(self, published: Published, digest: str, key: Path, form: str) -> None:
        verdicts = self.verdicts(published, digest, key, form)
        assert not any(verdicts.values()), verdicts


def ours(product: Product, reference: str, key: Path, form: str) -> bool:
    """Whether our own command accepts one digest."""
    result = product.run("verify", "--recursive", "false", "--key", key, "--format", form, reference)
    assert result.returncode in (0, 11), result.stderr
    return result.returncode == 0


def signed_by(key: Path, **more: object) -> dict[str, object]:
    return {"default": [{"type": "sigstoreSigned", "keyPath": str(key), **more}]}


@pytest.fixture
def judges(
    product: Product, cosign: Cosign, cosign2: Cosign, bundle_verifier: BundleVerifier, imagecopy: ImageCopy
) -> Judges:
    openssl = find_peer("openssl", product.folder)
    return Judges(product, {"cosign 3": cosign, "cosign 2": cosign2}, bundle_verifier, imagecopy, openssl)


@pytest.mark.parametrize("server", ["registry", "registry_v3"])
@pytest.mark.parametrize("form", FORMATS)
def test_everybody_accepts_the_index_and_every_instance(
    server: str, form: str, request: pytest.FixtureRequest, repository: str, judges: Judges
) -> None:
    published = publish(judges.product, request.getfixturevalue(server), repository, form)
    key = key_pair().write_public(judges.product.folder)
    assert len(published.digests) == 5
    for digest in published.digests[:3]:
        judges.accept(published, digest, key, form)
    assert judges.product.run("verify", "--key", key, "--format", form, published.reference()).returncode == 0
    if form == "tag":
        assert judges.imagecopy.allows(f"{published.registry.host}/{repository}:1", signed_by(key))


def test_cosign_3_finds_either_form_when_both_are_there(
    registry: Registry, repository: str, product: Product, cosign: Cosign
) -> None:
    published = publish(product, registry, repository, "both")
    key = key_pair().write_public(product.folder)
    for digest in published.digests:
        assert cosign.verifies(published.reference(digest), key, bundle=True)
        assert cosign.verifies(published.reference(digest), key, bundle=False)
    assert ours(product, published.reference(), key, "both")


def flipped(signed: Signed) -> Signed:
    return replace(signed, signature=signed.signature[:-1] + bytes([signed.signature[-1] ^ 1]))


def altered(signed: Signed) -> Signed:
    return replace(signed, payload=signed.payload.replace(b"test/", b"tess/"))


def truncated(signed: Signed) -> Signed:
    return replace(signed, signature=signed.signature[:-1])


@pytest.mark.parametrize("change", [flipped, altered, truncated])
@pytest.mark.parametrize("form", FORMATS)
def test_everybody_rejects_what_was_changed(
    change: Callable[[Signed], Signed], form: str, registry: Registry, repository: str, judges: Judges
) -> None:
    published = publish(judges.product, registry, repository, form)
    key = key_pair().write_public(judges.product.folder)
    # An instance, since that is what everybody looks at.
    digest = published.instances[0]
    if form == "bundle":
        (good,) = signatures.bundles(registry, repository, digest)
        bad = signatures.with_signed(good, change)
        assert bad != good
        signatures.refer(registry, repository, digest, bad)
        judges.reject(published, digest, key, form)
        signatures.refer(registry, repository, digest, good)
    else:
        kept = signatures.attached(registry, repository, digest)[0]
        assert change(kept) != kept
        signatures.attach(registry, repository, digest, change(kept))
        judges.reject(published, digest, key, form)
        signatures.attach(registry, repository, digest, kept)
    judges.accept(published, digest, key, form)


@pytest.mark.parametrize("form", FORMATS)
def test_everybody_rejects_the_signature_of_another_digest(
    form: str, registry: Registry, repository: str, judges: Judges
) -> None:
    published = publish(judges.product, registry, repository, form)
    key = key_pair().write_public(judges.product.folder)
    digest, other = published.instances[:2]
    if form == "bundle":
        (bundle,) = signatures.bundles(registry, repository, other)
        signatures.refer(registry, repository, digest, bundle)
    else:
        good = signatures.attached(registry, repository, other)[0]
        signatures.attach(registry, repository, digest, good)
    judges.reject(published, digest, key, form)


@pytest.mark.parametrize("form", FORMATS)
def test_everybody_rejects_another_key(form: str, registry: Registry, repository: str, judges: Judges) -> None:
    published = publish(judges.product, registry, repository, form)
    key = key_pair("other").write_public(judges.product.folder)
    judges.reject(published, published.instances[0], key, form)


def test_containers_image_rejects_names_that_were_not_signed(
    registry: Registry, repository: str, product: Product, imagecopy: ImageCopy
) -> None:
    published = publish(product, registry, repository, "tag")
    key = key_pair().write_public(product.folder)
    push(registry, repository, buildx_index(IMAGES), "unsigned")
    name = f"{registry.host}/{repository}"
    exact = {"signedIdentity": {"type": "matchExact"}}
    elsewhere = {"signedIdentity": {"type": "exactRepository", "dockerRepository": f"{name}-other"}}
    assert imagecopy.allows(f"{name}:latest", signed_by(key))
    assert imagecopy.allows(f"{name}:latest", signed_by(key, **exact))
    assert not imagecopy.allows(f"{name}:unsigned", signed_by(key))
    assert not imagecopy.allows(published.reference(), signed_by(key, **exact))
    assert not imagecopy.allows(f"{name}:latest", signed_by(key, **elsewhere))


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
