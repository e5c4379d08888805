"""Python's search for garbage, in a process that lives for seconds and then gives back everything at once."""

import gc
from collections.abc import Callable

_NEW_OBJECTS = 100_000
"""So many more come into being than go away between two searches: more than a usual run makes, some megabytes."""


def sparing(process: Callable[[], int]) -> int:
    """Do all of a process's work, its imports included; gives its exit code.

    Importing makes tens of thousands of objects and no garbage, and a run makes little: searching as often as Python
    does takes a twentieth of a short run's time, and so does looking through everything once more at the end.
    """
    gc.set_threshold(_NEW_OBJECTS)
    try:
        return process()
    finally:
        gc.freeze()
