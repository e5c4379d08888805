"""`python -m manifest_action` is the `manifest-action` command."""

import sys

from manifest_action.adapters.cli import main as command
from manifest_action.adapters.garbage import sparing


def main() -> int:
    """The command as a whole process; gives its exit code."""
    return sparing(command)


if __name__ == "__main__":
    sys.exit(main())
