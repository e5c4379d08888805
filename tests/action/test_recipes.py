"""Every step of the documents and examples that uses this action does its work, against a registry of this machine.

Registries keep their names as a part of the repository there: `ghcr.io/acme/app` is `127.0.0.1:…/ghcr.io/acme/app`.
What other actions and the forge would have said is filled in.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from manifest_action.adapters.request import read_request
from manifest_action.plan.spec import SourceSpec
from tests.action.runner import Runner
from tests.action.test_documents import STEPS, steps
from tests.support.certificates import shared_certificate
from tests.support.gpg import gpg
from tests.support.images import image, push
from tests.support.keys import key_pair
from tests.support.notation import signing
from tests.support.servers import ROOT, Registry

NAME = re.compile(r"(?<![\w./@-])((?:[a-z0-9-]+\.)+[a-z]{2,}(?=[/:])|acme(?=/app))(?!://)")
"""What a registry's name looks like in these steps, or the beginning of a name that is Docker Hub's."""
PLATFORMS = ("linux/amd64", "linux/arm64", "linux/arm/v7")
FILLED = {
    "github.ref_name": "v1.4.2",
    "github.event_name == 'push'": "true",
    "github.run_id": "17",
    "env.IMAGE": "ghcr.io/acme/app",
    "inputs.version": "1.4.2",
    "matrix.shard": "1/4",
    "steps.meta.outputs.tags": "ghcr.io/acme/app:1.4.2\nghcr.io/acme/app:latest",
    "steps.meta.outputs.labels": "org.opencontainers.image.title=app",
    "steps.meta.outputs.annotations": "manifest:org.opencontainers.image.title=app",
}
FILLED |= {name.replace("meta.", "metadata."): text for name, text in FILLED.items() if "meta." in name}


def everywhere() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every step, with the place it stands at."""
    yield from STEPS
    for file in sorted((ROOT / "examples/workflows").glob("*.yml")):
        for inputs in steps(yaml.safe_load(file.read_text())):
            yield str(file.relative_to(ROOT)), inputs


class Recipe:
    """A step's inputs as the runner would pass them, with what they name put into a registry and a workspace."""

    def __init__(self, inputs: Mapping[str, Any], registry: Registry, home: str) -> None:
        self._registry = registry
        self._home = f"{registry.host}/{home}"
        self._digests: list[str] = []
        main = str(inputs.get("image", FILLED["steps.meta.outputs.tags"])).partition("\n")[0]
        self._expected = str(inputs.get("expect", "linux/amd64,linux/arm64")).split(",")
        if "digests" in inputs:
            self._digests = [self._push(self.moved(self.filled(main)), platform) for platform in self._expected]
        self.inputs = {name: self.moved(self.filled(_text(value))) for name, value in inputs.items()}

    def filled(self, text: str) -> str:
        """A text with its expressions replaced."""
        return re.sub(r"\$\{\{ *(.*?) *\}\}", lambda match: self._value(match[1]), text)

    def moved(self, text: str) -> str:
        """A text with its registries moved into the one of the test."""
        return NAME.sub(lambda match: f"{self._home}/{'docker.io/acme' if match[1] == 'acme' else match[1]}", text)

    def prepare(self, runner: Runner) -> None:
        """Make what the inputs lead to: sources, directories, files, variables."""
        (runner.workspace / ".github").mkdir()
        certificate = shared_certificate().certificate_file.read_text()
        (runner.workspace / ".github/harbor-ca.pem").write_text(certificate)
        (runner.workspace / "digests").mkdir()
        for digest in self._digests:
            (runner.workspace / "digests" / digest.removeprefix("sha256:")).touch()
        made = {"tags": FILLED["steps.meta.outputs.tags"].split("\n"), "annotations": ["manifest:a=b"]}
        runner.environment["DOCKER_METADATA_OUTPUT_JSON"] = self.moved(json.dumps(made))
        if "gpg" in self.inputs.get("sign", ""):
            with gpg() as keys:
                keys.make_key("acme")
                runner.environment["GPG_PRIVATE_KEY"] = keys.private("acme")
            place = str(runner.workspace)
            self.inputs["sign"] = self.inputs["sign"].replace("/github/workspace", place)
        made_up = signing()
        runner.environment |= {"NOTATION_KEY": made_up.key, "NOTATION_CERTIFICATES": made_up.certificates}
        runner.environment["COSIGN_PRIVATE_KEY"] = key_pair().private
        if self.inputs.get("sign") == "keyless":
            self.inputs["push"] = "false"  # there is no Fulcio here; tests of keyless signing bring their own
        if "spec" in self.inputs:
            (runner.workspace / self.inputs["spec"]).write_text(self._spec())
        for number, source in enumerate(self._sources(runner.workspace)):
            if source.reference.tag:
                self._push(str(source.reference), self._expected[number], tagged=True)

    def _sources(self, workspace: Path) -> tuple[SourceSpec, ...]:
        values = {name: text for name, text in self.inputs.items() if name in ("image", "tags", "sources", "images")}
        return read_request(values, workspace).specs[0].sources if "sources" in values else ()

    def _spec(self) -> str:
        """A file of four indexes with nothing in common, for steps that name one."""
        names = [f"{self._home}/ghcr.io/acme/app{number}" for number in range(4)]
        sources = [[f"{name}@{self._push(name, platform)}" for platform in PLATFORMS[:2]] for name in names]
        made = [{"image": f"{name}:1", "sources": of} for name, of in zip(names, sources, strict=True)]
        return json.dumps({"indexes": made})

    def _push(self, reference: str, platform: str, *, tagged: bool = False) -> str:
        name, _, tag = reference.removeprefix(f"{self._registry.host}/").partition(":")
        return push(self._registry, name, image(platform), tag if tagged else "")

    def _value(self, expression: str) -> str:
        if expression.startswith("toJSON("):
            return json.dumps(dict(zip("abc", self._digests, strict=False)))
        if expression.endswith(".outputs.metadata"):
            return json.dumps({f"app-{digest[7:11]}": {"containerimage.digest": digest} for digest in self._digests})
        return FILLED.get(expression, "x")


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize(("place", "inputs"), list(everywhere()))
def test_every_step_does_its_work(
    place: str, inputs: Mapping[str, Any], registry: Registry, repository: str, tmp_path: Path
) -> None:
    recipe = Recipe(inputs, registry, f"r{repository[-8:]}")
    runner = Runner(tmp_path)
    recipe.prepare(runner)
    result = runner.run(**recipe.inputs)
    assert result.code == 0, f"{place}\n{result.log}"
    tags = result.json("tags")
    assert tags
    assert len(result.json("platforms")) == len(str(inputs.get("expect", "a,b")).split(","))
    if recipe.inputs.get("push") != "false":
        for tag in tags:
            name, _, selector = tag.removeprefix(f"{registry.host}/").rpartition(":")
            served = registry.manifest(name, selector)
            assert served.headers["Docker-Content-Digest"] == result.outputs["digest"]
