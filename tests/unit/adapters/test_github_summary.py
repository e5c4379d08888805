"""The job summary."""

from dataclasses import replace

import pytest

from manifest_action.adapters.github.picture import picture
from manifest_action.adapters.github.summary import code, summary
from manifest_action.errors import ConfigError, Mark, NetworkError, Problem
from manifest_action.model.platform import Platform
from manifest_action.ops.outcome import Outcome
from tests.unit.adapters.outcomes import AMD64, ARM64, NOTE, a_failure, a_spec, a_success, an_index, same


def test_a_success_shows_digest_platforms_tags_and_how_to_pull() -> None:
    text = summary(a_success(), same)
    digest = an_index().digest
    assert text.startswith("### `ghcr.io/acme/app:1.4`\n")
    assert f"`{digest}`, OCI index" in text
    assert f"| `linux/amd64` | `{AMD64}` | 5.0 MiB | `ghcr.io/acme/app:build` |" in text
    assert "| `docker.io/acme/app:1.4` | moved |" in text
    assert "Copied 2 blobs (2.0 KiB), mounted 1 blob (0 bytes), already there 4 blobs (4.0 KiB)." in text
    assert f"```sh\ndocker pull ghcr.io/acme/app@{digest}\n```" in text


def test_a_picture_shows_tags_index_and_children() -> None:
    text = summary(a_success(), same)
    picture = text.partition("```mermaid\n")[2].partition("```")[0].splitlines()
    assert picture == [
        "flowchart LR",
        f'  index["index<br>{an_index().digest.short}"]',
        '  tag0(["1.4"]) --> index',
        '  tag1(["1.4"]) --> index',
        f'  index --> child0["linux/amd64<br>{AMD64.short}, 5.0 MiB"]',
        f'  index --> child1["linux/arm64<br>{ARM64.short}"]',
        f'  index --> child2[/"attestation<br>{NOTE.short}, 7 bytes"/]',
    ]


def test_a_picture_stays_small_and_nothing_in_it_is_markup() -> None:
    report = a_success().reports[0]
    evil = replace(report.entries[0], platform=Platform("linux", 'x"]; click a "javascript:b" <b>`'))
    text = "\n".join(picture(replace(report, entries=(evil,) * 20)))
    assert text.count("child") == 12
    assert 'rest["and 8 more"]' in text
    assert 'x"]; click' not in text
    assert 'child0["linux/x___ click a _javascript:b_ _b__<br>' in text
    assert picture(replace(report, manifest=None)) == []


def test_what_was_not_pushed_cannot_be_pulled() -> None:
    dry = Outcome((replace(a_success().reports[0], pushed=False),), dry_run=True)
    text = summary(dry, same)
    assert "not pushed" in text
    assert "docker pull" not in text


def test_a_second_run_says_that_nothing_changed() -> None:
    again = Outcome((replace(a_success().reports[0], changed=False),))
    assert "Nothing changed: all of it was there already." in summary(again, same)


def test_a_layout_is_not_pulled_by_docker() -> None:
    local = Outcome((replace(a_success().reports[0], spec=a_spec("oci:out:1.4")),))
    assert "docker pull" not in summary(local, same)


def test_a_failure_comes_first_with_what_to_do() -> None:
    error = NetworkError("no answer", where="docker.io", why="timed out", hint="try later\nor not")
    text = summary(a_failure(error, tag_error=error), same)
    assert text.startswith(
        "### Manifest Action failed\n\n- `docker.io`: `no answer`\n"
        "  - why: `timed out`\n  - `try later`\n  - `or not`\n"
    )
    assert "| `docker.io/acme/app:1.4` | failed |" in text


def test_of_many_problems_the_first_fifty_are_shown() -> None:
    problems = [Problem("wrong", Mark("a.yml", line, 1)) for line in range(1, 61)]
    text = summary(Outcome((), ConfigError(problems)), same)
    assert "`a.yml:50:1`" in text
    assert "`a.yml:51:1`" not in text
    assert "- and 10 more" in text


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("plain", "`plain`"),
        ("a|b", "`a\\|b`"),
        ("a`b", "`` a`b ``"),
        ("``", "``` `` ```"),
        ("<img src=x>\n# head", "`<img src=x>\\n# head`"),
        ("\u202eabc", "`\\u202eabc`"),
    ],
)
def test_a_code_span_holds_whatever_is_in_it(text: str, span: str) -> None:
    assert code(text) == span


def test_a_summary_that_would_be_too_large_ends_early_and_says_so() -> None:
    report = a_success().reports[0]
    text = summary(Outcome((report,) * 100), same, limit=10_000)
    assert len(text.encode()) <= 10_000
    shown = text.count("### `ghcr.io/acme/app:1.4`")
    assert 5 < shown < 20
    assert text.endswith(f"_{100 - shown} more not shown; the report has them all._\n")
    assert "more not shown" not in summary(Outcome((report,) * 3), same, limit=10_000)
