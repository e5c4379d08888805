"""The action as the runner starts it, on OCI layouts: no server, the real program from end to end."""

import fcntl
import hashlib
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from manifest_action.adapters.github.outputs import OUTPUTS
from tests.action.runner import Runner
from tests.support.images import image, write_layout

BOTH = "oci:amd64\noci:arm64\n"
BLOB = "blobs/sha256"


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    """A runner whose workspace holds the layouts `amd64` and `arm64`."""
    made = Runner(tmp_path)
    write_layout(made.workspace / "amd64", {"": image("linux/amd64")})
    write_layout(made.workspace / "arm64", {"": image("linux/arm64")})
    return made


def test_a_step_gives_its_outputs_and_a_summary(runner: Runner) -> None:
    result = runner.run(image="oci:out:1.0", tags="1.1, latest", sources=BOTH, expect="linux/amd64,linux/arm64")
    assert result.code == 0, result.log
    assert result.errors == ""
    assert set(result.outputs) == set(OUTPUTS) - {"error-code"}
    stored = runner.workspace / "out" / BLOB / result.outputs["digest"].removeprefix("sha256:")
    assert stored.read_text() == result.outputs["index"]
    assert "sha256:" + hashlib.sha256(stored.read_bytes()).hexdigest() == result.outputs["digest"]
    assert result.outputs["image"] == f"oci:out@{result.outputs['digest']}"
    assert result.json("tags") == ["oci:out:1.0", "oci:out:1.1", "oci:out:latest"]
    assert list(result.json("platforms")) == ["linux/amd64", "linux/arm64"]
    assert result.outputs["changed"] == "true"
    report = json.loads((runner.workspace / result.outputs["report"]).read_text())
    assert report["indexes"][0]["digest"] == result.outputs["digest"]
    assert result.summary.startswith("### `oci:out:1.0`\n")
    assert result.outputs["digest"] in result.summary


def test_the_same_step_again_changes_nothing(runner: Runner) -> None:
    first = runner.run(image="oci:out:1.0", sources=BOTH)
    before = {path: path.stat().st_mtime_ns for path in (runner.workspace / "out" / BLOB).iterdir()}
    again = runner.run(image="oci:out:1.0", sources=BOTH)
    assert again.code == 0
    assert (again.outputs["digest"], again.outputs["changed"]) == (first.outputs["digest"], "false")
    assert {path: path.stat().st_mtime_ns for path in (runner.workspace / "out" / BLOB).iterdir()} == before


def test_without_push_the_digest_is_known_and_nothing_is_written(runner: Runner) -> None:
    dry = runner.run(image="oci:out:1.0", sources=BOTH, push="false")
    assert dry.code == 0
    assert not (runner.workspace / "out").exists()
    assert json.loads(dry.outputs["tags"]) == ["oci:out:1.0"]
    assert "oci:out:1.0  would be set" in dry.log
    assert runner.run(image="oci:out:1.0", sources=BOTH).outputs["digest"] == dry.outputs["digest"]


def test_a_workflow_of_int128_runs_unchanged(runner: Runner) -> None:
    result = runner.run(
        push="true",
        tags="oci:out:main",
        sources=BOTH,
        index_annotations="index:org.opencontainers.image.title=app\nindex:org.opencontainers.image.version=a=b, c\n",
    )
    assert result.code == 0, result.log
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", result.outputs["digest"])
    assert json.loads(result.outputs["index"])["annotations"] == {
        "org.opencontainers.image.title": "app",
        "org.opencontainers.image.version": "a=b, c",
    }


def test_metadata_action_may_leave_its_results_in_the_environment(runner: Runner) -> None:
    made = {"tags": ["oci:out:1.0", "oci:out:latest"], "annotations": ["manifest:org.opencontainers.image.title=app"]}
    runner.environment["DOCKER_METADATA_OUTPUT_JSON"] = json.dumps(made)
    result = runner.run(metadata="env", sources=BOTH)
    assert result.code == 0, result.log
    assert result.json("tags") == ["oci:out:1.0", "oci:out:latest"]
    assert json.loads(result.outputs["index"])["annotations"] == {"org.opencontainers.image.title": "app"}
    del runner.environment["DOCKER_METADATA_OUTPUT_JSON"]
    missing = runner.run(metadata="env", sources=BOTH)
    assert missing.code == 2
    assert "DOCKER_METADATA_OUTPUT_JSON is not set" in missing.log


def test_a_spec_of_manifest_tool_runs_unchanged(runner: Runner) -> None:
    (runner.workspace / "spec.yml").write_text(
        "image: oci:out:1.0\ntags: ['1.1', 1.10]\nmanifests:\n"
        "  - image: oci:amd64\n    platform: {architecture: amd64, os: linux}\n"
        "  - image: oci:arm64\n    platform: {architecture: arm64, os: linux, variant: v8}\n"
    )
    result = runner.run(spec="spec.yml")
    assert result.code == 0, result.log
    assert result.json("tags") == ["oci:out:1.0", "oci:out:1.1", "oci:out:1.10"]
    assert list(result.json("platforms")) == ["linux/amd64", "linux/arm64/v8"]


