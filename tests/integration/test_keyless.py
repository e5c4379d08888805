"""Signing without a key against services on loopback: what is asked of them, and what happens when they refuse."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import signatures
from tests.support.images import image, push
from tests.support.product import Product
from tests.support.servers import Registry
from tests.support.sigstore import IDENTITY, ISSUER, REQUEST_TOKEN, Sigstore, token

CERTIFICATES = "/api/v2/signingCert"
ENTRIES = "/api/v1/log/entries"
REFUSAL = json.dumps({"code": 3, "message": "there was an error processing the identity token"}).encode()


def spec(registry: Registry, repository: str, options: str = "", tag: str = "1") -> str:
    made = (image(f"linux/{name}") for name in ("amd64", "arm64"))
    sources = "".join(f"- {registry.host}/{repository}@{push(registry, repository, each)}\n" for each in made)
    sign = f"{{keyless: {{trust-config: trust_config.json{options}}}}}"
    return f"image: {registry.host}/{repository}:{tag}\nsign: {sign}\nsources:\n{sources}"


@pytest.fixture
def signing(product: Product, fulcio: Sigstore) -> Product:
    """The program in a job on GitHub that may have an identity."""
    fulcio.write(product.folder)
    product.environment |= fulcio.environment
    return product


def test_one_certificate_serves_the_index_and_its_instances_and_is_verified(
    registry: Registry, repository: str, signing: Product, fulcio: Sigstore
) -> None:
    report = signing.push(f"verify: true\n{spec(registry, repository)}")
    assert {each["kind"] for each in report["indexes"][0]["signatures"]} == {"keyless"}
    assert fulcio.requests == ["/oidc", CERTIFICATES, *[ENTRIES] * 3]


def test_a_second_run_recognises_its_signatures_and_logs_nothing(
    registry: Registry, repository: str, signing: Product, fulcio: Sigstore
) -> None:
    signing.push(spec(registry, repository))
    before = {tag: registry.manifest_bytes(repository, tag) for tag in registry.tags(repository)}
    fulcio.requests.clear()
    report = signing.push(spec(registry, repository))
    assert report["changed"] is False
    assert {each["added"] for each in report["indexes"][0]["signatures"]} == {False}
    assert fulcio.requests == ["/oidc", CERTIFICATES]
    assert {tag: registry.manifest_bytes(repository, tag) for tag in registry.tags(repository)} == before


def test_another_identity_adds_its_own(registry: Registry, repository: str, signing: Product, fulcio: Sigstore) -> None:
    signing.push(spec(registry, repository))
    signing.environment["SIGSTORE_ID_TOKEN"] = token(IDENTITY.replace("v1.4.2", "v1.4.3"))
    report = signing.push(spec(registry, repository))
    assert {each["added"] for each in report["indexes"][0]["signatures"]} == {True}
    digest = report["indexes"][0]["digest"]
    assert len(signatures.bundles(registry, repository, digest)) == 2
    for identity in (IDENTITY, IDENTITY.replace("v1.4.2", "v1.4.3")):
        names = ("--certificate-identity", identity, "--certificate-oidc-issuer", ISSUER)
        result = signing.run("verify", *names, "--trusted-root", "trusted_root.json", f"{registry.host}/{repository}:1")
        assert result.returncode == 0, result.stdout


def test_keys_and_identities_sign_side_by_side(
    registry: Registry, repository: str, signing: Product, fulcio: Sigstore
) -> None:
    signing.environment["COSIGN_PASSWORD"] = ""
    assert signing.run("keygen").returncode == 0
    text = spec(registry, repository).replace("sign: {", "sign: {cosign: {key: cosign.key, format: bundle}, ")
    for added in (True, False):
        report = signing.push(f"verify: true\n{text}")
        kinds = [(each["kind"], each["added"]) for each in report["indexes"][0]["signatures"]]
        assert sorted(kinds) == [("cosign-bundle", added)] * 3 + [("keyless", added)] * 3
    names = ("--certificate-identity", IDENTITY, "--certificate-oidc-issuer", ISSUER)
    trust = ("--trusted-root", "trusted_root.json", "--key", "cosign.pub", "--format", "bundle")
    result = signing.run("verify", "--json", *names, *trust, f"{registry.host}/{repository}:1")
    assert result.returncode == 0, result.stdout
    assert [each["kind"] for each in json.loads(result.stdout)["checks"]] == ["cosign-bundle", "keyless"] * 3


def test_a_certificate_that_is_about_to_end_is_replaced(
    registry: Registry, repository: str, signing: Product, fulcio: Sigstore
) -> None:
    fulcio.lifetime = 30
    signing.push(spec(registry, repository))
    assert fulcio.requests.count(CERTIFICATES) == fulcio.requests.count(ENTRIES) == 3


@pytest.mark.parametrize("path", [CERTIFICATES, ENTRIES])
def test_a_service_that_is_busy_is_asked_again(
    path: str, registry: Registry, repository: str, signing: Product, fulcio: Sigstore
) -> None:
    fulcio.failures[path] = [(503, b"busy"), (429, b"{}")]
    signing.push(spec(registry, repository))
    assert not fulcio.failures[path]


FAULTS = {
    "Fulcio refuses": (
        {CERTIFICATES: [(400, REFUSAL)]},
        ["Fulcio, which certifies identities, refused with HTTP 400", "error processing the identity token", "issuer"],
    ),
    "Fulcio stays busy": ({CERTIFICATES: [(503, b"<html>")] * 3}, ["Fulcio", "HTTP 503"]),
    "Fulcio answers nonsense": ({CERTIFICATES: [(200, b"{}")]}, ["Fulcio", "no answer that can be used"]),
    "Rekor refuses": ({ENTRIES: [(400, REFUSAL)] * 3}, ["Rekor, the transparency log, refused with HTTP 400"]),
    "Rekor answers nonsense": ({ENTRIES: [(201, b"[]")] * 3}, ["Rekor", "no answer that can be used"]),
    "GitHub refuses": ({"/oidc": [(403, b"canary-body")]}, ["no identity token", "code=403", "id-token: write"]),
    "GitHub answers nonsense": ({"/oidc": [(200, b'{"value": 1}')]}, ["no identity token", "id-token: write"]),
    "GitHub's token is none": (
        {"/oidc": [(200, b'{"value": "canary-body"}')]},
        ["no identity token", "Malformed token"],
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_refusal_is_told_and_leaves_every_tag_and_shows_no_secret(
    name: str, registry: Registry, repository: str, signing: Product, fulcio: Sigstore
) -> None:
    failures, said = FAULTS[name]
    fulcio.failures |= {path: list(answers) for path, answers in failures.items()}
    signing.environment["MANIFEST_ACTION_DEBUG"] = "1"
    result = signing.run("push", "--json", signing.spec(spec(registry, repository)))
    assert result.returncode == 11, result.stderr
    shown = (result.stdout + result.stderr).decode()
    assert not [text for text in said if text not in shown], shown
    assert "1" not in registry.tags(repository)
    assert not leaked(shown, signing.folder)


def leaked(shown: str, folder: Path) -> list[str]:
    """Which secrets can be seen in an output, or in files that a run has left behind."""
    texts = [shown, *(file.read_text(errors="replace") for file in folder.rglob("*") if file.is_file())]
    # Every token begins with the same header, so that its beginning gives any of them away.
    secrets = (REQUEST_TOKEN, "canary-body", token().partition(".")[0])
    return [secret for secret in secrets if any(secret in text for text in texts)]


def test_no_secret_is_left_anywhere_after_a_success(
    registry: Registry, repository: str, signing: Product, fulcio: Sigstore
) -> None:
    signing.environment["MANIFEST_ACTION_DEBUG"] = "1"
    result = signing.run("push", "--json", signing.spec(spec(registry, repository)))
    assert result.returncode == 0
    assert not leaked((result.stdout + result.stderr).decode(), signing.folder)


def test_a_signature_that_its_own_configuration_does_not_trust_is_not_stored(
    registry: Registry, repository: str, signing: Product, fulcio: Sigstore
) -> None:
    config = json.loads((signing.folder / "trust_config.json").read_text())
    config["trustedRoot"]["tlogs"] = config["trustedRoot"]["ctlogs"]
    (signing.folder / "trust_config.json").write_text(json.dumps(config))
    report = signing.push(spec(registry, repository), code=11)
    assert "cannot be verified" in report["error"]["findings"][0]["what"]
    assert "1" not in registry.tags(repository)
    assert report["indexes"][0]["signatures"] == []


def test_what_the_library_logs_is_not_shown(
    registry: Registry, repository: str, signing: Product, fulcio: Sigstore
) -> None:
    """It warns of keys that it does not know, of which a newer trusted root may have some."""
    config = json.loads((signing.folder / "trust_config.json").read_text())
    unknown = config["trustedRoot"]["tlogs"][0]["publicKey"] | {"keyDetails": "PKIX_ED25519_PH"}
    config["trustedRoot"]["tlogs"].append(config["trustedRoot"]["tlogs"][0] | {"publicKey": unknown})
    (signing.folder / "trust_config.json").write_text(json.dumps(config))
    result = signing.run("push", signing.spec(spec(registry, repository)))
    assert result.returncode == 0
    assert b"unsupported" not in result.stderr
    assert b"Failed" not in result.stderr


NO_IDENTITY = {
    "GitHub without permission": ({"GITHUB_ACTIONS": "true"}, "", ["may not ask", "permissions: id-token: write"]),
    "GitLab without token": ({"GITLAB_CI": "true"}, "", ["SIGSTORE_ID_TOKEN is not set", "id_tokens"]),
    "no CI": ({}, "", ["there is no identity to sign with", "sign: cosign"]),
    "token not set": ({}, ", token: 'env://MINE'", ["the variable MINE is not set"]),
    "token for others": (
        {"SIGSTORE_ID_TOKEN": token(audience="others")},
        "",
        ["not acceptable", "audience 'sigstore'", "env://SIGSTORE_ID_TOKEN"],
    ),
    "token expired": ({"SIGSTORE_ID_TOKEN": token(lifetime=-100)}, "", ["not acceptable", "Signature has expired"]),
    "no token at all": ({"SIGSTORE_ID_TOKEN": "canary-body"}, "", ["not acceptable"]),
}


@pytest.mark.parametrize("name", NO_IDENTITY)
def test_without_an_identity_nothing_begins(
    name: str, registry: Registry, repository: str, product: Product, fulcio: Sigstore
) -> None:
    environment, options, said = NO_IDENTITY[name]
    fulcio.write(product.folder)
    product.environment |= environment
    result = product.run("push", product.spec(spec(registry, repository, options)))
    assert result.returncode == 11
    shown = result.stderr.decode()
    assert not [text for text in (*said, "spec.yml:2:17") if text not in shown], shown
    assert registry.tags(repository) == fulcio.requests == []
    assert not leaked(shown, product.folder)


def test_a_token_for_another_audience_is_taken_when_that_is_asked_for(
    registry: Registry, repository: str, product: Product, fulcio: Sigstore
) -> None:
    fulcio.write(product.folder)
    (product.folder / "token").write_text(f"{token(audience='acme')}\n")
    report = product.push(spec(registry, repository, ", token: token, audience: acme"))
    assert {each["added"] for each in report["indexes"][0]["signatures"]} == {True}


CONFIGURATIONS = {
    "no JSON": ("nonsense", "cannot be read"),
    "something else": ('{"mediaType": "a/b"}', "cannot be read"),
    "no file": (None, "cannot be read"),
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_trust_configuration_must_be_one(name: str, registry: Registry, repository: str, signing: Product) -> None:
    text, said = CONFIGURATIONS[name]
    file = signing.folder / "trust_config.json"
    file.unlink() if text is None else file.write_text(text)
    result = signing.run("push", signing.spec(spec(registry, repository)))
    assert result.returncode == 11
    assert said in result.stderr.decode()


def test_a_trusted_root_is_not_enough_to_sign(registry: Registry, repository: str, signing: Product) -> None:
    (signing.folder / "trusted_root.json").rename(signing.folder / "trust_config.json")
    report = signing.push(spec(registry, repository), code=11)
    assert "names no services to sign with" in report["error"]["findings"][0]["what"]


@pytest.fixture
def without_library(signing: Product) -> Iterator[Product]:
    """An installation without the extra: a module that hides the library stands before it."""
    hidden = signing.folder / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text("import sys\nsys.modules['sigstore'] = None\n")
    signing.environment["PYTHONPATH"] = f"{hidden}:{Path(__file__).resolve().parents[2]}"
    yield signing


def test_without_the_library_its_extra_is_named(registry: Registry, repository: str, without_library: Product) -> None:
    report = without_library.push(spec(registry, repository), code=11)
    finding = report["error"]["findings"][0]
    assert "need the sigstore library" in finding["what"]
    assert "manifest-action[keyless]" in json.dumps(finding)
    result = without_library.run("verify", "--certificate-identity", "a", "--certificate-oidc-issuer", "b", "a.b/c:1")
    assert result.returncode == 11
    assert "manifest-action[keyless]" in result.stderr.decode()


def test_an_identity_may_be_a_pattern(registry: Registry, repository: str, signing: Product, fulcio: Sigstore) -> None:
    signing.push(spec(registry, repository))
    trust = ("--certificate-oidc-issuer", ISSUER, "--trusted-root", "trusted_root.json")
    reference = f"{registry.host}/{repository}:1"
    patterns = {r"^https://github\.com/acme/app/.*@refs/tags/v1\.": 0, "release.yml": 0, "^release": 11, r"v1\.3\.": 11}
    for pattern, code in patterns.items():
        result = signing.run("verify", "--certificate-identity-regexp", pattern, *trust, reference)
        assert result.returncode == code, result.stderr
    for options in (
        ("--certificate-identity-regexp", "("),
        ("--certificate-identity-regexp", "a", "--certificate-identity", "a"),
    ):
        assert signing.run("verify", *options, *trust, reference).returncode == 2


def test_an_identity_needs_its_issuer(product: Product) -> None:
    for option in ("--certificate-identity", "--certificate-oidc-issuer"):
        result = product.run("verify", option, "x", "a.b/c:1")
        assert result.returncode == 2
        assert "must both be given" in result.stderr.decode()
    result = product.run("verify", "--trusted-root", "x", "a.b/c:1")
    assert result.returncode == 2
    assert "is about identities" in result.stderr.decode()
