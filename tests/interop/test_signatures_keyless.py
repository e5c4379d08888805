"""Signatures without keys, ours read by cosign 3 and 2, PyPI's and npm's sigstore, and cosign's by us."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sigstore.errors import VerificationError
from sigstore.models import Bundle, ClientTrustConfig
from sigstore.verify import Verifier, policy

from tests.support import signatures
from tests.support.images import image, push
from tests.support.peers import BundleVerifier, Cosign
from tests.support.product import Product
from tests.support.servers import Registry
from tests.support.signatures import Signed
from tests.support.sigstore import IDENTITY, ISSUER, Sigstore, sigstore, token


@dataclass(frozen=True)
class Claim:
    """That one digest in a repository was signed by somebody.

    trust: the folder of trust_config.json and trusted_root.json
    """

    registry: Registry
    repository: str
    digest: str
    trust: Path
    identity: str = IDENTITY
    issuer: str = ISSUER

    @property
    def reference(self) -> str:
        return f"{self.registry.host}/{self.repository}@{self.digest}"

    @property
    def bundle(self) -> dict[str, Any]:
        (found,) = signatures.bundles(self.registry, self.repository, self.digest)
        return found


@dataclass(frozen=True)
class Judges:
    """Everybody who verifies signatures by identities."""

    product: Product
    cosigns: Mapping[str, Cosign]
    npm: BundleVerifier

    def verdicts(self, claim: Claim) -> dict[str, bool]:
        """Who accepts a claim."""
        told = (claim.identity, claim.issuer)
        found = {
            name: cosign.verifies_identity(claim.reference, *told, claim.trust / "trusted_root.json")
            for name, cosign in self.cosigns.items()
        }
        found["npm"] = self.npm.verifies_identity(claim.bundle, claim.digest, *told, claim.trust / "trusted_root.json")
        found["PyPI, library"] = library(claim)
        found["PyPI, command"] = command(claim, self.product.folder)
        found["ours"] = ours(self.product, claim)
        return found

    def accept(self, claim: Claim) -> None:
        verdicts = self.verdicts(claim)
        assert all(verdicts.values()), verdicts

    def reject(self, claim: Claim) -> None:
        verdicts = self.verdicts(claim)
        assert not any(verdicts.values()), verdicts


def library(claim: Claim) -> bool:
    """The API of PyPI's sigstore. It leaves it to its users to compare the digest."""
    config = ClientTrustConfig.from_json((claim.trust / "trust_config.json").read_text())
    whose = policy.Identity(identity=claim.identity, issuer=claim.issuer)
    try:
        bundle = Bundle.from_json(json.dumps(claim.bundle))
        _, payload = Verifier(trusted_root=config.trusted_root).verify_dsse(bundle, whose)
    except VerificationError:
        return False
    return claim.digest.removeprefix("sha256:").encode() in payload


def command(claim: Claim, folder: Path) -> bool:
    """The command of PyPI's sigstore."""
    file = folder / "bundle.sigstore.json"
    file.write_text(json.dumps(claim.bundle))
    options = ["--bundle", str(file), "--cert-identity", claim.identity, "--cert-oidc-issuer", claim.issuer]
    start = [sys.executable, "-m", "sigstore", "--trust-config", str(claim.trust / "trust_config.json")]
    result = subprocess.run(
        [*start, "verify", "identity", *options, claim.digest], capture_output=True, check=False, timeout=120
    )
    return result.returncode == 0


def ours(product: Product, claim: Claim) -> bool:
    """Our own command, which looks at this digest only."""
    result = product.run("verify", "--recursive", "false", *whose(claim), claim.reference)
    assert result.returncode in (0, 11), result.stderr
    return result.returncode == 0


def whose(claim: Claim) -> Sequence[str | Path]:
    names = ("--certificate-identity", claim.identity, "--certificate-oidc-issuer", claim.issuer)
    return (*names, "--trusted-root", claim.trust / "trusted_root.json")


@pytest.fixture
def judges(product: Product, cosign: Cosign, cosign2: Cosign, bundle_verifier: BundleVerifier) -> Judges:
    return Judges(product, {"cosign 3": cosign, "cosign 2": cosign2}, bundle_verifier)


def spec(registry: Registry, repository: str, sign: str = "{keyless: {trust-config: trust_config.json}}") -> str:
    made = (image(f"linux/{name}") for name in ("amd64", "arm64"))
    sources = "".join(f"- {registry.host}/{repository}@{push(registry, repository, each)}\n" for each in made)
    return f"image: {registry.host}/{repository}:1\nsign: {sign}\nsources:\n{sources}"


def publish(product: Product, registry: Registry, repository: str, services: Sigstore) -> list[Claim]:
    """Push an index of two images that the job's identity signs; what is signed then, the index first."""
    services.write(product.folder)
    product.environment |= services.environment
    (index,) = product.push(spec(registry, repository))["indexes"]
    digests = [index["digest"], *(entry["digest"] for entry in index["entries"])]
    return [Claim(registry, repository, digest, product.folder) for digest in digests]


