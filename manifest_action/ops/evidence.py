"""The signatures of one image: found in a lookaside or in its repository, read when a policy asks for them."""

from collections.abc import Iterator
from dataclasses import dataclass

from manifest_action.errors import ResolveError
from manifest_action.model import mediatype
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.reference import DIRECTORY, DOCKER, Reference
from manifest_action.ops.simple import store_to_read
from manifest_action.signing.attachment import CONTENT_LIMIT, LAYER, SIGNATURE_ANNOTATION, attachment_tag
from manifest_action.signing.lookaside import read_file, read_signatures
from manifest_action.signing.policy.requirements import Certifier, Keys
from manifest_action.signing.policy.verdict import SigstoreSignature
from manifest_action.signing.registriesd import Registries
from manifest_action.signing.trust import Trust
from manifest_action.signing.verification import decoded
from manifest_action.transport.base import Transport
from manifest_action.transport.verify import read_blob

_CERTIFICATION = ("dev.sigstore.cosign/certificate", "dev.sigstore.cosign/chain", "dev.sigstore.cosign/bundle")
"""The annotations that cosign puts beside a signature without a key."""


@dataclass(frozen=True, slots=True)
class StoredSignatures:
    """See `policy.verdict.Evidence`; errors are those of the transports too.

    reference: the image as the user named it
    digest:    of the image
    whole:     the reference itself leads to the image, not to an index that lists it
    """

    reference: Reference
    digest: Digest
    whole: bool
    registries: Registries
    trust: Trust
    transport: Transport

    def simple_signatures(self) -> Iterator[bytes]:
        """From an image's registry or lookaside, or from beside a `dir:` image."""
        repository = self.reference.repository
        if repository.transport == DIRECTORY:
            prefix = "" if self.whole else f"{self.digest.encoded}."
            yield from read_signatures(f"{repository.name}/{prefix}signature-", read_file)
        elif repository.transport == DOCKER:
            where = (self.transport, self.reference, self.digest)
            if store := store_to_read(*where, registries=self.registries, lookaside=""):
                yield from store.read()

    def sigstore_signatures(self) -> Iterator[SigstoreSignature]:
        """From the image under the `.sig` tag."""
        repository = self.reference.repository
        if repository.transport != DOCKER or self.digest.algorithm != "sha256":
            return
        if not self.registries.reads_attachments(self.reference):
            return
        try:
            found = self.transport.source(repository).resolve(attachment_tag(self.digest))
        except ResolveError:
            return
        if found.media_type == mediatype.OCI_MANIFEST:
            yield from (self._signature(layer) for layer in found.layers if layer.media_type == LAYER)

    def opened(self, keys: Keys, signed: bytes, /) -> bytes:
        """See `Evidence.opened`."""
        return self.trust.opened(keys, signed)

    def verified(self, keys: Keys, logs: Keys, signature: SigstoreSignature, /) -> bytes:
        """See `Evidence.verified`."""
        return self.trust.verified(keys, logs, signature)

    def certified(self, certifier: Certifier, logs: Keys, signature: SigstoreSignature, /) -> bytes:
        """See `Evidence.certified`."""
        return self.trust.certified(certifier, logs, signature)

    def _signature(self, layer: Descriptor) -> SigstoreSignature:
        repository = self.reference.repository
        payload = read_blob(self.transport.source(repository), layer, CONTENT_LIMIT, f"{repository}@{layer.digest}")
        signature = decoded(layer.annotations.get(SIGNATURE_ANNOTATION, ""))
        return SigstoreSignature(payload, signature, *(layer.annotations.get(name, "") for name in _CERTIFICATION))
