"""`manifest-action list`: its arguments, its errors and what people see."""

import json
from pathlib import Path

import pytest

from manifest_action.adapters.cli import main
from manifest_action.adapters.list_commands import store_path
from manifest_action.errors import StoreError
from tests.support.images import Synthetic, artifact, buildx_index, image, write_layout

NAME = "localhost/app:1"
AMD64, ARM64 = image("linux/amd64"), image("linux/arm64")
DIGEST = AMD64.digest


@pytest.fixture(autouse=True)
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a layout, and a store of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNNER_TEMP", str(tmp_path / "temporary"))
    images: dict[str, Synthetic] = {
        "amd64": AMD64,
        "arm64": ARM64,
        "all": buildx_index([AMD64, ARM64]),
        "artifact": artifact(),
    }
    return write_layout(tmp_path / "layout", images)


@pytest.mark.parametrize(
    ("given", "environment", "path"),
    [
        ("here", {"RUNNER_TEMP": "/t", "HOME": "/h"}, "here"),
        (None, {"RUNNER_TEMP": "/t", "HOME": "/h"}, "/t/manifest-action"),
        (None, {"XDG_DATA_HOME": "/d", "HOME": "/h"}, "/d/manifest-action"),
        (None, {"XDG_DATA_HOME": "relative", "HOME": "/h"}, "/h/.local/share/manifest-action"),
        ("", {"HOME": "/h"}, "/h/.local/share/manifest-action"),
    ],
)
def test_where_lists_are_saved(given: str | None, environment: dict[str, str], path: str) -> None:
    assert store_path(given, environment) == Path(path)


@pytest.mark.parametrize("environment", [{}, {"XDG_DATA_HOME": "relative"}])
def test_without_a_home_the_store_must_be_named(environment: dict[str, str]) -> None:
    with pytest.raises(StoreError, match="no home directory"):
        store_path(None, environment)


def test_people_see_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "create", NAME, "oci:layout:all", "--all", "--annotation", "org.example.a=b"]) == 0
    digest = capsys.readouterr().out.strip()
    assert main(["list", "add", NAME, "oci:layout:artifact"]) == 0
    assert main(["list", "add", NAME, "oci:layout:arm64", "--annotation", "a=1", "--annotation", "b=2"]) == 0
    assert main(["list", "inspect", NAME]) == 0
    out = capsys.readouterr().out
    assert digest.startswith("sha256:")
    assert "type                      OCI index" in out
    assert "annotation org.example.a  b" in out
    rows = [line.split()[0] for line in out.splitlines() if "sha256:" in line and "oci:" in line]
    assert rows == ["linux/amd64", "attestation", "attestation", "no", "linux/arm64"]
    assert "a=1, b=2" in out
    assert main(["list", "ls"]) == 0
    assert "5 instances" in capsys.readouterr().out
    assert main(["list", "rm", NAME]) == 0
    assert capsys.readouterr().out == f"{NAME}\n"
    assert main(["list", "ls"]) == 0
    assert capsys.readouterr().out == ""


def test_programs_see_documents(capsys: pytest.CaptureFixture[str]) -> None:
    main(["list", "create", "--name", "more", NAME, "oci:layout:amd64", "--json"])
    created = json.loads(capsys.readouterr().out)
    assert created["names"] == [NAME, "more"]
    assert created["instances"] == [
        {
            "digest": DIGEST,
            "mediaType": AMD64.media_type,
            "size": len(AMD64.manifest_bytes),
            "platform": {"architecture": "amd64", "os": "linux"},
            "annotations": {},
            "urls": [],
            "artifactType": None,
            "location": f"oci:{Path.cwd()}/layout:amd64",
        }
    ]
    main(["list", "inspect", "more", "--json"])
    assert json.loads(capsys.readouterr().out) == created
    main(["list", "ls", "--json"])
    assert json.loads(capsys.readouterr().out)["lists"] == [
        {"names": [NAME, "more"], "digest": created["digest"], "mediaType": created["mediaType"], "instances": 1}
    ]


def test_push_shows_what_every_run_shows(capsys: pytest.CaptureFixture[str]) -> None:
    main(["list", "create", NAME, "oci:layout:amd64"])
    digest = capsys.readouterr().out.strip()
    assert main(["list", "push", NAME, "oci:out:1", "oci:out:2", "--dry-run", "--rm"]) == 0
    assert not Path("out").exists()
    assert main(["list", "push", NAME, "oci:out:1", "oci:out:2", "--rm", "--remove-signatures"]) == 0
    out = capsys.readouterr().out
    assert f"digest  {digest}" in out
    assert "oci:out:2  created" in out
    assert main(["list", "push", NAME, "oci:out:1"]) == 10


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add", NAME, "UPPER"], "lower case"),
        (["add", NAME, "oci:layout:amd64", "--annotation", "nothing"], "KEY=VALUE"),
        (["add", NAME, "oci:layout:amd64", "--annotation", "=nothing"], "KEY=VALUE"),
        (["add", NAME, "oci:layout:amd64", "--arch", "a b"], "letters, digits"),
        (["annotate", NAME], "say which instance"),
        (["annotate", NAME, "sha256:12"], "64 lower-case hex digits"),
        (["annotate", NAME, "--index"], "takes annotations"),
        (["annotate", NAME, "--index", "--annotation", "a=b", "--os", "linux"], "takes annotations"),
        (["annotate", NAME, DIGEST, "--index", "--annotation", "a=b"], "takes annotations"),
        (["remove", NAME, "amd64"], "a digest looks like"),
        (["push", NAME, "oci:out:1", "--arch", "arm64"], "--system means"),
        (["ls", "--lock-timeout", "-1"], "a number from 0 on"),
        (["ls", "--lock-timeout", "nan"], "a number from 0 on"),
    ],
)
def test_wrong_arguments_are_explained(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["list", "create", NAME])
    assert main(["list", *arguments]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["push", NAME, "oci:out:1", "--all", "--system"], ["push", NAME], ["nothing"], ["add", NAME], []]
)
def test_wrong_usage_ends_with_the_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["list", *arguments])
    assert caught.value.code == 2
    assert "usage: manifest-action list" in capsys.readouterr().err


def test_common_spellings_of_architectures_are_folded(capsys: pytest.CaptureFixture[str]) -> None:
    main(["list", "create", NAME, "oci:layout:amd64"])
    capsys.readouterr()
    main(["list", "annotate", NAME, DIGEST, "--arch", "armhf", "--json"])
    platform = json.loads(capsys.readouterr().out)["instances"][0]["platform"]
    assert platform == {"architecture": "arm", "os": "linux", "variant": "v7"}
