"""Which of several instances for one platform has layers that are compressed with zstd.

containers/image marks them with an annotation on the descriptor, so that a system can choose without reading more.
"""

from manifest_action.model.descriptor import Descriptor

ZSTD = "io.github.containers.compression.zstd"


def is_zstd(entry: Descriptor) -> bool:
    """Whether an index's entry is marked as one with zstd layers."""
    return entry.annotations.get(ZSTD) == "true"
