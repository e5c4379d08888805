"""`manifest-action index`: its arguments, its errors and what people see."""

import json
from pathlib import Path

import pytest

from manifest_action.adapters.cli import main
from tests.support.images import Synthetic, buildx_index, image, write_layout

AMD64, ARM64 = image("linux/amd64"), image("linux/arm64")
BOTH = buildx_index([AMD64, ARM64])


@pytest.fixture(autouse=True)
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a layout, and a home without a policy."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    images: dict[str, Synthetic] = {"all": BOTH, "amd64": AMD64}
    return write_layout(tmp_path / "layout", images)


def listed(name: str) -> list[str]:
    """The digests of the manifests that a name of the layout leads to, with that of the index at its head."""
    entries = json.loads(Path("layout/index.json").read_text())["manifests"]
    ref = "org.opencontainers.image.ref.name"
    (digest,) = [entry["digest"] for entry in entries if entry["annotations"][ref] == name]
    index = json.loads(Path(f"layout/blobs/sha256/{digest.partition(':')[2]}").read_text())
    return [digest, *(entry["digest"] for entry in index["manifests"])]


def test_the_index_is_changed_under_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["index", "remove", "oci:layout:all", "linux/arm64"]) == 0
    out = capsys.readouterr().out
    assert "oci:layout:all  moved" in out
    assert listed("all")[1] == AMD64.digest
    assert len(listed("all")) == 3
    assert main(["index", "filter", "oci:layout:all", "linux/amd64"]) == 0
    assert "nothing changed" in capsys.readouterr().out


def test_a_dry_run_shows_the_index(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["index", "filter", "oci:layout:all", ARM64.digest, "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "would move" in out
    assert '"schemaVersion": 2' in out
    assert listed("all")[0] == BOTH.digest


def test_the_result_goes_to_the_tags_that_are_given(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--tag", "small", "--tag", "oci:out:1", "--tag", "small", "--expect-digest", BOTH.digest]
    assert main(["index", "filter", "oci:layout:all", "linux/amd64", *options, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    tags = [(tag["reference"], tag["state"]) for tag in report["indexes"][0]["tags"]]
    assert tags == [("oci:layout:small", "created"), ("oci:out:1", "created")]
    assert listed("all")[0] == BOTH.digest


def test_instances_and_the_index_are_annotated(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--arch", "aarch64", "--variant", "v8", "--os-features", "a,b", "--url", "https://example.test/x"]
    assert main(["index", "annotate", "oci:layout:all", "linux/arm64", *arguments, "--json"]) == 0
    entry = json.loads(json.loads(capsys.readouterr().out)["indexes"][0]["index"])["manifests"][1]
    assert entry["platform"] == {"architecture": "arm64", "os": "linux", "os.features": ["a", "b"], "variant": "v8"}
    assert entry["urls"] == ["https://example.test/x"]
    assert main(["index", "annotate", "oci:layout:all", "--index", "--annotation", "a=b=c", "--json"]) == 0
    index = json.loads(json.loads(capsys.readouterr().out)["indexes"][0]["index"])
    assert index["annotations"] == {"a": "b=c"}
    assert index["manifests"][1] == entry


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["remove", "UPPER", "linux/amd64"], "lower case"),
        (["remove", "oci:layout:all", "amd64"], "a platform looks like"),
        (["remove", "oci:layout:all", "sha256:12"], "64 lower-case hex digits"),
        (["remove", "oci:layout:all", "linux/amd64", "--expect-digest", ""], "a digest looks like"),
        (["remove", "oci:layout:all", "linux/amd64", "--tag", f"oci:x@{BOTH.digest}"], "a destination has no digest"),
        (["remove", f"oci:layout@{BOTH.digest}", "linux/amd64"], "by digest alone"),
        (["annotate", "oci:layout:all"], "say which instances"),
        (["annotate", "oci:layout:all", "linux/amd64"], "say what to change"),
        (["annotate", "oci:layout:all", "--os", "linux"], "say which instances"),
        (["annotate", "oci:layout:all", "--index"], "takes annotations"),
        (["annotate", "oci:layout:all", "--index", "--annotation", "a=b", "--os", "linux"], "takes annotations"),
        (["annotate", "oci:layout:all", "linux/amd64", "--index", "--annotation", "a=b"], "takes annotations"),
        (["annotate", "oci:layout:all", "linux/amd64", "--annotation", "a"], "KEY=VALUE"),
        (["filter", "oci:layout:all", "linux/amd64", "--policy", "nowhere.json"], "does not exist"),
    ],
)
def test_wrong_arguments_are_explained(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["index", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert listed("all")[0] == BOTH.digest


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["remove", "oci:layout:amd64", "linux/amd64"], 3, "single image"),
        (["remove", "oci:layout:gone", "linux/amd64"], 3, "no image named gone"),
        (["remove", "oci:layout:all", "linux/s390x"], 3, "its platforms are linux/amd64, linux/arm64"),
        (["remove", "oci:layout:all", "linux/amd64", "linux/arm64"], 4, "no image would be left"),
        (["annotate", "oci:layout:all", "linux/amd64", "--features", "sse4"], 4, "features of the processor"),
        (["remove", "oci:layout:all", "linux/amd64", "--expect-digest", AMD64.digest], 3, "not to sha256"),
    ],
)
def test_what_cannot_be_is_explained(
    arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["index", *arguments]) == code
    assert said in capsys.readouterr().err
    assert listed("all")[0] == BOTH.digest


@pytest.mark.parametrize("arguments", [["remove", "oci:layout:all"], ["filter"], ["push", "oci:layout:all"], []])
def test_wrong_usage_ends_with_the_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["index", *arguments])
    assert caught.value.code == 2
    assert "usage: manifest-action index" in capsys.readouterr().err


def test_a_policy_is_asked_about_what_stays(capsys: pytest.CaptureFixture[str]) -> None:
    Path("policy.json").write_text('{"default": [{"type": "reject"}]}')
    assert main(["index", "remove", "oci:layout:all", "linux/arm64", "--policy", "policy.json"]) == 12
    assert "does not allow" in capsys.readouterr().err
    assert listed("all")[0] == BOTH.digest
