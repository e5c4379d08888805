"""Simple signatures where they lie beside images: in a lookaside, or in the directory of a `dir:` image."""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from manifest_action.errors import PolicyError, StoreError
from manifest_action.model.digest import Digest
from manifest_action.model.reference import Repository

SIZE_LIMIT = 4 * 1024 * 1024
COUNT_LIMIT = 128
_FILE = "file://"

Read = Callable[[str], bytes | None]
"""The content under an address, at most `SIZE_LIMIT` bytes; None when there is none."""


def signature_address(base: str, repository: Repository, digest: Digest) -> str:
    """What the addresses of an image's signatures begin with; the registry's host is no part of it."""
    return f"{base.rstrip('/')}/{repository.name}@{digest.algorithm}={digest.encoded}/signature-"


def read_signatures(beginning: str, read: Read) -> Iterator[bytes]:
    """The signatures 1, 2 and so on behind a beginning, up to the first that is not there.

    Raises PolicyError when there are more than 128, and what `read` raises.
    """
    for number in range(1, COUNT_LIMIT + 1):
        content = read(f"{beginning}{number}")
        if content is None:
            return
        yield content
    raise PolicyError(f"there are more than {COUNT_LIMIT} signatures", where=beginning)


def append_signature(beginning: str, content: bytes) -> str:
    """Write a signature under the first number that is free, and give its address.

    beginning: as of `signature_address`, of a lookaside that is a `file://` address

    Those that are there stay as they are, and so do those that others write at the same time: a file appears whole
    under its number, or not at all. Raises StoreError.
    """
    folder = _path(beginning).parent
    new = folder / f".new-{secrets.token_hex(8)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as file:
            file.write(content)
        for number in range(1, COUNT_LIMIT + 1):
            with suppress(FileExistsError):
                os.link(new, _path(f"{beginning}{number}"))
                return f"{beginning}{number}"
    except OSError as error:
        raise StoreError("a signature cannot be written", where=beginning, why=error.strerror or "") from None
    finally:
        with suppress(OSError):
            new.unlink()
    raise StoreError(f"there are {COUNT_LIMIT} signatures already, and readers take no more", where=beginning)


def _path(address: str) -> Path:
    return Path(unquote(urlsplit(address).path) if address.startswith(_FILE) else address)


def read_file(address: str) -> bytes | None:
    """The content of a file given by path or `file://` address; StoreError when it is there but cannot be read."""
    path = _path(address)
    try:
        with path.open("rb") as file:
            content = file.read(SIZE_LIMIT + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StoreError("a signature cannot be read", where=str(path), why=error.strerror or "") from None
    if len(content) > SIZE_LIMIT:
        raise StoreError(f"a signature has more than {SIZE_LIMIT} bytes", where=str(path))
    return content
