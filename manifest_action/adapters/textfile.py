"""Opening files that a workflow names: nothing but regular files of the workspace, and not too much of them."""

import os
import stat
from pathlib import Path


def read_text(path: Path, root: Path, limit: int) -> str:
    """The text of a regular file within `root`, bytes that are not UTF-8 as lone surrogates.

    Symbolic links may lead from one place in `root` to another, never out of it.
    ValueError says what is wrong, without naming the file; `limit` is in bytes.
    """
    raw = read_bytes(path, root, limit)
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ValueError("is UTF-16 text; save it as UTF-8")
    return raw.decode("utf-8", "surrogateescape")


def read_bytes(path: Path, root: Path, limit: int) -> bytes:
    """The bytes of such a file; ValueError as `read_text`."""
    real = _resolved(path, root)
    try:
        with open(real, "rb", opener=_opened) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ValueError("is not a regular file")
            raw = file.read(limit + 1)
    except IsADirectoryError:
        raise ValueError("is not a regular file") from None
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    if len(raw) > limit:
        raise ValueError(f"is over {limit // 1024} KiB")
    return raw


def _resolved(path: Path, root: Path) -> Path:
    try:
        real = path.resolve(strict=True)
    except FileNotFoundError:
        raise ValueError(
            "does not exist; what lies outside of the workspace is not visible in a container action"
        ) from None
    except (OSError, RuntimeError, ValueError):
        raise ValueError("is no path that can be followed") from None
    if not real.is_relative_to(root.resolve()):
        raise ValueError("lies outside of the workspace")
    return real


def _opened(path: str, flags: int) -> int:
    """Open without waiting for the other end of a pipe, and without following what a path became meanwhile."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY)
