"""Certificates that notation accepts, and such that it does not: the same for our rules and for its own."""

from collections.abc import Callable
from datetime import timedelta

from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.support.notation import (
    CODE_SIGNING,
    Signing,
    certificate,
    make_key,
    pem,
    private_pem,
    root_of,
    self_signed,
    signing,
)

AUTHORITY = ("key_cert_sign", "crl_sign")


def issued(**changes: object) -> Signing:
    """A leaf by a root; `changes` are of the root."""
    root = root_of("root", **changes)
    key = make_key("p256")
    leaf = certificate(key, "release", root, purposes=CODE_SIGNING)
    return Signing(private_pem(key), [pem(leaf), pem(root[1])])


def three(path_length: int | None) -> Signing:
    """A leaf by an authority by a root that allows so many authorities below it."""
    root = root_of("root", path_length=path_length)
    middle_key, key = make_key("p256"), make_key("p256")
    middle = certificate(middle_key, "middle", root, authority=True, uses=AUTHORITY)
    leaf = certificate(key, "release", (middle_key, middle))
    return Signing(private_pem(key), [pem(leaf), pem(middle), pem(root[1])])


def reordered(made: Signing, *places: int) -> Signing:
    return Signing(made.key, [made.chain[place] for place in places])


def impostor() -> Signing:
    """The chain ends with a root of the right name and another key."""
    made = signing(name="impostor")
    return Signing(made.key, [*made.chain[:-1], pem(root_of("root of impostor")[1])])


GOOD: dict[str, Callable[[], Signing]] = {
    "three certificates": signing,
    "two certificates": issued,
    "alone": self_signed,
    "alone, for code signing": lambda: self_signed(purposes=CODE_SIGNING),
    "no purpose": lambda: signing(purposes=()),
    "no constraints": lambda: signing(authority=None),
    "content commitment too": lambda: signing(uses=("digital_signature", "content_commitment")),
    "one authority allowed below": lambda: three(1),
    "RSA 3072": lambda: signing("3072"),
}

BAD: dict[str, tuple[Callable[[], Signing], str]] = {
    "expired": (lambda: signing(starts=timedelta(days=-9), lasts=timedelta(days=8)), "has expired"),
    "not yet valid": (lambda: signing(starts=timedelta(days=1)), "is not valid yet"),
    "root expired": (lambda: issued(starts=timedelta(days=-9), lasts=timedelta(days=8)), "has expired"),
    "no key usage": (lambda: signing(uses=()), "no critical key usage with digital signature"),
    "key usage not critical": (lambda: signing(critical=False), "no critical key usage with digital signature"),
    "no digital signature": (lambda: signing(uses=("content_commitment",)), "no critical key usage with digital"),
    "encipherment too": (
        lambda: signing(uses=("digital_signature", "key_encipherment")),
        "may be used for other things than signatures: key encipherment",
    ),
    "issues too": (lambda: self_signed(uses=("digital_signature", "key_cert_sign")), "key cert sign"),
    "an authority": (lambda: signing(authority=True), "is that of an authority"),
    "for servers": (lambda: signing(purposes=[ExtendedKeyUsageOID.SERVER_AUTH]), "is for server authentication"),
    "for clients too": (
        lambda: signing(purposes=[*CODE_SIGNING, ExtendedKeyUsageOID.CLIENT_AUTH]),
        "is for client authentication, not for code signing",
    ),
    "root is no authority": (lambda: issued(authority=False), "is no authority"),
    "root without constraints": (lambda: issued(authority=None), "is no authority"),
    "root may not issue": (lambda: issued(uses=("digital_signature",)), "no critical key usage that allows issuing"),
    "no authority allowed below": (lambda: three(0), "does not allow so long a chain"),
    "no root": (lambda: reordered(signing(), 0, 1), "is not self-signed, and the chain ends with it"),
    "leaf only": (lambda: reordered(signing(), 0), "is not self-signed"),
    "a gap": (lambda: reordered(signing(), 0, 2), "is not by the next"),
    "impostor": (impostor, "is not by the next"),
    "root twice": (lambda: reordered(signing(), 0, 1, 2, 2), "is self-signed, and the chain goes on after it"),
}
