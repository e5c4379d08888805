"""What the command line gives to verify with, as verifiers."""

import argparse
from collections.abc import Callable, Iterator

from manifest_action.errors import ConfigError, PolicyError, Problem, SigningError
from manifest_action.signing.base import Verifier
from manifest_action.signing.cosign import FORMATS
from manifest_action.signing.gpg import Keyring
from manifest_action.signing.gpg_signer import GpgVerifier
from manifest_action.signing.keys import load_public_key
from manifest_action.signing.material import Material
from manifest_action.signing.verification import KeyVerifier

Opening = Callable[[argparse.Namespace, Material], Iterator[Verifier]]


def open_verifiers(arguments: argparse.Namespace, material: Material) -> tuple[Verifier, ...]:
    """Every verifier that the arguments of `verify` ask for; ConfigError when there is none."""
    found = tuple(verifier for opening in _OPENINGS for verifier in opening(arguments, material))
    if not found:
        raise ConfigError([Problem("there is nothing to verify with", hint="give --key or --keyring")])
    return found


def _by_key(arguments: argparse.Namespace, material: Material) -> Iterator[Verifier]:
    if arguments.key:
        key = load_public_key(material.public(arguments.key, "key"), "key")
        yield from (KeyVerifier(kind, key) for kind in sorted(FORMATS[arguments.format]))


def _by_keyring(arguments: argparse.Namespace, material: Material) -> Iterator[Verifier]:
    if arguments.keyring:
        try:
            keyring = Keyring([material.public(arguments.keyring, "keyring")])
        except PolicyError as error:
            raise SigningError(error.what, where=arguments.keyring, hint=error.hint) from None
        material.at_the_end(keyring.close)
        yield GpgVerifier(keyring, arguments.lookaside or "")


_OPENINGS: tuple[Opening, ...] = (_by_key, _by_keyring)
