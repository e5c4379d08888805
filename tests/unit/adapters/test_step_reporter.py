"""Events in a step's log."""

import io
from base64 import b64encode
from pathlib import Path

from manifest_action.adapters.ci.reporter import StepReporter
from manifest_action.adapters.github.commands import Log
from manifest_action.adapters.redaction import Redactor
from manifest_action.errors import Mark
from manifest_action.events import BlobTransferred, SecretLearned, Stage, StageStarted, Transfer, Warned
from manifest_action.model.digest import Digest
from manifest_action.model.reference import parse_reference


def test_a_run_in_the_log(tmp_path: Path) -> None:
    stream = io.StringIO()
    reporter = StepReporter(Log(stream, obeyed=True), Redactor(), tmp_path)
    repository = parse_reference("ghcr.io/acme/app").repository
    digest = Digest.of(b"")
    reporter.emit(SecretLearned("hunter22"))
    reporter.emit(SecretLearned("hunter22"))
    reporter.emit(StageStarted(Stage.COPY, "2 children"))
    reporter.emit(BlobTransferred(repository, digest, 5, Transfer.PRESENT))
    reporter.emit(BlobTransferred(repository, digest, 5, Transfer.COPIED))
    reporter.emit(Warned("the registry says\n::error::hunter22"))
    (tmp_path / "spec.yml").touch()
    reporter.emit(Warned("an odd key", Mark("spec.yml", 3, 5)))
    assert stream.getvalue().splitlines() == [
        "::add-mask::aHVudGVyMjI=",
        "::add-mask::hunter22",
        "::group::Copy 2 children",
        f"copied {digest} (5 bytes) to ghcr.io/acme/app",
        "::warning::the registry says\\n::error::***",
        "::warning file=spec.yml,line=3,col=5::spec.yml:3:5: an odd key",
    ]


def test_each_line_of_a_secret_has_a_mask_of_its_own(tmp_path: Path) -> None:
    stream = io.StringIO()
    lines = ["a" * 5000, "}", "b" * 5000]
    StepReporter(Log(stream, obeyed=True), Redactor(), tmp_path).emit(SecretLearned("\r\n".join(lines)))
    masks = {line.removeprefix("::add-mask::") for line in stream.getvalue().splitlines()}
    assert masks == {b64encode("\r\n".join(lines).encode()).decode(), lines[0], lines[2]}


def test_a_secret_that_cannot_be_printed_is_not_masked_but_redacted(tmp_path: Path) -> None:
    log = io.BytesIO()
    stream = io.TextIOWrapper(log, encoding="utf-8", write_through=True)
    redactor = Redactor()
    StepReporter(Log(stream, obeyed=True), redactor, tmp_path).emit(SecretLearned("hunter\udcff22"))
    masks = log.getvalue().decode().splitlines()
    assert masks == [f"::add-mask::{b64encode(b'hunter' + bytes([255]) + b'22').decode()}"]
    assert redactor("is hunter\udcff22") == "is ***"