def test_everybody_accepts_the_index_and_every_instance(
    registry: Registry, repository: str, judges: Judges, fulcio: Sigstore
) -> None:
    claims = publish(judges.product, registry, repository, fulcio)
    assert len(claims) == 3
    for claim in claims:
        judges.accept(claim)
    assert fulcio.requests.count("/api/v2/signingCert") == 1


def flipped(signed: Signed) -> Signed:
    return replace(signed, signature=signed.signature[:-1] + bytes([signed.signature[-1] ^ 1]))


def altered(signed: Signed) -> Signed:
    return replace(signed, payload=signed.payload.replace(b"test/", b"tess/"))


@pytest.mark.parametrize("change", [flipped, altered])
def test_everybody_rejects_what_was_changed(
    change: Callable[[Signed], Signed], registry: Registry, repository: str, judges: Judges, fulcio: Sigstore
) -> None:
    claim = publish(judges.product, registry, repository, fulcio)[0]
    good = claim.bundle
    bad = signatures.with_signed(good, change)
    assert bad != good
    signatures.refer(registry, repository, claim.digest, bad)
    judges.reject(claim)
    signatures.refer(registry, repository, claim.digest, good)
    judges.accept(claim)


def test_everybody_rejects_the_signature_of_another_digest(
    registry: Registry, repository: str, judges: Judges, fulcio: Sigstore
) -> None:
    claim, other, _ = publish(judges.product, registry, repository, fulcio)
    signatures.refer(registry, repository, claim.digest, other.bundle)
    judges.reject(claim)


def test_everybody_rejects_other_identities_issuers_and_authorities(
    registry: Registry, repository: str, judges: Judges, fulcio: Sigstore, tmp_path_factory: pytest.TempPathFactory
) -> None:
    claim = publish(judges.product, registry, repository, fulcio)[0]
    judges.reject(replace(claim, identity=IDENTITY.replace("v1.4.2", "v1.4.3")))
    judges.reject(replace(claim, issuer="https://gitlab.com"))
    with sigstore() as stranger:
        folder = tmp_path_factory.mktemp("stranger")
        stranger.write(folder)
        judges.reject(replace(claim, trust=folder))


def test_we_accept_what_cosign_signed_and_add_nothing_to_it(
    registry: Registry, repository: str, product: Product, cosign: Cosign, fulcio: Sigstore
) -> None:
    fulcio.write(product.folder)
    file = product.folder / "token"
    file.write_text(token())
    text = spec(registry, repository)
    (index,) = product.push(text.replace("sign:", "#"))["indexes"]
    claim = Claim(registry, repository, index["digest"], product.folder)
    cosign.sign_as(claim.reference, file, product.folder)
    result = product.run("verify", *whose(claim), claim.reference)
    assert result.returncode == 0, result.stdout
    assert result.stdout.count(b" good") == 3
    logged = fulcio.requests.count("/api/v1/log/entries")
    product.environment["SIGSTORE_ID_TOKEN"] = token()
    (index,) = product.push(text)["indexes"]
    assert [each["added"] for each in index["signatures"]] == [False] * 3
    assert fulcio.requests.count("/api/v1/log/entries") == logged


def test_an_address_may_be_an_identity_too(
    registry: Registry, repository: str, judges: Judges, fulcio: Sigstore
) -> None:
    product = judges.product
    fulcio.write(product.folder)
    product.environment["MY_TOKEN"] = token("release@acme.example", "https://oauth2.sigstore.dev/auth")
    sign = "{keyless: {trust-config: trust_config.json, token: 'env://MY_TOKEN', recursive: false}}"
    (index,) = product.push(spec(registry, repository, sign))["indexes"]
    assert len(index["signatures"]) == 1
    whom = ("release@acme.example", "https://oauth2.sigstore.dev/auth")
    judges.accept(Claim(registry, repository, index["digest"], product.folder, *whom))


def test_cosign_accepts_the_provenance_and_a_second_run_logs_none(
    registry: Registry, repository: str, product: Product, cosign: Cosign, fulcio: Sigstore
) -> None:
    fulcio.write(product.folder)
    product.environment |= fulcio.environment
    text = f"provenance: true\n{spec(registry, repository)}"
    (index,) = product.push(text)["indexes"]
    assert [each["added"] for each in index["signatures"] if each["kind"] == "provenance"] == [True]
    whose = ("--certificate-identity", IDENTITY, "--certificate-oidc-issuer", ISSUER)
    options = ("--trusted-root", product.folder / "trusted_root.json", "--allow-http-registry", *whose)
    for kind, accepted in (("slsaprovenance1", True), ("slsaprovenance02", False)):
        result = cosign.run("verify-attestation", "--type", kind, *options, f"{registry.host}/{repository}:1")
        assert (result.returncode == 0) is accepted, result.stderr
    logged = fulcio.requests.count("/api/v1/log/entries")
    assert product.push(text)["changed"] is False
    assert fulcio.requests.count("/api/v1/log/entries") == logged
