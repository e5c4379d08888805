"""The outcome of a run as a JSON document, for programs. Its keys are documented and stay."""

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import partial

import manifest_action
from manifest_action.adapters.explanation import Explanation, Finding, explain, finding
from manifest_action.adapters.redaction import Redact
from manifest_action.adapters.text import printable
from manifest_action.errors import Mark
from manifest_action.events import TagState
from manifest_action.model.manifest import Manifest
from manifest_action.ops.outcome import (
    ArtifactReport,
    CleanupReport,
    EntryReport,
    IndexReport,
    Outcome,
    SignatureReport,
    TagReport,
    Totals,
)

SCHEMA = 1
_SETTLED = (TagState.CREATED, TagState.MOVED, TagState.UNCHANGED)

Document = dict[str, object]


def outcome_text(outcome: Outcome, redact: Redact, *, ascii_only: bool = False) -> Iterator[str]:
    """The whole run as JSON, indented by two spaces, in pieces of an index each: a run may have thousands."""
    written = partial(json.dumps, indent=2, ensure_ascii=ascii_only)
    head, _, tail = written(_frame(outcome, redact)).rpartition("]")
    yield head
    for place, report in enumerate(outcome.reports):
        document = {**index_document(report, redact), "index": _text(report.manifest)}
        yield ("," if place else "") + f"\n{written(document)}".replace("\n", "\n    ")
    yield "\n  " * bool(outcome.reports) + f"]{tail}"


def _frame(outcome: Outcome, redact: Redact) -> Document:
    """The document without its indexes. `schema` counts up when a key changes its meaning or goes away."""
    explanation = explain(outcome, redact)
    return {
        "schema": SCHEMA,
        "version": manifest_action.__version__,
        "success": explanation is None,
        "dryRun": outcome.dry_run,
        "changed": is_changed(outcome),
        "error": _error_document(explanation) if explanation else None,
        "indexes": [],
    }


def index_document(report: IndexReport, redact: Redact) -> Document:
    """One index without its own bytes. What is not known (yet) is null or empty."""
    manifest = report.manifest
    return {
        "name": str(report.spec.main),
        "digest": str(manifest.digest) if manifest else None,
        "mediaType": manifest.media_type if manifest else None,
        "size": len(manifest.raw) if manifest else None,
        "images": images(report),
        "pushed": report.pushed,
        "changed": report.changed,
        "platforms": dict(platforms(report.entries)),
        "entries": [entry_document(entry) for entry in report.entries],
        "tags": [_tag_document(tag, redact) for tag in report.tags],
        "transfers": _transfers_document(report.totals),
        "attached": [artifact_document(artifact) for artifact in report.attached],
        "signatures": [signature_document(signature) for signature in report.signatures],
        "protected": [str(reference) for reference in report.protected],
        "cleanup": [_cleanup_document(cleanup, redact) for cleanup in report.cleanups],
    }


def inspect_document(manifest: Manifest, entries: Iterable[EntryReport]) -> Document:
    """What `inspect` found: the manifest and what it lists."""
    reports = tuple(entries)
    return {
        "schema": SCHEMA,
        "digest": str(manifest.digest),
        "mediaType": manifest.media_type,
        "size": len(manifest.raw),
        "artifactType": manifest.artifact_type or None,
        "annotations": dict(manifest.annotations),
        "platforms": dict(platforms(reports)),
        "entries": [entry_document(entry) for entry in reports],
        "manifest": _text(manifest),
    }


def is_changed(outcome: Outcome) -> bool:
    """Whether the run wrote anything anywhere."""
    return any(report.changed for report in outcome.reports)


def images(report: IndexReport) -> list[str]:
    """The index by digest in each of its repositories, `repository@digest`, the main one first."""
    if report.manifest is None:
        return []
    return [f"{repository}@{report.manifest.digest}" for repository in report.spec.repositories]


def settled_tags(report: IndexReport, *, dry_run: bool = False) -> list[str]:
    """The tags that are known to point to the index; in a dry run, those that would."""
    states = (*_SETTLED, TagState.PENDING) if dry_run and report.manifest else _SETTLED
    return [str(tag.reference) for tag in report.tags if tag.state in states]


def platforms(entries: Iterable[EntryReport]) -> Mapping[str, str]:
    """Platform to the digest of the entry that a runtime would take for it: the first one."""
    found: dict[str, str] = {}
    for entry in entries:
        if entry.platform is not None and not entry.is_attestation:
            found.setdefault(str(entry.platform), str(entry.digest))
    return found


def entry_document(entry: EntryReport) -> Document:
    """One entry of an index. `imageSize` counts manifest, config and layers, and is null when not all was read."""
    return {
        "digest": str(entry.digest),
        "mediaType": entry.media_type,
        "platform": entry.platform.to_document() if entry.platform else None,
        "source": str(entry.source),
        "imageSize": entry.image_size,
        "attestation": entry.is_attestation,
    }


def signature_document(signature: SignatureReport) -> Document:
    """One signature: what is signed, how, and the reference under which it is kept."""
    return {
        "digest": str(signature.subject),
        "kind": signature.kind,
        "location": signature.address or str(signature.location),
        "identity": signature.identity or None,
        "added": signature.added,
    }


def artifact_document(artifact: ArtifactReport) -> Document:
    """One attached thing: what it is about and where it is kept. `source` is null for what was made in this run."""
    return {
        "digest": str(artifact.subject),
        "type": artifact.type,
        "location": str(artifact.location),
        "source": str(artifact.source) if artifact.source else None,
        "added": artifact.added,
    }


def _tag_document(tag: TagReport, redact: Redact) -> Document:
    return {
        "reference": str(tag.reference),
        "state": tag.state.value,
        "previous": str(tag.previous) if tag.previous else None,
        "error": _finding_document(finding(tag.error, redact)) if tag.error else None,
    }


def _cleanup_document(cleanup: CleanupReport, redact: Redact) -> Document:
    return {
        "reference": str(cleanup.reference),
        "state": cleanup.state.value,
        "reason": printable(redact(cleanup.reason)) or None,
    }


def _transfers_document(totals: Totals) -> Document:
    return {
        "present": {"blobs": totals.present_blobs, "bytes": totals.present_bytes},
        "mounted": {"blobs": totals.mounted_blobs, "bytes": totals.mounted_bytes},
        "copied": {"blobs": totals.copied_blobs, "bytes": totals.copied_bytes},
    }


def _error_document(explanation: Explanation) -> Document:
    return {
        "code": explanation.code,
        "exitCode": explanation.exit_code,
        "findings": [_finding_document(found) for found in explanation.findings],
    }


def _finding_document(found: Finding) -> Document:
    return {
        "what": found.what,
        "where": found.where or None,
        "why": found.why or None,
        "hint": found.hint or None,
        "mark": _mark_document(found.mark) if found.mark else None,
    }


def _mark_document(mark: Mark) -> Document:
    return {"file": mark.file, "line": mark.line, "column": mark.column}


def _text(manifest: Manifest | None) -> str | None:
    return manifest.raw.decode() if manifest else None
