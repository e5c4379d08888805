"""A saved list as a value (containers/common `libimage/manifests`: names, instances and where they live)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from manifest_action.model import instances
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.index import Index
from manifest_action.model.instances import Change
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import Reference

_EMPTY = Index(())


@dataclass(frozen=True, slots=True)
class SavedList:
    """A list of a store, or one that is about to be saved there. Methods give a changed list; nothing is written.

    names:     what it is saved under, in the order given; at least one once it is saved
    index:     what it lists
    locations: where each instance was found; one without a location lives in the store itself
    manifest:  the bytes as they were saved, None before that
    """

    names: tuple[str, ...] = ()
    index: Index = _EMPTY
    locations: Mapping[Digest, Reference] = field(default_factory=dict, hash=False)
    manifest: Manifest | None = None

    def instance(self, digest: Digest) -> Descriptor:
        """The instance of that digest with its platform, annotations and URLs; LookupError when it is not listed."""
        return instances.find(self.index, digest)

    def add(self, instance: Descriptor, location: Reference | None = None) -> "SavedList":
        """List an instance last; one of the same digest is replaced, and its first recorded location stays."""
        locations = dict(self.locations)
        if location is not None:
            locations.setdefault(instance.digest, location)
        return replace(self, index=instances.add(self.index, instance), locations=locations)

    def add_all(self, found: Iterable[tuple[Descriptor, Reference]]) -> "SavedList":
        """List several instances, each as `add` does."""
        changed = self
        for instance, location in found:
            changed = changed.add(instance, location)
        return changed

    def remove(self, digest: Digest) -> "SavedList":
        """Forget an instance and its location; LookupError when it is not listed."""
        locations = {known: location for known, location in self.locations.items() if known != digest}
        return replace(self, index=instances.remove(self.index, digest), locations=locations)

    def change(self, digest: Digest, wanted: Change) -> "SavedList":
        """State something about an instance; LookupError when it is not listed."""
        return replace(self, index=instances.change(self.index, digest, wanted))

    def annotate(self, annotations: Mapping[str, str]) -> "SavedList":
        """Let the list itself have these annotations, and no others."""
        return replace(self, index=instances.annotate(self.index, annotations))
