"""What a run loads: every module is part of the time of every run, and these are all that the main job needs."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.images import image, push
from tests.support.product import Product
from tests.support.servers import ROOT, Registry

UNUSED = {
    "asyncio",
    "difflib",
    "multiprocessing",
    "subprocess",
    "tarfile",
    "unittest",
    "xml",
    "manifest_action.adapters.index_commands",
    "manifest_action.adapters.list_commands",
    "manifest_action.adapters.report_merge",
    "manifest_action.adapters.signing_commands",
    "manifest_action.convert.schema1",
    "manifest_action.adapters.syntax",
    "manifest_action.adapters.workflow",
    "manifest_action.convert.image",
    "manifest_action.model.schema1",
    "manifest_action.ops.admit",
    "manifest_action.ops.attached",
    "manifest_action.ops.cleanup",
    "manifest_action.ops.compress",
    "manifest_action.ops.convert",
    "manifest_action.ops.deliver",
    "manifest_action.ops.judge",
    "manifest_action.ops.lists",
    "manifest_action.ops.protect",
    "manifest_action.ops.sign",
    "manifest_action.ops.verify",
    "manifest_action.signing.base",
    "manifest_action.signing.policy.reading",
    "manifest_action.signing.registriesd",
    "manifest_action.signing.cosign",
    "manifest_action.signing.gpg",
    "manifest_action.signing.keys",
    "manifest_action.store",
    "manifest_action.transport.archive",
    "manifest_action.transport.layout",
}
PACKAGES = {"_distutils_hack", "manifest_action", "urllib3", "yaml"}
RUN = """
import sys
from pathlib import Path
import manifest_action.adapters.policyfiles as policyfiles
policyfiles.read_rules.__defaults__ = (Path("/nonexistent"),)  # as in the action's container
from manifest_action.adapters.cli import main
code = main(sys.argv[1:])
print(*sys.modules, file=sys.stderr)
sys.exit(code)
"""


def loaded(product: Product, *arguments: str | Path, script: str = RUN, **variables: str) -> set[str]:
    folder = {"HOME": str(product.folder), "DOCKER_CONFIG": str(product.folder), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env=folder | variables,
        cwd=product.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return set(done.stderr.splitlines()[-1].split())


OPEN_POLICY = '{"default": [{"type": "insecureAcceptAnything"}]}'
"""As the machines of CI systems have it, and all that comes with podman, skopeo or buildah."""


def main_job(registry: Registry, repository: str) -> tuple[str, list[str]]:
    """The destination and the sources."""
    where = f"{registry.host}/{repository}"
    return where, [f"{where}@{push(registry, repository, image(f'linux/{name}'))}" for name in ("amd64", "arm64")]


def test_the_main_job_loads_nothing_that_it_does_not_use(registry: Registry, repository: str, product: Product) -> None:
    where, listed = main_job(registry, repository)
    modules = loaded(product, "push", product.spec(f"image: {where}:1\nsources: {listed}"))
    assert registry.tags(repository) == ["1"]
    assert not modules & UNUSED
    installed = {entry.name.partition(".")[0] for entry in Path(yaml.__file__).parents[1].iterdir()}
    packages = {name.partition(".")[0] for name in modules} & installed
    packages = {name for name in packages if not name.startswith("__editable__")}
    assert packages <= PACKAGES, packages - PACKAGES


def test_a_policy_that_asks_for_nothing_loads_nothing_that_reads_signatures(
    registry: Registry, repository: str, product: Product
) -> None:
    policy = product.folder / ".config/containers/policy.json"
    policy.parent.mkdir(parents=True)
    policy.write_text(OPEN_POLICY)
    where, listed = main_job(registry, repository)
    modules = loaded(product, "push", product.spec(f"image: {where}:1\nsources: {listed}"))
    assert registry.tags(repository) == ["1"]
    assert "manifest_action.signing.policy.shipped" in modules
    assert modules & UNUSED == {"manifest_action.ops.admit"}


def test_a_step_of_a_job_loads_as_little(registry: Registry, repository: str, product: Product) -> None:
    where, listed = main_job(registry, repository)
    workspace = {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(product.folder)}
    inputs = {"INPUT_IMAGE": f"{where}:1", "INPUT_SOURCES": ",".join(listed)}
    modules = loaded(product, "step", **workspace, **inputs)
    assert registry.tags(repository) == ["1"]
    assert "manifest_action.adapters.github.summary" in modules
    assert not modules & {*UNUSED, "manifest_action.adapters.commands", "manifest_action.adapters.github.signing"}


INSTANT = {
    "manifest_action",
    "manifest_action.adapters",
    "manifest_action.adapters.arguments",
    "manifest_action.adapters.cli",
    "manifest_action.adapters.garbage",
    "manifest_action.adapters.shared_arguments",
    "manifest_action.adapters.streams",
}
HEAVY = {"json", "socket", "ssl", "subprocess", "threading", "yaml", "urllib3", "requests", "logging", "dataclasses"}
COMMAND = "manifest_action/__main__.py"
START = """
import runpy, sys
program, sys.argv[1:] = sys.argv[1], sys.argv[2:]
try:
    runpy.run_path(program, run_name="__main__")
finally:
    print(*sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("program", "argument"),
    [
        ("manifest_action/__main__.py", "--version"),
        ("manifest_action/__main__.py", "--help"),
        ("entrypoint.py", "--version"),
    ],
)
def test_version_and_help_are_told_before_anything_is_loaded(product: Product, program: str, argument: str) -> None:
    modules = loaded(product, ROOT / program, argument, script=START)
    assert {name for name in modules if name.startswith("manifest_action")} == INSTANT
    assert not modules & HEAVY
