"""Where the action's container begins. Isolated Python (`-I`) looks for nothing in the workspace.

Without arguments it is the step; with `--version` it says which version the image holds.
"""

import sys
from pathlib import Path


def _step() -> int:
    from manifest_action.adapters.step import main  # noqa: PLC0415 - brings in everything

    return main(confined=True)


def _version() -> int:
    from manifest_action.adapters.cli import main  # noqa: PLC0415

    return main(["--version"])


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    from manifest_action.adapters.garbage import sparing

    sys.exit(sparing(_version if sys.argv[1:] == ["--version"] else _step))
