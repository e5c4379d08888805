"""What the job summary says of signatures is true: others verify with nothing but its keys, policies and commands."""

import re
from pathlib import Path

import pytest

from tests.action.runner import Runner
from tests.action.test_step_registry import pushed_sources
from tests.support.gpg import gpg
from tests.support.keys import key_pair
from tests.support.notation import find_notation, signing
from tests.support.peers import Cosign, Peer
from tests.support.servers import Registry


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


def block(summary: str, language: str, number: int = 0) -> str:
    """A block of the summary by its language, empty for keys and certificates."""
    found: list[tuple[str, str]] = re.findall(r"^```(\w*)\n(.*?)^```$", summary, re.DOTALL | re.MULTILINE)
    return [text for name, text in found if name == language][number]


def signed(runner: Runner, registry: Registry, repository: str, sign: str) -> str:
    """The summary of a step that signs two images and their index."""
    result = runner.run(
        image=f"{registry.host}/{repository}:1", sources=pushed_sources(registry, repository), sign=sign, verify="true"
    )
    assert result.code == 0, result.log
    return result.summary


def commands(summary: str, program: str) -> list[list[str]]:
    """The command lines of a program, without its name."""
    return [line.split()[1:] for line in summary.splitlines() if line.startswith(f"{program} ")]


def test_of_cosign(runner: Runner, registry: Registry, repository: str, cosign: Cosign) -> None:
    runner.environment["COSIGN_PRIVATE_KEY"] = key_pair().private
    summary = signed(runner, registry, repository, "cosign")
    (cosign.home / "cosign.pub").write_text(block(summary, ""))
    ((*command, image),) = commands(summary, "cosign")
    assert b"verified" in cosign.run(*command, "--allow-http-registry", image).stderr


def copied(skopeo: Peer, summary: str, image: str) -> bool:
    """Whether skopeo takes the index with all its images under the two files of the summary."""
    policy, places = skopeo.home / "policy.json", skopeo.home / "registries.d"
    policy.write_text(block(summary, "json"))
    places.mkdir()
    (places / "signatures.yaml").write_text(block(summary, "yaml"))
    options = ("--policy", policy, "--registries.d", places, "copy", "-q", "--all", "--src-tls-verify=false")
    result = skopeo.run(*options, f"docker://{image}", f"dir:{skopeo.home / 'out'}")
    assert result.returncode == 0, result.stderr
    return True


def test_of_gpg(runner: Runner, registry: Registry, repository: str, skopeo: Peer) -> None:
    with gpg() as keys:
        keys.make_key("acme")
        runner.environment["GPG_PRIVATE_KEY"] = keys.private("acme")
    lookaside = (runner.folder / "sigstore").as_uri()
    summary = signed(runner, registry, repository, f"gpg: {{lookaside: '{lookaside}'}}")
    assert copied(skopeo, summary, f"{registry.host}/{repository}:1")


def test_of_notation(runner: Runner, registry: Registry, repository: str, tmp_path: Path) -> None:
    made, home = signing(), tmp_path / "notation"
    home.mkdir()
    runner.environment |= {"NOTATION_KEY": made.key, "NOTATION_CERTIFICATES": made.certificates}
    summary = signed(runner, registry, repository, "notation")
    notation = find_notation(home).peer
    (home / "root.pem").write_text(block(summary, ""))
    (home / "trustpolicy.json").write_text(block(summary, "json"))
    for command in commands(summary, "notation"):
        notation(*command, *(("--insecure-registry",) if command[0] == "verify" else ()))
    assert [command[0] for command in commands(summary, "notation")] == ["cert", "policy", "verify"]
