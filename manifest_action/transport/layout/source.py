"""Reading images from a layout by reference name or digest."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import ClassVar

from manifest_action.errors import ContentError, ResolveError
from manifest_action.model import mediatype
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import SIZE_LIMIT, Manifest
from manifest_action.model.referrers import fallback_tag, referrer
from manifest_action.transport.base import Readable
from manifest_action.transport.layout.base import ReadableLayout
from manifest_action.transport.layout.index import LayoutIndex
from manifest_action.transport.verify import read_blob

_NAMES_SHOWN = 10
_UNNAMED_READ = 1000


class LayoutSource:
    """A layout as a `Source`. `label` is how messages and the user write it: `oci:path`."""

    _form: ClassVar[str] = "OCI layout"
    _signs: ClassVar[str] = "a layout is a directory with the files oci-layout and index.json"

    def __init__(self, layout: ReadableLayout, label: str) -> None:
        self._layout = layout
        self._label = label

    def resolve(self, selector: str, /) -> Manifest:
        """The manifest of a digest, of a name, or (empty selector) the only one that the layout lists.

        A name is an entry's `org.opencontainers.image.ref.name`, or the full name that BuildKit writes
        (`io.containerd.image.name`). A digest need not be listed: children of an index are found by it.
        """
        index = self._layout.index()
        if index is None:
            raise ResolveError(
                f"there is no {self._form} at this path",
                where=self._label,
                hint=f"{self._signs}; check the path and the working directory, and whether the step that writes it "
                "has run",
            )
        return self.read(self._chosen(index, selector))

    def read(self, target: Descriptor) -> Manifest:
        """The manifest that a descriptor points to, checked against it. Errors as `Source.resolve`."""
        where = f"{self._label}@{target.digest}"
        raw = read_blob(self, target, SIZE_LIMIT, where)
        try:
            return Manifest.parse(raw, media_type=target.media_type, algorithm=target.digest.algorithm)
        except ValueError as error:
            raise ContentError("is no manifest that can be used", where=where, why=str(error)) from None

    @contextmanager
    def open(self, blob: Descriptor, offset: int = 0, /) -> Iterator[Readable]:
        """The raw bytes of a blob from `offset` on. Errors as `Source.open`."""
        with self._layout.open(blob.digest) as file:
            if file is None:
                raise ResolveError(
                    f"the layout does not have {blob.digest}",
                    where=self._label,
                    hint="it was written in part or for one platform only; write it again with all platforms",
                )
            file.seek(offset)
            yield file

    def _chosen(self, index: LayoutIndex, selector: str) -> Descriptor:
        digest = _digest(selector)
        if digest is not None:
            return index.with_digest(digest) or Descriptor("", digest, self._layout.size(digest) or 0)
        found = index.named(selector) if selector else index.images()
        if len(found) == 1:
            return found[0]
        raise self._several(found, index, selector) if found else self._none(index, selector)

    def _none(self, index: LayoutIndex, selector: str) -> ResolveError:
        if not index.entries:
            return ResolveError("the layout lists no image", where=self._label, hint="write an image into it first")
        names = _listed(index.names())
        hint = f"its names are {names}" if names else f"its images have no names; write {self._label} or use a digest"
        return ResolveError(f"the layout has no image named {selector}", where=self._label, hint=hint)

    def _several(self, found: Sequence[Descriptor], index: LayoutIndex, selector: str) -> ResolveError:
        if selector:
            what = f"the layout has {len(found)} different images named {selector}"
        else:
            what = f"the layout has {len(found)} images, and the reference does not say which"
        names = "" if selector else _listed(index.names())
        digests = _listed([str(each.digest) for each in found])
        hint = f"add one of its names: {names}" if names else f"take one by digest: {digests}"
        return ResolveError(what, where=self._label, hint=hint)


class ReferringSource(LayoutSource):
    """A layout in which artifacts are found by their subjects: see `ReferrerLister`.

    Some programs list them as oras does, as entries of their own, others under the tag that registries without a
    list have (regclient, and this one); both are looked at.
    """

    def referrers(self, subject: Digest, artifact_type: str, /) -> tuple[Descriptor, ...]:
        """See `ReferrerLister.referrers`; ContentError when the layout is damaged."""
        index = self._layout.index() or LayoutIndex.empty()
        found = [self.read(listing) for listing in index.named(fallback_tag(subject))]
        entries = [entry for listing in found for entry in listing.entries]
        entries += [referrer(each) for each in self._unnamed(index) if each.subject and each.subject.digest == subject]
        wanted = [entry for entry in entries if artifact_type in ("", entry.artifact_type)]
        return tuple({entry.digest: entry for entry in wanted}.values())

    def _unnamed(self, index: LayoutIndex) -> Iterator[Manifest]:
        """The manifests that are listed without a name and can be read."""
        for entry in index.named("")[:_UNNAMED_READ]:
            if entry.media_type in mediatype.MANIFESTS and entry.size <= SIZE_LIMIT:
                with suppress(ContentError, ResolveError):
                    yield self.read(entry)


def _digest(selector: str) -> Digest | None:
    try:
        return Digest.parse(selector)
    except ValueError:
        return None


def _listed(words: Sequence[str]) -> str:
    shown = [word[:128] for word in words[:_NAMES_SHOWN]]
    return ", ".join(shown + (["…"] if len(words) > len(shown) else []))
