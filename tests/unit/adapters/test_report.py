"""The JSON report: its keys are a promise."""

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest

from manifest_action import __version__
from manifest_action.adapters.redaction import Redact, Redactor
from manifest_action.adapters.report import inspect_document, outcome_text, platforms
from manifest_action.errors import ConfigError, Mark, NetworkError, Problem
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.index import Index
from manifest_action.ops.outcome import IndexReport, Outcome
from tests.unit.adapters.outcomes import AMD64, ARM64, NOTE, OLD, a_failure, a_spec, a_success, an_index, entries, same

ENTRIES = [
    {
        "digest": str(AMD64),
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "platform": {"architecture": "amd64", "os": "linux"},
        "source": f"ghcr.io/acme/app:build@{OLD}",
        "imageSize": 5242880,
        "attestation": False,
    },
    {
        "digest": str(ARM64),
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "platform": {"architecture": "arm64", "os": "linux"},
        "source": f"ghcr.io/acme/app:build@{OLD}",
        "imageSize": None,
        "attestation": False,
    },
    {
        "digest": str(NOTE),
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "platform": {"architecture": "unknown", "os": "unknown"},
        "source": "ghcr.io/acme/app:build",
        "imageSize": 7,
        "attestation": True,
    },
]


def document_of(outcome: Outcome, redact: Redact = same) -> Any:
    return json.loads("".join(outcome_text(outcome, redact)))


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("number", [0, 1, 3])
def test_the_pieces_are_one_document_as_it_is_always_written(number: int, ascii_only: bool) -> None:
    outcome = replace(a_success(), reports=a_success().reports * number)
    text = "".join(outcome_text(outcome, lambda text: text.replace("m", "ü\n"), ascii_only=ascii_only))
    assert text == json.dumps(json.loads(text), indent=2, ensure_ascii=ascii_only)
    assert len(json.loads(text)["indexes"]) == number


def test_a_success_is_told_in_full() -> None:
    document = document_of(a_success())
    digest, indexes = str(an_index().digest), document.pop("indexes")
    assert document == {
        "schema": 1,
        "version": __version__,
        "success": True,
        "dryRun": False,
        "changed": True,
        "error": None,
    }
    assert indexes == [
        {
            "name": "ghcr.io/acme/app:1.4",
            "digest": digest,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "size": len(an_index().raw),
            "images": [f"ghcr.io/acme/app@{digest}", f"docker.io/acme/app@{digest}"],
            "pushed": True,
            "changed": True,
            "platforms": {"linux/amd64": str(AMD64), "linux/arm64": str(ARM64)},
            "entries": ENTRIES,
            "tags": [
                {"reference": "ghcr.io/acme/app:1.4", "state": "created", "previous": None, "error": None},
                {"reference": "docker.io/acme/app:1.4", "state": "moved", "previous": str(OLD), "error": None},
            ],
            "transfers": {
                "present": {"blobs": 4, "bytes": 4096},
                "mounted": {"blobs": 1, "bytes": 0},
                "copied": {"blobs": 2, "bytes": 2048},
            },
            "attached": [],
            "signatures": [],
            "protected": [],
            "cleanup": [],
            "index": an_index().raw.decode(),
        }
    ]


def test_the_index_in_the_report_has_the_digest_it_is_said_to_have() -> None:
    found = document_of(a_success())["indexes"][0]
    assert "sha256:" + hashlib.sha256(found["index"].encode()).hexdigest() == found["digest"]


def test_a_failure_keeps_what_is_known_and_redacts_the_rest() -> None:
    redactor = Redactor()
    redactor.learn("hunter22")
    failed = NetworkError("no answer", where="docker.io", why="password hunter22 refused")
    document = document_of(a_failure(failed, tag_error=failed), redactor)
    assert document["success"] is False
    assert document["indexes"][0]["digest"] == str(an_index().digest)
    assert document["indexes"][0]["tags"][1]["error"]["why"] == "password *** refused"
    assert document["error"] == {
        "code": "network",
        "exitCode": 7,
        "findings": [
            {
                "what": "no answer",
                "where": "docker.io",
                "why": "password *** refused",
                "hint": None,
                "mark": None,
            }
        ],
    }


def test_problems_keep_their_places() -> None:
    problem = Problem("unknown key", Mark("a.yml", 3, 4), "sources[0].x", "is it y?")
    document = document_of(Outcome((), ConfigError([problem])))
    assert document["error"]["findings"][0]["mark"] == {"file": "a.yml", "line": 3, "column": 4}


def test_what_is_not_known_yet_is_null_or_empty() -> None:
    error = NetworkError("no answer")
    found = document_of(Outcome((IndexReport(a_spec()),), error))["indexes"][0]
    assert [found[key] for key in ("digest", "mediaType", "size", "index")] == [None] * 4
    assert [found[key] for key in ("images", "entries", "tags")] == [[]] * 3
    assert found["pushed"] is False


def test_of_two_entries_for_a_platform_the_first_counts_as_for_a_runtime() -> None:
    first, second, _ = entries()
    twin = type(second)(ARM64, second.media_type, first.platform, second.source, 1)
    assert platforms([first, twin]) == {"linux/amd64": str(AMD64)}


def test_an_inspection_is_told_in_full() -> None:
    manifest = an_index()
    document = inspect_document(manifest, entries())
    assert document["digest"] == str(manifest.digest)
    assert document["manifest"] == manifest.raw.decode()
    assert document["platforms"] == {"linux/amd64": str(AMD64), "linux/arm64": str(ARM64)}
    assert document["artifactType"] is None


def test_an_inspection_shows_annotations_and_artifact_type() -> None:
    entry = Descriptor(an_index().entries[0].media_type, AMD64, 1)
    manifest = Index((entry,), annotations={"a": "b"}, artifact_type="application/x").manifest()
    document = inspect_document(manifest, ())
    assert (document["annotations"], document["artifactType"]) == ({"a": "b"}, "application/x")
