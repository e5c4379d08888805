"""What one index costs when a run makes many: `python3 benchmarks/scale.py [--sizes 1,10,100,1000] [--shards 4]`.

At the end the largest number is made by one process and by as many processes as there are shards, in turns:
`--sizes 200 --rtt 100 --repeat 3` shows what shards are good for, where it is the network that is waited for.

Every index has 8 platforms of its own, in one repository behind the latency proxy. The images are written into the
registry's storage, as pushing thousands would take longer than what is measured.
"""

import argparse
import hashlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.distance import Far, Request, far_registries, named
from benchmarks.seeds import ARCHITECTURES
from tests.support.certificates import make_certificate
from tests.support.images import SyntheticImage, image
from tests.support.servers import ROOT

_LAUNCHER = Path(__file__).with_name("launcher.py")


def main() -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1,10,100,1000", help="numbers of indexes in a run")
    parser.add_argument("--rtt", type=float, default=20.0, help="round trip time in milliseconds")
    parser.add_argument(
        "--shards", type=int, default=4, help="processes that share the largest run at the end; 1 for none"
    )
    parser.add_argument("--repeat", type=int, default=1, help="how often one process and the shards take turns")
    parser.add_argument("--own-option", action="append", default=[], help="a further option for ours, as --jobs=32")
    arguments = parser.parse_args()
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="manifest-action-scale-", dir=memory if memory.is_dir() else None) as name:
        tempfile.tempdir = name
        folder = Path(name)
        certificate = make_certificate(folder)
        with far_registries(folder, certificate, http2=False) as (far, _):
            here = far.host.replace("rega.bench.test", "localhost")
            named(far.near, here).write_login(folder)
            environment = _environment(folder, certificate.ca_file)
            sizes = [int(size) for size in arguments.sizes.split(",")]
            digests = _store(far, "scale", max(sizes))
            far.move(arguments.rtt)
            print(
                "| indexes | wall s | per index ms | CPU per index ms | peak MiB | requests per index | connections |"
            )
            kinds: Counter[str] = Counter()
            print("|---:|---:|---:|---:|---:|---:|---:|")
            for size in sizes:
                specs = _specs(folder, here, digests[:size], f"n{size}")
                far.take()
                measured = _launch([*specs, *arguments.own_option], folder, environment)
                traffic = far.take()
                kinds = Counter(_kind(each) for each in traffic.requests)
                cost = (1000 * measured["wall"] / size, 1000 * measured["cpu"] / size)
                print(
                    f"| {size} | {measured['wall']:.2f} | {cost[0]:.1f} | {cost[1]:.1f} | {measured['rss']:.0f} | "
                    f"{len(traffic.requests) / size:.1f} | {traffic.connections} |",
                    flush=True,
                )
            for kind, number in sorted(kinds.items()):
                print(f"{number / sizes[-1]:.2f} {kind} per index of the last")
            turns = (1, arguments.shards) if arguments.shards > 1 else ()
            for number, shards in itertools.product(range(arguments.repeat), turns):
                specs = [*_specs(folder, here, digests, f"shards{shards}-{number}"), *arguments.own_option]
                begin = time.monotonic()
                running = [_start([*specs, f"--shard={k}/{shards}"], folder, environment) for k in range(1, shards + 1)]
                failed = [process.wait() for process in running]
                seconds = time.monotonic() - begin
                print(f"{shards} at once: {seconds:.2f} s for {len(digests)} indexes, exits {failed}", flush=True)
    return 0


def _kind(request: Request) -> str:
    """What registries count separately: reading a manifest is a pull, at Docker Hub."""
    return f"{request.method} {'manifest' if '/manifests/' in request.path else 'other'}"


def _environment(home: Path, ca_file: Path) -> dict[str, str]:
    own = {"HOME": str(home), "DOCKER_CONFIG": str(home), "SSL_CERT_FILE": str(ca_file), "PYTHONPATH": str(ROOT)}
    return {"PATH": os.environ.get("PATH", os.defpath), **own}


def _command(arguments: Sequence[str | Path]) -> list[str | Path]:
    return [sys.executable, "-m", "manifest_action", "push", "--quiet", *arguments]


def _launch(arguments: Sequence[str | Path], home: Path, environment: dict[str, str]) -> dict[str, float]:
    result = home / "measured.json"
    command = [sys.executable, "-I", "-S", _LAUNCHER, result, *_command(arguments)]
    subprocess.run(command, check=True, env=environment, cwd=home, stdout=subprocess.DEVNULL)
    measured: dict[str, float] = json.loads(result.read_text())
    return measured


def _start(arguments: Sequence[str | Path], home: Path, environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(_command(arguments), env=environment, cwd=home, stdout=subprocess.DEVNULL)


def _specs(folder: Path, host: str, digests: Sequence[Sequence[str]], prefix: str) -> list[Path]:
    """Files of a hundred indexes each."""
    files = []
    for first in range(0, len(digests), 100):
        lines = ["indexes:"]
        for number, own in enumerate(digests[first : first + 100], first):
            listed = [f"{host}/scale@{digest}" for digest in own]
            lines.append(f"  - {{image: '{host}/scale:{prefix}-{number}', sources: {json.dumps(listed)}}}")
        files.append(folder / f"{prefix}-{first}.yml")
        files[-1].write_text("\n".join(lines) + "\n")
    return files


def _store(far: Far, repository: str, number: int) -> list[list[str]]:
    """Write `number` times eight images into the registry's storage; their digests."""
    root = far.near.storage / "docker/registry/v2"
    return [[_write(root, repository, each) for each in _images(seed)] for seed in range(number)]


def _images(seed: int) -> Iterator[SyntheticImage]:
    for architecture in ARCHITECTURES:
        yield image(f"linux/{architecture}", layers=1, layer_size=64, seed=str(seed))


def _write(root: Path, repository: str, what: SyntheticImage) -> str:
    for digest, content in what.blobs.items():
        if isinstance(content, bytes):
            _blob(root, content)
        _link(root / "repositories" / repository / "_layers", digest)
    _blob(root, what.manifest_bytes)
    _link(root / "repositories" / repository / "_manifests" / "revisions", what.digest)
    return what.digest


def _blob(root: Path, content: bytes) -> None:
    encoded = hashlib.sha256(content).hexdigest()
    folder = root / "blobs" / "sha256" / encoded[:2] / encoded
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "data").write_bytes(content)


def _link(folder: Path, digest: str) -> None:
    place = folder / "sha256" / digest.partition(":")[2]
    place.mkdir(parents=True, exist_ok=True)
    (place / "link").write_text(digest)


if __name__ == "__main__":
    sys.exit(main())
