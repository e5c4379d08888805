"""The `manifest-action` command."""

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial

from manifest_action.adapters.arguments import parser
from manifest_action.adapters.streams import fill_closed


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; gives the exit code (see `errors`). argv: without the program's name, default sys.argv."""
    fill_closed()
    words = sys.argv[1:] if argv is None else argv
    # Before the command there are no options with values.
    command = next((word for word in words if not word.startswith("-")), "")
    return _job(parser(command).parse_args(words))()


def _job(arguments: argparse.Namespace) -> Callable[[], int]:
    """What was asked for, with everything that it needs imported."""
    if arguments.command == "step":
        from manifest_action.adapters.step import main as step  # noqa: PLC0415 - brings in everything else

        return step
    from manifest_action.adapters.commands import run_command  # noqa: PLC0415 - brings in everything else

    return partial(run_command, arguments)
