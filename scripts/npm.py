"""Install the npm packages that our tests run against, as locked in `tests/peers/verify-bundle`, into `.cache/npm`.

    .venv/bin/python scripts/npm.py

Needs Node.js with npm. What is there in the locked versions is not installed again. Exit code 1 when it could not be.
"""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "tests" / "peers" / "verify-bundle"
TARGET = ROOT / ".cache" / "npm"
_FILES = ("package.json", "package-lock.json")


def main() -> int:
    """Install what is missing."""
    if _is_installed():
        return 0
    npm = shutil.which("npm")
    if npm is None:
        print("!!! no npm, so no @sigstore/verify", flush=True)
        return 1
    print("Installing @sigstore/verify ...", flush=True)
    TARGET.mkdir(parents=True, exist_ok=True)
    for name in _FILES:
        shutil.copyfile(SOURCE / name, TARGET / name)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(command, cwd=TARGET, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr[-2000:], flush=True)
    return 1 if done.returncode else 0


def _is_installed() -> bool:
    if not (TARGET / "node_modules" / ".package-lock.json").exists():
        return False
    return all((TARGET / name).read_bytes() == (SOURCE / name).read_bytes() for name in _FILES)


if __name__ == "__main__":
    sys.exit(main())
