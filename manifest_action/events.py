"""What happened during a run, as values, and the one protocol that listens.

Operations emit events and never print; adapters decide what people and CI systems see of them.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from manifest_action.errors import Mark
from manifest_action.model.digest import Digest
from manifest_action.model.platform import Platform
from manifest_action.model.reference import Reference, Repository


class Stage(StrEnum):
    """The steps of a run, in order."""

    RESOLVE = "resolve"
    ASSEMBLE = "assemble"
    COPY = "copy"
    PUSH = "push"
    ATTACH = "attach"
    SIGN = "sign"
    ATTEST = "attest"
    VERIFY = "verify"
    PROTECT = "protect"
    TAG = "tag"
    CLEAN_UP = "clean up"


class Transfer(StrEnum):
    """How a blob came to be in a repository."""

    PRESENT = "present"
    MOUNTED = "mounted"
    COPIED = "copied"


class TagState(StrEnum):
    """What became of a tag. `pending` was never tried; `unknown` was asked for, and the answer never came."""

    PENDING = "pending"
    CREATED = "created"
    MOVED = "moved"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    UNKNOWN = "unknown"


class CleanupState(StrEnum):
    """What became of a temporary tag."""

    REMOVED = "removed"
    ABSENT = "absent"
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class StageStarted:
    """A step of the run begins; `subject` says with what, such as `2 sources`."""

    stage: Stage
    subject: str

    @classmethod
    def with_number(cls, stage: Stage, number: int, one: str, many: str) -> "StageStarted":
        """A step that begins with so many things, by what one and what several of them are called."""
        return cls(stage, f"{number} {one if number == 1 else many}")


@dataclass(frozen=True, slots=True)
class SourceResolved:
    """A source reference is pinned to `digest` and gives these platforms."""

    reference: Reference
    digest: Digest
    platforms: tuple[Platform, ...]


@dataclass(frozen=True, slots=True)
class SourcesAdmitted:
    """So many images of the sources may be used by the policy in the file `policy`; empty when there is none."""

    policy: str
    images: int


@dataclass(frozen=True, slots=True)
class InstanceConverted:
    """An image from `source` became one of another kind, as the spec's `format` asks; its digest changed with it."""

    source: Reference
    original: Digest
    digest: Digest
    format: str


@dataclass(frozen=True, slots=True)
class InstanceCompressed:
    """An image from `source` got a second instance, with its layers compressed as `compression` says."""

    source: Reference
    original: Digest
    digest: Digest
    compression: str


@dataclass(frozen=True, slots=True)
class IndexAssembled:
    """The bytes of an index are known; nothing has been written yet."""

    label: str
    digest: Digest
    media_type: str
    size: int


@dataclass(frozen=True, slots=True)
class BlobTransferred:
    """A blob of `size` bytes is in `repository`."""

    repository: Repository
    digest: Digest
    size: int
    transfer: Transfer


@dataclass(frozen=True, slots=True)
class BlobProgress:
    """So many of the `size` bytes of a large blob are on their way to `repository`; for terminals, not for logs."""

    repository: Repository
    digest: Digest
    done: int
    size: int


@dataclass(frozen=True, slots=True)
class ManifestPushed:
    """A manifest is in `repository` under its digest; `present` when it was there before."""

    repository: Repository
    digest: Digest
    present: bool


@dataclass(frozen=True, slots=True)
class SignatureStored:
    """A signature over `subject` is at `location`, a reference; `present` when an equal one was there before.

    address: of a signature that is kept elsewhere, and `location` says only what it is about
    """

    subject: Digest
    kind: str
    location: Reference
    present: bool
    address: str = ""


@dataclass(frozen=True, slots=True)
class ArtifactStored:
    """Something of media type `type` that is about `subject` is at `location`; `present` when it was there before."""

    subject: Digest
    type: str
    location: Reference
    present: bool


@dataclass(frozen=True, slots=True)
class TagSettled:
    """The state of one tag; `previous` is what it pointed to before the run, when that is known."""

    reference: Reference
    digest: Digest
    state: TagState
    previous: Digest | None = None


@dataclass(frozen=True, slots=True)
class TagRemoved:
    """A temporary tag was to be taken away; `reason` says why it stays, if it does."""

    reference: Reference
    state: CleanupState
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Retrying:
    """A request to `host` is tried again after `delay` seconds."""

    host: str
    attempt: int
    delay: float
    reason: str


@dataclass(frozen=True, slots=True)
class Warned:
    """Something a person should know that does not stop the run; `text` may be remote and is not yet escaped."""

    text: str
    mark: Mark | None = None


@dataclass(frozen=True, slots=True)
class SecretLearned:
    """A secret that logs must never show, for adapters whose CI system can mask values."""

    value: str = field(repr=False)


Event = (
    StageStarted
    | SourceResolved
    | SourcesAdmitted
    | InstanceConverted
    | InstanceCompressed
    | IndexAssembled
    | BlobTransferred
    | BlobProgress
    | ManifestPushed
    | SignatureStored
    | ArtifactStored
    | TagSettled
    | TagRemoved
    | Retrying
    | Warned
    | SecretLearned
)


class Reporter(Protocol):
    """Listens to events; called from several threads at once, must not raise."""

    def emit(self, event: Event, /) -> None:
        """Take note of one event."""
