"""What the job summary says of GPG and notation signatures is followed to the letter, with the programs it names."""

import json
import re
import shlex
from pathlib import Path

import pytest

from tests.action.runner import Runner, StepResult
from tests.support.gpg import gpg
from tests.support.images import buildx_index, image, push
from tests.support.notation import find_notation, signing
from tests.support.peers import Peer
from tests.support.servers import Registry

INDEX = buildx_index([image("linux/amd64"), image("linux/arm64")])
PASSPHRASE = "canary gpg passphrase 61c2"


def step(runner: Runner, registry: Registry, repository: str, sign: str) -> StepResult:
    digest = push(registry, repository, INDEX)
    here = f"{registry.host}/{repository}"
    result = runner.run(image=f"{here}:1", sources=f"{here}@{digest}", sign=sign, verify="true")
    assert result.code == 0, result.errors
    return result


def blocks(result: StepResult, language: str) -> list[str]:
    found: list[str] = re.findall(rf"```{language}\n(.*?)\n```", result.summary, re.DOTALL)
    return found


def test_skopeo_with_the_files_for_gpg(registry: Registry, repository: str, skopeo: Peer, tmp_path: Path) -> None:
    with gpg() as program:
        program.make_key("team <team@example.com>", passphrase=PASSPHRASE)
        private = program.private("team", PASSPHRASE)
    runner = Runner(tmp_path, {"GPG_PRIVATE_KEY": private, "GPG_PASSPHRASE": PASSPHRASE})
    place = (runner.workspace / "signatures").as_uri()
    result = step(runner, registry, repository, f"gpg: {{lookaside: '{place}'}}")
    shown = [result.summary, result.errors, *result.outputs.values()]
    log = [line for line in result.log.splitlines() if not line.startswith("::add-mask::")]
    for secret in (PASSPHRASE, *private.splitlines()[2:-1]):
        assert not [text for text in [*shown, *log] if secret in text]
    (policy,), (places,) = blocks(result, "json"), blocks(result, "yaml")
    (tmp_path / "policy.json").write_text(policy)
    (tmp_path / "registries.d").mkdir()
    (tmp_path / "registries.d/signatures.yaml").write_text(places)
    options = ("--policy", tmp_path / "policy.json", "--registries.d", tmp_path / "registries.d")
    source = f"docker://{registry.host}/{repository}:1"
    skopeo(*options, "copy", "-q", "--all", "--src-tls-verify=false", source, f"dir:{tmp_path / 'out'}")


@pytest.fixture
def notation(tmp_path_factory: pytest.TempPathFactory) -> Peer:
    return find_notation(tmp_path_factory.mktemp("notation")).peer


def test_notation_with_its_commands(registry: Registry, repository: str, notation: Peer, tmp_path: Path) -> None:
    made = signing()
    runner = Runner(tmp_path, {"NOTATION_KEY": made.key})
    (runner.workspace / "chain.pem").write_text(made.certificates)
    result = step(runner, registry, repository, "notation: {certificates: chain.pem}")
    shown = [result.summary, result.errors, *result.outputs.values()]
    assert not [text for text in shown if made.key.splitlines()[1] in text]
    (root,) = re.findall(r"```\n(-----BEGIN CERTIFICATE-----\n.*?)```", result.summary, re.DOTALL)
    (notation.home / "root.pem").write_text(root)
    (notation.home / "trustpolicy.json").write_text(json.dumps(json.loads(blocks(result, "json")[0])))
    commands = [shlex.split(line) for line in blocks(result, "sh")[-1].splitlines()]
    assert [command[:2] for command in commands] == [
        ["notation", "cert"],
        ["notation", "policy"],
        ["notation", "verify"],
    ]
    for command in commands:
        insecure = ["--insecure-registry"] if command[1] == "verify" else []
        notation(*command[1:], *insecure)
