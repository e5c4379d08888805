"""What one index shall be, as values: the outcome of reading a spec (design section 4.1)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from manifest_action.errors import Mark
from manifest_action.model.descriptor import NONE
from manifest_action.model.platform import Platform
from manifest_action.model.reference import Reference, Repository


class Format(StrEnum):
    """The kind of the index and its images; `auto` takes the Docker list only if every entry is a Docker type.

    Images of another kind than the other words say are converted. `v2s1` is a Docker list of images of Docker's
    schema 1, for the oldest registries.
    """

    AUTO = "auto"
    OCI = "oci"
    DOCKER = "docker"
    SCHEMA1 = "v2s1"


class Compression(StrEnum):
    """How layers are compressed: as they are, or each image a second time with zstd, in an instance of its own."""

    KEEP = "keep"
    ADD_ZSTD = "add zstd"


class Attestations(StrEnum):
    """What happens to BuildKit's attestation entries; they are kept only together with their subject."""

    KEEP = "keep"
    DROP = "drop"


class Existing(StrEnum):
    """What happens when a tag exists already.

    replace:    it moves
    append:     the index under the main reference is extended; same platforms are replaced in place
    keep-equal: the same digest is success, another one is an error before anything is written
    """

    REPLACE = "replace"
    APPEND = "append"
    KEEP_EQUAL = "keep-equal"


class Protection(StrEnum):
    """Tags for children, against what prunes untagged images: by their digest, which never move, or by platform."""

    NO = "no"
    DIGEST = "digest"
    PLATFORM = "platform"


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """One image or index to take entries from.

    platform:    fields stated here win over what the source says (and must not contradict its config,
                 unless `override`)
    platforms:   when the source is an index, take these only; empty means all
    annotations: on the descriptor of every entry taken from here
    """

    reference: Reference
    platform: Platform | None = None
    override: bool = False
    platforms: tuple[Platform, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=lambda: NONE, hash=False)
    mark: Mark | None = None
    path: str = ""


@dataclass(frozen=True, slots=True)
class Annotations:
    """Annotations of an index, and of its entries: for all of them (no platform) or those of a platform."""

    index: Mapping[str, str] = field(default_factory=dict, hash=False)
    entries: tuple[tuple[Platform | None, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class SignerSpec:
    """One way to sign an index (design section 5).

    name:      of the signer, such as `cosign`
    options:   its keys, complete; keys and passphrases are references and not values
    recursive: every instance is signed too, not only the index
    """

    name: str
    options: Mapping[str, str] = field(default_factory=dict, hash=False)
    recursive: bool = True
    mark: Mark | None = field(default=None, compare=False)


class Referrers(StrEnum):
    """What happens to the signatures, SBOMs and other things attached to images that go to another repository."""

    COPY = "copy"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class AttachSpec:
    """A file that is attached to what is pushed.

    file:    its path as written
    type:    a media type; empty until the file is read when none is written
    to:      the instances of that platform; None is the index
    content: its bytes, once they are read
    """

    file: str
    type: str = ""
    to: Platform | None = None
    content: bytes = field(default=b"", repr=False)
    mark: Mark | None = field(default=None, compare=False)
    path: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class IndexSpec:
    """One index: where it goes, what it is made of, what must hold.

    destinations: at least one; the first is the main one; those without a tag receive the index by digest only
    expect:       exactly these platforms must result; None means no expectation
    lossy:        leave out what the format cannot hold, instead of an error
    verify:       signatures are read back and verified before any tag moves
    protect:      whether and how children get tags of their own
    cleanup:      temporary tags that are taken away in the end; none of them is a destination
    referrers:    whether what is attached to the instances goes with them
    remove_signatures: signatures among that stay behind
    attach:       files to attach
    provenance:   a signed statement of how the index was made is attached to it
    mark:         where the spec of this index begins
    """

    destinations: tuple[Reference, ...]
    sources: tuple[SourceSpec, ...]
    annotations: Annotations = Annotations()
    expect: tuple[Platform, ...] | None = None
    format: Format = Format.AUTO
    lossy: bool = False
    compression: Compression = Compression.KEEP
    attestations: Attestations = Attestations.KEEP
    existing: Existing = Existing.REPLACE
    artifact_type: str = ""
    subject: Reference | None = None
    sign: tuple[SignerSpec, ...] = ()
    verify: bool = False
    protect: Protection = Protection.NO
    cleanup: tuple[Reference, ...] = ()
    referrers: Referrers = Referrers.COPY
    remove_signatures: bool = False
    attach: tuple[AttachSpec, ...] = ()
    provenance: bool = False
    mark: Mark | None = None

    @property
    def main(self) -> Reference:
        """The destination that names this index in reports."""
        return self.destinations[0]

    @property
    def repositories(self) -> tuple[Repository, ...]:
        """Every repository the index goes to, each once, in the order written."""
        return tuple(dict.fromkeys(destination.repository for destination in self.destinations))

    @property
    def tags(self) -> tuple[Reference, ...]:
        """The destinations that are names to be moved; the others receive the index under its digest only."""
        return tuple(destination for destination in self.destinations if destination.is_named)