def test_several_indexes_in_one_step(runner: Runner) -> None:
    result = runner.run(
        spec="indexes:\n- {image: 'oci:out:a', sources: ['oci:amd64']}\n- {image: 'oci:out:b', sources: 'oci:arm64'}\n"
    )
    assert result.code == 0, result.log
    results = result.json("results")
    assert [found["name"] for found in results] == ["oci:out:a", "oci:out:b"]
    assert result.outputs["digest"] == results[0]["digest"] != results[1]["digest"]
    assert result.summary.count("### ") == 2


def test_the_working_directory_is_where_paths_begin(runner: Runner) -> None:
    (runner.workspace / "images").mkdir()
    (runner.workspace / "amd64").rename(runner.workspace / "images/amd64")
    (runner.workspace / "images/spec.yml").write_text("image: oci:out:1\nsources: [oci:amd64]\n")
    result = runner.run(spec="spec.yml", working_directory="images")
    assert result.code == 0, result.log
    assert (runner.workspace / "images/out/index.json").is_file()
    assert result.outputs["report"] == ".manifest-action/report-__self.json"
    assert (runner.workspace / result.outputs["report"]).is_file()


def test_mistakes_in_a_spec_are_annotations_on_its_lines(runner: Runner) -> None:
    (runner.workspace / "sub").mkdir()
    (runner.workspace / "sub/spec.yml").write_text(
        "image: oci:out:1\nsorces:\n- x\nexpect: [linux]\nsources: [oci:a]\n"
    )
    result = runner.run(spec="spec.yml", working_directory="sub")
    assert result.code == 2
    annotations = [line for line in result.log.splitlines() if line.startswith("::error ")]
    assert annotations[0].startswith("::error file=sub/spec.yml,line=2,col=1,title=Manifest Action::")
    assert "did you mean sources?" in annotations[0]
    assert annotations[1].startswith("::error file=sub/spec.yml,line=4,col=10,title=Manifest Action::")
    assert result.log.splitlines()[-1] == "Manifest Action failed: 2 problems, config, exit code 2"
    assert result.outputs["error-code"] == "config"
    assert "digest" not in result.outputs
    assert "did you mean sources?" in result.summary


def test_mistakes_in_inputs_have_no_file_to_point_to(runner: Runner) -> None:
    result = runner.run(image="oci:out:1", sources=BOTH, format="zip")
    assert result.code == 2
    annotation = next(line for line in result.log.splitlines() if line.startswith("::error"))
    assert annotation.startswith("::error title=Manifest Action::input format:1:1: ")


def test_a_failure_after_assembling_still_gives_the_digest(runner: Runner) -> None:
    digest = runner.run(image="oci:out:1", sources=BOTH, push="false").outputs["digest"]
    result = runner.run(image="oci:/dev/null/out:1", sources=BOTH)
    assert result.code == 10, result.log
    assert (result.outputs["digest"], result.outputs["error-code"]) == (digest, "store")
    assert json.loads(result.outputs["tags"]) == []


def test_a_platform_that_is_missing_fails_before_any_write(runner: Runner) -> None:
    result = runner.run(image="oci:out:1", sources="oci:amd64", expect="linux/amd64,linux/arm64")
    assert (result.code, result.outputs["error-code"]) == (4, "assemble")
    assert "missing linux/arm64" in result.log.splitlines()[-2]
    assert not (runner.workspace / "out").exists()


def test_secrets_are_masked_before_anything_else_and_shown_nowhere(runner: Runner) -> None:
    result = runner.run(
        image="oci:out:1",
        sources=BOTH,
        username="canary-user",
        password="canary-password",
        registries="localhost:1: {username: u, password: canary-registry}\nbroken: canary-broken",
    )
    lines = result.log.splitlines()
    masked = {line.removeprefix("::add-mask::") for line in lines if line.startswith("::add-mask::")}
    assert {"canary-password", "ghs_canary_job_token", "canary-registry"} <= masked
    assert all(line.startswith("::add-mask::") for line in lines[: len(masked)])
    rest = "\n".join(lines[len(masked) :])
    for text in (rest, result.errors, result.summary, "".join(result.outputs.values())):
        assert "canary-p" not in text
        assert "canary-r" not in text
        assert "canary-b" not in text
        assert "ghs_" not in text


def test_nothing_from_a_source_becomes_a_command_or_an_output(runner: Runner) -> None:
    evil = "x\n::error::pwned\n::set-output name=digest::pwned\r\n##[add-mask]x\n\x1b[31m\u202epwned"
    layout = runner.workspace / "evil"
    write_layout(layout, {"": image("linux/s390x", annotations={"org.opencontainers.image.title": evil})})
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": evil}))
    failed = runner.run(image="oci:out:1", sources="oci:evil", annotations=json.dumps({"a": evil.replace("\r", "")}))
    assert failed.code != 0
    for line in failed.log.splitlines():
        assert not line.lstrip().startswith("::") or re.match(r"::(add-mask|group|endgroup|error title=)", line)
        assert "##[" not in line
        assert "\x1b" not in line
        assert "\u202e" not in line
    assert "pwned" not in failed.outputs.get("digest", "")


