"""Outputs from an outcome."""

import json
from dataclasses import replace

from manifest_action.adapters.github.outputs import OUTPUTS, VALUE_LIMIT, outputs
from manifest_action.errors import AuthError
from manifest_action.events import TagState
from manifest_action.ops.outcome import IndexReport, Outcome, TagReport
from tests.unit.adapters.outcomes import AMD64, ARM64, a_failure, a_spec, a_success, an_index, same


def test_a_success_gives_every_output_but_the_error_code() -> None:
    values = outputs(a_success(), "report.json", same)
    digest = str(an_index().digest)
    assert set(values) == set(OUTPUTS) - {"error-code"}
    assert values["digest"] == digest
    assert values["image"] == f"ghcr.io/acme/app@{digest}"
    assert json.loads(values["images"]) == [f"ghcr.io/acme/app@{digest}", f"docker.io/acme/app@{digest}"]
    assert json.loads(values["tags"]) == ["ghcr.io/acme/app:1.4", "docker.io/acme/app:1.4"]
    assert json.loads(values["platforms"]) == {"linux/amd64": str(AMD64), "linux/arm64": str(ARM64)}
    assert values["media-type"] == "application/vnd.oci.image.index.v1+json"
    assert values["size"] == str(len(an_index().raw))
    assert values["changed"] == "true"
    assert values["index"] == an_index().raw.decode()
    assert json.loads(values["results"])[0]["digest"] == digest
    assert values["report"] == "report.json"


def test_a_failure_still_gives_what_is_known() -> None:
    error = AuthError("may not write", where="docker.io")
    values = outputs(a_failure(error, tag_error=error), "report.json", same)
    assert values["error-code"] == "auth"
    assert values["digest"] == str(an_index().digest)
    assert json.loads(values["tags"]) == ["ghcr.io/acme/app:1.4"]


def test_a_failure_before_anything_is_known_gives_its_code() -> None:
    spec_only = Outcome((IndexReport(a_spec()),), AuthError("may not read"))
    for outcome in (spec_only, Outcome((), AuthError("may not read"))):
        values = outputs(outcome, "", same)
        assert values["error-code"] == "auth"
        assert values["changed"] == "false"
        assert not values.keys() & {"digest", "image", "index", "report"}


def test_a_dry_run_gives_the_tags_that_would_point_to_the_index() -> None:
    report = a_success().reports[0]
    pending = replace(
        report, pushed=False, tags=tuple(TagReport(tag.reference, TagState.PENDING) for tag in report.tags)
    )
    assert json.loads(outputs(Outcome((pending,), dry_run=True), "", same)["tags"]) == [
        "ghcr.io/acme/app:1.4",
        "docker.io/acme/app:1.4",
    ]
    assert json.loads(outputs(Outcome((pending,)), "", same)["tags"]) == []


def test_a_dry_run_without_an_index_gives_no_tags() -> None:
    report = a_success().reports[0]
    unknown = IndexReport(report.spec, tags=tuple(TagReport(tag.reference, TagState.PENDING) for tag in report.tags))
    error = AuthError("may not read")
    assert json.loads(outputs(Outcome((unknown,), error, dry_run=True), "", same)["tags"]) == []


def test_a_second_run_says_that_nothing_changed() -> None:
    report = replace(a_success().reports[0], changed=False)
    assert outputs(Outcome((report,)), "", same)["changed"] == "false"


def test_with_several_indexes_lists_have_all_and_the_rest_is_the_first() -> None:
    first = a_success().reports[0]
    second = replace(first, spec=a_spec("quay.io/acme/tool:2"), tags=())
    values = outputs(Outcome((first, second)), "", same)
    assert values["image"].startswith("ghcr.io/acme/app@")
    assert json.loads(values["images"])[2].startswith("quay.io/acme/tool@")
    assert len(json.loads(values["results"])) == 2


def test_values_too_large_for_the_runner_are_left_to_the_report() -> None:
    report = a_success().reports[0]
    many = Outcome((replace(report, entries=report.entries * (VALUE_LIMIT // 100)),))
    values = outputs(many, "report.json", same)
    assert "results" not in values
    assert values["digest"] == str(an_index().digest)
