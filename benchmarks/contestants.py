"""What each program is told for each job: the commands that a release engineer would write."""

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.jobs import Job
from tests.support.servers import PEERS

Command = Sequence[str | Path]


@dataclass(frozen=True)
class Task:
    """A job in one run of it.

    source, destination: `host/repository`
    home: an empty folder that is the program's home, with the logins in it
    key:  of the signatures
    own_options: more for ours
    """

    job: Job
    source: str
    destination: str
    digests: Sequence[str]
    home: Path
    key: Path
    own_options: Sequence[str] = ()

    @property
    def pinned(self) -> list[str]:
        """The sources by digest."""
        return [f"{self.source}@{digest}" for digest in self.digests]

    @property
    def targets(self) -> list[str]:
        """The destination under every tag."""
        return [f"{self.destination}:{tag}" for tag in self.job.tags]


@dataclass(frozen=True)
class Contestant:
    """A program; `commands` gives what it is told, None when it cannot do the job."""

    name: str
    program: str
    commands: Callable[[Task], list[Command] | None]


def ours(task: Task) -> Command:
    """What `manifest-action` is told, without its own name."""
    lines = [f"image: {task.targets[0]}", f"tags: {list(task.job.tags[1:])}", "sources:"]
    lines += [f"  - {source}" for source in task.pinned]
    if task.job.signed:
        lines.append(f"sign: {{cosign: {{key: {task.key}, passphrase: env://COSIGN_PASSWORD, format: both}}}}")
    spec = task.home / "spec.yml"
    spec.write_text("\n".join(lines) + "\n")
    return ["push", "--quiet", spec, *task.own_options]


def _ours(task: Task) -> list[Command]:
    return [[sys.executable, "-m", "manifest_action", *ours(task)]]


def _crane(task: Task) -> list[Command]:
    references = [part for source in task.pinned for part in ("-m", source)]
    first, *others = task.targets
    append: Command = ["crane", "index", "append", *references, "-t", first]
    return [append, *(["crane", "tag", first, tag.rpartition(":")[2]] for tag in others)]


def _crane_signed(task: Task) -> list[Command] | None:
    if not task.job.signed:
        return _crane(task)
    config = task.home / "signing.json"
    config.write_text(
        '{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json","rekorTlogConfig":{},"tsaConfig":{}}'
    )
    sign: Command = ["sign", "--recursive", "--yes", "--key", task.key]
    first = task.targets[0]
    return [
        *_crane(task),
        ["cosign", *sign, "--signing-config", config, first],
        ["cosign2", *sign, "--tlog-upload=false", first],
    ]


def _crane_copy(task: Task) -> list[Command] | None:
    return [["crane", "copy", f"{task.source}:all", task.targets[0]]] if _is_copy(task) else None


def _regctl(task: Task) -> list[Command] | None:
    if task.job.signed:
        return None
    references = [part for source in task.pinned for part in ("--ref", source)]
    first, *others = task.targets
    return [["regctl", "index", "create", first, *references], *(["regctl", "image", "copy", first, o] for o in others)]


def _oras(task: Task) -> list[Command] | None:
    if task.job.signed:
        return None
    if task.job.apart:
        return [["oras", "cp", f"{task.source}:all", task.targets[0]]]
    return [["oras", "manifest", "index", "create", f"{task.destination}:{','.join(task.job.tags)}", *task.digests]]


def _buildx(task: Task) -> list[Command] | None:
    if task.job.signed:
        return None
    tags = [part for target in task.targets for part in ("-t", target)]
    return [["buildx", "imagetools", "create", *tags, *task.pinned]]


def _skopeo(task: Task) -> list[Command] | None:
    copied = ["skopeo", "copy", "-q", "--all", f"docker://{task.source}:all", f"docker://{task.targets[0]}"]
    return [copied] if _is_copy(task) else None


def _buildah(task: Task) -> list[Command] | None:
    return _containers("buildah", task)


def _podman(task: Task) -> list[Command] | None:
    return _containers("podman", task)


def _containers(program: str, task: Task) -> list[Command] | None:
    if task.job.signed:
        return None
    storage: Command = ["--root", task.home / "root", "--runroot", task.home / "run", "--storage-driver", "vfs"]
    create: Command = [
        program,
        *storage,
        "manifest",
        "create",
        "list",
        *(f"docker://{source}" for source in task.pinned),
    ]
    return [
        create,
        *([program, *storage, "manifest", "push", "--all", "list", f"docker://{target}"] for target in task.targets),
    ]


def _is_copy(task: Task) -> bool:
    return task.job.apart and not task.job.signed


CONTESTANTS = (
    Contestant("ours", sys.executable, _ours),
    Contestant("crane", "crane", _crane_signed),
    Contestant("crane copy", "crane", _crane_copy),
    Contestant("oras", "oras", _oras),
    Contestant("regctl", "regctl", _regctl),
    Contestant("buildx", "buildx", _buildx),
    Contestant("skopeo", "skopeo", _skopeo),
    Contestant("buildah", "buildah", _buildah),
    Contestant("podman", "podman", _podman),
)
SLOW = frozenset({"buildah", "podman"})
"""So slow at a distance that they are run once, and not at all for 50 instances."""


def find(name: str) -> str | None:
    """Where a program is: among the project's own peers, or in PATH."""
    return shutil.which(name, path=search_path())


def search_path() -> str:
    """PATH with the project's own peers first."""
    return f"{PEERS}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
