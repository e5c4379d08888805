"""Where the simple signatures of images at registries are kept: by the registry itself, or in a lookaside.

As containers/image has it, a registry with the signature extension keeps them, and lookasides are for all others.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol
from urllib.parse import quote, urlsplit

from manifest_action.errors import PolicyError, SigningError
from manifest_action.model.digest import Digest
from manifest_action.model.reference import DOCKER, Reference, Repository
from manifest_action.signing.lookaside import (
    SIZE_LIMIT,
    append_signature,
    read_file,
    read_signatures,
    signature_address,
)
from manifest_action.signing.registriesd import Registries
from manifest_action.transport.base import SignatureKeeper, Transport, Website

_FILE = "file://"


class SimpleStore(Protocol):
    """Keeps the simple signatures of one image."""

    def read(self) -> Iterator[bytes]:
        """All of them; raises PolicyError, StoreError, and what transports raise."""

    def add(self, content: bytes, /) -> str:
        """Keep one more; the address that it has then, empty where it has none of its own. Errors as `read`."""


@dataclass(frozen=True, slots=True)
class Lookaside:
    """See `SimpleStore`. beginning: as of `signature_address`, `file://`, `http://` or `https://`."""

    beginning: str
    transport: Transport

    def read(self) -> Iterator[bytes]:
        """See `SimpleStore`."""
        read = read_file if self.beginning.startswith(_FILE) else partial(_download, self.transport)
        return read_signatures(self.beginning, read)

    def add(self, content: bytes, /) -> str:
        """See `SimpleStore`; for `file://` only."""
        return append_signature(self.beginning, content)


@dataclass(frozen=True, slots=True)
class Extension:
    """See `SimpleStore`: the registry itself."""

    keeper: SignatureKeeper
    digest: Digest

    def read(self) -> Iterator[bytes]:
        """See `SimpleStore`."""
        return iter(self.keeper.simple_signatures(self.digest) or ())

    def add(self, content: bytes, /) -> str:
        """See `SimpleStore`."""
        self.keeper.add_simple_signature(self.digest, content)
        return ""


def store_to_read(
    transport: Transport, image: Reference, digest: Digest, *, registries: Registries, lookaside: str
) -> SimpleStore | None:
    """Where readers look for the signatures of an image; None when nothing says where.

    image:     as it is called, which decides about the lookaside
    lookaside: the base address to look at, whatever else is said; empty for none
    """
    return _store(transport, image.repository, digest, lookaside, registries.lookaside(image))


def store_to_write(
    transport: Transport, image: Reference, digest: Digest, *, registries: Registries, lookaside: str
) -> SimpleStore:
    """Where the signatures of an image are written; see `store_to_read`.

    SigningError: nothing says where, or it is a website.
    """
    found = _store(transport, image.repository, digest, lookaside, registries.staging(image))
    if found is None:
        raise SigningError(
            "there is no place for GPG signatures of this image",
            where=str(image.repository),
            why="its registry does not keep any, and no registries.d names a lookaside for it",
            hint="give `lookaside: file:///…`, and publish what is written there",
        )
    if isinstance(found, Lookaside) and not found.beginning.startswith(_FILE):
        raise SigningError(
            "signatures are written to files only, and the lookaside of this image is a website",
            where=found.beginning,
            hint="give `lookaside: file:///…`, or `lookaside-staging` in registries.d, and publish what is there",
        )
    return found


def _store(transport: Transport, repository: Repository, digest: Digest, given: str, usual: str) -> SimpleStore | None:
    keeper = transport.source(repository)
    if not given and isinstance(keeper, SignatureKeeper) and keeper.simple_signatures(digest) is not None:
        return Extension(keeper, digest)
    base = given or usual
    return Lookaside(signature_address(base, repository, digest), transport) if base else None


def _download(transport: Transport, address: str) -> bytes | None:
    """A file of a website. A host that is no loopback and not named insecure is asked by https only."""
    url = urlsplit(address)
    website = transport.source(Repository(DOCKER, url.netloc, "lookaside"))
    if not isinstance(website, Website):
        raise PolicyError("a lookaside at a website cannot be read by this transport", where=address)
    return website.read_file(quote(url.path, safe="/%@=:+,~"), SIZE_LIMIT)
