"""What every signer offers, as small protocols and values. Signers do no registry I/O; `ops.sign` stores their work."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, runtime_checkable

from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import Repository


class Kind(StrEnum):
    """The kinds of signatures, by who reads them.

    cosign-bundle: cosign from version 3 on: a Sigstore bundle as a referrer
    cosign-tag:    Podman, skopeo, CRI-O and older cosign: a layer of the image under the subject's `.sig` tag
    keyless:       cosign and others: a Sigstore bundle with a certificate, as a referrer
    gpg:           Podman, skopeo and CRI-O: simple signing, in a lookaside or the registry's signature extension
    provenance:    cosign, and others that read SLSA statements: a bundle as a referrer, or a layer under the `.att` tag
    notation:      notation and Ratify: a JWS with certificates, as a referrer
    """

    COSIGN_BUNDLE = "cosign-bundle"
    COSIGN_TAG = "cosign-tag"
    KEYLESS = "keyless"
    GPG = "gpg"
    NOTATION = "notation"
    PROVENANCE = "provenance"


class AttestationForm(StrEnum):
    """Where a signed statement is kept: as a bundle in a referrer, or as a layer under the `.att` tag."""

    BUNDLE = "bundle"
    TAG = "tag"


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
class SimpleSignature:
    """A signature that is kept beside the repository: by the registry itself, or in a lookaside.

    lookaside: the base address that its signer was given, `file://`; empty for where it goes by itself
    """

    content: bytes = field(repr=False)
    lookaside: str = ""


@dataclass(frozen=True, slots=True)
class Author:
    """Who made a signature, as somebody who verifies it has to say it; what does not apply is empty.

    public_key: PEM, or for gpg an armored public key
    subject:    of the certificate, or the fingerprint of a GPG key
    issuer:     the OIDC issuer that vouched for the subject
    """

    public_key: str = field(default="", repr=False)
    subject: str = ""
    issuer: str = ""


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature over `subject`, and the form in which a repository keeps it.

    identity: the name in it, empty for kinds that have none
    """

    kind: Kind
    subject: Descriptor
    artefact: Attachment | Referrer | SimpleSignature
    author: Author
    identity: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """What is kept where a signature may be: the bytes, and for what a registry keeps the layer that describes them."""

    content: bytes = field(repr=False)
    layer: Descriptor | None = None


class Verifier(Protocol):
    """Judges signatures of one kind by one key, identity or set of trusted certificates; used from several threads."""

    @property
    def kind(self) -> Kind:
        """The kind that it reads."""

    def fault(self, held: Held, subject: Digest, repository: Repository, /) -> str:
        """What is wrong with it as a signature over `subject` in `repository`, in a few words; empty: it is good."""


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

    def verifiers(self) -> Sequence[Verifier]:
        """What judges this signer's own signatures: one for each kind that it makes."""


@runtime_checkable
class Recogniser(Protocol):
    """An optional power of a signer whose signatures leave a trace elsewhere: none is made where a good one is."""

    def recognised(self, request: SignRequest, manifest: Manifest, content: bytes, /) -> Signature | None:
        """The signature in a bundle that a repository holds, when it is as good as a new one; else None.

        manifest: the referrer that leads to the bundle
        content:  the bundle
        """


@runtime_checkable
class StatementSigner(Protocol):
    """A signer that signs in-toto statements too, not only that a digest may be called something."""

    @property
    def forms(self) -> Sequence[AttestationForm]:
        """The forms in which its readers look for statements."""

    @property
    def author(self) -> Author:
        """Who signs."""

    def attest(
        self, form: AttestationForm, subject: Descriptor, statement: bytes, predicate_type: str, /
    ) -> Attachment | Referrer:
        """The statement in its envelope, signed. Raises SigningError."""

    def attested(self, held: Held, /) -> bytes:
        """The statement in what a repository holds, if this signer signed it, else nothing."""
