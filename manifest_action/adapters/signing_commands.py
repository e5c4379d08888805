"""The commands about signatures: making a pair of keys, and verifying what a reference leads to."""

import argparse
import getpass
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from manifest_action.adapters.console import Console
from manifest_action.adapters.policyfiles import read_places
from manifest_action.adapters.program import opened
from manifest_action.adapters.report import SCHEMA
from manifest_action.adapters.tables import checks_lines
from manifest_action.adapters.verifiers import open_verifiers
from manifest_action.errors import ConfigError, Problem, SigningError, StoreError
from manifest_action.events import Reporter, SecretLearned
from manifest_action.model.reference import Reference
from manifest_action.ops.outcome import Outcome
from manifest_action.ops.verify import Check, verify
from manifest_action.plan.settings import Settings
from manifest_action.signing.keys import generate_pair
from manifest_action.signing.material import Material
from manifest_action.signing.registriesd import NOWHERE

_PASSPHRASE = "COSIGN_PASSWORD"  # noqa: S105 - the name of a variable


class SigningCommand:
    """`verify` and `keygen`, with what they need of the process they run in."""

    def __init__(
        self, arguments: argparse.Namespace, environment: Mapping[str, str], console: Console, reporter: Reporter
    ) -> None:
        self._arguments = arguments
        self._environment = environment
        self._console = console
        self._reporter = reporter

    def keygen(self) -> Outcome:
        """Write PREFIX.key and PREFIX.pub, as cosign's generate-key-pair does. Neither may be there before."""
        private, public = (Path(f"{self._arguments.output_key_prefix}{end}") for end in (".key", ".pub"))
        for file in (private, public):
            if file.exists():
                raise _exists(file)
        passphrase = _passphrase(self._environment)
        self._reporter.emit(SecretLearned(passphrase))
        pair = generate_pair(passphrase.encode(errors="surrogateescape"))
        _write_new(private, pair[0], 0o600)
        _write_new(public, pair[1], 0o644)
        self._console.result(f"{private} is the private key, encrypted; {public} is the public key")
        return Outcome(())

    def verify(self, reference: Reference, settings: Settings) -> Outcome:
        """Print every check; the outcome has a SigningError when one of them failed."""
        recursive = self._arguments.recursive == "true"
        registries = read_places("", self._environment) if self._arguments.keyring else NOWHERE
        with (
            Material(self._environment, self._reporter) as material,
            opened(settings, self._environment, self._reporter) as transport,
        ):
            verifiers = open_verifiers(self._arguments, material)
            checks = verify(reference, transport, settings.jobs, verifiers, recursive=recursive, registries=registries)
        if self._arguments.json:
            self._console.result(json.dumps(_document(reference, checks), indent=2, ensure_ascii=False))
        else:
            self._console.result("\n".join(checks_lines(checks)))
        return Outcome((), _failure(reference, checks))


def _failure(reference: Reference, checks: Sequence[Check]) -> SigningError | None:
    failed = [check for check in checks if check.fault]
    if not failed:
        return None
    what = f"{len(failed)} of {len(checks)} checks failed, the first of them of {failed[0].digest}"
    return SigningError(what, where=str(reference), why=f"{failed[0].kind}: {failed[0].fault}")


def _document(reference: Reference, checks: Sequence[Check]) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "reference": str(reference),
        "verified": not any(check.fault for check in checks),
        "checks": [
            {
                "digest": str(check.digest),
                "platform": str(check.platform) if check.platform else None,
                "kind": check.kind.value,
                "verified": not check.fault,
                "fault": check.fault or None,
            }
            for check in checks
        ],
    }


def _passphrase(environment: Mapping[str, str]) -> str:
    given = environment.get(_PASSPHRASE)
    if given is not None:
        return given
    if not sys.stdin.isatty():
        raise ConfigError(
            [Problem("there is no passphrase for the new key", hint=f"set {_PASSPHRASE}; it may be empty")]
        )
    first = getpass.getpass("Passphrase of the new key: ")
    if first != getpass.getpass("The same again: "):
        raise ConfigError([Problem("the two passphrases differ", hint="run it again")])
    return first


def _write_new(file: Path, text: str, mode: int) -> None:
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise _exists(file) from None
    except OSError as error:
        raise StoreError("the key cannot be written", where=str(file), why=error.strerror or "") from None
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(text)


def _exists(file: Path) -> StoreError:
    return StoreError(
        "is there already, and a key is never overwritten", where=str(file), hint="move it away, or name another prefix"
    )
