"""Small blobs that were made in this run, on their way into repositories."""

from collections.abc import Iterable, Mapping

from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import Repository
from manifest_action.ops.copy import MadeContent
from manifest_action.transport.base import Transport, Uploader

Kept = tuple[Repository, Manifest, Mapping[Digest, bytes]]
"""A manifest for a repository, and those of its blobs that are new."""
Blobs = Mapping[tuple[Repository, Digest], tuple[Repository, Descriptor, bytes]]


def wanted_blobs(kept: Iterable[Kept]) -> Blobs:
    """The new blobs of all manifests, each once for each repository."""
    return {
        (repository, blob.digest): (repository, blob, blobs[blob.digest])
        for repository, manifest, blobs in kept
        for blob in manifest.blobs
        if blob.digest in blobs
    }


def send(repository: Repository, blob: Descriptor, content: bytes, transport: Transport) -> None:
    """Send a blob; errors as `Destination.push_blob`."""
    destination = transport.destination(repository)
    if isinstance(destination, Uploader):
        destination.upload(blob, MadeContent(content))
    else:
        destination.push_blob(blob, MadeContent(content), None)
