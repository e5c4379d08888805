"""The `manifest-action` command."""

from collections.abc import Sequence

from manifest_action.adapters.arguments import parser
from manifest_action.adapters.streams import fill_closed


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; gives the exit code (see `errors`). argv: without the program's name, default sys.argv."""
    fill_closed()
    arguments = parser().parse_args(argv)
    if arguments.command == "step":
        from manifest_action.adapters.step import main as step  # noqa: PLC0415 - brings in everything else

        return step()
    from manifest_action.adapters.commands import run_command  # noqa: PLC0415 - brings in everything else

    return run_command(arguments)
