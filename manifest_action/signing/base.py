"""What every signer offers, as small protocols and values. Signers do no registry I/O; `ops.sign` stores their work."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import Repository


class Kind(StrEnum):
    """The kinds of signatures, by who reads them.

    cosign-bundle: cosign from version 3 on: a Sigstore bundle as a referrer
    cosign-tag:    Podman, skopeo, CRI-O and older cosign: a layer of the image under the subject's `.sig` tag
    """

    COSIGN_BUNDLE = "cosign-bundle"
    COSIGN_TAG = "cosign-tag"


@dataclass(frozen=True, slots=True)
class SignRequest:
    """What is to be signed.

    subject:    media type, digest and size of the manifest
    identities: the names it is signed under, `repository:tag` in full; at least one
    """

    repository: Repository
    subject: Descriptor
    identities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attachment:
    """A layer for the image under `tag`, which gathers the signatures of one subject; `content` are its bytes."""

    tag: str
    layer: Descriptor
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Referrer:
    """A manifest that has what is signed as its subject, and the blobs that it refers to."""

    manifest: Manifest
    blobs: Mapping[Digest, bytes] = field(hash=False, repr=False)


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature over `subject`, and the form in which a repository keeps it.

    public_key: what verifies it, PEM
    identity:   the name in it, empty for kinds that have none
    """

    kind: Kind
    subject: Descriptor
    artefact: Attachment | Referrer
    public_key: str = field(repr=False)
    identity: str = ""


class PublicKey(Protocol):
    """What verifies signatures. `der` is its SubjectPublicKeyInfo, `pem` the same as text."""

    @property
    def der(self) -> bytes:
        """SubjectPublicKeyInfo (RFC 5280)."""

    @property
    def pem(self) -> str:
        """The same as PEM."""

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether `signature` was made over `message` by the private key."""


class SigningKey(Protocol):
    """The seat of a private key, which may be in this process or far away."""

    @property
    def public(self) -> PublicKey:
        """The other half."""

    def sign(self, message: bytes, /) -> bytes:
        """The signature with SHA-256: ECDSA as ASN.1 (RFC 3279) or RSA PKCS #1 v1.5. SigningError when refused."""


class Signer(Protocol):
    """Makes signatures of one or more kinds with one key or identity; used from several threads at once."""

    def sign(self, request: SignRequest, /) -> Sequence[Signature]:
        """Every signature over the subject. Raises SigningError."""

    def repeats(self, made: Signature, layer: Descriptor, content: bytes, /) -> bool:
        """Whether a layer that a repository holds, with these bytes, says the same as `made` under the same key."""
