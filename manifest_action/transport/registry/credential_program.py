"""Credential programs: `docker-credential-<suffix> get`, as docker/docker-credential-helpers describes them."""

import os
import re
import shutil
import signal
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from manifest_action.errors import AuthError
from manifest_action.model.credential import Credential
from manifest_action.model.strictjson import parse_object

if TYPE_CHECKING:
    import subprocess

SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/homebrew/bin"
"""Where programs are looked for: never in folders that a checked-out project could put one into."""
TIMEOUT = 30.0
OUTPUT_LIMIT = 64 * 1024
_SUFFIX = re.compile(r"[A-Za-z0-9._-]{1,64}")
_IDENTITY_TOKEN_USER = "<token>"  # noqa: S105 - the user name that marks an identity token
_NOT_FOUND = b"credentials not found in native keychain"


_WITHHELD = ("INPUT_", "ACTIONS_")


class ProgramMissing(Exception):
    """The auth file names a credential program that is in none of the folders where programs are looked for."""


class CredentialPrograms:
    """Runs credential programs.

    environment: what they see of it, apart from PATH; they see neither this program's inputs nor its CI's tokens
    path:        where they are looked for
    """

    def __init__(self, environment: Mapping[str, str], path: str = SEARCH_PATH, timeout: float = TIMEOUT) -> None:
        seen = {name: value for name, value in environment.items() if not name.startswith(_WITHHELD)}
        self._environment = {**seen, "PATH": path}
        self._path = path
        self._timeout = timeout

    def get(self, suffix: str, server: str) -> Credential | None:
        """What the program knows about a server, None when it knows nothing.

        Raises ProgramMissing, and AuthError when the suffix is no plain name or the program fails.
        """
        if not _SUFFIX.fullmatch(suffix):
            raise AuthError("the auth file names no valid credential program", why=repr(suffix[:80]))
        name = f"docker-credential-{suffix}"
        program = shutil.which(name, path=self._path)
        if program is None:
            raise ProgramMissing(f"{name}, which is in none of {', '.join(self._path.split(os.pathsep))}")
        code, output = self._run(program, name, server)
        if code and _NOT_FOUND in output:
            return None
        if code:
            raise _failed(name, f"it ended with exit code {code}")
        try:
            return _credential(output, name)
        except ValueError as error:
            raise _failed(name, str(error)) from None

    def _run(self, program: str, name: str, server: str) -> tuple[int, bytes]:
        """Exit code and output; neither is ever quoted in a message."""
        import subprocess  # noqa: PLC0415 - most logins are in files

        try:
            process = subprocess.Popen(
                [program, "get"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=self._environment,
                cwd=os.sep,
                start_new_session=True,
            )
        except OSError as error:
            raise _failed(name, error.strerror or type(error).__name__) from None
        timer = threading.Timer(self._timeout, _kill, [process])
        with process:
            timer.start()
            try:
                output = _converse(process, server)
            finally:
                timer.cancel()
        if process.returncode < 0:
            raise _failed(name, f"it did not end within {self._timeout:g} s, or wrote over {OUTPUT_LIMIT} bytes")
        return process.returncode, output


def _converse(process: "subprocess.Popen[bytes]", server: str) -> bytes:
    """Tell the program the server and read what it says, at most OUTPUT_LIMIT bytes; it has ended afterwards."""
    if process.stdin is None or process.stdout is None:
        raise LookupError("the program was started without pipes")
    with suppress(BrokenPipeError), process.stdin:
        process.stdin.write(server.encode())
    output = process.stdout.read(OUTPUT_LIMIT + 1)
    if len(output) > OUTPUT_LIMIT:
        _kill(process)
    process.wait()
    return output


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """End the program with all that it has started and that may hold its output open."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _credential(output: bytes, name: str) -> Credential | None:
    document = parse_object(output)
    username, secret = document.get("Username"), document.get("Secret")
    if not isinstance(username, str) or not isinstance(secret, str):
        raise ValueError("its answer has no Username and Secret")
    if not secret:
        return None
    if username == _IDENTITY_TOKEN_USER:
        return Credential(identity_token=secret, origin=name)
    return Credential(username, secret, origin=name)


def _failed(name: str, why: str) -> AuthError:
    return AuthError(
        f"the credential program {name} failed",
        why=why,
        hint="try it by hand (echo the registry's host into it with the argument get), or give the login another way",
    )
