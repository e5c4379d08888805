"""The `manifest-action` command."""

import argparse
import gc
from collections.abc import Callable, Sequence
from functools import partial

from manifest_action.adapters.arguments import parser
from manifest_action.adapters.streams import fill_closed


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; gives the exit code (see `errors`). argv: without the program's name, default sys.argv."""
    fill_closed()
    arguments = parser().parse_args(argv)
    # Nothing that importing makes is garbage; looking for some takes a tenth of the time.
    gc.disable()
    job = _job(arguments)
    gc.freeze()
    gc.enable()
    return job()


def _job(arguments: argparse.Namespace) -> Callable[[], int]:
    """What was asked for, with everything that it needs imported."""
    if arguments.command == "step":
        from manifest_action.adapters.step import main as step  # noqa: PLC0415 - brings in everything else

        return step
    from manifest_action.adapters.commands import run_command  # noqa: PLC0415 - brings in everything else

    return partial(run_command, arguments)
