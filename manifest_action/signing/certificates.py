"""Chains of X.509 certificates as the Notary Project's signatures have them, and the rules for them.

The rules are those of its signature specification, "Certificate Requirements", as notation applies them.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.x509 import Certificate, KeyUsage

LIMIT = 10
"""Certificates in a chain that is read; real ones have two to four."""
_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_RSA_SIZES = {2048: "PS256", 3072: "PS384", 4096: "PS512"}
_UNWANTED_USES = ("key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign")
_UNWANTED_PURPOSES = {
    "1.3.6.1.5.5.7.3.1": "server authentication",
    "1.3.6.1.5.5.7.3.2": "client authentication",
    "1.3.6.1.5.5.7.3.4": "email protection",
    "1.3.6.1.5.5.7.3.8": "time stamping",
    "1.3.6.1.5.5.7.3.9": "OCSP signing",
}


@dataclass(frozen=True, slots=True)
class Chain:
    """The certificate of a key first, then those above it up to the root; a self-signed one stands alone."""

    certificates: "tuple[Certificate, ...]"

    @property
    def leaf(self) -> "Certificate":
        """The certificate of the key that signs."""
        return self.certificates[0]

    @property
    def subject(self) -> str:
        """Who signs, as text (RFC 4514)."""
        return self.leaf.subject.rfc4514_string()

    @property
    def der(self) -> tuple[bytes, ...]:
        """Every certificate in DER."""
        from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415

        return tuple(certificate.public_bytes(Encoding.DER) for certificate in self.certificates)

    @property
    def algorithm(self) -> str:
        """The one JWS algorithm that the key may be used with; empty when there is none."""
        return algorithm_of(self.leaf.public_key())

    def fault(self, when: datetime) -> str:
        """What keeps the chain from being good for signatures at a time, in a few words; empty when nothing does."""
        found = (_time_fault(certificate, when) for certificate in self.certificates)
        return next(filter(None, found), "") or self._link_fault() or _leaf_fault(self)

    def _link_fault(self) -> str:
        for place, certificate in enumerate(self.certificates):
            issuer = self.certificates[min(place + 1, len(self.certificates) - 1)]
            name = certificate.subject.rfc4514_string()
            if issuer is not certificate and _is_issued(certificate, certificate):
                return f"the certificate {name} is self-signed, and the chain goes on after it"
            if not _is_issued(certificate, issuer):
                what = (
                    "is not self-signed, and the chain ends with it" if issuer is certificate else "is not by the next"
                )
                return f"the certificate {name} {what}"
            if place and (fault := _authority_fault(certificate, place - 1)):
                return f"the certificate {name} {fault}"
        return ""


def parse_chain(pem: bytes) -> Chain:
    """The certificates in a PEM text, in their order. ValueError: there is none, or one that cannot be read."""
    from cryptography.x509 import load_pem_x509_certificate  # noqa: PLC0415

    blocks = _BLOCK.findall(pem)
    if not 1 <= len(blocks) <= LIMIT:
        raise ValueError(f"there are {len(blocks)} certificates in PEM form, and there must be 1 to {LIMIT}")
    return Chain(tuple(_read(load_pem_x509_certificate, block) for block in blocks))


def read_chain(encoded: Sequence[bytes]) -> Chain:
    """The chain of certificates in DER. ValueError as `parse_chain`."""
    from cryptography.x509 import load_der_x509_certificate  # noqa: PLC0415

    if not 1 <= len(encoded) <= LIMIT:
        raise ValueError(f"there are {len(encoded)} certificates")
    return Chain(tuple(_read(load_der_x509_certificate, each) for each in encoded))


def _read(load: Callable[[bytes], "Certificate"], encoded: bytes) -> "Certificate":
    """A certificate of which all that may be asked later can be read; the library reads that only when asked."""
    from cryptography import x509  # noqa: PLC0415
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415

    try:
        certificate = load(encoded)
        certificate.public_key()
        for part in ("subject", "issuer", "extensions", "not_valid_before_utc", "not_valid_after_utc"):
            getattr(certificate, part)
        certificate.subject.rfc4514_string()
    except UnsupportedAlgorithm:
        raise ValueError("a certificate has a key of an unknown kind") from None
    except (TypeError, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        raise ValueError("a certificate cannot be read") from None
    return certificate


def algorithm_of(key: object) -> str:
    """The one JWS algorithm that a public key may be used with; empty when there is none."""
    from cryptography.hazmat.primitives.asymmetric import ec, rsa  # noqa: PLC0415

    if isinstance(key, ec.EllipticCurvePublicKey):
        return _CURVES.get(key.curve.name, "")
    return _RSA_SIZES.get(key.key_size, "") if isinstance(key, rsa.RSAPublicKey) else ""


def _time_fault(certificate: "Certificate", when: datetime) -> str:
    if certificate.not_valid_before_utc <= when <= certificate.not_valid_after_utc:
        return ""
    what = "has expired" if when > certificate.not_valid_after_utc else "is not valid yet"
    return f"the certificate {certificate.subject.rfc4514_string()} {what}"


def _is_issued(certificate: "Certificate", issuer: "Certificate") -> bool:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm  # noqa: PLC0415

    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _authority_fault(certificate: "Certificate", below: int) -> str:
    """What is wrong with a certificate that issues others. below: how many authorities are between it and the leaf."""
    from cryptography import x509  # noqa: PLC0415

    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return "is no authority"
    if not constraints.ca:
        return "is no authority"
    if constraints.path_length is not None and constraints.path_length < below:
        return "does not allow so long a chain"
    usage = _usage(certificate)
    return "" if usage and usage.key_cert_sign else "has no critical key usage that allows issuing certificates"


def _leaf_fault(chain: Chain) -> str:
    from cryptography import x509  # noqa: PLC0415

    leaf = chain.leaf
    name = f"the certificate {chain.subject}"
    for constraints in leaf.extensions:
        if isinstance(constraints.value, x509.BasicConstraints) and constraints.value.ca:
            return f"{name} is that of an authority"
    usage = _usage(leaf)
    if usage is None or not usage.digital_signature:
        return f"{name} has no critical key usage with digital signature"
    if other := [use for use in _UNWANTED_USES if getattr(usage, use)]:
        return f"{name} may be used for other things than signatures: {', '.join(other).replace('_', ' ')}"
    purposes = [each.value for each in leaf.extensions if isinstance(each.value, x509.ExtendedKeyUsage)]
    unwanted = [_UNWANTED_PURPOSES.get(each.dotted_string, "") for several in purposes for each in several]
    if found := next(filter(None, unwanted), ""):
        return f"{name} is for {found}, not for code signing"
    if not chain.algorithm:
        return (
            f"{name} has a key of a kind that is not accepted: take RSA of 2048, 3072 or 4096 bits, or P-256 to P-521"
        )
    return ""


def _usage(certificate: "Certificate") -> "KeyUsage | None":
    """The key usage, when it is there and critical."""
    from cryptography import x509  # noqa: PLC0415

    try:
        found = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    except x509.ExtensionNotFound:
        return None
    return found.value if found.critical else None
