"""What the documents say is what the program does: tables, specs, workflows, links, codes."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from manifest_action import errors
from manifest_action.adapters.document import read_documents
from manifest_action.adapters.github.inputs import INPUTS
from manifest_action.adapters.github.outputs import OUTPUTS
from manifest_action.adapters.metadata import with_metadata
from manifest_action.adapters.report import index_document, outcome_text
from manifest_action.adapters.request import read_request
from manifest_action.plan import keys
from manifest_action.plan.reader import read_specs
from scripts.write_docs import written_documents
from tests.support.servers import ROOT
from tests.unit.adapters.outcomes import a_success, same

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
SPEC_KEYS = {key.name for key in (*keys.INDEX_KEYS, *keys.FILE_KEYS)}


def _name(file: Path) -> str:
    return str(file.relative_to(ROOT))


def blocks(language: str) -> Iterator[tuple[str, str]]:
    """The place and text of every code block in a language."""
    for file in DOCUMENTS:
        text = file.read_text()
        for match in FENCE.finditer(text):
            if match[2] == language:
                body = re.sub(rf"^{match[1]}", "", match[3], flags=re.MULTILINE)
                yield f"{_name(file)}:{text.count(chr(10), 0, match.start()) + 1}", body


def steps(document: Any) -> Iterator[Mapping[str, Any]]:
    """Every step of a workflow, or of a part of one, that uses this action."""
    steps = document if isinstance(document, list) else []
    if isinstance(document, dict):
        steps = [step for job in document.get("jobs", {}).values() for step in job["steps"]]
    for step in steps:
        if "/manifest-action@" in step.get("uses", ""):
            yield step["with"]


def filled_in(value: Any) -> str:
    """An input as the runner passes it, with its expressions replaced by what they might give."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    text = re.sub(r"\$\{\{ *steps.meta.outputs.tags *\}\}", "ghcr.io/acme/app:1", text)
    text = re.sub(r"\$\{\{ *matrix.shard *\}\}", "1/4", text)
    text = re.sub(r"\$\{\{ *steps.meta.outputs.labels *\}\}", "a=b", text)
    digests = json.dumps({"amd64": f"sha256:{'0' * 64}"})
    return re.sub(
        r"\$\{\{.*?\}\}", "x", re.sub(r"\$\{\{ *toJSON\(.*?\) *\}\}|\$\{\{[^}]*outputs.metadata *\}\}", digests, text)
    )


def _is_spec(document: Any) -> bool:
    return isinstance(document, dict) and document.keys() <= SPEC_KEYS


YAML_BLOCKS = dict(blocks("yaml"))
OTHER_SYSTEMS = {
    "# .gitlab-ci.yml": "vendor.gitlab-ci",
    "# azure-pipelines.yml": "vendor.azure-pipelines",
    "# .circleci/config.yml": "vendor.circle-ci",
    "# .drone.yml": "vendor.drone-ci",
    "# .woodpecker.yml": "vendor.woodpecker-ci",
    "# .buildkite/pipeline.yml": "vendor.buildkite",
    "# pipeline.yaml": "",
}
"""Files of other CI systems by their first line, to the schema that check-jsonschema has for them."""
FOREIGN = {place: text for place, text in YAML_BLOCKS.items() if text.partition("\n")[0] in OTHER_SYSTEMS}
OWN = {place: text for place, text in YAML_BLOCKS.items() if place not in FOREIGN}
SPECS = {place: text for place, text in OWN.items() if _is_spec(yaml.safe_load(text))}
STEPS = [(place, inputs) for place, text in OWN.items() for inputs in steps(yaml.safe_load(text))]


def test_the_blocks_are_found() -> None:
    assert len(SPECS) >= 6
    assert len(STEPS) >= 3


@pytest.mark.parametrize("place", OWN)
def test_every_yaml_block_is_a_spec_or_part_of_a_workflow(place: str) -> None:
    document = yaml.safe_load(YAML_BLOCKS[place])
    assert place in SPECS or isinstance(document, list) or "jobs" in document


@pytest.mark.parametrize("place", SPECS)
def test_every_spec_can_be_read(place: str) -> None:
    specs = read_specs(read_documents(SPECS[place], place))
    assert all(spec.sources for spec in specs)


@pytest.mark.parametrize(("place", "inputs"), STEPS)
def test_every_step_has_inputs_that_are_understood(place: str, inputs: Mapping[str, Any], tmp_path: Path) -> None:
    (tmp_path / "digests").mkdir()
    (tmp_path / "digests" / ("0" * 64)).touch()
    (tmp_path / "images.yml").write_text(SPECS[next(iter(SPECS))])
    assert set(inputs) <= set(INPUTS)
    (tmp_path / "metadata").mkdir()
    (tmp_path / "metadata/app.json").write_text(json.dumps({"containerimage.digest": f"sha256:{'0' * 64}"}))
    made = {"tags": ["ghcr.io/acme/app:1"], "annotations": ["manifest:a=b"]}
    texts = with_metadata(
        {name: filled_in(value) for name, value in inputs.items()},
        {"DOCKER_METADATA_OUTPUT_JSON": json.dumps(made)},
    )
    assert read_request(texts, tmp_path).specs, place


@pytest.mark.parametrize("file", written_documents(), ids=_name)
def test_what_is_written_from_the_program_is_up_to_date(file: Path) -> None:
    assert file.read_text() == written_documents()[file], "run scripts/write_docs.py"


def test_every_input_output_and_key_is_written_about() -> None:
    written = (ROOT / "docs/inputs-outputs.md").read_text()
    assert all(f"\n| `{name}` | " in written for name in (*INPUTS, *OUTPUTS))
    spec = (ROOT / "docs/spec.md").read_text()
    assert all(f"\n| `{key.name}`" in spec for key in (*keys.INDEX_KEYS, *keys.SOURCE_KEYS, *keys.FILE_KEYS))


def test_the_report_is_documented_key_by_key() -> None:
    text = (ROOT / "docs/inputs-outputs.md").read_text()
    report = json.loads("".join(outcome_text(a_success(), same)))
    index = index_document(a_success().reports[0], same)
    entry = next(iter(index["entries"])) if isinstance(index["entries"], list) else {}
    tag = next(iter(index["tags"])) if isinstance(index["tags"], list) else {}
    for key in (*report, *index, *entry, *tag):
        assert f"`{key}`" in text, key


ERRORS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type)
    and issubclass(kind, errors.ManifestActionError)
    and kind is not errors.ManifestActionError
]


@pytest.mark.parametrize("kind", ERRORS)
def test_every_kind_of_error_that_this_version_knows_is_explained(kind: type[errors.ManifestActionError]) -> None:
    text = (ROOT / "docs/errors.md").read_text()
    assert f"`{kind.code}`" in text
    if kind is not errors.Interrupted:
        assert re.search(rf"^## {kind.exit_code}: ", text, re.MULTILINE)
        assert f"| {kind.exit_code} | `{kind.code}` |" in text


@pytest.mark.parametrize("file", DOCUMENTS, ids=_name)
def test_links_within_the_project_lead_somewhere(file: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", file.read_text()):
        if re.match(r"https?:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (file.parent / path) if path else file
        assert linked.exists(), target
        if anchor:
            heads = re.findall(r"^#+ (.*)$", linked.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}, target
