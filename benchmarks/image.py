"""The action's image: how large it is, and how long a fresh container takes for the main job, phase by phase.

    .venv/bin/python benchmarks/image.py [--repeat 15] [--output FOLDER]

Builds the image if need be (scripts/image.py: root on Debian), starts a registry on this machine, and lets all
programs take turns, so that other work on the machine meets all of them. Prints a table, and writes it as `image.md`.
For comparison, the same job (two images of one repository become an index with two tags) by `podman manifest` and,
as skopeo makes no indexes, `skopeo copy --all` of a finished index to two tags; both without a container around them.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scripts import image as images  # noqa: E402 - found by the line above
from tests.support.images import image, index, push  # noqa: E402
from tests.support.servers import Registry, docker_registry  # noqa: E402

IMPORTS = "import sys; sys.path.insert(0, '/app'); import manifest_action.adapters.step"
PROCESSOR = """
import io, sys, time
times = [time.process_time()]
sys.path.insert(0, "/app")
from manifest_action.adapters.step import main
times.append(time.process_time())
shown, sys.stdout = sys.stdout, io.StringIO()
code = main(confined=True)
times.append(time.process_time())
print(*times, file=shown)
sys.exit(code)
"""
PROCESSOR_TIME = "processor"
Phase = tuple[str, Callable[[str], object]]
"""What is measured, and what does it once; it is given a tag that no other run has."""


@dataclass
class Timings:
    """Seconds of the runs of one phase."""

    name: str
    seconds: list[float] = field(default_factory=list)

    def row(self, before: float) -> str:
        """One line of a table; `before` is the median of the phase that this one adds to."""
        middle = median(self.seconds)
        added = f"{middle - before:+.3f}" if before else ""
        return f"| {self.name} | {middle:.3f} | {min(self.seconds):.3f} | {added} |"


def main() -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description="Measure the action's image.")
    parser.add_argument("--repeat", type=int, default=15)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    name = images.build()
    lines = [*size_lines(name), ""]
    with docker_registry() as registry, tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        lines += time_lines(phases(name, registry, Path(folder)), options.repeat)
    print("\n".join(lines))
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
        (options.output / "image.md").write_text("\n".join(lines) + "\n")
    return 0


def phases(name: str, registry: Registry, folder: Path) -> Sequence[Phase]:
    """What is measured, each with what it adds to the one before, and the peers last."""
    repository = "bench/app"
    made = [image(platform) for platform in ("linux/amd64", "linux/arm64")]
    digests = [push(registry, repository, each) for each in made]
    push(registry, repository, index(made), "ready")
    main_name = f"{registry.host}/{repository}"
    sources = [f"{main_name}@{digest}" for digest in digests]

    def contained(*arguments: str, **variables: str) -> str:
        given = [f"--env={each}={value}" for each, value in variables.items()]
        mount = (f"--volume={folder}:/github/workspace", "--workdir=/github/workspace")
        return done(
            images.command("podman", "run", "--rm", "--network=host", *mount, *given, *arguments), images.environment()
        )

    def job(tag: str, *arguments: str) -> str:
        inputs = {"INPUT_IMAGE": f"{main_name}:{tag}", "INPUT_TAGS": f"{tag}-b", "INPUT_SOURCES": ",".join(sources)}
        known = {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": "/github/workspace"}
        return contained(*(arguments or [name]), **known, **inputs)

    def by_podman(tag: str) -> None:
        podman = (
            "podman",
            "--root",
            f"{folder}/podman",
            "--runroot",
            f"{folder}/podman-run",
            "--storage-driver",
            "vfs",
        )
        done((*podman, "manifest", "create", tag), os.environ)
        for source in sources:
            done((*podman, "manifest", "add", "--tls-verify=false", tag, f"docker://{source}"), os.environ)
        for each in (tag, f"{tag}-b"):
            done(
                (*podman, "manifest", "push", "--all", "--tls-verify=false", tag, f"docker://{main_name}:{each}"),
                os.environ,
            )

    def by_skopeo(tag: str) -> None:
        insecure = ("--src-tls-verify=false", "--dest-tls-verify=false")
        for each in (tag, f"{tag}-b"):
            ends = (f"docker://{main_name}:ready", f"docker://{main_name}:{each}")
            done(("skopeo", "copy", "--quiet", "--all", *insecure, *ends), os.environ)

    return (
        ("container alone (`gpgconf --version`)", lambda _: contained("--entrypoint=gpgconf", name, "--version")),
        ("and Python starts", lambda _: contained("--entrypoint=python3", name, "-Ic", "pass")),
        ("and the program is imported", lambda _: contained("--entrypoint=python3", name, "-Ic", IMPORTS)),
        ("and the main job is done", job),
        ("`podman manifest`, no container", by_podman),
        ("`skopeo copy --all`, no container", by_skopeo),
        (PROCESSOR_TIME, lambda tag: job(f"{tag}-c", "--entrypoint=python3", name, "-Ic", PROCESSOR)),
    )


def time_lines(measured: Sequence[Phase], repeat: int) -> Iterator[str]:
    """Let all take turns; the table."""
    timings = [Timings(name) for name, _ in measured if name != PROCESSOR_TIME]
    told: list[list[float]] = []
    for number in range(repeat + 1):
        for timing, (_, action) in zip(timings, measured, strict=False):
            start = time.monotonic()
            action(f"t{number}")
            if number:  # the first turn fills caches
                timing.seconds.append(time.monotonic() - start)
        told.append([float(word) for word in str(measured[-1][1](f"t{number}")).split()])
    yield f"Seconds, {repeat} turns, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} at the end:"
    yield ""
    yield "| phase | median | least | adds |"
    yield "|---|---:|---:|---:|"
    before = 0.0
    for number, timing in enumerate(timings):
        yield timing.row(before if number < 4 else 0.0)
        before = median(timing.seconds)
    started, imported, ended = (median(column) for column in zip(*told, strict=True))
    yield ""
    yield (
        f"Processor time of the job in the container, median: {ended:.3f} s, of which Python's start {started:.3f}, "
        f"imports {imported - started:.3f}, work {ended - imported:.3f}."
    )


def size_lines(name: str) -> Iterator[str]:
    """How large it is."""
    with mounted(name) as root:
        files = [path.lstat().st_size for path in root.rglob("*") if not path.is_symlink() and path.is_file()]
        packed = subprocess.run(["tar", "-C", root, "-czf", "-", "."], capture_output=True, check=True).stdout
    yield f"{len(packed) / 1e6:.1f} MB compressed (gzip), {sum(files) / 1e6:.1f} MB unpacked, {len(files)} files."


@contextmanager
def mounted(name: str) -> Iterator[Path]:
    """The root of an image's files."""
    container = done(("buildah", "from", "--pull-never", name), images.environment())
    try:
        yield Path(done(("buildah", "mount", container), images.environment()))
    finally:
        done(("buildah", "rm", container), images.environment())


def done(command: Sequence[str | Path], environment: Mapping[str, str]) -> str:
    """What a program says; ends with all of it when it fails."""
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        sys.exit(f"error: {' '.join(map(str, command))}\n{result.stdout}{result.stderr}")
    return result.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
