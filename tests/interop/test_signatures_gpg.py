"""GPG signatures in a lookaside: ours read by skopeo, podman and gpgv, and theirs by us."""

import json
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.gpg import Gpg, gpg, payload, store, stored
from tests.support.images import buildx_index, image, push
from tests.support.peers import Peer, Podman, find_peer
from tests.support.product import Product
from tests.support.servers import Registry

IMAGES = [image("linux/amd64"), image("linux/arm64")]
PASSPHRASE = "canary gpg passphrase 61c2"
ALICE, BOB = "alice <alice@example.com>", "bob <bob@example.com>"


@dataclass(frozen=True)
class Keys:
    """gpg with two keys, and the files of their public halves; alice's has a passphrase."""

    gpg: Gpg
    folder: Path

    def public(self, name: str = ALICE) -> Path:
        return self.folder / f"{name[:3]}.gpg"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keys]:
    with gpg() as program:
        made = Keys(program, tmp_path_factory.mktemp("keys"))
        made.public(ALICE).write_bytes(program.make_key(ALICE, passphrase=PASSPHRASE))
        made.public(BOB).write_bytes(program.make_key(BOB))
        yield made


@dataclass(frozen=True)
class Published:
    """A signed index: where it is and its signatures, its digest, and those of what it lists."""

    registry: Registry
    repository: str
    lookaside: Path
    digest: str
    instances: Sequence[str]

    @property
    def digests(self) -> list[str]:
        return [self.digest, *self.instances]

    def reference(self, end: str = ":1") -> str:
        return f"{self.registry.host}/{self.repository}{end}"


@pytest.fixture
def published(registry: Registry, repository: str, product: Product, keys: Keys) -> Published:
    """An index of two images with buildx attestations under two tags, signed by alice."""
    product.environment |= {"GPG_PRIVATE_KEY": keys.gpg.private(ALICE, PASSPHRASE), "GPG_PASSPHRASE": PASSPHRASE}
    digest = push(registry, repository, buildx_index(IMAGES))
    lookaside = product.folder / "signatures"
    (index,) = product.push(
        f"image: {registry.host}/{repository}:1\ntags: [latest]\nverify: true\n"
        f"sign: {{gpg: {{lookaside: '{lookaside.as_uri()}'}}}}\n"
        f"sources:\n- {registry.host}/{repository}@{digest}\n"
    )["indexes"]
    return Published(registry, repository, lookaside, index["digest"], [each["digest"] for each in index["entries"]])


