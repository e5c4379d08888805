"""Standard streams that are closed, or that cannot take what is written."""

import os
import sys
from typing import TextIO


def fill_closed() -> None:
    """Put something in the place of a closed standard stream, before a file that is opened takes its number.

    Progress and errors then go nowhere; results fail as on a stream that cannot be written.
    """
    if sys.stdout is None:
        sys.stdout = open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115 - stays open for good
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - stays open for good


def silence(stream: TextIO) -> None:
    """Send what a stream still holds, and all that follows, nowhere; else its last flush fails the process."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
