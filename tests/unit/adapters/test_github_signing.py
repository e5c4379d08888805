"""What the job summary says of signatures."""

import base64
import json
import re
from dataclasses import replace

from manifest_action.adapters.github.outputs import outputs
from manifest_action.adapters.github.signing import signing_lines
from manifest_action.adapters.github.summary import summary
from manifest_action.adapters.report import signature_document
from manifest_action.model.reference import Reference, parse_reference
from manifest_action.ops.outcome import IndexReport, Outcome, SignatureReport
from manifest_action.plan.spec import SignerSpec
from manifest_action.signing.base import Author
from tests.support.keys import key_pair
from tests.unit.adapters.outcomes import AMD64, a_success, an_index, same

REPOSITORY = parse_reference("ghcr.io/acme/app")
BUNDLE = SignatureReport(
    an_index().digest, "cosign-bundle", REPOSITORY.pinned(AMD64), "", Author(key_pair().public), added=True
)
TAG = SignatureReport(
    AMD64,
    "cosign-tag",
    Reference(REPOSITORY.repository, "sha256-1.sig"),
    "ghcr.io/acme/app:1.4",
    Author(key_pair().public),
    added=False,
)


def signed(*signatures: SignatureReport) -> IndexReport:
    return replace(a_success().reports[0], signatures=signatures)


def blocks(report: IndexReport, language: str) -> list[str]:
    text = "\n".join(signing_lines(report))
    return re.findall(rf"```{language}\n(.*?)\n```", text, re.DOTALL)


def test_nothing_is_said_of_what_is_not_signed() -> None:
    assert signing_lines(signed()) == []


def test_the_command_for_cosign() -> None:
    digest = an_index().digest
    (commands,) = blocks(signed(BUNDLE, TAG), "sh")
    assert commands.splitlines() == [
        f"cosign verify --key cosign.pub --insecure-ignore-tlog=true {host}/acme/app@{digest}"
        for host in ("ghcr.io", "docker.io")
    ]
    assert all("--new-bundle-format=false" in line for line in blocks(signed(TAG), "sh")[0].splitlines())


def test_the_files_of_podman_hold_the_key() -> None:
    (policy,) = blocks(signed(BUNDLE, TAG), "json")
    (registries,) = blocks(signed(BUNDLE, TAG), "yaml")
    scopes = json.loads(policy)["transports"]["docker"]
    assert list(scopes) == list(json.loads(registries)["docker"]) == ["ghcr.io/acme/app", "docker.io/acme/app"]
    (rule,) = scopes["ghcr.io/acme/app"]
    assert rule["type"] == "sigstoreSigned"
    assert base64.b64decode(rule["keyData"]).decode() == key_pair().public
    assert blocks(signed(BUNDLE), "json") == []


def test_what_is_new_is_counted_and_the_key_is_shown() -> None:
    text = "\n".join(signing_lines(signed(BUNDLE, TAG)))
    assert "2 manifests signed (cosign-bundle, cosign-tag), 1 of 2 signatures new." in text
    assert text.count(key_pair().public.strip()) == 1
    assert text in summary(Outcome((signed(BUNDLE, TAG),)), same)


def test_the_output_names_every_signature() -> None:
    given = outputs(Outcome((signed(BUNDLE, TAG),)), "", same)
    assert json.loads(given["signatures"]) == [signature_document(BUNDLE), signature_document(TAG)]
    assert signature_document(TAG) == {
        "digest": str(AMD64),
        "kind": "cosign-tag",
        "location": "ghcr.io/acme/app:sha256-1.sig",
        "identity": "ghcr.io/acme/app:1.4",
        "added": False,
    }
    assert "PUBLIC KEY" not in repr(TAG)


def test_the_command_for_who_signed_without_a_key() -> None:
    author = Author(subject="https://github.com/acme/app/.github/workflows/a b.yml@refs/heads/main", issuer="https://i")
    keyless = replace(BUNDLE, kind="keyless", author=author)
    options = f"--certificate-identity '{author.subject}' --certificate-oidc-issuer https://i"
    digest = an_index().digest
    assert blocks(signed(keyless), "sh")[0].splitlines() == [
        f"cosign verify {options} {host}/acme/app@{digest}" for host in ("ghcr.io", "docker.io")
    ]
    report = signed(keyless)
    private = SignerSpec("keyless", {"trust-config": "trust.json"})
    report = replace(report, spec=replace(report.spec, sign=(private,)))
    assert all(f"{options} --trusted-root trusted_root.json " in line for line in blocks(report, "sh")[0].splitlines())
    assert len(blocks(signed(keyless, BUNDLE), "sh")) == 2


def gpg_signature(address: str = "") -> SignatureReport:
    author = Author("-----BEGIN PGP PUBLIC KEY BLOCK-----\nx\n", subject="ABCD")
    return SignatureReport(AMD64, "gpg", REPOSITORY, "ghcr.io/acme/app:1.4", author, added=True, address=address)


def test_the_files_of_podman_for_gpg() -> None:
    report = signed(gpg_signature(f"file:///srv/signatures/acme/app@sha256={AMD64.encoded}/signature-1"))
    (policy,), (places,) = blocks(report, "json"), blocks(report, "yaml")
    (rule,) = json.loads(policy)["transports"]["docker"]["ghcr.io/acme/app"]
    assert (rule["type"], rule["keyType"]) == ("signedBy", "GPGKeys")
    assert base64.b64decode(rule["keyData"]).decode() == gpg_signature().author.public_key
    assert json.loads(places) == {"docker": {"ghcr.io/acme/app": {"lookaside": "file:///srv/signatures"}}}
    text = "\n".join(signing_lines(report))
    assert "Signed by the GPG key `ABCD`." in text
    assert "put the address there at which you publish it" in text


def test_a_registry_that_keeps_signatures_needs_no_lookaside() -> None:
    report = signed(gpg_signature())
    assert blocks(report, "yaml") == []
    assert "you publish it" not in "\n".join(signing_lines(report))
    assert signature_document(gpg_signature("file:///a"))["location"] == "file:///a"


def test_what_notation_needs() -> None:
    author = Author("-----BEGIN CERTIFICATE-----\nx\n", subject="CN=release,O=Acme")
    report = signed(SignatureReport(AMD64, "notation", REPOSITORY, "", author, added=True))
    (policy,), (commands,) = blocks(report, "json"), blocks(report, "sh")
    (statement,) = json.loads(policy)["trustPolicies"]
    assert statement["registryScopes"] == ["ghcr.io/acme/app", "docker.io/acme/app"]
    assert statement["trustedIdentities"] == ["x509.subject: CN=release,O=Acme"]
    assert f"notation verify ghcr.io/acme/app@{an_index().digest}" in commands.splitlines()
    assert author.public_key.strip() in "\n".join(signing_lines(report))
