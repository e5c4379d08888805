"""Where the action's container begins. Isolated Python (`-I`) looks for nothing in the workspace."""

import gc
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    gc.disable()  # as in adapters/cli.py
    from manifest_action.adapters.step import main

    gc.freeze()
    gc.enable()
    sys.exit(main(confined=True))
