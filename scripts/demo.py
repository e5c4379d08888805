"""Set up and run the main job on the examples: from OCI layouts to an OCI layout, with no server.

    python3 scripts/demo.py

Needs Python 3.11 or newer and nothing else. Further arguments go to `manifest-action push`.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Become `manifest-action push examples/spec.yml`."""
    prepared = subprocess.run([sys.executable, ROOT / "scripts" / "environment.py", "run"], check=False)
    if prepared.returncode != 0:
        sys.exit(prepared.returncode)
    os.chdir(ROOT)
    program = ROOT / ".venv" / "bin" / "manifest-action"
    command = ["manifest-action", "push", "examples/spec.yml", *sys.argv[1:]]
    print(f"$ {' '.join(command)}", flush=True)
    os.execv(program, command)


if __name__ == "__main__":
    main()
