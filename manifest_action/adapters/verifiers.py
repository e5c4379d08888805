"""What the command line gives to verify with, as verifiers."""

import argparse
from collections.abc import Callable, Iterator

from manifest_action.errors import ConfigError, Problem
from manifest_action.signing.base import Verifier
from manifest_action.signing.certified import keyless_verifier, trust_config
from manifest_action.signing.cosign import FORMATS
from manifest_action.signing.keys import load_public_key
from manifest_action.signing.material import Material
from manifest_action.signing.verification import KeyVerifier

Opening = Callable[[argparse.Namespace, Material], Iterator[Verifier]]


def open_verifiers(arguments: argparse.Namespace, material: Material) -> tuple[Verifier, ...]:
    """Every verifier that the arguments of `verify` ask for; ConfigError when there is none."""
    found = tuple(verifier for opening in _OPENINGS for verifier in opening(arguments, material))
    if not found:
        hint = "give --key, or --certificate-identity and --certificate-oidc-issuer"
        raise ConfigError([Problem("there is nothing to verify with", hint=hint)])
    return found


def _by_key(arguments: argparse.Namespace, material: Material) -> Iterator[Verifier]:
    if arguments.key:
        key = load_public_key(material.public(arguments.key, "key"), "key")
        yield from (KeyVerifier(kind, key) for kind in sorted(FORMATS[arguments.format]))


def _by_identity(arguments: argparse.Namespace, material: Material) -> Iterator[Verifier]:
    identity, issuer = arguments.certificate_identity, arguments.certificate_oidc_issuer
    if bool(identity) != bool(issuer):
        hint = "an identity counts only together with who vouched for it"
        raise ConfigError(
            [Problem("--certificate-identity and --certificate-oidc-issuer must both be given", hint=hint)]
        )
    if identity:
        given = arguments.trusted_root
        text = material.public(given, "trusted-root") if given else None
        yield keyless_verifier(identity, issuer, trust_config(text, given))


_OPENINGS: tuple[Opening, ...] = (_by_key, _by_identity)
