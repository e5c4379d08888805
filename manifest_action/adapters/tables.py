"""What a run did, as aligned lines of plain text that people read."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from manifest_action.adapters.text import bytes_text, columns, count, printable
from manifest_action.events import TagState
from manifest_action.model import mediatype
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import Reference
from manifest_action.ops.outcome import EntryReport, IndexReport, Outcome, TagReport, Totals

if TYPE_CHECKING:
    from manifest_action.ops.verify import Check

TYPE_NAMES = {
    mediatype.OCI_INDEX: "OCI index",
    mediatype.DOCKER_LIST: "Docker manifest list",
    mediatype.OCI_MANIFEST: "OCI image",
    mediatype.DOCKER_MANIFEST: "Docker image",
}


def outcome_lines(outcome: Outcome) -> list[str]:
    """Every index with its digest, platforms, tags and what was transferred; nothing if none was assembled."""
    if all(report.manifest is None for report in outcome.reports):
        return []
    return [line for report in outcome.reports for line in _index_lines(report, dry_run=outcome.dry_run)]


def inspect_lines(reference: Reference, manifest: Manifest, entries: Iterable[EntryReport]) -> list[str]:
    """A manifest and what it lists."""
    rows = [(entry_name(entry), str(entry.digest), size_text(entry)) for entry in entries]
    table = columns([("PLATFORM", "DIGEST", "SIZE"), *rows])
    return [printable(str(reference)), *_digest_lines(manifest), "", *table]


def checks_lines(checks: Iterable["Check"]) -> list[str]:
    """What was verified, and what failed and why."""
    rows = [
        (
            printable(str(check.platform)) if check.platform else "-",
            str(check.digest),
            check.kind.value,
            printable(check.fault) or "good",
        )
        for check in checks
    ]
    return columns([("PLATFORM", "DIGEST", "KIND", "RESULT"), *rows])


def transfer_text(totals: Totals) -> str:
    """How blobs came to their destinations: `copied 3 blobs (1.2 MiB), mounted…`; what did not happen is left out."""
    parts = (
        ("copied", totals.copied_blobs, totals.copied_bytes),
        ("mounted", totals.mounted_blobs, totals.mounted_bytes),
        ("already there", totals.present_blobs, totals.present_bytes),
    )
    return ", ".join(f"{name} {count(blobs, 'blob')} ({bytes_text(size)})" for name, blobs, size in parts if blobs)


def tag_state(tag: TagReport, *, dry_run: bool) -> str:
    """What became of a tag, or would become of it."""
    if dry_run and tag.state is TagState.PENDING:
        return "would move" if tag.previous else "would be set"
    return {TagState.PENDING: "not moved", TagState.FAILED: "failed"}.get(tag.state, tag.state.value)


def entry_name(entry: EntryReport) -> str:
    """The platform of an entry, or what it is instead."""
    if entry.is_attestation:
        return "attestation"
    return printable(str(entry.platform)) if entry.platform else "no platform"


def size_text(entry: EntryReport) -> str:
    """The size of an entry's image; a dash when it is not known."""
    return "-" if entry.image_size is None else bytes_text(entry.image_size)


def source_text(entry: EntryReport) -> str:
    """Where an entry came from, without repeating its digest."""
    source = entry.source
    return printable(str(source.with_tag(source.tag) if source.digest == entry.digest or source.tag else source))


def _index_lines(report: IndexReport, *, dry_run: bool) -> list[str]:
    lines = [printable(str(report.spec.main))]
    if report.manifest is None:
        return [*lines, "  not assembled", ""]
    lines += [*_digest_lines(report.manifest), "", *_entry_lines(report.entries), ""]
    if report.tags:
        rows = [(printable(str(tag.reference)), tag_state(tag, dry_run=dry_run)) for tag in report.tags]
        lines += [*columns([("TAG", "STATE"), *rows]), ""]
    return [*lines, *_change_lines(report)]


def _change_lines(report: IndexReport) -> list[str]:
    if report.pushed and not report.changed:
        return ["  nothing changed: all of it was there already", ""]
    transfers = transfer_text(report.totals)
    new = sum(artifact.added for artifact in report.attached)
    attached = [f"  attached {count(new, 'artifact')} of {len(report.attached)}"] if new else []
    return [*([f"  {transfers}"] if transfers else []), *attached, *([""] if transfers or attached else [])]


def _digest_lines(manifest: Manifest) -> list[str]:
    kind = TYPE_NAMES.get(manifest.media_type, printable(manifest.media_type))
    return columns([("digest", str(manifest.digest)), ("type", f"{kind}, {bytes_text(len(manifest.raw))}")])


def _entry_lines(entries: Iterable[EntryReport]) -> list[str]:
    rows = [(entry_name(entry), str(entry.digest), size_text(entry), source_text(entry)) for entry in entries]
    return columns([("PLATFORM", "DIGEST", "SIZE", "SOURCE"), *rows])