class Readers:
    """Everybody who reads simple signatures, each trusting the keys of one file."""

    def __init__(self, skopeo: Peer, podman: Podman, product: Product) -> None:
        self.skopeo = skopeo
        self.podman = podman
        self.gpgv = find_peer("gpgv", product.folder)
        self.product = product

    def verdicts(self, published: Published, key: Path, end: str = ":1") -> dict[str, bool]:
        """Whether each accepts an image, or for gpgv and us the index, under a name that ends in a tag or a digest."""
        policy = self._policy(published, key)
        reference = published.reference(end)
        out = self.product.folder / f"out-{os.urandom(4).hex()}"
        copied = self.skopeo.run(
            "--policy", policy, "--registries.d", self._places(published, self.product.folder / "registries.d"),
            "copy", "-q", "--src-tls-verify=false", f"docker://{reference}", f"dir:{out}",
        )  # fmt: skip
        self._places(published, self.podman.home / ".config/containers/registries.d")
        pulled = self.podman.run("pull", "-q", "--signature-policy", policy, "--tls-verify=false", reference)
        refused = b"ignature" in copied.stderr and b"ignature" in pulled.stderr
        assert refused or copied.returncode == pulled.returncode == 0, (copied.stderr, pulled.stderr)
        digest = end[1:] if end.startswith("@") else published.digest
        return {
            "skopeo": copied.returncode == 0,
            "podman": pulled.returncode == 0,
            "gpgv": self._gpgv(published, key, digest),
            "ours": self.ours(published, key, end),
        }

    def all_copied(self, published: Published, key: Path) -> bool:
        """Whether skopeo copies the index with everything that it lists."""
        out = self.product.folder / "all"
        places = self._places(published, self.product.folder / "registries.d")
        command = ("--policy", self._policy(published, key), "--registries.d", places, "copy", "-q", "--all")
        source = f"docker://{published.reference()}"
        return self.skopeo.run(*command, "--src-tls-verify=false", source, f"dir:{out}").returncode == 0

    def ours(self, published: Published, key: Path, end: str = ":1") -> bool:
        places = ("--keyring", key, "--lookaside", published.lookaside.as_uri())
        result = self.product.run("verify", *places, published.reference(end))
        assert result.returncode in (0, 11), result.stderr
        return result.returncode == 0

    def _gpgv(self, published: Published, key: Path, digest: str) -> bool:
        """Whether every signature over a digest is good, and its payload is about it."""
        signature, text = self.product.folder / "signature", self.product.folder / "text"
        good = []
        for content in stored(published.lookaside, published.repository, digest):
            signature.write_bytes(content)
            text.unlink(missing_ok=True)
            code = self.gpgv.run("--keyring", key, "--output", text, signature).returncode
            good.append(code == 0 and digest.encode() in text.read_bytes())
        return all(good)

    def _policy(self, published: Published, key: Path) -> Path:
        rule = [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": str(key)}]
        policy = {"default": [{"type": "reject"}], "transports": {"docker": {published.registry.host: rule}}}
        file = self.product.folder / "policy.json"
        file.write_text(json.dumps(policy))
        return file

    def _places(self, published: Published, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"default-docker": {"lookaside": published.lookaside.as_uri()}})
        (folder / "place.yaml").write_text(text)
        return folder


@pytest.fixture
def readers(skopeo: Peer, podman: Podman, product: Product) -> Readers:
    return Readers(skopeo, podman, product)


ALL_GOOD = {"skopeo": True, "podman": True, "gpgv": True, "ours": True}
ALL_BAD = dict.fromkeys(ALL_GOOD, False)


def test_everybody_accepts_the_index_and_every_instance(published: Published, readers: Readers, keys: Keys) -> None:
    assert len(published.digests) == 5
    for end in (":1", ":latest", f"@{published.digest}", f"@{published.instances[0]}"):
        assert readers.verdicts(published, keys.public(), end) == ALL_GOOD, end
    assert readers.all_copied(published, keys.public())
    for digest in published.digests:
        assert len(stored(published.lookaside, published.repository, digest)) == 2


def test_everybody_rejects_another_key(published: Published, readers: Readers, keys: Keys) -> None:
    assert readers.verdicts(published, keys.public(BOB)) == ALL_BAD
    assert not readers.all_copied(published, keys.public(BOB))


Change = Callable[[bytes], bytes]


def flipped(signature: bytes) -> bytes:
    """A bit of the signature itself, which is at the end of the message."""
    message = unpacked(signature)
    return message[:-3] + bytes([message[-3] ^ 1]) + message[-2:]


def altered(signature: bytes) -> bytes:
    return unpacked(signature).replace(b"test/", b"tess/")


def unpacked(signature: bytes) -> bytes:
    """The packets of a message without their compression (RFC 4880, section 5.6)."""
    assert signature[:2] == b"\xa3\x01"
    return zlib.decompressobj(-15).decompress(signature[2:])


@pytest.mark.parametrize("change", [flipped, altered])
def test_everybody_rejects_what_was_changed(change: Change, published: Published, readers: Readers, keys: Keys) -> None:
    for digest in published.digests:
        signatures = stored(published.lookaside, published.repository, digest)
        bad = {number: change(signature) for number, signature in enumerate(signatures, 1)}
        assert set(bad.values()).isdisjoint(map(unpacked, signatures))
        store(published.lookaside, published.repository, digest, bad)
    assert readers.verdicts(published, keys.public()) == ALL_BAD


