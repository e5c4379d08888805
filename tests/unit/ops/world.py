"""Synthetic images placed into repositories in memory."""

from collections.abc import Sequence

from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import Reference, parse_reference
from manifest_action.plan.spec import IndexSpec, SourceSpec
from tests.support.images import Synthetic, SyntheticImage
from tests.unit.ops.memory import MemoryTransport

HOME = "registry.test/acme/app"


def place(transport: MemoryTransport, reference: str, what: Synthetic) -> Reference:
    """Put an image or index and all it refers to under a reference; the reference without its tag, by digest."""
    target = parse_reference(reference)
    repository = transport[target.repository]
    manifest = Manifest.parse(what.manifest_bytes, media_type=what.media_type)
    repository.manifests[str(manifest.digest)] = manifest
    if target.tag:
        repository.tags[target.tag] = str(manifest.digest)
    if isinstance(what, SyntheticImage):
        blobs = {digest: blob for digest, blob in what.blobs.items() if isinstance(blob, bytes)}
        repository.blobs |= blobs
    else:
        for child in what.children:
            place(transport, str(target.repository), child)
    return Reference(target.repository, digest=manifest.digest)


def spec(sources: Sequence[str | Reference | SourceSpec], *destinations: str, **fields: object) -> IndexSpec:
    """An index of these sources; `HOME:1` is where it goes unless destinations are given."""
    read = [source if isinstance(source, SourceSpec) else SourceSpec(_reference(source)) for source in sources]
    targets = tuple(parse_reference(text) for text in destinations or (f"{HOME}:1",))
    return IndexSpec(targets, tuple(read), **fields)  # type: ignore[arg-type]


def _reference(source: str | Reference) -> Reference:
    return parse_reference(source) if isinstance(source, str) else source
