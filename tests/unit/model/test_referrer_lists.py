"""How artifacts are listed by their subjects."""

import json

import pytest

from manifest_action.model import mediatype
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.referrers import fallback_tag, is_attached_tag, referrer, with_referrers

SUBJECT = Digest.of(b"subject")


def artifact(name: str, kind: str = "application/spdx+json") -> Manifest:
    config = {"mediaType": mediatype.OCI_EMPTY, "digest": str(Digest.of(b"{}")), "size": 2}
    document = {
        "schemaVersion": 2,
        "mediaType": mediatype.OCI_MANIFEST,
        "config": config,
        "layers": [],
        "subject": {"mediaType": mediatype.OCI_INDEX, "digest": str(SUBJECT), "size": 7},
        "annotations": {"name": name},
    }
    return Manifest.parse(json.dumps(document | ({"artifactType": kind} if kind else {})).encode())


@pytest.mark.parametrize(
    ("tag", "attached"),
    [
        (fallback_tag(SUBJECT), True),
        (f"{fallback_tag(SUBJECT)}.sig", True),
        (f"{fallback_tag(SUBJECT)}.att", True),
        (f"{fallback_tag(SUBJECT)}.sbom", True),
        (fallback_tag(Digest.of(b"", "sha512")), True),
        (f"{fallback_tag(SUBJECT)}.txt", False),
        (f"x{fallback_tag(SUBJECT)}", False),
        ("sha256-1", False),
        ("latest", False),
    ],
)
def test_a_tag_made_of_a_digest_leads_to_what_is_attached(tag: str, attached: bool) -> None:
    assert is_attached_tag(tag) is attached


def test_an_artifact_is_listed_with_its_type_and_annotations() -> None:
    entry = referrer(artifact("a"))
    assert (entry.artifact_type, dict(entry.annotations)) == ("application/spdx+json", {"name": "a"})
    assert referrer(artifact("a", "")).artifact_type == mediatype.OCI_EMPTY
    index = Manifest.parse(json.dumps({"schemaVersion": 2, "manifests": []}).encode())
    assert referrer(index).artifact_type == ""


def test_a_list_grows_at_its_end_and_holds_each_artifact_once() -> None:
    first, second = artifact("a"), artifact("b")
    one = with_referrers(None, [first, first])
    assert [entry.digest for entry in one.entries] == [first.digest]
    two = with_referrers(one, [second, first])
    assert [entry.digest for entry in two.entries] == [first.digest, second.digest]
    assert with_referrers(two, [first]) is two
    assert with_referrers(None, []).entries == ()


def test_what_is_no_list_is_not_extended() -> None:
    with pytest.raises(ValueError, match="it is a application/vnd"):
        with_referrers(artifact("a"), [artifact("b")])
