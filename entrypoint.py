"""Where the action's container begins. Isolated Python (`-I`) looks for nothing in the workspace."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    from manifest_action.adapters.step import main

    sys.exit(main(confined=True))
