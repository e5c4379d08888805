"""Both entries in a workflow, run by act: the wiring of inputs, outputs and `uses`.

act is no GitHub: it has other mounts and HOME (test_image.py has those), but it reads workflows and actions alike.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from scripts import image as images
from tests.action.test_step_registry import pushed_sources
from tests.support.servers import ROOT, MissingProgram, Registry

ACT = str(Path(sys.executable).parent / "act")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[str]:
    """The address of a Docker-compatible engine with the store of the image."""
    path = tmp_path / "engine.sock"
    command = images.command("podman", "system", "service", "--time=0", f"unix://{path}")
    with subprocess.Popen(
        command, env=images.environment(), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as served:
        try:
            wait_for_socket(path)
            yield f"unix://{path}"
        finally:
            served.terminate()


def wait_for_socket(path: Path) -> None:
    """Until somebody listens there."""
    for _ in range(200):
        with socket.socket(socket.AF_UNIX) as client:
            if client.connect_ex(str(path)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"nobody listens at {path}")


WORKFLOW = """
on: push
jobs:
  merge:
    runs-on: ubuntu-latest
    outputs:
      image: ${{ steps.container.outputs.image }}
    steps:
      - id: container
        uses: ./container
        with:
          image: ${{ env.NAME }}:1.0
          tags: |
            latest
            ${{ env.NAME }}:${{ github.ref_name }}
          sources: ${{ env.SOURCES }}
          index-annotations: org.opencontainers.image.title=${{ env.TITLE }}
          expect: linux/amd64,linux/arm64
      - id: host
        uses: ./checkout/host
        with:
          image: ${{ env.NAME }}:1.0
          sources: ${{ env.SOURCES }}
          index-annotations: org.opencontainers.image.title=${{ env.TITLE }}
      - id: refused
        uses: ./container
        continue-on-error: true
        with: { image: "oci:out:1", sources: "oci:nowhere" }
      - run: |
          set -eu
          { echo "digest=$DIGEST"; echo "host=$HOST"; echo "changed=$CHANGED"; echo "refused=$OUTCOME $CODE"; } > told
          printf '%s' "$PLATFORMS" > platforms
        env:
          DIGEST: ${{ steps.container.outputs.digest }}
          PLATFORMS: ${{ steps.container.outputs.platforms }}
          HOST: ${{ steps.host.outputs.digest }}
          CHANGED: ${{ steps.host.outputs.changed }}
          OUTCOME: ${{ steps.refused.outcome }}
          CODE: ${{ steps.refused.outputs.error-code }}
"""


@pytest.mark.slow
def test_both_entries_work_in_a_workflow(
    tmp_path: Path, built_image: str, engine: str, registry: Registry, repository: str
) -> None:
    if not Path(ACT).exists():
        raise MissingProgram("act")
    name = f"{registry.host}/{repository}"
    job = tmp_path / "job"
    variables = {"NAME": name, "SOURCES": pushed_sources(registry, repository), "TITLE": 'a "b" $(c) d'}
    write_job(job, built_image, variables)
    done = act(job, engine)
    assert done.returncode == 0, done.stdout[-6000:]
    told = dict(line.split("=", 1) for line in (job / "told").read_text().splitlines())
    manifest = registry.manifest(repository, "1.0")
    assert manifest.headers["Docker-Content-Digest"] == told["digest"] == told["host"]
    assert told["changed"] == "false"
    assert told["refused"] == "failure resolve"
    assert registry.tags(repository) == ["1.0", "latest", "main"]
    assert yaml.safe_load((job / "platforms").read_text()).keys() == {"linux/amd64", "linux/arm64"}
    assert yaml.safe_load(manifest.body)["annotations"] == {"org.opencontainers.image.title": 'a "b" $(c) d'}


def write_job(job: Path, image: str, variables: dict[str, str]) -> None:
    """A repository with the workflow, the action of a release, and a checkout of this project for the other entry."""
    (job / ".github/workflows").mkdir(parents=True)
    workflow = yaml.safe_load(WORKFLOW)
    workflow["env"] = variables
    workflow["on"] = workflow.pop(True)
    (job / ".github/workflows/merge.yml").write_text(yaml.safe_dump(workflow))
    (job / "container").mkdir()
    text = (ROOT / "action.yml").read_text()
    (job / "container/action.yml").write_text(text.replace("image: Dockerfile", f"image: docker://{image}"))
    for folder in ("host", "manifest_action", "requirements"):
        shutil.copytree(ROOT / folder, job / "checkout" / folder, ignore=shutil.ignore_patterns("__pycache__"))
    environment = os.environ | {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    identity = ("-c", "user.name=t", "-c", "user.email=t@t.example", "-c", "init.defaultBranch=main")
    for words in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message", "Begin")):
        subprocess.run(["git", *identity, *words], cwd=job, env=environment, check=True)


def act(job: Path, engine: str) -> subprocess.CompletedProcess[str]:
    """Run the workflow of a repository; nothing is pulled."""
    empty = ("--env-file", "--secret-file", "--var-file", "--input-file")
    command = [
        *(ACT, "push", "--bind", "--pull=false", "--action-offline-mode", "--network", "host", "--rm"),
        *("--platform", f"ubuntu-latest={images.base()}", "--container-daemon-socket", "-"),
        *(word for option in empty for word in (option, os.devnull)),
    ]
    environment = {"PATH": os.environ["PATH"], "HOME": str(job.parent), "DOCKER_HOST": engine}
    return subprocess.run(
        command,
        cwd=job,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=400,
    )
