"""What resolving finds, as values: the instances that an index will list, and what was there before."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from manifest_action.errors import Mark
from manifest_action.model.attestation import is_attestation
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.platform import Platform
from manifest_action.model.reference import Reference, Repository
from manifest_action.plan.spec import IndexSpec
from manifest_action.transport.base import Content

NOTHING_MADE: Mapping[Digest, bytes | Content] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Instance:
    """One entry-to-be of an index.

    descriptor: with the platform and annotations the entry will have
    origin:     the repository that holds it
    source:     the reference it was found under, pinned to what was read there
    manifest:   its bytes, None when nothing made it necessary to read them, or nobody will ask for them again
    config:     the bytes of its config, None as for `manifest`
    converted:  its manifest was made in this run from the one at `origin`, which holds its blobs but not itself
    made:       blobs that were made with it, and that no repository has
    is_existing: it is in the index that is being extended, rather than from a source of the spec
    read_size:  `image_size` from when the manifest was there
    """

    descriptor: Descriptor
    origin: Repository
    source: Reference
    manifest: Manifest | None = None
    mark: Mark | None = None
    config: bytes | None = field(default=None, repr=False)
    converted: bool = False
    made: Mapping[Digest, bytes | Content] = field(default_factory=lambda: NOTHING_MADE, hash=False, repr=False)
    is_existing: bool = False
    read_size: int | None = None

    @property
    def platform(self) -> Platform | None:
        """The platform the entry will state."""
        return self.descriptor.platform

    @property
    def is_attestation(self) -> bool:
        """Whether it describes another instance rather than being an image."""
        return is_attestation(self.descriptor)

    @property
    def image_size(self) -> int | None:
        """Bytes of manifest, config and layers together; None when the manifest was not read."""
        if self.manifest is None:
            return self.read_size
        return len(self.manifest.raw) + sum(blob.size for blob in self.manifest.blobs)

    def without_bytes(self) -> "Instance":
        """The same, without what takes room: for when neither manifest nor config will be asked for again."""
        return replace(self, manifest=None, config=None, read_size=self.image_size)

    def must_travel(self, spec: IndexSpec) -> bool:
        """Whether a repository of the index has to be given its manifest; a converted one has to be everywhere."""
        return self.converted or any(repository != self.origin for repository in spec.repositories)


@dataclass(frozen=True, slots=True)
class ResolvedIndex:
    """Everything that must be known before an index can be assembled.

    whole:   the source's own index when the spec has one source and that is an index
    base:    the existing index that `existing: append` extends, None when there is none yet
    current: what each destination tag points to now
    present: whether a destination has an instance or a blob of one already, where that was asked
    """

    spec: IndexSpec
    instances: tuple[Instance, ...]
    whole: Manifest | None = None
    base: Manifest | None = None
    subject: Descriptor | None = None
    current: Mapping[Reference, Digest | None] = field(default_factory=dict, hash=False)
    present: Mapping[tuple[Repository, Digest], bool] = field(default_factory=dict, hash=False, repr=False)


@dataclass(frozen=True, slots=True)
class AssembledIndex:
    """An index whose bytes are known, with the instances that it lists; the rest is as in `ResolvedIndex`."""

    spec: IndexSpec
    manifest: Manifest
    instances: tuple[Instance, ...]
    current: Mapping[Reference, Digest | None] = field(default_factory=dict, hash=False)
    present: Mapping[tuple[Repository, Digest], bool] = field(default_factory=dict, hash=False, repr=False)
