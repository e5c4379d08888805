"""What the command line gives to verify with, as verifiers."""

import argparse
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from manifest_action.errors import ConfigError, PolicyError, Problem, SigningError
from manifest_action.model.reference import parse_reference
from manifest_action.signing.base import Verifier
from manifest_action.signing.certificates import parse_chain
from manifest_action.signing.certified import keyless_verifier, trust_config
from manifest_action.signing.cosign import FORMATS
from manifest_action.signing.gpg import Keyring
from manifest_action.signing.gpg_signer import GpgVerifier
from manifest_action.signing.keys import load_public_key
from manifest_action.signing.material import Material
from manifest_action.signing.notation import NotationVerifier
from manifest_action.signing.trustpolicy import applicable, parse_subject
from manifest_action.signing.verification import KeyVerifier

_CERTIFICATES = (".pem", ".crt", ".cer")
_SUFFIXES = ", ".join(_CERTIFICATES)

Opening = Callable[[argparse.Namespace, Material], Iterator[Verifier]]


def open_verifiers(arguments: argparse.Namespace, material: Material) -> tuple[Verifier, ...]:
    """Every verifier that the arguments of `verify` ask for; ConfigError when there is none."""
    found = tuple(verifier for opening in _OPENINGS for verifier in opening(arguments, material))
    if not found:
        hint = "give --key, --certificate-identity with --certificate-oidc-issuer, --keyring or --trust-store"
        raise ConfigError([Problem("there is nothing to verify with", hint=hint)])
    return found


def _by_key(arguments: argparse.Namespace, material: Material) -> Iterator[Verifier]:
    if arguments.key:
        key = load_public_key(material.public(arguments.key, "key"), "key")
        yield from (KeyVerifier(kind, key) for kind in sorted(FORMATS[arguments.format]))


def _by_identity(arguments: argparse.Namespace, material: Material) -> Iterator[Verifier]:
    exact, pattern = arguments.certificate_identity, arguments.certificate_identity_regexp
    issuer, given = arguments.certificate_oidc_issuer, arguments.trusted_root
    if exact and pattern:
        raise _refused("--certificate-identity and --certificate-identity-regexp exclude each other", "give one")
    if bool(exact or pattern) != bool(issuer):
        hint = "an identity counts only together with who vouched for it"
        raise _refused("--certificate-identity and --certificate-oidc-issuer must both be given", hint)
    if given and not issuer:
        raise _refused("--trusted-root is about identities, and none is given", "give both, or neither")
    if pattern:
        try:
            re.compile(pattern)
        except re.error as error:
            raise _refused("--certificate-identity-regexp is no regular expression", str(error)) from None
    if issuer:
        text = material.public(given, "trusted-root") if given else None
        yield keyless_verifier(exact or pattern, issuer, trust_config(text, given), pattern=bool(pattern))


def _refused(what: str, hint: str) -> ConfigError:
    return ConfigError([Problem(what, hint=hint)])


def _by_keyring(arguments: argparse.Namespace, material: Material) -> Iterator[Verifier]:
    if arguments.keyring:
        try:
            keyring = Keyring([material.public(arguments.keyring, "keyring")])
        except PolicyError as error:
            raise SigningError(error.what, where=arguments.keyring, hint=error.hint) from None
        material.at_the_end(keyring.close)
        yield GpgVerifier(keyring, arguments.lookaside or "")


def _by_trust_store(arguments: argparse.Namespace, material: Material) -> Iterator[Verifier]:
    store, policy, identities = arguments.trust_store, arguments.trust_policy, tuple(arguments.trusted_identity or ())
    if not store:
        if policy or identities:
            raise ConfigError([Problem("there are no certificates to trust", hint="give --trust-store")])
        return
    folders = [Path(store)]
    if policy:
        if identities:
            raise ConfigError([Problem("a trust policy names the identities itself", hint="leave one of them out")])
        try:
            statement = applicable(
                material.public(policy, "trust policy"), parse_reference(arguments.reference).repository
            )
        except ValueError as error:
            raise SigningError("the trust policy cannot be used", where=policy, why=str(error)) from None
        folders = [Path(store, "ca", name) for name in statement.stores]
        identities = statement.identities
    try:
        subjects = tuple(map(parse_subject, identities))
    except ValueError:
        raise ConfigError([Problem("this is no subject of a certificate", hint="write C=…, O=…, CN=…")]) from None
    yield NotationVerifier(frozenset(der for folder in folders for der in _certificates(folder)), subjects)


def _certificates(place: Path) -> Iterator[bytes]:
    """The certificates in a PEM file, or in all of them in a directory, in DER."""
    files = sorted(each for each in place.rglob("*") if each.suffix in _CERTIFICATES) if place.is_dir() else [place]
    try:
        found = [der for file in files for der in parse_chain(file.read_bytes()).der]
    except OSError as error:
        raise SigningError("the trust store cannot be read", where=str(place), why=error.strerror or "") from None
    except ValueError as error:
        raise SigningError("the trust store cannot be used", where=str(place), why=str(error)) from None
    if not found:
        raise SigningError("there is no certificate in the trust store", where=str(place), hint=f"{_SUFFIXES} are read")
    yield from found


_OPENINGS: tuple[Opening, ...] = (_by_key, _by_identity, _by_keyring, _by_trust_store)
