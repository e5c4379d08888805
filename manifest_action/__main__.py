"""`python -m manifest_action` is the `manifest-action` command."""

import sys

from manifest_action.adapters.cli import main

if __name__ == "__main__":
    sys.exit(main())
