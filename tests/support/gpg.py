"""GPG keys that are made for a test and thrown away, and signatures as containers/image stores them."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.servers import find_program

LONG_AGO = "20200101T000000"


@dataclass(frozen=True)
class Gpg:
    """gpg with a home of its own."""

    program: Path
    home: Path

    def make_key(
        self, name: str, *, kind: str = "rsa2048", expire: str = "never", when: str = "", passphrase: str = ""
    ) -> bytes:
        """Make a signing key; the public key, binary.

        expire: as `--quick-gen-key` takes it, counted from `when` if that is given
        """
        self(*_time(when), "--passphrase", passphrase, "--quick-gen-key", name, kind, "sign", expire)
        return self("--export", name)

    def private(self, name: str, passphrase: str = "") -> str:
        """The private key, armored, still under its passphrase."""
        return self("--passphrase", passphrase, "--armor", "--export-secret-keys", name).decode()

    def fingerprint(self, name: str) -> str:
        """The fingerprint of a primary key."""
        listing = self("--with-colons", "--list-keys", name).decode()
        return next(line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr"))

    def armored(self, name: str) -> bytes:
        """The public key, armored."""
        return self("--armor", "--export", name)

    def sign(self, name: str, payload: bytes, *options: str, when: str = "") -> bytes:
        """A signed message; options come before `--sign`."""
        return self(*_time(when), "--local-user", name, *options, "--sign", given=payload)

    def __call__(self, *arguments: str, given: bytes = b"") -> bytes:
        """Run it and return its standard output; AssertionError with what it said when it fails."""
        options = ("--homedir", str(self.home), "--batch", "--pinentry-mode", "loopback")
        command = [str(self.program), *options, *arguments]
        result = subprocess.run(command, input=given, capture_output=True, check=False, timeout=60)
        assert result.returncode == 0, result.stderr.decode(errors="replace")
        return result.stdout


def _time(when: str) -> tuple[str, ...]:
    return ("--faked-system-time", when) if when else ()


@contextmanager
def gpg(home: Path | None = None) -> Iterator[Gpg]:
    """gpg for a block, its agent stopped at the end; in a home of its own, which is short as sockets need it."""
    program, ending = find_program("gpg"), find_program("gpgconf")
    with TemporaryDirectory(prefix="gpg-", ignore_cleanup_errors=True) as folder:
        place = home or Path(folder)
        place.mkdir(mode=0o700, exist_ok=True)
        try:
            yield Gpg(program, place)
        finally:
            subprocess.run([ending, "--homedir", place, "--kill", "all"], check=False, timeout=60)


def payload(identity: str, digest: str, **changes: object) -> bytes:
    """A simple signing payload; `changes` replace members of `critical`, or `optional`."""
    critical: dict[str, object] = {
        "type": "atomic container signature",
        "image": {"docker-manifest-digest": digest},
        "identity": {"docker-reference": identity},
    }
    optional = changes.pop("optional", {})
    return json.dumps({"critical": critical | changes, "optional": optional}).encode()


def stored(lookaside: Path, repository: str, digest: str) -> list[bytes]:
    """The signatures that a lookaside has, in the order of their numbers."""
    folder = lookaside / f"{repository}@{digest.replace(':', '=')}"
    names = sorted((file.name for file in folder.iterdir()), key=lambda name: int(name.removeprefix("signature-")))
    assert names == [f"signature-{number}" for number in range(1, len(names) + 1)], names
    return [(folder / name).read_bytes() for name in names]


def store(lookaside: Path, repository: str, digest: str, signatures: Mapping[int, bytes]) -> None:
    """Put signatures where a lookaside has them."""
    folder = lookaside / f"{repository}@{digest.replace(':', '=')}"
    folder.mkdir(parents=True, exist_ok=True)
    for number, signature in signatures.items():
        (folder / f"signature-{number}").write_bytes(signature)
