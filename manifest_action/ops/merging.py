"""Writing tags that others may write at the same moment, so that nobody's part is lost.

No registry offers to replace a tag only if it has not changed. So each is read again a moment after it was written,
and written again when something is missing in it.
"""

import random
from collections.abc import Callable, Sequence
from typing import TypeVar

from manifest_action.errors import SigningError
from manifest_action.model.reference import Reference
from manifest_action.ops.waves import Waves

Place = TypeVar("Place")
Part = TypeVar("Part")

ROUNDS = 24
SETTLING = 0.3
"""Seconds after which whoever read a tag before we wrote it has written it, too."""


def write_until_kept(
    places: Sequence[Place],
    write: Callable[[Place], Sequence[Part]],
    where: Callable[[Place], Reference],
    waves: Waves,
    sleep: Callable[[float], None],
) -> list[Part]:
    """Write all places, look at all of them again a moment later, and repeat that for those that others have changed.

    write: adds to one place what is missing there, and gives it; nothing when all of it is there

    Gives everything that was missing. SigningError when a place is overwritten again and again.
    """
    added: list[Part] = []
    left = list(places)
    for attempt in range(1, ROUNDS + 1):
        missing = waves.map(write, left)
        added += [part for several in missing for part in several]
        left = [place for place, several in zip(left, missing, strict=True) if several]
        if not left:
            return added
        sleep(SETTLING * (1 + attempt * random.random()))  # noqa: S311 - no secret
    raise SigningError(
        "others overwrite the signatures again and again",
        where=str(where(left[0])),
        hint="run it again when the other jobs are done",
    )
