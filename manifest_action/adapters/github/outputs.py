"""The action's outputs (design section 4.2), from an outcome."""

import json

from manifest_action.adapters.explanation import explain
from manifest_action.adapters.redaction import Redact
from manifest_action.adapters.report import (
    artifact_document,
    images,
    index_document,
    is_changed,
    platforms,
    settled_tags,
    signature_document,
)
from manifest_action.ops.outcome import IndexReport, Outcome

VALUE_LIMIT = 256 * 1024
"""Characters of one output; GitHub allows a job's outputs 1 MB together, counted as UTF-16."""

OUTPUTS = (
    "digest",
    "image",
    "images",
    "tags",
    "platforms",
    "media-type",
    "size",
    "changed",
    "signatures",
    "attached",
    "index",
    "results",
    "report",
    "error-code",
)


def outputs(outcome: Outcome, report_path: str, redact: Redact) -> dict[str, str]:
    """Every output that has a value. With several indexes, those that speak of one index speak of the first.

    `index` and `results` are left out when they are too large; the report holds them.
    """
    explanation = explain(outcome, redact)
    tags = [tag for report in outcome.reports for tag in settled_tags(report, dry_run=outcome.dry_run)]
    values = {
        **(_first(outcome.reports[0]) if outcome.reports else {}),
        "images": _json([image for report in outcome.reports for image in images(report)]),
        "tags": _json(tags),
        "changed": "true" if is_changed(outcome) else "false",
        "signatures": _json([signature_document(each) for report in outcome.reports for each in report.signatures]),
        "attached": _json([artifact_document(each) for report in outcome.reports for each in report.attached]),
        "results": _json([index_document(report, redact) for report in outcome.reports]),
        "report": report_path,
        "error-code": explanation.code if explanation else "",
    }
    return {name: values[name] for name in OUTPUTS if values.get(name) and len(values[name]) <= VALUE_LIMIT}


def _first(report: IndexReport) -> dict[str, str]:
    if report.manifest is None:
        return {}
    return {
        "digest": str(report.manifest.digest),
        "image": images(report)[0],
        "platforms": _json(platforms(report.entries)),
        "media-type": report.manifest.media_type,
        "size": str(len(report.manifest.raw)),
        "index": report.manifest.raw.decode(),
    }


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
