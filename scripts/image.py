"""Build the action's image without a Docker engine, and without a registry where none can be reached.

    python3 scripts/image.py            build it, unless it is built already; prints its name
    python3 scripts/image.py COMMAND…   run podman, buildah or another program in its store, such as `podman images`

The Dockerfile's base is pulled if MANIFEST_ACTION_BASE is `pinned`, or another one if that names one. Else a stand-in
is made of Debian's packages: of the release that the base is made of, or where this machine's mirror lacks it, of the
machine's own. Needs root, Debian with buildah, crun, mmdebstrap and podman, and
what a build downloads: Debian's packages and PyPI's. Everything is kept in `.cache/containers`.
"""

import fcntl
import hashlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / ".cache" / "containers"
STATE = Path("/run", f"manifest-action-{hashlib.sha256(str(PLACE).encode()).hexdigest()[:8]}")
"""What is mounted at the moment; it must not outlive a restart of the machine."""
IMAGE = "localhost/manifest-action:dev"
INPUTS = ("Dockerfile", "scripts/rootfs.py", "entrypoint.py", "manifest_action", "requirements/image.txt")
PACKAGES = "binutils,ca-certificates,gpg,gpg-agent,gpgconf,python-is-python3,python3,python3-pip,python3-venv"
RELEASE = "trixie"
"""Debian's name for what the Dockerfile's base is made of, with the same minor version of Python."""
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
SOURCES = (Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list"))
LABEL = "manifest-action.inputs"
CGROUPS = Path("/sys/fs/cgroup/unified")
"""Where cgroups of both versions are mounted, crun refuses to work; it needs neither for a container of a test."""

WITHOUT_CGROUPS = f"""
import os, subprocess, sys
subprocess.run(["umount", "{CGROUPS}"], check=True)
os.execvp(sys.argv[1], sys.argv[1:])
"""

# Runs are as in a machine where limits cannot be raised and there are no cgroups to use.
CONTAINERS = f"""[containers]
volumes = ["{AUTHORITIES}:{AUTHORITIES}:ro"]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
cgroups = "disabled"
netns = "host"
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun"
"""


def main() -> int:
    """Build, or run what the command line says."""
    if sys.argv[1:]:
        return subprocess.run(command(*sys.argv[1:]), env=environment(), check=False).returncode
    build()
    print(IMAGE)
    return 0


def environment() -> Mapping[str, str]:
    """The variables with which container programs use the store in `.cache`."""
    PLACE.mkdir(parents=True, exist_ok=True)
    storage, containers = PLACE / "storage.conf", PLACE / "containers.conf"
    settings = f'[storage]\ndriver = "overlay"\nrunroot = "{STATE}"\ngraphroot = "{PLACE}/store"\n'
    for file, text in ((storage, settings), (containers, CONTAINERS)):
        if not file.exists() or file.read_text() != text:
            file.write_text(text)
    return os.environ | {"CONTAINERS_STORAGE_CONF": str(storage), "CONTAINERS_CONF": str(containers)}


def command(*words: str | Path) -> Sequence[str | Path]:
    """A command line that works where cgroups are mounted in both versions too."""
    if not CGROUPS.is_mount():
        return words
    # No shell: it would drop the variables whose names have hyphens, as inputs of actions do.
    return ("unshare", "-m", "--propagation", "private", sys.executable, "-Ic", WITHOUT_CGROUPS, *words)


def build() -> str:
    """Build the image if any of its inputs has changed; its name. Processes wait for each other."""
    with _alone():
        wanted = _fingerprint()
        if _label() != wanted:
            _buildah(
                *("bud", "--isolation", "chroot", "--network", "host", "--layers=false", "--quiet"),
                *("--volume", f"{AUTHORITIES}:{AUTHORITIES}:ro", "--label", f"{LABEL}={wanted}"),
                *("--build-arg", f"BASE={_base()}", "--tag", IMAGE, ROOT),
            )
    return IMAGE


def base() -> str:
    """The name of the image that is built upon, which has a shell and Python; made if it is a stand-in."""
    with _alone():
        return _base()


def _base() -> str:
    chosen = os.environ.get("MANIFEST_ACTION_BASE", "")
    if chosen == "pinned":
        lines = (ROOT / "Dockerfile").read_text().splitlines()
        return next(line.removeprefix("ARG BASE=") for line in lines if line.startswith("ARG BASE="))
    return chosen or _stand_in()


@contextmanager
def _alone() -> Iterator[None]:
    PLACE.mkdir(parents=True, exist_ok=True)
    with (PLACE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fingerprint() -> str:
    digest = hashlib.sha256(f"{os.environ.get('MANIFEST_ACTION_BASE', '')} {_name(RELEASE)}".encode())
    for name in INPUTS:
        place = ROOT / name
        for file in sorted(place.rglob("*.*")) if place.is_dir() else [place]:
            if file.is_file() and file.suffix != ".pyc":
                digest.update(f"{file.relative_to(ROOT)}\0{file.stat().st_size}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def _label() -> str:
    inspect = ["buildah", "inspect", "--type", "image", "--format", f'{{{{index .OCIv1.Config.Labels "{LABEL}"}}}}']
    found = subprocess.run([*inspect, IMAGE], env=environment(), capture_output=True, text=True, check=False)
    return found.stdout.strip() if found.returncode == 0 else ""


def _stand_in() -> str:
    """An image with Debian's Python where the official one cannot be pulled; its name."""
    sources = next((file for file in SOURCES if file.exists()), None)
    if sources is None:
        sys.exit("error: a stand-in for the base image can only be made on Debian; set MANIFEST_ACTION_BASE=pinned")
    told = ""
    for release, packages in ((RELEASE, _mirror(sources)), (_codename(), str(sources))):
        if _is_there(_name(release)):
            return _name(release)
        print(f"Making a stand-in for the base image of Debian's {release} ...", file=sys.stderr, flush=True)
        told = _make_stand_in(release, packages)
        if not told:
            return _name(release)
        print(told[-1000:], file=sys.stderr, flush=True)
    sys.exit(f"error: no stand-in for the base image could be made\n{told[-4000:]}")


def _name(release: str) -> str:
    return f"localhost/manifest-action-base:{release}-{hashlib.sha256(PACKAGES.encode()).hexdigest()[:8]}"


def _is_there(name: str) -> bool:
    found = _done("buildah", "images", "--quiet", name)
    return found.returncode == 0 and bool(found.stdout.strip())


def _make_stand_in(release: str, packages: str) -> str:
    """Make it of the packages of a mirror, or a list of sources; what went wrong, or nothing."""
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, "base.tar")
        options = ("--quiet", "--variant=minbase", f"--include={PACKAGES}", '--aptopt=Acquire::Retries "3"')
        done = _done("mmdebstrap", *options, release, archive, packages)
        if done.returncode != 0:
            return done.stderr or done.stdout or "mmdebstrap failed"
        container = _buildah("from", "scratch").strip()
        _buildah("add", "--quiet", container, archive, "/")
        _buildah("commit", "--quiet", "--rm", container, _name(release))
    return ""


def _mirror(sources: Path) -> str:
    """Where this machine's packages come from: the first address in its list of sources."""
    found = re.search(r"^(?:URIs:|deb(?: \[[^]]*\])?)\s+(\S+)", sources.read_text(), re.MULTILINE)
    return found[1] if found else "http://deb.debian.org/debian"


def _codename() -> str:
    lines = Path("/etc/os-release").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line).get("VERSION_CODENAME", "stable")


def _buildah(*arguments: str | Path) -> str:
    return _run("buildah", *arguments)


def _run(*words: str | Path) -> str:
    """What a program says on standard output; ends the script with all it says when it fails."""
    done = _done(*words)
    if done.returncode != 0:
        sys.exit(f"error: {' '.join(map(str, words))[:200]}\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return done.stdout


def _done(*words: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        words, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


if __name__ == "__main__":
    sys.exit(main())
