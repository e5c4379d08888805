"""Which instance of an index a system takes, as containers/image chooses (pure).

Operating system and architecture must be equal. Versions and features of the operating system play no part.
"""

from collections.abc import Mapping, Sequence

from manifest_action.model.compression import is_zstd
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.index import Index
from manifest_action.model.platform import Platform

_COMPATIBLE: Mapping[str, Sequence[str]] = {"arm": ("v8", "v7", "v6", "v5"), "arm64": ("v8",)}
"""Variants that can stand in for each other: each architecture's from the most to the least demanding one."""


def choose(index: Index, system: Platform) -> Descriptor:
    """The instance for a system, whose os and architecture are stated; LookupError when there is none.

    A stated variant is wanted as it is, else the next less demanding one, else none; without one, none is
    preferred to any. Among equals zstd compression wins, then the place in the index. An instance without
    a platform is taken when nothing else fits.
    """
    variants = _variants(system)
    ranked = []
    for position, entry in enumerate(index.entries):
        rank = _rank(entry.platform, system, variants)
        if rank is not None:
            ranked.append((rank, not is_zstd(entry), position))
    if not ranked:
        raise LookupError(f"the index has no image for {system}")
    return index.entries[min(ranked)[2]]


def _rank(platform: Platform | None, system: Platform, variants: Sequence[str]) -> int | None:
    """How well a platform suits, 0 best; None when it does not."""
    if platform is None:
        return len(variants)
    if (platform.os, platform.architecture) != (system.os, system.architecture) or platform.variant not in variants:
        return None
    return variants.index(platform.variant)


def _variants(system: Platform) -> Sequence[str]:
    compatible = _COMPATIBLE.get(system.architecture, ())
    if not system.variant:
        return "", *compatible
    if system.variant in compatible:
        return *compatible[compatible.index(system.variant) :], ""
    return system.variant, ""
