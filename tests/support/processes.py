"""Functions of test modules in processes of their own, for what must not happen in pytest's.

pytest has threads (servers, watchers). A process with threads must not fork: the child may find a lock held by
a thread that it does not have, and Python 3.12 and later warn of it.
"""

import subprocess
import sys
from pathlib import Path

from tests.support.servers import ROOT


def start(file: str, call: str, *arguments: object) -> "subprocess.Popen[bytes]":
    """A Python process without threads that makes one call of the test module in `file`, with arguments as texts."""
    module = ".".join(Path(file).relative_to(ROOT).with_suffix("").parts)
    code = f"import sys; import {module} as here; here.{call}(*sys.argv[1:])"
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], cwd=ROOT)


def run(file: str, call: str, *arguments: object) -> None:
    """Make a call in a process of its own; AssertionError when it raises."""
    with start(file, call, *arguments) as process:
        assert process.wait(300) == 0, f"{call} has failed in a process of its own; see what it wrote"
