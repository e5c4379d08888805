"""Writing images into a layout: blobs, manifests and, last, names."""

import io
from collections.abc import Iterator, Mapping, Sequence

from manifest_action.errors import ContentError, ResolveError, StoreError
from manifest_action.events import Transfer
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import Repository
from manifest_action.model.referrers import fallback_tag, with_referrers
from manifest_action.transport.base import Content
from manifest_action.transport.layout.base import WritableLayout
from manifest_action.transport.layout.index import LayoutIndex
from manifest_action.transport.layout.layout import not_a_layout
from manifest_action.transport.layout.source import LayoutSource
from manifest_action.transport.verify import VerifyingReader


class LayoutDestination:
    """A layout as a `Destination`; it is created by the first write.

    A manifest that no name leads to is in the layout under its digest, and `LayoutSource` finds it by that;
    `index.json` lists what has a name.
    """

    def __init__(self, layout: WritableLayout, label: str) -> None:
        self._layout = layout
        self._label = label
        self._source = LayoutSource(layout, label)

    def has_manifest(self, target: Descriptor, /) -> bool:
        """Whether the layout has this manifest, whole, and everything it refers to."""
        try:
            return not self._lacking(self._source.read(target))
        except (ResolveError, ContentError):
            return False

    def push_blob(self, blob: Descriptor, content: Content, _mount_from: Repository | None, /) -> Transfer:
        """See `Destination.push_blob`. A blob that is there is not read again; one of another size is replaced."""
        self._layout.create()
        if self._layout.size(blob.digest) == blob.size:
            return Transfer.PRESENT
        with content.open() as stream:
            self._layout.write(blob, VerifyingReader(stream, blob, self._label))
        return Transfer.COPIED

    def push_manifest(self, manifest: Manifest, /) -> None:
        """See `Destination.push_manifest`. As at a registry, what it refers to must be there first."""
        lacking = self._lacking(manifest)
        if lacking:
            raise StoreError(
                f"manifest {manifest.digest} refers to {lacking[0].digest}, which the layout does not have",
                where=self._label,
                hint="the copy was incomplete, or something removes files there; run again",
            )
        self._layout.create()
        if not self.has_manifest(manifest.descriptor):
            content = VerifyingReader(io.BytesIO(manifest.raw), manifest.descriptor, self._label)
            self._layout.write(manifest.descriptor, content)

    def tagged(self, tag: str, /) -> Digest | None:
        """See `Destination.tagged`. A name whose manifest is missing leads nowhere, and counts as none."""
        index = self._layout.index()
        if index is None:
            if not self._layout.is_vacant():
                raise not_a_layout(self._layout.path)
            return None
        found = index.named(tag)
        if len(found) != 1 or self._layout.size(found[0].digest) is None:
            return None
        return self._source.read(found[0]).digest

    def tag(self, manifest: Manifest, tag: str, /) -> None:
        """See `Destination.tag`: `index.json` lists the manifest under this name, and nothing else under it.

        The empty tag is the one entry without a name; StoreError when the layout has several of those.
        """
        if self._layout.size(manifest.digest) != len(manifest.raw):
            raise StoreError(
                f"manifest {manifest.digest} is not in the layout, so {tag} cannot lead to it",
                where=self._label,
                hint="something removes files there; run again",
            )
        self._layout.change_index(lambda index: self._renamed(index, manifest, tag))

    def _renamed(self, index: LayoutIndex, manifest: Manifest, tag: str) -> LayoutIndex:
        if not tag and len(index.named("")) > 1:
            raise StoreError(
                "the layout has several images without a name, and one more could not be told from them",
                where=self._label,
                hint=f"give this one a name: {self._label}:NAME",
            )
        return index.with_name(manifest.descriptor, tag)

    def _lacking(self, manifest: Manifest) -> list[Descriptor]:
        """What a manifest refers to and the layout does not have in the right size."""
        parts = (*manifest.entries, *(blob for blob in manifest.blobs if not blob.lies_elsewhere))
        return [part for part in parts if self._layout.size(part.digest) != part.size]


class ReferringDestination(LayoutDestination):
    """A layout that lists artifacts by their subjects too, under the tag that registries without a list have."""

    def keep_referrers(self, manifests: Sequence[Manifest], /) -> None:
        """See `ReferrerKeeper.keep_referrers`. Lists that others change meanwhile are made again, from theirs."""
        self._layout.create()
        while True:
            before = self._layout.index() or LayoutIndex.empty()
            lists = dict(self._lists(before, manifests))
            for extended in lists.values():
                self.push_manifest(extended)
            if self._named(before, lists):
                return

    def _lists(self, index: LayoutIndex, manifests: Sequence[Manifest]) -> Iterator[tuple[str, Manifest]]:
        """The lists that must be longer, by their tags."""
        for tag in dict.fromkeys(fallback_tag(each.subject.digest) for each in manifests if each.subject):
            found = index.named(tag)
            current = self._source.read(found[0]) if found else None
            own = [each for each in manifests if each.subject and fallback_tag(each.subject.digest) == tag]
            try:
                extended = with_referrers(current, own)
            except ValueError as error:
                raise StoreError(
                    "the list of referrers cannot be kept", where=f"{self._label}:{tag}", why=str(error)
                ) from None
            if extended is not current:
                yield tag, extended

    def _named(self, before: LayoutIndex, lists: Mapping[str, Manifest]) -> bool:
        """Name the lists, unless one of those names leads elsewhere than before; whether that was done."""
        unchanged = True

        def change(index: LayoutIndex) -> LayoutIndex:
            nonlocal unchanged
            unchanged = all(index.named(tag) == before.named(tag) for tag in lists)
            for tag, extended in lists.items() if unchanged else ():
                index = index.with_name(extended.descriptor, tag)
            return index

        if lists:
            self._layout.change_index(change)
        return unchanged
