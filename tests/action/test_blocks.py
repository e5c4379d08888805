"""Every block of code in the documents, and every template, is checked by a program that knows its language."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from manifest_action.adapters.arguments import parser
from scripts.actionlint import PROGRAM as ACTIONLINT
from tests.action.test_documents import DOCUMENTS, FOREIGN, OTHER_SYSTEMS, OWN, SPECS, STEPS, blocks
from tests.support.servers import ROOT, MissingProgram

BIN = Path(sys.executable).parent
LANGUAGES = {"yaml", "sh", "console", "json", "text", "groovy", "mermaid", "python"}
SHELL = dict(blocks("sh"))
ZIZMOR = {"rules": {"unpinned-uses": {"disable": True}}}
"""Documents name versions, which people can read; a pin by digest would be out of date before it is read."""


def checked(program: str, *arguments: str | Path) -> None:
    """Run a checker of the development environment; it must have nothing to say."""
    result = subprocess.run(
        [BIN / program, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_there_are_blocks_of_known_languages_only() -> None:
    found = {language for file in DOCUMENTS for language in re.findall(r"^ *```(\w+)$", file.read_text(), re.MULTILINE)}
    assert found <= LANGUAGES
    assert len(SHELL) > 10
    assert len(FOREIGN) == len(OTHER_SYSTEMS)


def test_python_and_json_blocks_are_such() -> None:
    for place, text in blocks("python"):
        compile(text, place, "exec")
    read = [json.loads(text) for _, text in blocks("json")]
    assert all("default" in policy for policy in read)


@pytest.mark.parametrize("place", SHELL)
def test_shell_blocks_are_understood_by_shellcheck(place: str, tmp_path: Path) -> None:
    file = tmp_path / "block.sh"
    file.write_text(f"#!/bin/bash\n{SHELL[place]}")
    checked("shellcheck", "--exclude=SC2034", file)


def own_commands() -> Iterator[tuple[str, list[str]]]:
    """Every command line of our own in shell and console blocks."""
    for place, text in [*SHELL.items(), *blocks("console")]:
        for line in text.replace("\\\n", " ").splitlines():
            words = shlex.split(line.removeprefix("$ "), comments=True)
            if words[:1] == ["manifest-action"]:
                end = next((at for at, word in enumerate(words) if word in ("<", ">", "|")), None)
                yield place, words[1:end]


@pytest.mark.parametrize(("place", "words"), list(own_commands()))
def test_commands_have_arguments_that_are_understood(place: str, words: list[str]) -> None:
    arguments = [word for word in words if "…" not in word]
    assert parser().parse_args(arguments).command == words[0], place


@pytest.mark.parametrize("place", FOREIGN)
def test_files_of_other_systems_pass_their_schemas(place: str, tmp_path: Path) -> None:
    schema = OTHER_SYSTEMS[FOREIGN[place].partition("\n")[0]]
    if schema:
        file = tmp_path / "block.yml"
        file.write_text(FOREIGN[place])
        variant = "nonunicode" if "azure" in schema else "default"  # its patterns are not those of ECMAScript's u flag
        checked("check-jsonschema", "--regex-variant", variant, "--builtin-schema", schema, file)


def around(document: list[Any], text: str) -> dict[str, Any]:
    """A workflow with these steps, after a job and steps that they refer to and that are shown elsewhere."""
    own = {step.get("id") for step in document}
    named = sorted(set(re.findall(r"steps\.([a-z]+)\.outputs", text)) - own)
    before = [{"id": name, "run": "true"} for name in named]
    build = {
        "runs-on": "ubuntu-24.04",
        "permissions": {},
        "outputs": {"amd64": "${{ steps.x.outputs.y }}"},
        "steps": [{"id": "x", "run": "true"}],
    }
    merge = {"needs": "build", "runs-on": "ubuntu-24.04", "permissions": {}, "steps": before + document}
    return {"name": "steps", "on": {"push": {}}, "permissions": {}, "jobs": {"build": build, "merge": merge}}


def workflows() -> Iterator[tuple[str, str]]:
    """Every workflow of the documents and examples; steps by themselves are put into a job."""
    for place, written in OWN.items():
        text = written.replace("uses: https://github.com/", "uses: ")  # Gitea's form, which actionlint does not know
        document = yaml.safe_load(text)
        if isinstance(document, list):
            yield place, yaml.safe_dump(around(document, text), sort_keys=False)
        elif place not in SPECS:
            yield (
                place,
                text if re.search("^on:", text, re.MULTILINE) else f"name: part\non: push\npermissions: {{}}\n{text}",
            )
    for file in sorted((ROOT / "examples/workflows").glob("*.yml")):
        yield str(file.relative_to(ROOT)), file.read_text()


def test_every_workflow_passes_the_schema_zizmor_and_actionlint(tmp_path: Path) -> None:
    folder = tmp_path / ".github/workflows"
    folder.mkdir(parents=True)
    (tmp_path / "zizmor.yml").write_text(json.dumps(ZIZMOR))
    for place, text in workflows():
        (folder / f"{re.sub('[^a-z0-9]+', '-', place.lower())}.yml").write_text(text)
    files = sorted(folder.iterdir())
    assert len(files) > 20
    assert len(files) >= len({place for place, _ in STEPS})
    checked("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *files)
    checked("zizmor", "--offline", "--quiet", "--config", tmp_path / "zizmor.yml", "--min-severity", "medium", *files)
    if not ACTIONLINT.exists():
        raise MissingProgram("actionlint")
    checked("python", ROOT / "scripts/actionlint.py", *files)


def test_the_component_for_gitlab_makes_a_job(tmp_path: Path) -> None:
    head, text = (ROOT / "templates/manifest-action.yml").read_text().split("\n---\n")
    inputs = yaml.safe_load(head)["spec"]["inputs"]
    for name, declared in inputs.items():
        text = text.replace(f"$[[ inputs.{name} ]]", declared["default"])
    assert "$[[" not in text
    (tmp_path / "job.yml").write_text(text)
    checked("check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", tmp_path / "job.yml")


def test_the_orb_passes_the_schema(tmp_path: Path) -> None:
    text = (ROOT / "templates/circleci/orb.yml").read_text()
    (tmp_path / "orb.yml").write_text(text)
    checked("check-jsonschema", "--builtin-schema", "vendor.circle-ci", tmp_path / "orb.yml")


def test_templates_use_inputs_that_exist() -> None:
    from manifest_action.adapters.github.inputs import INPUTS  # noqa: PLC0415 - used here only

    known = {name.upper().replace("-", "_") for name in INPUTS}
    texts = [file.read_text() for file in (ROOT / "templates").rglob("*.y*ml")] + [*FOREIGN.values()]
    used = {name for text in texts for name in re.findall(r"\bINPUT_([A-Z_]+)", text)}
    assert len(used) > 8
    assert used <= known


def test_the_task_for_tekton_hands_on_what_it_declares() -> None:
    task = yaml.safe_load((ROOT / "templates/tekton/task.yaml").read_text())["spec"]
    step = task["steps"][0]
    declared = {param["name"] for param in task["params"]}
    assert set(re.findall(r"\$\(params\.([a-z]+)\)", json.dumps(step))) == declared
    entry = re.search(r"^ENTRYPOINT (.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert entry is not None
    assert step["command"] == json.loads(entry[1])
