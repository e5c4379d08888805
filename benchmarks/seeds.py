"""What is in the registries before anything is measured: the same on every run."""

from dataclasses import dataclass
from functools import partial

from benchmarks.distance import Far
from tests.support.images import SyntheticImage, buildx_index, image, index, push

MIB = 1024 * 1024
SMALL, STYLED, LAYERED, LARGE = "seed/small", "seed/styled", "seed/layered", "seed/large"
ARCHITECTURES = ("amd64", "arm64", "arm/v7", "arm/v6", "386", "ppc64le", "s390x", "riscv64")


@dataclass(frozen=True)
class Seeds:
    """Digests by repository: 50 platforms; 2 buildx-style indexes; 2 images of 3 layers; 4 of 5 times 20 MiB."""

    small: tuple[str, ...]
    styled: tuple[str, ...]
    layered: tuple[str, ...]
    large: tuple[str, ...]


def plant(far: Far) -> Seeds:
    """Put the seeds into registry A. `seed/layered:all` and `seed/large:all` are indexes of what is there."""
    put = partial(push, far.near)
    linux = [image(f"linux/{name}") for name in ARCHITECTURES]
    windows = [image("windows/amd64", os_version=f"10.0.{20000 + number}.1") for number in range(42)]
    layered = [image(f"linux/{name}", layers=3, layer_size=64 * 1024) for name in ARCHITECTURES[:2]]
    large = [image(f"linux/{name}", layers=5, layer_size=20 * MIB, seed="large") for name in ARCHITECTURES[:4]]
    seeds = Seeds(
        tuple(put(SMALL, each) for each in (*linux, *windows)),
        tuple(put(STYLED, buildx_index([each]), name) for each, name in zip(linux[:2], ARCHITECTURES, strict=False)),
        tuple(put(LAYERED, each) for each in layered),
        tuple(put(LARGE, each) for each in large),
    )
    for repository, images in ((LAYERED, layered), (LARGE, large)):
        _tag_all(far, repository, images)
    return seeds


def _tag_all(far: Far, repository: str, images: list[SyntheticImage]) -> None:
    push(far.near, repository, index(images), "all")