def test_an_annotation_with_line_ends_stays_one_output(runner: Runner) -> None:
    result = runner.run(image="oci:out:1", sources=BOTH, annotations=json.dumps({"a": "x\ndigest=pwned\nindex<<E\nE"}))
    assert result.code == 0, result.log
    assert result.outputs["digest"].startswith("sha256:")
    assert json.loads(result.outputs["index"])["annotations"] == {"a": "x\ndigest=pwned\nindex<<E\nE"}


def test_nothing_is_imported_from_the_workspace(runner: Runner) -> None:
    for name in ("json.py", "yaml.py", "manifest_action.py", "sitecustomize.py"):
        (runner.workspace / name).write_text("raise SystemExit('imported from the workspace')\n")
    runner.environment["PYTHONPATH"] = str(runner.workspace)
    runner.environment["PYTHONSTARTUP"] = str(runner.workspace / "json.py")
    result = runner.run(image="oci:out:1", sources=BOTH)
    assert result.code == 0, result.errors


def test_a_runner_without_files_for_outputs_is_served_too(runner: Runner) -> None:
    runner.environment |= {"GITHUB_OUTPUT": "", "GITHUB_STEP_SUMMARY": ""}
    result = runner.run(image="oci:out:1", sources=BOTH)
    assert result.code == 0
    assert (result.outputs, result.summary) == ({}, "")
    assert "digest  sha256:" in result.log


def test_an_output_file_that_cannot_be_opened_fails_before_any_work(runner: Runner) -> None:
    link = runner.folder / "link"
    link.symlink_to(runner.folder / "elsewhere")
    runner.environment["GITHUB_OUTPUT"] = str(link)
    result = runner.run(image="oci:out:1", sources=BOTH)
    assert result.code == 10
    assert "a file of the runner cannot be written" in result.log
    assert not (runner.workspace / "out").exists()


def test_outputs_that_cannot_be_written_fail_the_step(runner: Runner) -> None:
    runner.environment["GITHUB_OUTPUT"] = "/dev/full"
    result = runner.run(image="oci:out:1", sources=BOTH)
    assert result.code == 10
    assert "No space left on device" in result.log


@pytest.mark.parametrize(
    ("name", "text"),
    [("annotations", "a=caf\udce9"), ("registries", "{ghcr.io: {username: me, password: hunter\udcff22}}")],
)
def test_an_input_that_is_no_text_is_refused(runner: Runner, name: str, text: str) -> None:
    result = runner.run(image="oci:out:1", sources=BOTH, **{name: text})
    assert (result.code, result.outputs["error-code"]) == (2, "config")
    assert "an undecodable byte is not allowed" in result.log
    assert "hunter" not in result.log
    assert not (runner.workspace / "out").exists()


def test_masks_are_not_printed_where_nobody_obeys_them(runner: Runner) -> None:
    runner.environment["GITHUB_ACTIONS"] = ""
    result = runner.run(image="oci:out:1", sources=BOTH, username="u", password="canary-password")
    assert result.code == 0, result.log
    assert "canary-password" not in result.log


@pytest.mark.parametrize(("number", "code", "name"), [(signal.SIGTERM, 143, "SIGTERM"), (signal.SIGINT, 130, "SIGINT")])
def test_a_step_that_is_stopped_ends_at_once_with_what_it_knows(
    runner: Runner, number: int, code: int, name: str
) -> None:
    digest = runner.run(image="oci:out:1", sources=BOTH, push="false").outputs["digest"]
    runner.run(image="oci:out:0", sources="oci:amd64")
    with held(runner.workspace / "out"):
        process = runner.start(image="oci:out:1", sources=BOTH)
        _wait_for_line(process, "::group::Copy")
        start = time.monotonic()
        process.send_signal(number)
        result = runner.finish(process)
    assert time.monotonic() - start < 20
    assert result.code == code, result.log
    assert (result.outputs["digest"], result.outputs["error-code"]) == (digest, "interrupted")
    assert json.loads(result.outputs["tags"]) == []
    assert f"stopped by {name}" in result.log
    assert "Traceback" not in result.log + result.errors
    assert runner.run(image="oci:out:1", sources=BOTH).outputs["digest"] == digest


@contextmanager
def held(layout: Path) -> Iterator[None]:
    """Whoever wants to write to the layout has to wait."""
    directory = os.open(layout, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)


def _wait_for_line(process: "subprocess.Popen[str]", beginning: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(beginning):
            return
    raise AssertionError(f"the step ended without a line that begins with {beginning}")
