"""What the job summary and the outputs say of attached things and of how the index was made."""

import json
from dataclasses import replace

import pytest

from manifest_action.adapters.github.attached import attached_lines, provenance_lines
from manifest_action.adapters.github.outputs import outputs
from manifest_action.adapters.github.summary import summary
from manifest_action.adapters.report import artifact_document
from manifest_action.adapters.tables import outcome_lines
from manifest_action.model.reference import parse_reference
from manifest_action.ops.outcome import ArtifactReport, IndexReport, Outcome, SignatureReport
from manifest_action.signing.base import Author
from tests.support.keys import key_pair
from tests.unit.adapters.outcomes import AMD64, a_success, an_index, same

PLACE = parse_reference("ghcr.io/acme/app")
IMAGE = f"ghcr.io/acme/app@{an_index().digest}"
CAME = ArtifactReport(AMD64, AMD64, "application/spdx+json", PLACE.pinned(AMD64), PLACE.pinned(AMD64), added=True)
FILE = ArtifactReport(an_index().digest, an_index().digest, "text/plain", PLACE.pinned(AMD64), None, added=False)
WORKFLOW = "https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1"
GITHUB = "https://token.actions.githubusercontent.com"
VERIFY = "cosign verify-attestation --type slsaprovenance1"


def report(*attached: ArtifactReport, author: Author | None = None) -> IndexReport:
    signed = SignatureReport(an_index().digest, "provenance", PLACE.pinned(AMD64), "", author or Author(), added=True)
    return replace(a_success().reports[0], attached=attached, signatures=(signed,) if author else ())


def test_nothing_is_said_of_nothing() -> None:
    assert attached_lines(report()) == provenance_lines(report()) == []


def test_attached_things_are_counted_by_kind() -> None:
    found = report(CAME, FILE, replace(CAME, type="`x` | <y>"))
    text = "\n".join(attached_lines(found))
    assert "3 artifacts attached, 2 new: 2 came along with images, 1 from files." in text
    assert "- 1 × `application/spdx+json`" in text
    assert "<y>" not in text
    assert f"oras discover {IMAGE}" in text
    assert text in summary(Outcome((found,)), same)
    assert "  attached 2 artifacts of 3" in outcome_lines(Outcome((found,)))


def test_the_output_names_every_attached_thing() -> None:
    given = outputs(Outcome((report(CAME, FILE),)), "", same)
    assert json.loads(given["attached"]) == [artifact_document(CAME), artifact_document(FILE)]
    assert artifact_document(FILE) == {
        "digest": str(an_index().digest),
        "type": "text/plain",
        "location": f"ghcr.io/acme/app@{AMD64}",
        "source": None,
        "added": False,
    }
    assert artifact_document(CAME)["source"] == f"ghcr.io/acme/app@{AMD64}"


@pytest.mark.parametrize(
    ("author", "commands"),
    [
        (Author(key_pair().public), [f"{VERIFY} --key cosign.pub --insecure-ignore-tlog=true {IMAGE}"]),
        (
            Author(subject=WORKFLOW, issuer=GITHUB),
            [
                f"{VERIFY} --certificate-identity '{WORKFLOW}' --certificate-oidc-issuer '{GITHUB}' {IMAGE}",
                f"gh attestation verify oci://{IMAGE} --repo acme/app --bundle-from-oci",
            ],
        ),
        (
            Author(subject="me@acme.test'; $(x)", issuer="https://i.test"),
            [f"{VERIFY} --certificate-identity 'me@acme.testx' --certificate-oidc-issuer 'https://i.test' {IMAGE}"],
        ),
        (
            Author(subject=WORKFLOW, issuer="https://issuer.test"),
            [f"{VERIFY} --certificate-identity '{WORKFLOW}' --certificate-oidc-issuer 'https://issuer.test' {IMAGE}"],
        ),
    ],
)
def test_the_commands_are_those_that_hold(author: Author, commands: list[str]) -> None:
    lines = provenance_lines(report(author=author))
    assert [line for line in lines if line.startswith(("cosign", "gh"))] == commands
