"""What a run has achieved so far, as values; complete on success, as far as it got on failure."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from manifest_action.errors import ManifestActionError
from manifest_action.events import CleanupState, TagState
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.platform import Platform
from manifest_action.model.reference import Reference
from manifest_action.plan.spec import IndexSpec

if TYPE_CHECKING:
    from manifest_action.signing.base import Author


@dataclass(frozen=True, slots=True)
class Totals:
    """Blobs and bytes by how they came to their destinations (all repositories of one index together)."""

    present_blobs: int = 0
    mounted_blobs: int = 0
    copied_blobs: int = 0
    present_bytes: int = 0
    mounted_bytes: int = 0
    copied_bytes: int = 0


@dataclass(frozen=True, slots=True)
class EntryReport:
    """One entry of the index: where it came from, pinned, and how many bytes its image has in all.

    image_size: manifest, config and layers, in bytes; None when the manifest did not have to be read
    """

    digest: Digest
    media_type: str
    platform: Platform | None
    source: Reference
    image_size: int | None
    is_attestation: bool = False


@dataclass(frozen=True, slots=True)
class TagReport:
    """The exact state of one destination tag."""

    reference: Reference
    state: TagState
    previous: Digest | None = None
    error: ManifestActionError | None = None


@dataclass(frozen=True, slots=True)
class SignatureReport:
    """One signature that is in place.

    subject:    the digest that is signed, of the index or of an instance
    location:   the reference under which a repository keeps it
    identity:   the name that it is for, empty for kinds that have none
    author:     who made it
    added:      whether this run put it there
    address:    of a signature that is kept elsewhere, and `location` says only what it is about
    """

    subject: Digest
    kind: str
    location: Reference
    identity: str
    author: "Author"
    added: bool
    address: str = ""


@dataclass(frozen=True, slots=True)
class CleanupReport:
    """What became of a temporary tag, and why it stays if it does (already safe to print)."""

    reference: Reference
    state: CleanupState
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ArtifactReport:
    """One attached thing that is in place.

    root:     the digest of the index or instance that it is about, if by way of others
    subject:  what it is about itself
    type:     its media type
    location: the reference under which a repository keeps it
    source:   where it came from; None when it was made in this run
    added:    whether this run put it there
    """

    root: Digest
    subject: Digest
    type: str
    location: Reference
    source: Reference | None
    added: bool


@dataclass(frozen=True, slots=True)
class IndexReport:
    """One index of the run. `manifest` is None until it could be assembled."""

    spec: IndexSpec
    manifest: Manifest | None = None
    entries: tuple[EntryReport, ...] = ()
    tags: tuple[TagReport, ...] = ()
    totals: Totals = Totals()
    signatures: tuple[SignatureReport, ...] = ()
    protected: tuple[Reference, ...] = ()
    """Tags that children have, so that nothing prunes them."""
    cleanups: tuple[CleanupReport, ...] = ()
    attached: tuple[ArtifactReport, ...] = ()
    pushed: bool = False
    """Whether the index is in every destination repository, under its digest at least."""
    changed: bool = False
    """Whether this run wrote anything: a blob, a manifest or a tag."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Every index of the run, in the order of the specs, and the error that ended it, if one did."""

    reports: tuple[IndexReport, ...]
    error: ManifestActionError | None = None
    dry_run: bool = False
