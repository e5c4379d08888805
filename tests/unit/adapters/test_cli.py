"""The command line."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from manifest_action import __version__
from manifest_action.adapters import commands
from manifest_action.adapters.arguments import LISTS, VALUES
from manifest_action.adapters.cli import main
from manifest_action.adapters.github.inputs import INPUTS
from manifest_action.errors import ConfigError, Problem
from manifest_action.plan.settings import Settings
from tests.support.images import buildx_index, image, write_layout


@pytest.fixture
def layouts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the layouts `amd64`, `arm64` and, with attestations, `buildx`."""
    monkeypatch.chdir(tmp_path)
    amd64, arm64 = image("linux/amd64"), image("linux/arm64")
    write_layout(tmp_path / "amd64", {"": amd64})
    write_layout(tmp_path / "arm64", {"": arm64})
    write_layout(tmp_path / "buildx", {"": buildx_index([amd64, arm64])})
    return tmp_path


BOTH = ("--source", "oci:amd64", "--source", "oci:arm64")


def test_push_prints_results_and_tells_progress_apart(layouts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["push", "--image", "oci:out:1", "--tag", "2", "--tag", "3", *BOTH]) == 0
    out, err = capsys.readouterr()
    digest = json.loads((layouts / "out/index.json").read_text())["manifests"][0]["digest"]
    assert f"digest  {digest}" in out
    assert "oci:out:3  created" in out
    assert "Resolve" in err
    assert "Resolve" not in out


def test_a_second_push_says_that_nothing_changed(layouts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["push", "-q", "--image", "oci:out:1", *BOTH])
    capsys.readouterr()
    assert main(["push", "-q", "--image", "oci:out:1", *BOTH]) == 0
    assert capsys.readouterr().out.endswith("nothing changed: all of it was there already\n\n")


