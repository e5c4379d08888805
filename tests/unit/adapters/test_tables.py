"""What people read about a run."""

from dataclasses import replace

from manifest_action.adapters.tables import inspect_lines, outcome_lines, tag_state, transfer_text
from manifest_action.errors import NetworkError
from manifest_action.events import TagState
from manifest_action.model.reference import Reference, parse_reference
from manifest_action.ops.outcome import IndexReport, Outcome, TagReport, Totals
from tests.unit.adapters.outcomes import AMD64, ARM64, NOTE, OLD, a_spec, a_success, an_index, entries


def test_a_success_shows_digest_platforms_tags_and_transfers() -> None:
    digest = an_index().digest
    assert outcome_lines(a_success()) == [
        "ghcr.io/acme/app:1.4",
        f"  digest  {digest}",
        f"  type    OCI index, {len(an_index().raw)} bytes",
        "",
        f"  PLATFORM     {'DIGEST'.ljust(71)}  SIZE     SOURCE",
        f"  linux/amd64  {AMD64}  5.0 MiB  ghcr.io/acme/app:build",
        f"  linux/arm64  {ARM64}  -        ghcr.io/acme/app:build",
        f"  attestation  {NOTE}  7 bytes  ghcr.io/acme/app:build",
        "",
        "  TAG                     STATE",
        "  ghcr.io/acme/app:1.4    created",
        "  docker.io/acme/app:1.4  moved",
        "",
        "  copied 2 blobs (2.0 KiB), mounted 1 blob (0 bytes), already there 4 blobs (4.0 KiB)",
        "",
    ]


def test_an_index_that_was_never_assembled_is_named_beside_others() -> None:
    missing = IndexReport(a_spec("quay.io/acme/tool:1"))
    lines = outcome_lines(Outcome((*a_success().reports, missing), NetworkError("no answer")))
    assert lines[-3:] == ["quay.io/acme/tool:1", "  not assembled", ""]
    assert outcome_lines(Outcome((missing,), NetworkError("no answer"))) == []


def test_a_second_run_says_that_nothing_changed() -> None:
    report = replace(a_success().reports[0], changed=False)
    assert outcome_lines(Outcome((report,)))[-2:] == ["  nothing changed: all of it was there already", ""]


def test_a_dry_run_says_what_would_happen() -> None:
    reference = parse_reference("ghcr.io/acme/app:1")
    pending = TagReport(reference, TagState.PENDING)
    assert tag_state(pending, dry_run=True) == "would be set"
    assert tag_state(replace(pending, previous=OLD), dry_run=True) == "would move"
    assert tag_state(pending, dry_run=False) == "not moved"
    assert tag_state(TagReport(reference, TagState.UNCHANGED), dry_run=True) == "unchanged"


def test_nothing_transferred_is_nothing_said() -> None:
    assert transfer_text(Totals()) == ""


def test_a_source_by_digest_shows_its_digest_unless_it_is_the_entry_itself() -> None:
    entry = entries()[0]
    repository = parse_reference("ghcr.io/acme/app")
    report = a_success().reports[0]

    def source(shown: Reference) -> str:
        lines = outcome_lines(Outcome((replace(report, entries=(replace(entry, source=shown),)),)))
        return next(line for line in lines if "linux/amd64" in line).split()[-1]

    assert source(repository.pinned(entry.digest)) == "ghcr.io/acme/app"
    assert source(repository.pinned(OLD)) == f"ghcr.io/acme/app@{OLD}"


def test_an_inspection_lists_platforms_digests_and_sizes() -> None:
    lines = inspect_lines(parse_reference("ghcr.io/acme/app:1"), an_index(), entries())
    assert lines[0] == "ghcr.io/acme/app:1"
    assert lines[1] == f"  digest  {an_index().digest}"
    assert lines[5] == f"  linux/amd64  {AMD64}  5.0 MiB"
    assert lines[7] == f"  attestation  {NOTE}  7 bytes"
