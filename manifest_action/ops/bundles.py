"""Signatures that a repository lists as referrers of what they are about: finding and reading them."""

from collections.abc import Iterator, Sequence

from manifest_action.errors import ContentError, ResolveError
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import Repository
from manifest_action.ops.signatures import Made
from manifest_action.signing.attachment import CONTENT_LIMIT
from manifest_action.signing.base import Recogniser, Referrer, Signature, SignRequest
from manifest_action.signing.payload import BUNDLE
from manifest_action.transport.base import ReferrerLister, Transport
from manifest_action.transport.verify import read_blob

_READ = 100


def listed_referrers(
    repository: Repository, subject: Digest, artifact_type: str, transport: Transport
) -> Sequence[Descriptor]:
    """As `ReferrerLister.referrers`; nothing where there is no list."""
    source = transport.source(repository)
    return source.referrers(subject, artifact_type) if isinstance(source, ReferrerLister) else ()


def read_bundles(
    repository: Repository, listed: Sequence[Descriptor], transport: Transport
) -> Iterator[tuple[Manifest, Descriptor, bytes]]:
    """The referrers that have one layer, with that layer and what is in it; those that cannot be read are left out.

    listed: as of `listed_referrers`; the first 100 are looked at
    """
    source = transport.source(repository)
    for entry in listed[:_READ]:
        try:
            manifest = source.resolve(str(entry.digest))
            (layer,) = manifest.layers
            content = read_blob(source, layer, CONTENT_LIMIT, f"{repository}@{entry.digest}")
        except (ValueError, ResolveError, ContentError):
            continue
        yield manifest, layer, content


def equal_referrer(made: Made[Referrer], transport: Transport) -> Digest | None:
    """The manifest of an equal signature that the repository lists already."""
    manifest, subject = made.artefact.manifest, made.signature.subject.digest
    listed = listed_referrers(made.repository, subject, manifest.artifact_type, transport)
    if any(entry.digest == manifest.digest for entry in listed):
        return manifest.digest
    for kept, layer, content in read_bundles(made.repository, listed, transport):
        if made.signer.repeats(made.signature, layer, content):
            return kept.digest
    return None


def recognised(signer: Recogniser, request: SignRequest, transport: Transport) -> Signature | None:
    """A signature that the repository has and that its signer finds as good as a new one."""
    listed = listed_referrers(request.repository, request.subject.digest, BUNDLE, transport)
    for manifest, _, content in read_bundles(request.repository, listed, transport):
        if known := signer.recognised(request, manifest, content):
            return known
    return None