def test_json_is_one_document_and_nothing_else(layouts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["push", "--json", "--image", "oci:out:1", "--annotation", "index:a=b", *BOTH]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["success"] is True
    assert json.loads(report["indexes"][0]["index"])["annotations"] == {"a": "b"}


@pytest.mark.parametrize("arguments", [["plan"], ["push", "--dry-run"]])
def test_a_plan_prints_the_index_and_writes_nothing(
    layouts: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    before = sorted(layouts.rglob("*"))
    assert main([*arguments, "-q", "--image", "oci:out:1", *BOTH]) == 0
    out = capsys.readouterr().out
    assert "oci:out:1  would be set" in out
    index = json.loads(out[out.index("{") :])
    assert [entry["platform"]["architecture"] for entry in index["manifests"]] == ["amd64", "arm64"]
    assert sorted(layouts.rglob("*")) == before


def test_specs_are_files_anywhere(layouts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (layouts / "sub").mkdir()
    spec = layouts / "spec.yml"
    spec.write_text("image: oci:out:1\nsources: [oci:amd64]\n")
    os.chdir(layouts / "sub")
    assert main(["plan", str(spec)]) == 3
    os.chdir(layouts)
    assert main(["plan", "-q", "spec.yml"]) == 0
    assert "oci:out:1" in capsys.readouterr().out


def test_every_mistake_is_shown_with_its_place(layouts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (layouts / "spec.yml").write_text("image: oci:out:1\nsorces: [oci:amd64]\nexpect: linux\nsources: [oci:amd64]\n")
    assert main(["push", "spec.yml"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "error: spec.yml:2:1: unknown key 'sorces'\n  do this: " in err
    assert "error: spec.yml:3:9: " in err


def test_a_failure_in_json_is_on_both_streams(layouts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["push", "-q", "--json", "--image", "oci:out:1", "--source", "oci:amd64", "--expect", "linux/arm64"]
    assert main(arguments) == 4
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert (report["error"]["code"], report["error"]["exitCode"]) == ("assemble", 4)
    assert "missing linux/arm64" in err
    assert not (layouts / "out").exists()


def test_inspect_lists_platforms_and_attestations(layouts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "oci:buildx"]) == 0
    out = capsys.readouterr().out
    assert [line.split()[0] for line in out.splitlines()[4:]] == [
        "PLATFORM",
        "linux/amd64",
        "linux/arm64",
        "attestation",
        "attestation",
    ]


def test_inspect_gives_json(layouts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "--json", "oci:amd64"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert list(document["platforms"]) == ["linux/amd64"]
    assert document["mediaType"] == "application/vnd.oci.image.manifest.v1+json"


@pytest.mark.parametrize(("reference", "code"), [("oci:", 2), ("ghcr.io/UPPER", 2), ("oci:nowhere", 3)])
def test_inspect_fails_in_the_same_style(
    layouts: Path, capsys: pytest.CaptureFixture[str], reference: str, code: int
) -> None:
    assert main(["inspect", reference]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")


def test_a_password_comes_from_standard_input_only(
    layouts: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Settings] = []

    def look(_reference: object, settings: Settings, *_: object) -> None:
        seen.append(settings)
        raise ConfigError([Problem("the registry echoes hunter22")])

    monkeypatch.setattr(commands, "look", look)
    monkeypatch.setattr(sys, "stdin", io.StringIO("hunter22\n"))
    assert main(["inspect", "--username", "me", "--password-stdin", "localhost:5000/app:1"]) == 2
    credential = seen[0].credentials["localhost:5000"]
    assert (credential.username, credential.password) == ("me", "hunter22")
    assert capsys.readouterr().err == "error: the registry echoes ***\n"
    with pytest.raises(SystemExit):
        main(["push", "--password", "hunter22"])


@pytest.mark.parametrize("arguments", [[], ["pull"], ["push", "--im", "x"], ["push", "--no-such"]])
def test_wrong_arguments_end_with_the_code_of_wrong_input(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: manifest-action" in capsys.readouterr().err


def test_options_are_named_as_the_inputs() -> None:
    assert {*VALUES, *LISTS} <= set(INPUTS)


def test_the_version_needs_nothing_heavy() -> None:
    program = (
        "import sys; from manifest_action.adapters.cli import main\n"
        "try: main(['--version'])\n"
        "except SystemExit: print(sorted({'requests', 'yaml', 'urllib3', 'ssl'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert result.stdout == f"manifest-action {__version__}\n[]\n"


def test_help_names_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    assert "exit codes: 0 success" in capsys.readouterr().out


def test_a_reader_that_goes_away_is_no_failure(layouts: Path) -> None:
    command = [sys.executable, "-m", "manifest_action", "plan", "-q", "--image", "oci:out:1", *BOTH]
    environment = os.environ | {"PYTHONPATH": str(Path(commands.__file__).parents[2])}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=layouts, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.wait(timeout=30) == 0
        assert process.stderr.read() == b""


@pytest.mark.parametrize(
    ("redirection", "code", "said"),
    [
        (">/dev/full", 10, "error: standard output: the result cannot be written\n  why: No space left on device\n"),
        (">&-", 10, "error: standard output: the result cannot be written"),
        ("2>&-", 0, ""),
        ("2>/dev/full", 0, ""),
        (">/dev/full 2>&-", 10, ""),
    ],
)
@pytest.mark.parametrize("command", ["push -q --image oci:out:1 --source oci:amd64", "inspect -q oci:amd64"])
def test_streams_that_take_nothing_end_in_an_exit_code(
    layouts: Path, command: str, redirection: str, code: int, said: str
) -> None:
    line = f"{sys.executable} -m manifest_action {command} {redirection}"
    environment = os.environ | {"PYTHONPATH": str(Path(commands.__file__).parents[2])}
    result = subprocess.run(
        ["sh", "-c", line], cwd=layouts, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert (result.returncode, result.stderr.count("\n") > 0) == (code, bool(said)), result.stderr
    assert said in result.stderr


def test_an_argument_that_is_wrong_with_standard_error_closed(layouts: Path) -> None:
    line = f"{sys.executable} -m manifest_action push --nonsense 2>&-"
    environment = os.environ | {"PYTHONPATH": str(Path(commands.__file__).parents[2])}
    assert subprocess.run(["sh", "-c", line], cwd=layouts, env=environment, check=False, timeout=60).returncode == 2
