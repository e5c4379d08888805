"""Install Debian packages that are missing, if this is Debian and we are root; otherwise say what to install.

    python3 scripts/debian.py docker-registry skopeo

Each argument is a package, and the program of that name in it. Packages that bring a service do not start it.
Exit code 1 when something is still missing.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

POLICY = Path("/usr/sbin/policy-rc.d")


def main() -> int:
    """Install what is missing of the packages named on the command line."""
    missing = [package for package in sys.argv[1:] if not _is_installed(package)]
    if not missing:
        return 0
    names = " ".join(missing)
    if not shutil.which("apt-get") or os.geteuid() != 0:
        print(f"!!! missing: {names}; as root on Debian: apt-get install {names}", flush=True)
        return 1
    print(f"Installing Debian packages: {names} ...", flush=True)
    with _services_stay_stopped():
        installed = _apt("install", "--no-install-recommends", *missing) or (
            _apt("update") and _apt("install", "--no-install-recommends", *missing)
        )
    if not installed:
        print(f"!!! could not be installed: {names}", flush=True)
    return 0 if installed else 1


def _is_installed(package: str) -> bool:
    if shutil.which(package):
        return True
    if not shutil.which("dpkg-query"):
        return False
    query = subprocess.run(["dpkg-query", "-W", "-f=${Status}", package], capture_output=True, text=True, check=False)
    return query.stdout == "install ok installed"


def _apt(*arguments: str) -> bool:
    """Whether apt-get did it; what it says is shown only if it fails."""
    command: Sequence[str] = ("apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300", *arguments)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    result = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        print(f"{' '.join(command)}:\n{result.stdout[-2000:]}", flush=True)
    return result.returncode == 0


@contextmanager
def _services_stay_stopped() -> Iterator[None]:
    """Debian's docker-registry would listen on every address of this machine as soon as it is installed."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


if __name__ == "__main__":
    sys.exit(main())