def test_a_message_without_its_compression_is_as_good(published: Published, readers: Readers, keys: Keys) -> None:
    """What the test above changes is accepted when it is left as it is."""
    for digest in published.digests:
        signatures = stored(published.lookaside, published.repository, digest)
        store(
            published.lookaside,
            published.repository,
            digest,
            {number: unpacked(signature) for number, signature in enumerate(signatures, 1)},
        )
    assert readers.verdicts(published, keys.public()) == ALL_GOOD


def test_everybody_rejects_the_signature_of_another_digest(published: Published, readers: Readers, keys: Keys) -> None:
    index, first, second, *_ = published.digests
    place = (published.lookaside, published.repository)
    kept = {digest: stored(*place, digest) for digest in (index, first, second)}
    for digest, other in ((index, first), (first, second), (second, index)):
        store(*place, digest, dict(enumerate(kept[other], 1)))
    assert readers.verdicts(published, keys.public()) == ALL_BAD


def test_readers_of_names_reject_another_name(published: Published, readers: Readers, keys: Keys) -> None:
    """gpgv knows nothing of names; our own command wants the repository."""
    far = f"{published.registry.host}/test/elsewhere:1"
    for digest in published.digests:
        signed = keys.gpg.sign(BOB, payload(far, digest))
        store(published.lookaside, published.repository, digest, {1: signed, 2: signed})
    verdicts = readers.verdicts(published, keys.public(BOB))
    assert verdicts == {"skopeo": False, "podman": False, "gpgv": True, "ours": False}


def test_a_tag_that_was_not_signed_for_is_rejected_by_tag_and_accepted_by_digest(
    published: Published, readers: Readers, keys: Keys, product: Product
) -> None:
    product.push(
        f"image: {published.reference(':other')}\nsources: ['{published.reference(f'@{published.digest}')}']\n"
    )
    assert readers.verdicts(published, keys.public(), ":other") == {**ALL_GOOD, "skopeo": False, "podman": False}
    assert readers.verdicts(published, keys.public(), f"@{published.digest}") == ALL_GOOD


def test_we_accept_what_podman_signed_and_add_only_what_is_missing(
    registry: Registry, repository: str, product: Product, podman: Podman, keys: Keys
) -> None:
    """podman signs with bob's key, out of a keyring in its home; ours recognises the names that are there."""
    digest = push(registry, repository, buildx_index(IMAGES, attestations=False))
    source, target = f"{registry.host}/{repository}@{digest}", f"{registry.host}/{repository}-signed"
    lookaside = product.folder / "signatures"
    places = podman.home / ".config/containers/registries.d"
    places.mkdir(parents=True)
    (places / "place.yaml").write_text(json.dumps({"default-docker": {"lookaside": lookaside.as_uri()}}))
    (podman.home / ".config/containers/policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    with gpg(podman.home / ".gnupg") as ring:
        ring("--import", given=keys.gpg.private(BOB).encode())
        podman("manifest", "create", "list")
        podman("manifest", "add", "--all", "--tls-verify=false", "list", f"docker://{source}")
        options = ("--all", "--tls-verify=false", "--sign-by", keys.gpg.fingerprint(BOB))
        podman("manifest", "push", *options, "list", f"docker://{target}:1")
    trust = ("--keyring", keys.public(BOB), "--lookaside", lookaside.as_uri())
    result = product.run("verify", *trust, f"{target}:1")
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count(b" good") == 3
    product.environment["GPG_PRIVATE_KEY"] = keys.gpg.private(BOB)
    spec = f"image: {target}:2\nsources: ['{target}:1']\nsign: {{gpg: {{lookaside: '{lookaside.as_uri()}'}}}}\n"
    assert [each["added"] for each in product.push(spec)["indexes"][0]["signatures"]] == [True] * 3
    assert [each["added"] for each in product.push(spec)["indexes"][0]["signatures"]] == [False] * 3
