"""The files through which a step talks to the runner, and the one it leaves in the workspace."""

import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from manifest_action.errors import StoreError

REPORT_DIRECTORY = ".manifest-action"
SUMMARY_LIMIT = 1024 * 1024
"""Bytes; the runner drops a larger summary whole."""

_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_REPLACE = os.O_WRONLY | os.O_TRUNC | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class CommandFile:
    """A file of the runner that is appended to. It is opened at once and stays open."""

    def __init__(self, path: str) -> None:
        """Open `path`; empty means that this runner has no such file, and what is written goes nowhere.

        Raises StoreError when it cannot be opened, or is a symbolic link.
        """
        self._path = path
        try:
            self._file = os.open(path, _APPEND, 0o644) if path else -1
        except OSError as error:
            raise self._failure(error) from None

    def append(self, text: str) -> None:
        """Write all of `text` at the end; StoreError when that fails."""
        data = text.encode("utf-8", "replace")
        try:
            while data and self._file >= 0:
                data = data[os.write(self._file, data) :]
        except OSError as error:
            raise self._failure(error) from None

    def _failure(self, error: OSError) -> StoreError:
        return StoreError(
            "a file of the runner cannot be written",
            where=self._path,
            why=error.strerror or "",
            hint="container actions have to run as root, and the runner's disk must not be full",
        )


def output_text(values: Mapping[str, str]) -> str:
    """Outputs in the form of GITHUB_OUTPUT. Every value is between random delimiters, so none can add another."""
    return "".join(_output(name, value.replace("\r", "").replace("\0", "")) for name, value in values.items())


def _output(name: str, value: str) -> str:
    delimiter = f"manifest-action-{secrets.token_hex(16)}"
    while delimiter in value:
        delimiter = f"manifest-action-{secrets.token_hex(16)}"
    return f"{name}<<{delimiter}\n{value}\n{delimiter}\n"


def write_report(workspace: Path, step: str, text: str) -> str:
    """Leave a report in the workspace; gives its path relative to it, valid in and outside of the container.

    The directory ignores itself in Git. Links are not followed, and what is made belongs to the workspace's owner.
    Raises OSError.
    """
    return write_file(workspace, f"report-{re.sub(r'[^A-Za-z0-9_.-]', '-', step)[:80] or 'run'}.json", text)


def write_file(workspace: Path, name: str, text: str) -> str:
    """Write a file into the same directory, with the same promises as `write_report`."""
    owner = workspace.stat()
    (workspace / REPORT_DIRECTORY).mkdir(exist_ok=True)
    directory = os.open(workspace / REPORT_DIRECTORY, _DIRECTORY)
    try:
        _give(directory, owner)
        _write(directory, ".gitignore", "*\n", owner)
        _write(directory, name, text, owner)
    finally:
        os.close(directory)
    return f"{REPORT_DIRECTORY}/{name}"


def _write(directory: int, name: str, text: str, owner: os.stat_result) -> None:
    with os.fdopen(os.open(name, _REPLACE, 0o644, dir_fd=directory), "w", encoding="utf-8") as file:
        _give(file.fileno(), owner)
        file.write(text)


def _give(descriptor: int, owner: os.stat_result) -> None:
    if os.geteuid() == 0:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
