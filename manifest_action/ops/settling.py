"""How long whoever writes a tag waits before reading it again, as others may be writing it too. Pure.

Nobody sees that a tag was overwritten but the one whose part is missing in it then. So the wait has to be longer than
what others need between reading the tag and writing it; how long that is, a writer knows from its own case.
"""

import random

SETTLING = 0.3
"""Seconds after which whoever read a tag before we wrote it has written it, too, where nothing is slow."""
_SLOWER = 3
"""How many times as long as we others may need, on a machine or with a registry that is busy."""
_MOST = 5.0


def settling_time(attempt: int, took: float, least: float = SETTLING) -> float:
    """The seconds to wait, by chance longer each time, so that writers do not meet again.

    attempt: 1 for the first
    took:    seconds that we needed from having looked at the tag until it was written
    """
    return max(least, min(_SLOWER * took, _MOST)) + least * attempt * random.random()  # noqa: S311 - no secret
