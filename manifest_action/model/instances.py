"""Changing what an index lists (OCI image-spec 1.1, image-index.md; Docker image manifest v2 schema 2). Pure.

An instance is found by its digest, which an index lists at most once after a change made here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from manifest_action.model import mediatype
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.index import Index
from manifest_action.model.platform import Platform

_NOTHING = Platform()


@dataclass(frozen=True, slots=True)
class Change:
    """What to state about an instance, as podman's `manifest annotate` does; what is left open stays as it is.

    platform:    its stated fields replace those of the instance; an architecture without a variant clears the variant
    annotations: take the place of all that are there; None leaves them
    urls:        the same
    """

    platform: Platform = _NOTHING
    annotations: Mapping[str, str] | None = field(default=None, hash=False)
    urls: tuple[str, ...] | None = None

    def of(self, instance: Descriptor) -> Descriptor:
        """The instance with this change made to it; without any platform field left it has no platform."""
        platform = restated(instance.platform or _NOTHING, self.platform)
        return replace(
            instance,
            platform=None if platform == _NOTHING else platform,
            annotations=instance.annotations if self.annotations is None else self.annotations,
            urls=instance.urls if self.urls is None else self.urls,
        )


def restated(platform: Platform, stated: Platform) -> Platform:
    """`platform` with the fields that `stated` states; the variant of another architecture does not stay."""
    return Platform(
        stated.os or platform.os,
        stated.architecture or platform.architecture,
        stated.variant or ("" if stated.architecture else platform.variant),
        stated.os_version or platform.os_version,
        stated.os_features or platform.os_features,
        stated.features or platform.features,
    )


def find(index: Index, digest: Digest) -> Descriptor:
    """The instance of that digest; LookupError when the index does not list it."""
    for entry in index.entries:
        if entry.digest == digest:
            return entry
    raise LookupError(f"the index does not list {digest}")


def add(index: Index, instance: Descriptor) -> Index:
    """The index with the instance at its end; one of the same digest that was there before is replaced."""
    others = tuple(entry for entry in index.entries if entry.digest != instance.digest)
    return replace(index, entries=(*others, instance))


def remove(index: Index, digest: Digest) -> Index:
    """The index without the instance of that digest; LookupError when it does not list it."""
    find(index, digest)
    return replace(index, entries=tuple(entry for entry in index.entries if entry.digest != digest))


def change(index: Index, digest: Digest, wanted: Change) -> Index:
    """The index with one instance changed in its place; LookupError when it does not list that digest."""
    find(index, digest)
    return replace(
        index, entries=tuple(wanted.of(entry) if entry.digest == digest else entry for entry in index.entries)
    )


def annotate(index: Index, annotations: Mapping[str, str]) -> Index:
    """The index with these annotations of its own, and no others."""
    return replace(index, annotations=dict(annotations))


def preferred_media_type(index: Index) -> str:
    """Which type can say everything: OCI for what only it can hold, Docker for `features` and for an empty list.

    An index that both can hold is an OCI index. Whatever the index is now does not matter.
    """
    if index.artifact_type or index.subject or index.annotations or any(map(_is_oci_only, index.entries)):
        return mediatype.OCI_INDEX
    has_features = any(entry.platform and entry.platform.features for entry in index.entries)
    return mediatype.DOCKER_LIST if has_features or not index.entries else mediatype.OCI_INDEX


def _is_oci_only(entry: Descriptor) -> bool:
    return bool(entry.artifact_type or entry.annotations or entry.data)


def typed(index: Index, media_type: str = "") -> Index:
    """The index as one of that media type, by default the preferred one.

    `features` is a field of Docker's lists that OCI reserves, so it does not go into an OCI index.
    What else the type cannot hold stays, and `Index.serialise` refuses it.
    """
    media_type = media_type or preferred_media_type(index)
    entries = index.entries
    if media_type == mediatype.OCI_INDEX:
        entries = tuple(_without_features(entry) for entry in entries)
    return replace(index, entries=entries, media_type=media_type)


def _without_features(entry: Descriptor) -> Descriptor:
    if entry.platform is None or not entry.platform.features:
        return entry
    return replace(entry, platform=replace(entry.platform, features=()))
