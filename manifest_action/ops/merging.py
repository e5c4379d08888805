"""Writing tags that others may write at the same moment, so that nobody's part is lost.

No registry offers to replace a tag only if it has not changed. So each is read again a moment after it was written,
and written again when something is missing in it.
"""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from manifest_action.errors import RegistryError
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import Reference
from manifest_action.ops.settling import SETTLING, settling_time
from manifest_action.ops.waves import Waves
from manifest_action.transport.base import Destination, TagReplacer

Place = TypeVar("Place")
Part = TypeVar("Part")

ROUNDS = 24


def write_until_kept(
    places: Sequence[Place],
    write: Callable[[Place], tuple[Sequence[Part], float]],
    where: Callable[[Place], Reference],
    waves: Waves,
    sleep: Callable[[float], None],
) -> list[Part]:
    """Write all places, look at all of them again a moment later, and repeat that for those that others have changed.

    write: adds to one place what is missing there, and gives it with what `replace` gave; nothing when all is there

    Gives everything that was missing. RegistryError when a place is overwritten again and again.
    """
    added: list[Part] = []
    left = list(places)
    for attempt in range(1, ROUNDS + 1):
        written = waves.map(write, left)
        added += [part for parts, _ in written for part in parts]
        left = [place for place, (parts, _) in zip(left, written, strict=True) if parts]
        if not left:
            return added
        settle(attempt, max(took for _, took in written), sleep)
    raise RegistryError(
        "others overwrite what is put under this tag again and again",
        where=str(where(left[0])),
        hint="run it again when the other jobs are done",
    )


def settle(attempt: int, took: float, sleep: Callable[[float], None]) -> None:
    """Wait until tags that were written can be looked at again. took: the longest of what `replace` gave."""
    sleep(settling_time(attempt, took, SETTLING))


def replace(destination: Destination, manifest: Manifest, tag: str, current: Digest | None) -> float:
    """Move a tag that points to `current` (None: nowhere). What others wrote meanwhile is read in the next round.

    manifest: was pushed, but for a `TagReplacer`, which takes it along

    Gives the seconds from having looked at the tag until it was written.
    """
    if isinstance(destination, TagReplacer):
        return destination.replace_tagged(manifest, tag, current)
    if destination.tagged(tag) != current:
        return 0.0
    began = time.monotonic()
    destination.tag(manifest, tag)
    return time.monotonic() - began
