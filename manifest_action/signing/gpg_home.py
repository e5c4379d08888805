"""Running gpg with private keys: in a home of its own that does not outlive the run, or in the user's.

gpg is told secrets through pipes only. What it says is not passed on, as it may quote what it was given: the codes of
its status lines (doc/DETAILS of GnuPG) decide what an error says.
"""

import os
import secrets
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from manifest_action.errors import SigningError

_TIMEOUT = 120.0
_ENDING = 10.0
_SOCKET = "S.gpg-agent.browser"
_SOCKET_LIMIT = 107
"""Bytes of the path of a Unix socket (unix(7)); an agent whose home is longer cannot be reached."""
_PASSPHRASE_LIMIT = 4096
_STATUS = "[GNUPG:] "
_AGENT_OPTIONS = "s2k-count 1048576\n"
"""How often an agent hashes a passphrase; by itself it measures for seconds what this machine can do."""
_PASSED_ON = ("HOME", "GNUPGHOME", "GPG_TTY", "TERM", "DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR")
"""Variables that the user's own gpg and pinentry need; an agent lives on, and must not inherit the job's secrets."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How gpg ended: its exit code, its output, and its status lines as words."""

    code: int
    output: bytes = field(repr=False)
    status: Sequence[Sequence[str]]

    def said(self, keyword: str) -> Sequence[str] | None:
        """The arguments of the first status line with a keyword, None when there is none."""
        return next((words[1:] for words in self.status if words[0] == keyword), None)

    @property
    def failure(self) -> int:
        """The error code without its source (libgpg-error), 0 when none was said."""
        words = self.said("FAILURE") or ()
        return int(words[-1]) & 0xFFFF if words and words[-1].isdigit() else 0


class GpgHome:
    """A home of gpg; used from several threads at once.

    path: None for the user's own; another one is made by `create`, and is gone with all that runs in it after `remove`
    """

    def __init__(self, path: Path | None, environment: Mapping[str, str]) -> None:
        self.path = path
        self._environment = environment
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._is_closed = False

    @classmethod
    def private(cls, environment: Mapping[str, str]) -> "GpgHome":
        """A home that is yet to be created, in memory where the machine has a place for that.

        Raises SigningError when every temporary directory has too long a name for a socket.
        """
        name = f"gpg-{secrets.token_hex(8)}"
        for folder in (Path("/dev/shm"), Path(tempfile.gettempdir()), Path("/tmp")):  # noqa: S108 - made with 0700
            path = folder / name
            if os.access(folder, os.W_OK | os.X_OK) and len(os.fsencode(path / _SOCKET)) <= _SOCKET_LIMIT:
                return cls(path, environment)
        raise SigningError("there is no place for a temporary GPG home", hint="set TMPDIR to a short, writable path")

    def create(self) -> None:
        """Make the directory, for this user only."""
        if self.path is not None:
            self.path.mkdir(mode=0o700)
            (self.path / "gpg-agent.conf").write_text(_AGENT_OPTIONS)

    def remove(self) -> None:
        """End everything that uses a private home, and delete it; also when a signal comes between."""
        try:
            self._remove()
        except BaseException:
            self._remove()
            raise

    def run(self, *arguments: str, given: bytes = b"", passphrase: bytes | None = None) -> Answer:
        """Run gpg. passphrase: None where it is not asked for one. Raises SigningError when gpg cannot be run."""
        with _pipe(passphrase) as ear:
            options = () if ear is None else ("--pinentry-mode", "loopback", "--passphrase-fd", str(ear))
            process = self._start((*options, *arguments), () if ear is None else (ear,))
        try:
            output, said = process.communicate(given, timeout=_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise SigningError("gpg does not come to an end", hint="does its agent wait for a passphrase?") from None
        finally:
            with self._lock:
                self._running.discard(process)
        lines = said.decode("utf-8", "replace").splitlines()
        status = [line.removeprefix(_STATUS).split() for line in lines if line.startswith(_STATUS)]
        return Answer(process.returncode, output, [words for words in status if words])

    def _start(self, arguments: Sequence[str], kept: Sequence[int]) -> "subprocess.Popen[bytes]":
        home = () if self.path is None else ("--homedir", str(self.path), "--no-options")
        command = ["gpg", *home, "--batch", "--no-tty", "--quiet", "--status-fd", "2", *arguments]
        with self._lock:
            if self._is_closed:
                raise SigningError("the run was stopped before everything was signed")
            try:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    pass_fds=kept,
                    env=self._variables(),
                )
            except FileNotFoundError:
                raise SigningError("gpg is needed to sign, and is not on this machine", hint="install GnuPG") from None
            self._running.add(process)
            return process

    def _variables(self) -> Mapping[str, str]:
        common = {"PATH": self._environment.get("PATH", os.defpath), "LC_ALL": "C"}
        if self.path is not None:
            return common | {"GNUPGHOME": str(self.path)}
        return common | {name: self._environment[name] for name in _PASSED_ON if name in self._environment}

    def _remove(self) -> None:
        if self.path is None:
            return
        with self._lock:
            self._is_closed = True
            running = tuple(self._running)
        for process in running:
            process.kill()
        if not self.path.exists():
            return
        with suppress(OSError, subprocess.SubprocessError):
            command = ["gpgconf", "--homedir", str(self.path), "--kill", "all"]
            subprocess.run(command, capture_output=True, check=False, timeout=_ENDING, env=self._variables())
        deadline = time.monotonic() + _ENDING
        while self.path.exists() and time.monotonic() < deadline:
            # Programs that are ending may still write into it.
            shutil.rmtree(self.path, ignore_errors=True)
            time.sleep(0.01 if self.path.exists() else 0)


@contextmanager
def _pipe(passphrase: bytes | None) -> Iterator[int | None]:
    """The reading end of a pipe that holds a passphrase, for a block."""
    if passphrase is None:
        yield None
        return
    if b"\n" in passphrase or len(passphrase) > _PASSPHRASE_LIMIT:
        raise SigningError(f"a passphrase must be one line of at most {_PASSPHRASE_LIMIT} bytes")
    ear, mouth = os.pipe()
    try:
        os.write(mouth, passphrase + b"\n")
        os.close(mouth)
        yield ear
    finally:
        os.close(ear)
