"""Run one program and write down its wall time, CPU time and peak memory: `launcher.py RESULT PROGRAM ARGUMENT ...`.

A process of its own, and started without site packages, because a program's peak memory as Linux counts it includes
that of the process which it was made from. Gives the program's own exit code.
"""

import json
import os
import sys
import time


def main() -> int:
    """Run what the command line says."""
    result, *command = sys.argv[1:]
    begin = time.monotonic()
    process = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(process, 0)
    measured = {
        "wall": time.monotonic() - begin,
        "cpu": usage.ru_utime + usage.ru_stime,
        "rss": usage.ru_maxrss / 1024,
    }
    with open(result, "w", encoding="utf-8") as file:  # noqa: PTH123 - nothing but what must be is imported here
        json.dump(measured, file)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())
