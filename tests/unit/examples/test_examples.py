"""The examples are what their script writes, and do what they say."""

import gzip
import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from manifest_action.adapters.request import read_request
from manifest_action.errors import ResolveError
from manifest_action.events import Event
from manifest_action.model.reference import Repository
from manifest_action.ops.outcome import Outcome
from manifest_action.ops.run import run
from manifest_action.plan.plan import make_plan
from manifest_action.transport.layout.transport import LayoutTransport
from tests.contract.places import read_all
from tests.support.peers import Peer
from tests.support.servers import ROOT

EXAMPLES = ROOT / "examples"
LAYOUTS = sorted(path.name for path in (EXAMPLES / "images").iterdir())
SPECS = sorted(path.name for path in EXAMPLES.glob("*.yml"))
WORKFLOWS = sorted(path.name for path in (EXAMPLES / "workflows").iterdir())
OFFLINE = ["append.yml", "attached.yml", "buildx-attestations.yml", "several.yml", "spec.yml", "windows.yml"]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_the_layouts_are_what_the_script_writes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-I", ROOT / "scripts" / "examples.py", tmp_path], check=True)
    assert contents(tmp_path) == contents(EXAMPLES / "images")
    assert sum(map(len, contents(tmp_path).values())) < 50_000


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_is_whole_and_its_configs_describe_its_layers(name: str) -> None:
    path = EXAMPLES / "images" / name
    source = LayoutTransport().source(Repository("oci", "", str(path)))
    top = source.resolve("")
    assert source.resolve("1.0") == top
    used = {top.digest}
    for manifest in [top] if top.config else [source.resolve(str(entry.digest)) for entry in top.entries]:
        used |= {manifest.digest, *(blob.digest for blob in manifest.blobs)}
        assert manifest.config
        config = json.loads(read_all(source, manifest.config))
        layers = [read_all(source, layer) for layer in manifest.layers]
        assert config["rootfs"]["diff_ids"] == [
            f"sha256:{hashlib.sha256(unzipped(each)).hexdigest()}" for each in layers
        ]
    assert {digest.encoded for digest in used} == {file.name for file in path.glob("blobs/*/*")}


def unzipped(layer: bytes) -> bytes:
    return gzip.decompress(layer) if layer.startswith(b"\x1f\x8b") else layer


@pytest.mark.parametrize("name", LAYOUTS)
def test_skopeo_reads_every_layout(name: str, tmp_path: Path, skopeo: Peer) -> None:
    skopeo("copy", "--all", f"oci:{EXAMPLES / 'images' / name}:1.0", f"dir:{tmp_path / name}")


@pytest.mark.parametrize("name", SPECS)
def test_every_spec_reads_and_says_on_top_what_it_shows(name: str) -> None:
    assert (EXAMPLES / name).read_text().startswith("# ")
    assert read_request({"spec": f"examples/{name}"}, ROOT).specs


def carry_out(name: str) -> Outcome:
    plan = make_plan(read_request({"spec": f"examples/{name}"}, ROOT).specs)
    return run(plan, LayoutTransport(), _Silent(), jobs=4, push=True)


class _Silent:
    def emit(self, event: Event, /) -> None:
        """Nobody listens."""


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current directory that has the examples, and where their results may lie."""
    (tmp_path / "examples").symlink_to(EXAMPLES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_list_of_those_that_need_no_registry_is_right() -> None:
    needy = {name for name in SPECS if "localhost:5000" in (EXAMPLES / name).read_text()}
    assert sorted(set(SPECS) - needy) == OFFLINE


def test_the_main_job(workplace: Path) -> None:
    outcome = carry_out("spec.yml")
    assert outcome.error is None
    (report,) = outcome.reports
    assert report.manifest
    # Same inputs, same bytes, on every machine and in every version that does not say otherwise.
    assert str(report.manifest.digest) == "sha256:5be250c924c6cacfcd15e12cb1e8176929a9392c3528f1811d27031eaefa49f6"
    source = LayoutTransport().source(Repository("oci", "", "out"))
    assert source.resolve("1.0") == source.resolve("latest") == report.manifest
    assert [str(entry.platform) for entry in report.entries] == ["linux/amd64", "linux/arm64/v8", "linux/arm/v7"]
    again = carry_out("spec.yml")
    assert (again.error, again.reports[0].changed) == (None, False)


@pytest.mark.parametrize("name", OFFLINE)
def test_every_spec_without_a_registry_works_twice(name: str, workplace: Path) -> None:
    for changed in (True, False):
        outcome = carry_out(name)
        assert outcome.error is None
        assert {report.changed for report in outcome.reports} == {changed}


def test_attestations_stay_with_their_images(workplace: Path) -> None:
    (report,) = carry_out("buildx-attestations.yml").reports
    assert [entry.is_attestation for entry in report.entries] == [False, True, False, True]


def test_appending_keeps_what_is_there(workplace: Path) -> None:
    carry_out("spec.yml")
    (report,) = carry_out("append.yml").reports
    assert len(report.entries) == 4
    assert str(report.entries[3].platform) == "windows(10.0.20348.2700)/amd64"


def test_the_examples_need_the_directory_they_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert isinstance(carry_out("spec.yml").error, ResolveError)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflows_use_inputs_and_outputs_that_exist(name: str) -> None:
    text = (EXAMPLES / "workflows" / name).read_text()
    assert text.startswith("# ")
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {}
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    ours = [step for step in steps if "/manifest-action@" in step.get("uses", "")]
    assert ours
    for step in ours:
        assert set(step["with"]) <= set(action["inputs"])
        for output in re.findall(rf"steps\.{step.get('id', '-')}\.outputs\.([\w-]+)", text):
            assert output in action["outputs"]


def test_the_readme_lists_every_example() -> None:
    listed = set(re.findall(r"\]\(([\w/-]+\.yml)\)", (EXAMPLES / "README.md").read_text()))
    assert listed == set(SPECS) | {f"workflows/{name}" for name in WORKFLOWS}
