"""Measuring: a program does a job at a distance, in a home of its own, and what it did is checked."""

import argparse
import itertools
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.cells import Cell, Measured
from benchmarks.contestants import CONTESTANTS, SLOW, Command, Contestant, Task, find, search_path
from benchmarks.distance import HOSTS, Far, Request, far_registries, named
from benchmarks.image_root import from_image
from benchmarks.jobs import JOBS, Job
from benchmarks.report import write_report
from benchmarks.seeds import Seeds, plant
from tests.support.certificates import make_certificate
from tests.support.servers import ROOT

_LAUNCHER = Path(__file__).with_name("launcher.py")
_PASSPHRASE = "benchmark"
_SLOW_SECONDS = 6.0
"""A cell whose first run takes longer than this is measured once."""


class Failed(Exception):
    """A program did not do the job."""


def measure(argv: Sequence[str], text: str) -> int:
    """The benchmark of the command line; gives the exit code. text: what help says."""
    # Whoever ends this ends the registries and the proxies, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    arguments = _arguments(text).parse_args(argv)
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="mab-", dir=memory if memory.is_dir() else None) as name:
        tempfile.tempdir = name
        folder = Path(name)
        certificate = make_certificate(folder, *HOSTS)
        with ExitStack() as stack:
            registries = stack.enter_context(far_registries(folder, certificate, http2=arguments.http2))
            contestants = [*CONTESTANTS, *([stack.enter_context(from_image())] if arguments.image else [])]
            bench = Bench(folder, registries, certificate.ca_file, contestants, arguments.own_option)
            cells = list(bench.run(arguments))
    missing = sorted({each.program for each in CONTESTANTS if find(each.program) is None})
    write_report(arguments.output, cells, missing)
    print(f"{arguments.output / 'table.md'}")
    return 0


