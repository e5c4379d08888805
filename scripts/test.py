"""Set up and run the checks and the tests.

    python3 scripts/test.py                 everything, with the coverage gate of the pure layers
    python3 scripts/test.py tests/unit -x   arguments go to pytest; then the gate does not apply

Needs Python 3.11 or newer; brings the rest itself where it can: Debian packages when it is root, programs in Go.
With CI=true a program that is missing fails the tests that need it, otherwise they are skipped, loudly.
Ends with pytest's own summary; the exit code is 0 only if the checks and the tests pass.
"""

from __future__ import annotations  # so that environment.py can tell users of older interpreters what is missing

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "scripts"
PYTHON = ROOT / ".venv" / "bin" / "python"
DEBIAN_PACKAGES = (
    *("buildah", "ca-certificates", "crun", "docker-registry", "mmdebstrap", "podman", "skopeo"),
    *("gpg", "gpg-agent", "gpgv"),
)


def main() -> int:
    """Set up, check, test."""
    if _run(sys.executable, SCRIPTS / "environment.py", "dev") != 0:
        return 1
    _run(sys.executable, SCRIPTS / "debian.py", *DEBIAN_PACKAGES)
    _run(PYTHON, SCRIPTS / "peers.py")
    _run(PYTHON, SCRIPTS / "npm.py")
    checks = _run(PYTHON, SCRIPTS / "lint.py")
    tests = _run(PYTHON, "-m", "pytest", *(sys.argv[1:] or _everything()))
    return tests or checks


def _everything() -> list[str]:
    data = ROOT / ".cache" / "coverage"
    data.mkdir(parents=True, exist_ok=True)
    os.environ["COVERAGE_FILE"] = str(data / "data")
    return ["--cov", "--cov-report=", "-p", "tests.support.coverage_gate", "--durations=10"]


def _run(*command: str | Path) -> int:
    return subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
