"""What people see in a terminal."""

import io
import os
import re
from pathlib import Path

import pytest

from manifest_action.adapters.console import Console, ConsoleReporter
from manifest_action.adapters.explanation import Explanation, Finding
from manifest_action.adapters.redaction import Redactor
from manifest_action.errors import Mark, StoreError
from manifest_action.events import (
    BlobProgress,
    BlobTransferred,
    SecretLearned,
    Stage,
    StageStarted,
    TagSettled,
    TagState,
    Transfer,
    Warned,
)
from manifest_action.model.digest import Digest
from manifest_action.model.reference import parse_reference


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def tag_settled(state: TagState) -> TagSettled:
    return TagSettled(parse_reference("ghcr.io/acme/app:1"), Digest.of(b""), state)


def shown(err: io.StringIO, environment: dict[str, str], *, quiet: bool = False) -> str:
    redactor = Redactor()
    reporter = ConsoleReporter(Console(io.StringIO(), err, environment, redactor), redactor, quiet=quiet)
    reporter.emit(SecretLearned("hunter22"))
    reporter.emit(StageStarted(Stage.TAG, "1 tags"))
    reporter.emit(tag_settled(TagState.CREATED))
    reporter.emit(tag_settled(TagState.FAILED))
    reporter.emit(Warned("hunter22 \x1b[31m"))
    return err.getvalue()


def test_events_are_indented_under_their_stage_and_secrets_are_not_shown() -> None:
    assert shown(io.StringIO(), {}) == (
        "Tag 1 tags\n  ghcr.io/acme/app:1 created\n  ghcr.io/acme/app:1 failed\nwarning: *** \\x1b[31m\n"
    )


def test_quiet_leaves_warnings() -> None:
    assert shown(io.StringIO(), {}, quiet=True) == "warning: *** \\x1b[31m\n"


def test_a_terminal_gets_colours() -> None:
    text = shown(Terminal(), {"TERM": "xterm"})
    assert "\x1b[1mTag 1 tags\x1b[0m\n" in text
    assert "\x1b[32m  ghcr.io/acme/app:1 created\x1b[0m\n" in text
    assert "\x1b[31m  ghcr.io/acme/app:1 failed\x1b[0m\n" in text


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colours_turn_off(environment: dict[str, str]) -> None:
    assert "\x1b" not in shown(Terminal(), environment)


ON_THE_WAY = parse_reference("ghcr.io/acme/app").repository
MEBI = 1024 * 1024


def under_way(err: io.StringIO, environment: dict[str, str], *, quiet: bool = False) -> str:
    reporter = ConsoleReporter(Console(io.StringIO(), err, environment, Redactor()), Redactor(), quiet=quiet)
    reporter.emit(BlobProgress(ON_THE_WAY, Digest.of(b""), 4 * MEBI, 40 * MEBI))
    reporter.emit(BlobProgress(ON_THE_WAY, Digest.of(b"2"), 16 * MEBI, 60 * MEBI))
    reporter.emit(BlobTransferred(ON_THE_WAY, Digest.of(b""), 40 * MEBI, Transfer.COPIED))
    reporter.emit(StageStarted(Stage.TAG, "1 tag"))
    return err.getvalue()


@pytest.mark.parametrize("environment", [{}, {"NO_COLOR": "1"}])
def test_large_blobs_on_their_way_are_the_last_line_of_a_terminal(environment: dict[str, str]) -> None:
    text = re.sub(r"\x1b\[[01]m", "", under_way(Terminal(), environment))
    assert text.split("\r\x1b[K")[1:] == [
        "  1 large blob on the way: 4.0 MiB of 40.0 MiB, 10 %",
        "  2 large blobs on the way: 20.0 MiB of 100.0 MiB, 20 %",
        "  1 large blob on the way: 16.0 MiB of 60.0 MiB, 26 %",
        (
            f"  copied {Digest.of(b'')} (40.0 MiB) to ghcr.io/acme/app\n"
            "  1 large blob on the way: 16.0 MiB of 60.0 MiB, 26 %"
        ),
        "Tag 1 tag\n",
    ]


def test_only_a_terminal_shows_what_is_on_its_way() -> None:
    assert under_way(io.StringIO(), {}).splitlines()[1:] == ["Tag 1 tag"]
    assert under_way(Terminal(), {"TERM": "dumb"}).splitlines()[1:] == ["Tag 1 tag"]
    assert under_way(Terminal(), {}, quiet=True) == ""


def test_errors_say_what_where_why_and_what_to_do() -> None:
    err = io.StringIO()
    finding = Finding("no answer", "ghcr.io", "timed out", "try later", Mark("a.yml", 3, 5))
    Console(io.StringIO(), err, {}, Redactor()).explain(Explanation("network", 7, (finding,)))
    assert err.getvalue() == "error: a.yml:3:5: ghcr.io: no answer\n  why: timed out\n  do this: try later\n"


def test_results_go_to_the_other_stream_and_nothing_is_not_even_a_line() -> None:
    out, err = io.StringIO(), io.StringIO()
    console = Console(out, err, {}, Redactor())
    console.result("")
    console.result("a\nb")
    assert (out.getvalue(), err.getvalue()) == ("a\nb\n", "")


def test_a_reader_that_has_gone_is_no_failure() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as out:
        console = Console(out, io.StringIO(), {}, Redactor())
        console.result("x" * 100_000)
        console.result("more")


def test_a_result_that_cannot_be_written_is_an_error() -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as out:
        console = Console(out, io.StringIO(), {}, Redactor())
        with pytest.raises(StoreError) as caught:
            console.result("x")
    assert str(caught.value) == "standard output: the result cannot be written: No space left on device"


def test_a_closed_error_stream_does_not_stop_the_run() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as err:
        console = Console(io.StringIO(), err, {}, Redactor())
        console.note("x")