def _arguments(text: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", default="", help="names of jobs, separated by commas (default: all)")
    parser.add_argument("--only", default="", help="names of programs, separated by commas (default: all installed)")
    parser.add_argument("--rtt", default="0,20,50,100", help="round trip times in milliseconds")
    parser.add_argument("--repeat", type=int, default=3, help="how often each cell is measured; the median counts")
    parser.add_argument("--output", type=Path, default=ROOT / "out" / "benchmarks", help="folder of the results")
    parser.add_argument("--own-option", action="append", default=[], help="a further option for ours, as --jobs=32")
    parser.add_argument("--trace", action="store_true", help="print every request of the first run of each cell")
    parser.add_argument("--image", action="store_true", help="measure the program in the action's image, too")
    parser.add_argument("--http2", action="store_true", help="let the proxies offer HTTP/2")
    return parser


class Bench:
    """Registries that are up, with the seeds in them."""

    def __init__(
        self,
        folder: Path,
        registries: tuple[Far, Far],
        ca_file: Path,
        contestants: Sequence[Contestant],
        own_options: Sequence[str],
    ) -> None:
        self._folder = folder
        self._first, self._second = registries
        self._ca_file = ca_file
        self._contestants = contestants
        self._own_options = own_options
        self._seeds: Seeds = plant(self._first)
        self._numbers = itertools.count()
        self._key = self._make_key()

    def run(self, arguments: argparse.Namespace) -> Iterator[Cell]:
        """Measure; programs take turns, and so do distances."""
        jobs = [job for job in JOBS if not arguments.jobs or job.name in arguments.jobs.split(",")]
        names = arguments.only.split(",") if arguments.only else [each.name for each in self._contestants]
        programs = [each for each in self._contestants if each.name in names and find(each.program)]
        distances = [float(rtt) for rtt in arguments.rtt.split(",")]
        for job in jobs:
            due = [each for each in programs if self._is_due(each, job)]
            cells = {rtt: [Cell(job.name, each.name, rtt) for each in due] for rtt in distances}
            # A machine is faster and slower from minute to minute; turns about distances keep that out of the slope.
            for number, rtt in itertools.product(range(arguments.repeat), distances):
                for far in (self._first, self._second):
                    far.move(rtt)
                for cell in cells[rtt]:
                    if cell.failure or (number and cell.runs[0].wall > _SLOW_SECONDS):
                        continue
                    self._fill(cell, job, trace=arguments.trace and not number)
            yield from itertools.chain.from_iterable(cells.values())

    def _is_due(self, program: Contestant, job: Job) -> bool:
        if program.name in SLOW and job.name in ("J2", "J3", "J6"):
            return False
        return program.commands(self._task(job, self._folder)) is not None

    def _fill(self, cell: Cell, job: Job, *, trace: bool) -> None:
        program = next(each for each in self._contestants if each.name == cell.program)
        try:
            measured, requests = self._once(program, job, cell.rtt)
        except Failed as error:
            cell.failure = str(error)
            print(f"{cell.job:4} {cell.program:10} {cell.rtt:5g} ms  failed: {cell.failure[-300:]}", flush=True)
            return
        cell.runs.append(measured)
        print(
            f"{cell.job:4} {cell.program:10} {cell.rtt:5g} ms  {measured.wall:7.3f} s  cpu {measured.cpu:6.3f}  "
            f"{measured.rss:5.1f} MiB  {measured.requests:4} requests  {measured.connections:3} connections  "
            f"{measured.waves:3} waves",
            flush=True,
        )
        begin = min((each.start for each in requests), default=0.0)
        for each in requests if trace else ():
            print(f"    {each.start - begin:.3f}-{each.end - begin:.3f} {each.status} {each.method} {each.path[:100]}")

    def _once(self, program: Contestant, job: Job, rtt: float) -> tuple[Measured, Sequence[Request]]:
        """Run the job once in a new place, and see that it was done."""
        home = self._folder / f"home-{next(self._numbers)}"
        task = self._task(job, home)
        repository = task.destination.partition("/")[2]
        if not job.apart:
            self._first.fork(job.seed, repository)
        self._make_home(home)
        commands = program.commands(task) or []
        if job.repeated:
            self._carry_out(commands, home)
        for far in (self._first, self._second):
            far.take()
        walls, cpus, sizes = zip(*self._carry_out(commands, home), strict=True)
        traffic = [far.take() for far in (self._first, self._second)]
        requests = [each for one in traffic for each in one.requests]
        self._check(job, repository)
        for far in (self._first, self._second):
            far.forget(repository)
        return (
            Measured(
                sum(walls),
                sum(cpus),
                max(sizes),
                len(requests),
                sum(one.connections for one in traffic),
                sum(each.method == "PUT" for each in requests),
                sum(each.sent for each in requests),
                sum(each.received for each in requests),
                _waves(requests, rtt),
            ),
            requests,
        )

    def _task(self, job: Job, home: Path) -> Task:
        destination = f"{(self._second if job.far else self._first).host}/run/r{next(self._numbers)}"
        source = f"{self._first.host}/{job.seed}" if job.apart else destination
        return Task(job, source, destination, job.sources(self._seeds), home, self._key, self._own_options)

    def _carry_out(self, commands: Sequence[Command], home: Path) -> list[tuple[float, float, float]]:
        return [self._launch(command, home) for command in commands]

    def _launch(self, command: Command, home: Path) -> tuple[float, float, float]:
        result = home / "measured.json"
        done = subprocess.run(
            [sys.executable, "-I", "-S", _LAUNCHER, result, *command],
            env=self._environment(home),
            cwd=home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        if done.returncode:
            raise Failed(f"{command[0]} ended with {done.returncode}: {(done.stderr or done.stdout).strip()}")
        measured = json.loads(result.read_text())
        return measured["wall"], measured["cpu"], measured["rss"]

    def _environment(self, home: Path) -> dict[str, str]:
        return {
            "PATH": search_path(),
            "HOME": str(home),
            "DOCKER_CONFIG": str(home),
            "REGISTRY_AUTH_FILE": str(home / "config.json"),
            "XDG_RUNTIME_DIR": str(home),
            "SSL_CERT_FILE": str(self._ca_file),
            "COSIGN_PASSWORD": _PASSPHRASE,
            "PYTHONPATH": str(ROOT),
        }

    def _make_home(self, home: Path) -> None:
        home.mkdir()
        logins: dict[str, object] = {}
        for far in (self._first, self._second):
            file = named(far.near, far.host).write_login(home)
            logins |= json.loads(file.read_text())["auths"]
        (home / "config.json").write_text(json.dumps({"auths": logins}))
        (home / "data").mkdir()

    def _make_key(self) -> Path:
        home = self._folder / "keys"
        home.mkdir()
        keygen = [sys.executable, "-m", "manifest_action", "keygen"]
        subprocess.run(keygen, env=self._environment(home), cwd=home, check=True, capture_output=True)
        return home / "cosign.key"

    def _check(self, job: Job, repository: str) -> None:
        """Whether every tag leads to an index with as many entries as it must have."""
        far = self._second if job.far else self._first
        sources = len(job.sources(self._seeds))
        for tag in job.tags:
            found = far.near.manifest_bytes(repository, tag)
            entries = len(json.loads(found)["manifests"]) if found else 0
            if entries not in (sources, job.children or sources):
                raise Failed(f"{tag} has {entries} entries")


def _waves(requests: Sequence[Request], rtt: float) -> int:
    """The longest chain of requests in which each could have waited for the answer to the one before."""
    chain, last = 0, float("-inf")
    for start in sorted(each.start for each in requests) if rtt else ():
        if start >= last + 0.8 * rtt / 1000:
            chain, last = chain + 1, start
    return chain
