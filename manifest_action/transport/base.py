"""What every transport offers, as small protocols (OCI distribution-spec 1.1 in terms, not in wire format).

A `Source` and a `Destination` are bound to one repository and may be used from several threads at once.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

from manifest_action.events import Transfer
from manifest_action.model.access import Access
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import Repository


class Readable(Protocol):
    """The part of a binary file that streaming needs."""

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes (all that is left for -1); empty only at the end."""


class Content(Protocol):
    """The bytes of one blob, which can be opened more than once and from any offset."""

    def open(self, offset: int = 0, /) -> AbstractContextManager[Readable]:
        """A stream of the raw, not yet verified bytes from `offset` on."""


@runtime_checkable
class FarContent(Content, Protocol):
    """Content that may take a round trip to open, which something else can be asked for meanwhile."""

    @property
    def is_far(self) -> bool:
        """Whether it does."""


class Source(Protocol):
    """A repository that is read from."""

    def resolve(self, selector: str, /) -> Manifest:
        """The manifest under a tag, a digest or (layouts) a name; its bytes match its digest.

        selector: as `Reference.selector`; empty means the only or default manifest of a layout

        Raises ResolveError when there is none, ContentError when the bytes are not what they should be,
        RegistryError or StoreError when reading fails.
        """

    def open(self, blob: Descriptor, offset: int = 0, /) -> AbstractContextManager[Readable]:
        """The raw bytes of a blob from `offset` on; whoever uses them verifies them. Errors as `resolve`."""


class Destination(Protocol):
    """A repository that is written to. Pushing what is there already is not an error."""

    def has_manifest(self, target: Descriptor, /) -> bool:
        """Whether a manifest with this digest is in the repository (and therefore all it refers to)."""

    def push_blob(self, blob: Descriptor, content: Content, mount_from: Repository | None, /) -> Transfer:
        """See that the repository holds the blob: it is there, is mounted, or is copied from `content`.

        mount_from: a repository of the same transport and registry that is known to hold the blob

        The bytes are hashed on the way; nothing is completed under a digest that they do not have.
        Raises ContentError for that, RegistryError or StoreError when writing fails, and what `content` raises.
        """

    def push_manifest(self, manifest: Manifest, /) -> None:
        """Store a manifest under its digest, byte for byte, without touching any tag."""

    def tagged(self, tag: str, /) -> Digest | None:
        """What `tag` points to right now, None when it does not exist; asked afresh on every call."""

    def tag(self, manifest: Manifest, tag: str, /) -> None:
        """Let `tag` point to `manifest`, which is in the repository already."""


@runtime_checkable
class Measurer(Protocol):
    """A source that can say how large a blob is, for manifests that do not say it themselves (Docker's schema 1)."""

    def size_of(self, digest: Digest, /) -> int:
        """How many bytes a blob has. Raises ResolveError when there is none, RegistryError when asking fails."""


@runtime_checkable
class ReferrerLister(Protocol):
    """A source that knows which artifacts are about a manifest."""

    def referrers(self, subject: Digest, artifact_type: str, /) -> tuple[Descriptor, ...]:
        """The manifests of one artifact type (empty: of all) that have `subject` as their subject, each once.

        Those of which the list does not say the type are among them.
        Raises RegistryError when asking fails.
        """


@runtime_checkable
class TagRemover(Protocol):
    """A destination that can take a tag away and leave what it points to."""

    def remove_tag(self, tag: str, /) -> None:
        """Take a tag away; one that is not there is no error. Raises RegistryError when the registry will not."""

    def tagged(self, tag: str, /) -> Digest | None:
        """See `Destination.tagged`."""


@runtime_checkable
class ReferrerKeeper(Protocol):
    """A destination that has to be told of artifacts with a subject."""

    def keep_referrers(self, manifests: Sequence[Manifest], /) -> None:
        """Let each of these manifests, which were pushed, be found by its subject. Those that are listed stay."""


@runtime_checkable
class ReferrerRecorder(Protocol):
    """A destination that may not see subjects by itself, and where others may write its lists at the same time."""

    def record_referrers(self, subject: Digest, manifests: Sequence[Manifest], /) -> float | None:
        """See that these manifests, which were pushed and are about `subject`, can be found by it.

        Gives the seconds from having looked at the list until it was written; None when they were listed already.
        RegistryError when the list cannot have them.
        """


@runtime_checkable
class Website(Protocol):
    """A source at a host that has other files beside its registry, or instead of one."""

    def read_file(self, target: str, limit: int, /) -> bytes | None:
        """A file of at most `limit` bytes by its path at the host, percent-encoded; None when there is none.

        Raises RegistryError when asking fails.
        """


@runtime_checkable
class Uploader(Protocol):
    """A destination where asking whether a blob is there costs as much as sending a small one."""

    def upload(self, blob: Descriptor, content: Content, /) -> None:
        """Send a blob that was just made, without asking whether it is there. Errors as `push_blob`."""


@runtime_checkable
class BlobFinder(Uploader, Protocol):
    """An uploader that is far away: what it has is better asked for before anything is on its way."""

    def has_blob(self, blob: Descriptor, /) -> bool:
        """Whether the repository holds a blob. Errors as `push_blob`."""

    def has_digest(self, digest: Digest, /) -> bool:
        """As `Destination.has_manifest`, for a manifest of which nothing but its digest is known yet."""


@runtime_checkable
class TaggedPusher(Protocol):
    """A destination that takes a manifest and a tag for it in one request."""

    def push_tagged(self, manifest: Manifest, tag: str, /) -> None:
        """Store a manifest under a tag, and so under its digest; it has no subject. Errors as `Destination`."""


@runtime_checkable
class TagReplacer(Protocol):
    """A destination where a tag moves together with its manifest, and only from where it was last seen."""

    def replace_tagged(self, manifest: Manifest, tag: str, current: Digest | None, /) -> float:
        """Store a manifest under a tag; it has no subject. Errors as `Destination`.

        Nothing happens when the tag does not point to `current` (None: nowhere), which is looked at right before
        each try. Gives the seconds from having looked until it was written, 0 when nothing happened.
        """


@runtime_checkable
class SignatureKeeper(Protocol):
    """A repository whose registry may keep simple signatures itself, beside the images."""

    def simple_signatures(self, subject: Digest, /) -> tuple[bytes, ...] | None:
        """The simple signatures of an image; None when the registry keeps none at all.

        Raises RegistryError when asking fails or the answer makes no sense.
        """

    def add_simple_signature(self, subject: Digest, content: bytes, /) -> None:
        """Have the registry keep one more signature. Raises RegistryError."""


class Transport(Protocol):
    """A kind of place. Sources and destinations of one repository may share state."""

    def source(self, repository: Repository, /) -> Source:
        """The repository for reading; no request is made yet."""

    def destination(self, repository: Repository, /) -> Destination:
        """The repository for writing; no request is made yet."""

    def prepare(self, accesses: Iterable[Access], /) -> None:
        """Learn what will be wanted, so that tokens can be asked for once; no request is made yet."""

    def close(self) -> None:
        """Let go of connections and files."""
