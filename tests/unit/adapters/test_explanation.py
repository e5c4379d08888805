"""Errors become findings that are safe to show."""

from manifest_action.adapters.explanation import explain
from manifest_action.adapters.redaction import Redactor
from manifest_action.errors import AuthError, ConfigError, Mark, NetworkError, PartialTagError, Problem
from manifest_action.ops.outcome import Outcome
from tests.unit.adapters.outcomes import a_failure, a_success, same


def test_success_needs_no_explanation() -> None:
    assert explain(a_success(), same) is None


def test_every_problem_of_a_spec_is_a_finding_with_its_place() -> None:
    problems = [
        Problem("unknown key 'imgae'", Mark("spec.yml", 3, 5), "sources[0]", "did you mean image?"),
        Problem("a tag is empty", Mark("input tags", 1, 1)),
    ]
    explanation = explain(Outcome((), ConfigError(problems)), same)
    assert explanation is not None
    assert (explanation.code, explanation.exit_code) == ("config", 2)
    assert [finding.lines for finding in explanation.findings] == [
        ("spec.yml:3:5: sources[0]: unknown key 'imgae'", "  do this: did you mean image?"),
        ("input tags:1:1: a tag is empty",),
    ]


def test_a_finding_says_what_where_why_and_what_to_do() -> None:
    error = AuthError("the registry refused", where="ghcr.io/acme/app", why="DENIED", hint="log in\nor ask", status=403)
    explanation = explain(Outcome((), error), same)
    assert explanation is not None
    assert explanation.findings[0].lines == (
        "ghcr.io/acme/app: the registry refused",
        "  why: DENIED",
        "  do this: log in",
        "    or ask",
    )


def test_failures_beside_the_main_one_are_told_once() -> None:
    failed = AuthError("may not write", where="docker.io/acme/app:1.4")
    error = PartialTagError("1 of 2 tags did not move")
    error.others = (failed, NetworkError("no route"))
    explanation = explain(a_failure(error, tag_error=failed), same)
    assert explanation is not None
    assert explanation.exit_code == 13
    assert [finding.what for finding in explanation.findings] == [
        "1 of 2 tags did not move",
        "may not write",
        "no route",
    ]


def test_remote_text_is_escaped_capped_and_redacted() -> None:
    redactor = Redactor()
    redactor.learn("hunter22")
    error = NetworkError("odd\nanswer", where="h\x1b[2J", why="::error::" + "w" * 5000, hint="token hunter22\nnext")
    explanation = explain(Outcome((), error), redactor)
    assert explanation is not None
    found = explanation.findings[0]
    assert found.what == r"odd\nanswer"
    assert found.where == r"h\x1b[2J"
    assert len(found.why) == 2000
    assert found.hint == "token ***\nnext"
