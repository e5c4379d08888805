"""Which instance a system takes."""

import pytest

from manifest_action.model import mediatype
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.index import Index
from manifest_action.model.platform import Platform
from manifest_action.model.selection import choose

ZSTD = {"io.github.containers.compression.zstd": "true"}


def index(*platforms: str, zstd: tuple[int, ...] = ()) -> Index:
    """An index of these platforms, `-` for none; those at the positions `zstd` are compressed so."""
    entries = []
    for position, text in enumerate(platforms):
        platform = None if text == "-" else Platform.parse(text)
        annotations = ZSTD if position in zstd else {}
        digest = Digest.of(str(position).encode())
        entries.append(Descriptor(mediatype.OCI_MANIFEST, digest, 1, platform, annotations))
    return Index(tuple(entries))


@pytest.mark.parametrize(
    ("platforms", "system", "position"),
    [
        (["linux/amd64", "linux/arm64"], "linux/arm64", 1),
        (["linux/arm/v5", "linux/arm/v6", "linux/arm/v7"], "linux/arm/v7", 2),
        (["linux/arm/v5", "linux/arm/v6", "linux/arm/v8"], "linux/arm/v7", 1),
        (["linux/arm", "linux/arm/v5"], "linux/arm/v6", 1),
        (["linux/arm/v7", "linux/arm"], "linux/arm/v6", 1),
        (["linux/arm/v5", "linux/arm/v7"], "linux/arm", 1),
        (["linux/arm/v5", "linux/arm/v7", "linux/arm"], "linux/arm", 2),
        (["linux/arm64", "linux/arm64/v8"], "linux/arm64/v8", 1),
        (["linux/arm64/v8"], "linux/arm64", 0),
        (["linux/arm64/v8", "linux/arm64"], "linux/arm64/v9", 1),
        (["linux/amd64", "linux/amd64/v3"], "linux/amd64/v3", 1),
        (["linux/amd64", "linux/amd64/v2"], "linux/amd64/v3", 0),
        (["-", "linux/amd64"], "linux/amd64", 1),
        (["linux/amd64", "-"], "linux/s390x", 1),
        (["linux/amd64", "linux/amd64"], "linux/amd64", 0),
        (["windows/amd64", "linux/amd64"], "linux/amd64", 1),
    ],
)
def test_the_best_suited_instance_is_taken(platforms: list[str], system: str, position: int) -> None:
    listed = index(*platforms)
    assert choose(listed, Platform.parse(system)) == listed.entries[position]


def test_versions_and_features_of_the_system_play_no_part() -> None:
    listed = Index((Descriptor("x", Digest.of(b"x"), 1, Platform("windows", "amd64", "", "10", ("win32k",))),))
    assert choose(listed, Platform("windows", "amd64", "", "11")) == listed.entries[0]


def test_zstd_wins_among_equals_only() -> None:
    listed = index("linux/amd64", "linux/amd64", "linux/amd64", zstd=(1, 2))
    assert choose(listed, Platform("linux", "amd64")) == listed.entries[1]
    listed = index("linux/arm/v7", "linux/arm/v6", zstd=(1,))
    assert choose(listed, Platform("linux", "arm", "v7")) == listed.entries[0]


@pytest.mark.parametrize("system", ["linux/amd64/v3", "linux/s390x", "windows/amd64"])
def test_nothing_that_suits_is_an_error(system: str) -> None:
    with pytest.raises(LookupError, match=system):
        choose(index("linux/amd64/v2", "unknown/unknown"), Platform.parse(system))
