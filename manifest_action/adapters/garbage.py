"""Python's search for garbage, in a process that lives for seconds and then gives back everything at once."""

import gc
from collections.abc import Callable

_NEW_OBJECTS = 50_000
"""So many objects more than were given back come into being between two searches; a few megabytes at most."""


def sparing(process: Callable[[], int]) -> int:
    """Do all of a process's work, its imports included; gives its exit code.

    Importing makes a hundred thousand objects and no garbage, and a run makes little: searching as often as Python
    does takes a twentieth of a short run's time, and so does looking through everything once more at the end.
    """
    gc.set_threshold(_NEW_OBJECTS)
    try:
        return process()
    finally:
        gc.freeze()
