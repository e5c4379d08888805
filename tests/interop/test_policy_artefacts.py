"""The signatures that other programs make let their images in: GPG by skopeo and podman, sigstore by cosign."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.gpg import Gpg, gpg
from tests.support.images import image, index, push
from tests.support.peers import Cosign, Peer, Podman
from tests.support.product import Product
from tests.support.servers import Registry

IMAGES = [image("linux/amd64"), image("linux/arm64")]
SIGNER = "alice@test.invalid"
ANY_TAG = {"signedIdentity": {"type": "matchRepository"}}
NONE = "a signature is required, and there is none"

Refusal = Callable[..., str]


@pytest.fixture
def refusal(product: Product, registry: Registry, repository: str) -> Refusal:
    """Take in an image under a policy of one requirement; gives why not, empty when it is let in."""

    def take(reference: str, **requirement: object) -> str:
        (product.folder / "policy.json").write_text(json.dumps({"default": [requirement]}))
        product.spec(f"image: {registry.host}/{repository}/out:1\nsources: ['{reference}']\n")
        result = product.run("push", "--json", "--policy", "policy.json", "spec.yml")
        if result.returncode == 0:
            return ""
        assert result.returncode == 12, result.stderr
        return str(json.loads(result.stdout)["error"]["findings"][0]["why"])

    return take


def put_keys(peer: Peer, product: Product) -> Iterator[Gpg]:
    """A key in the peer's home, its public half with us, and a lookaside that the peer writes and we read."""
    place = f"default-docker:\n  lookaside: file://{product.folder}/sigs\n  lookaside-staging: file://{product.folder}/sigs\n"
    for folder in (peer.home / ".config/containers/registries.d", product.folder / "registries.d"):
        folder.mkdir(parents=True)
        (folder / "here.yaml").write_text(place)
    with gpg(peer.home / ".gnupg") as signer:
        (product.folder / "key.gpg").write_bytes(signer.make_key(SIGNER))
        yield signer


@pytest.fixture
def skopeo_keys(skopeo: Peer, product: Product) -> Iterator[Gpg]:
    yield from put_keys(skopeo, product)


@pytest.fixture
def podman_keys(podman: Podman, product: Product) -> Iterator[Gpg]:
    yield from put_keys(podman, product)


def gpg_requirement(**members: object) -> dict[str, object]:
    return {"type": "signedBy", "keyType": "GPGKeys", "keyPath": "key.gpg", **members}


def check_gpg(refusal: Refusal, where: str, product: Product) -> None:
    """What was signed as `where:1` is let in under that name only, by that key only, and only while it is whole."""
    assert refusal(f"{where}:1", **gpg_requirement()) == ""
    assert "does not accept" in refusal(f"{where}:2", **gpg_requirement())
    assert refusal(f"{where}:2", **gpg_requirement(**ANY_TAG)) == ""
    with gpg() as other:
        (product.folder / "other.gpg").write_bytes(other.make_key("mallory@test.invalid"))
    assert "by another key" in refusal(f"{where}:1", **gpg_requirement(keyPath="other.gpg"))
    (changed,) = (product.folder / "sigs").glob(f"**/*{IMAGES[1].digest.partition(':')[2]}/signature-1")
    changed.write_bytes(changed.read_bytes()[: changed.stat().st_size // 2])
    assert refusal(f"{where}:1", **gpg_requirement())


@pytest.mark.usefixtures("skopeo_keys")
def test_what_skopeo_signs_with_gpg(
    skopeo: Peer, product: Product, registry: Registry, repository: str, refusal: Refusal
) -> None:
    push(registry, f"{repository}/a", index(IMAGES), "1")
    target = f"{registry.host}/{repository}/b"
    options = ("--insecure-policy", "copy", "--all", "--src-tls-verify=false", "--dest-tls-verify=false")
    skopeo(*options, "--sign-by", SIGNER, f"docker://{registry.host}/{repository}/a:1", f"docker://{target}:1")
    push(registry, f"{repository}/b", index(IMAGES), "2")
    check_gpg(refusal, target, product)


@pytest.mark.usefixtures("podman_keys")
def test_what_podman_signs_with_gpg(
    podman: Podman, product: Product, registry: Registry, repository: str, refusal: Refusal
) -> None:
    push(registry, f"{repository}/a", index(IMAGES), "1")
    (podman.home / "accept.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    target = f"{registry.host}/{repository}/b"
    podman("manifest", "create", "list")
    podman("manifest", "add", "--all", "--tls-verify=false", "list", f"docker://{registry.host}/{repository}/a:1")
    podman("manifest", "push", "--all", "--tls-verify=false", "--sign-by", SIGNER, "list", f"docker://{target}:1")
    push(registry, f"{repository}/b", index(IMAGES), "2")
    check_gpg(refusal, target, product)


@pytest.fixture
def cosign_key(product: Product, cosign2: Cosign) -> Path:
    """A pair of keys whose private half only its passphrase opens."""
    product.environment["COSIGN_PASSWORD"] = cosign2.passphrase
    assert product.run("keygen").returncode == 0
    return product.folder / "cosign.key"


def test_what_cosign_signs_by_tag(
    cosign2: Cosign, cosign_key: Path, product: Product, registry: Registry, repository: str, refusal: Refusal
) -> None:
    where = f"{registry.host}/{repository}/a"
    digest = push(registry, f"{repository}/a", index(IMAGES), "1")
    cosign2.sign(f"{where}@{digest}", cosign_key, bundle=False)
    requirement = {"type": "sigstoreSigned", "keyPath": "cosign.pub"}
    assert refusal(f"{where}:1", **requirement, **ANY_TAG) == ""
    why = refusal(f"{where}:1", **requirement)
    assert f"a good signature is for {where}, which matchRepoDigestOrExact does not accept" in why
    assert product.run("keygen", "--output-key-prefix", "other").returncode == 0
    assert "by another key" in refusal(f"{where}:1", type="sigstoreSigned", keyPath="other.pub", **ANY_TAG)


def test_bundles_are_no_signatures_to_a_policy(
    cosign: Cosign, cosign_key: Path, registry: Registry, repository: str, refusal: Refusal
) -> None:
    """As to Podman and everybody else who reads these policies."""
    where = f"{registry.host}/{repository}/a"
    digest = push(registry, f"{repository}/a", index(IMAGES), "1")
    cosign.sign(f"{where}@{digest}", cosign_key, bundle=True)
    assert refusal(f"{where}:1", type="sigstoreSigned", keyPath="cosign.pub", **ANY_TAG).endswith(NONE)
