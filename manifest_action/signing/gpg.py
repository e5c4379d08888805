"""Verifying GPG signatures with the gpg program, in a home of its own that holds nothing but the keys to trust."""

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from manifest_action.errors import PolicyError

PAYLOAD_LIMIT = 1024 * 1024
_TIMEOUT = 60.0
_COMPRESSED = (0xA0, 0xA1, 0xA2, 0xA3, 0xC8)
_ONE_PASS_SIGNATURE = (0x90, 0x91, 0x92, 0x3D, 0xC4)
_SIGNATURE = (0x88, 0x89, 0x8A, 0x8B, 0xC2)
_FIRST_BYTES = frozenset((*_COMPRESSED, *_ONE_PASS_SIGNATURE, *_SIGNATURE))
"""Of OpenPGP packets that a signed message may begin with, as containers/image tells it from other formats."""
_FAULTS = {
    "NO_PUBKEY": "it was made by another key",
    "BADSIG": "what is signed was changed",
    "EXPSIG": "the signature has expired",
    "EXPKEYSIG": "the key of the signature has expired",
    "REVKEYSIG": "the key of the signature was revoked",
    "ERRSIG": "the signature cannot be checked",
    "UNEXPECTED": "there is more than a signed message",
    "NODATA": "there is no signed message",
    "FAILURE": "gpg could not read the signature",
}
_OPTIONS = ("--batch", "--no-tty", "--no-options", "--no-autostart", "--quiet", "--lock-never", "--trust-model=always")


class Keyring:
    """Public keys to trust, for a block; used from several threads at once.

    keys: what `gpg --import` takes, binary or armored

    Raises PolicyError when gpg is not on this machine, or the keys hold no public key.
    """

    def __init__(self, keys: Iterable[bytes]) -> None:
        self._folder = TemporaryDirectory(prefix="keyring-", ignore_cleanup_errors=True)
        self._home = Path(self._folder.name)
        try:
            self._fingerprints = frozenset(found for key in keys for found in self._imported(key))
        except BaseException:
            self._folder.cleanup()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave no trace of the keys."""
        self._folder.cleanup()

    def opened(self, signed: bytes) -> bytes:
        """The payload of a signed message (RFC 4880, section 11.3), as gpg gives it after verifying.

        ValueError unless it is binary, and has one signature, good and not expired, by one of the keys.
        """
        if not signed or signed[0] not in _FIRST_BYTES:
            raise ValueError("the signature is of no known format")
        with TemporaryDirectory(dir=self._home) as folder:
            payload, status = Path(folder, "payload"), Path(folder, "status")
            command = ("--status-file", status, "--max-output", str(PAYLOAD_LIMIT), "--output", payload, "--decrypt")
            result = self._gpg(*command, given=signed)
            lines = status.read_text("utf-8", "replace").splitlines() if status.exists() else []
            fault = _fault(lines, self._fingerprints)
            if fault or result.returncode or not payload.exists():
                raise ValueError(fault or "the signature cannot be read")
            return payload.read_bytes()

    def _imported(self, key: bytes) -> frozenset[str]:
        """Import keys; the fingerprints of those that are primary ones."""
        lines = self._gpg("--status-fd", "1", "--import", given=key).stdout.decode("utf-8", "replace").splitlines()
        found = frozenset(words[3] for line in lines if (words := line.split())[1:2] == ["IMPORT_OK"])
        if not found:
            raise PolicyError("this is no public GPG key", hint="export it with `gpg --export`")
        return found

    def _gpg(self, *arguments: str | Path, given: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        try:
            return subprocess.run(
                ["gpg", "--homedir", self._home, *_OPTIONS, *arguments],
                input=given,
                capture_output=True,
                check=False,
                timeout=_TIMEOUT,
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "GNUPGHOME": str(self._home)},
            )
        except FileNotFoundError:
            raise PolicyError(
                "gpg is needed to check signatures, and is not on this machine", hint="install GnuPG"
            ) from None
        except subprocess.TimeoutExpired:
            raise PolicyError("gpg does not come to an end", where=str(arguments[0])) from None


def _fault(status: Iterable[str], trusted: frozenset[str]) -> str:
    """What is wrong with a signature by gpg's status lines (doc/DETAILS of GnuPG); empty when it is good."""
    words = [line.split()[1:] for line in status if line.startswith("[GNUPG:] ")]
    names = [each[0] for each in words if each]
    if bad := next((words for name, words in _FAULTS.items() if name in names), ""):
        return bad
    valid = [each for each in words if each[:1] == ["VALIDSIG"]]
    if len(valid) != 1 or any(names.count(name) != 1 for name in ("NEWSIG", "GOODSIG", "PLAINTEXT")):
        return "there is not exactly one good signature"
    return "" if valid[0][-1] in trusted else "it was made by another key"
