"""Long and large runs: how much memory and how many open files they take, and whether every sum is exact.

    .venv/bin/python -m benchmarks.endurance                         the full size; takes 10 minutes and 25 GB of disk
    .venv/bin/python -m benchmarks.endurance --indexes 20 --instances 40 --layer-gib 0 --runs 4

Against docker-registry on this machine. Every line is one job; exit code 1 when a sum is not exact.
"""

import argparse
import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.images import SyntheticImage, file_layer, image, index, push, write_layout
from tests.support.product import Product
from tests.support.servers import Registry, docker_registry

PLATFORMS = ("amd64", "arm64", "arm/v7", "arm/v6", "386", "ppc64le", "s390x", "riscv64")
GIB = 1024**3
_DISK_FACTOR = 3
"""Free disk that is wanted for each byte of the large layer."""


@dataclass(frozen=True)
class Measured:
    """What a process took: seconds, resident KiB at the most, open files at the most, its report."""

    seconds: float
    resident: int
    files: int
    report: dict[str, object]


class Wrong(Exception):
    """A sum that is not exact."""


def main() -> int:
    """Run every job and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--indexes", type=int, default=1000)
    parser.add_argument("--instances", type=int, default=500)
    parser.add_argument("--layer-gib", type=int, default=10)
    parser.add_argument("--runs", type=int, default=24)
    arguments = parser.parse_args()
    jobs: list[tuple[str, Callable[[Registry, Path], list[Measured]]]] = [
        (f"{arguments.indexes} indexes of 8 platforms", lambda r, f: [many_indexes(r, f, arguments.indexes)]),
        (
            f"{max(1, arguments.indexes // 10)} indexes of 8",
            lambda r, f: [many_indexes(r, f, max(1, arguments.indexes // 10))],
        ),
        (f"an index of {arguments.instances} instances", lambda r, f: [one_index(r, f, arguments.instances)]),
        (f"{arguments.runs} runs at once", lambda r, f: runs_at_once(r, f, arguments.runs)),
    ]
    if arguments.layer_gib:
        size = arguments.layer_gib * GIB
        jobs.append((f"a layer of {arguments.layer_gib} GiB", lambda r, f: [large_layer(r, f, size)]))
    print("| job | seconds | resident, MiB at the most | open files at the most |\n|---|---|---|---|", flush=True)
    wrong = 0
    for name, job in jobs:
        with TemporaryDirectory() as folder, docker_registry() as registry:
            try:
                taken = job(registry, Path(folder))
            except Wrong as error:
                wrong += 1
                print(f"| {name} | WRONG: {error} | | |", flush=True)
                continue
        seconds = max(each.seconds for each in taken)
        resident = max(each.resident for each in taken) / 1024
        print(f"| {name} | {seconds:.1f} | {resident:.0f} | {max(each.files for each in taken)} |", flush=True)
    return 1 if wrong else 0


def many_indexes(registry: Registry, folder: Path, count: int) -> Measured:
    """Many indexes in one run, in twenty repositories, each with annotations of its own."""
    source = index([image(f"linux/{name}", layers=1, layer_size=64) for name in PLATFORMS])
    push(registry, "src", source, "1")
    documents = [
        f"image: {registry.host}/dst{number % 20}:{number}\nannotations: {{n: '{number}'}}\n"
        f"sources: [{registry.host}/src:1]\n"
        for number in range(count)
    ]
    done = _measured(folder, "---\n".join(documents))
    indexes = done.report["indexes"]
    assert isinstance(indexes, list)
    _exact("indexes", len({each["digest"] for each in indexes}), count)
    for number in {0, count // 2, count - 1}:
        raw = registry.manifest_bytes(f"dst{number % 20}", str(number))
        _exact("entries", len(json.loads(raw or b'{"manifests":[]}')["manifests"]), len(PLATFORMS))
    _exact("tags", sum(len(registry.tags(f"dst{number}")) for number in range(20)), count)
    return done


def one_index(registry: Registry, folder: Path, count: int) -> Measured:
    """One index of many instances, which all have to be mounted."""
    names = [f"amd64:10.0.{number}.1" for number in range(count)]
    children = _children(registry, "src", names, system="windows")
    done = _measured(folder, f"image: {registry.host}/dst:1\nsources: {children}\n")
    raw = registry.manifest_bytes("dst", "1")
    _exact("entries", len(json.loads(raw or b'{"manifests":[]}')["manifests"]), count)
    return done


def runs_at_once(registry: Registry, folder: Path, count: int) -> list[Measured]:
    """Many runs beside each other, of the same job with a tag of their own each."""
    children = _children(registry, "src", PLATFORMS)
    texts = [f"image: {registry.host}/dst:{number}\ntags: [latest]\nsources: {children}\n" for number in range(count)]
    results: list[Measured] = []
    folders = [folder / str(number) for number in range(count)]
    for each in folders:
        each.mkdir()
    threads = [
        threading.Thread(target=lambda place, text: results.append(_measured(place, text)), args=pair)
        for pair in zip(folders, texts, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _exact("runs that succeeded", len(results), count)
    digests = {(registry.manifest("dst", tag).headers["Docker-Content-Digest"]) for tag in registry.tags("dst")}
    _exact("digests", len(digests), 1)
    _exact("tags", len(registry.tags("dst")), count + 1)
    return results


def large_layer(registry: Registry, folder: Path, size: int) -> Measured:
    """One layer that fits into no memory, from a layout; its file is sparse, what the registry stores is not."""
    free = shutil.disk_usage(folder).free
    if free < _DISK_FACTOR * size:
        raise Wrong(f"only {free // GIB} GiB of disk are free, {_DISK_FACTOR * size // GIB} are wanted")
    layer = file_layer(folder / "layer", size)
    made = image(layers=0, extra_layers=[layer])
    layout = write_layout(folder / "in", {"1": replace(made, blobs=_without(made, layer.digest))})
    os.link(folder / "layer", layout / "blobs" / "sha256" / layer.digest.partition(":")[2])
    done = _measured(folder, f"image: {registry.host}/dst:1\nsources: ['oci:{layout}:1']\n")
    head = registry.request("HEAD", f"/v2/dst/blobs/{layer.digest}")
    _exact("bytes", int(head.headers["Content-Length"]), layer.size)
    return done


def _without(made: SyntheticImage, digest: str) -> dict[str, bytes | Path]:
    return {name: blob for name, blob in made.blobs.items() if name != digest}


def _children(registry: Registry, repository: str, names: Sequence[str], system: str = "linux") -> str:
    digests = [push(registry, repository, image(f"{system}/{name}", layers=1, layer_size=64)) for name in names]
    return json.dumps([f"{registry.host}/{repository}@{digest}" for digest in digests])


def _exact(what: str, found: int, expected: int) -> None:
    if found != expected:
        raise Wrong(f"{found} {what} instead of {expected}")


def _measured(folder: Path, spec: str) -> Measured:
    product = Product(folder)
    began = time.monotonic()
    with product.start("push", "--json", product.spec(spec)) as process, _watching(process.pid) as seen:
        out, err = process.communicate(timeout=3600)
    if process.returncode:
        raise Wrong(f"exit code {process.returncode}: {err.decode()[-1000:]}")
    return Measured(time.monotonic() - began, seen[0], seen[1], json.loads(out))


@contextmanager
def _watching(pid: int) -> Iterator[list[int]]:
    """Resident KiB and open files at the most, filled in by a thread."""
    seen = [0, 0]
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.05):
            try:
                lines = Path(f"/proc/{pid}/status").read_text().splitlines()
                files = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
            except OSError:
                return
            seen[0] = max(seen[0], *(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)
            seen[1] = max(seen[1], files)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


if __name__ == "__main__":
    sys.exit(main())
