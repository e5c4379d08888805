"""Certificates of Fulcio, as policies of containers/image ask for them: by whom, for which address, and when."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from manifest_action.errors import SigningError
from manifest_action.signing.base import PublicKey
from manifest_action.signing.keys import load_public_key

if TYPE_CHECKING:
    from cryptography.x509 import Certificate, ExtendedKeyUsage
    from cryptography.x509.verification import Policy

_ISSUER, _ISSUER_V2 = "1.3.6.1.4.1.57264.1.1", "1.3.6.1.4.1.57264.1.8"


def load_authorities(text: bytes) -> "Sequence[Certificate]":
    """The certificates in a PEM text; ValueError when there is none."""
    from cryptography.x509 import load_pem_x509_certificates  # noqa: PLC0415

    return load_pem_x509_certificates(text)


def good_certificate(
    certificate: str, chain: str, authorities: "Sequence[Certificate]", time: datetime
) -> "Certificate":
    """A certificate that was good at a time.

    certificate: PEM, exactly one
    chain:       PEM of the certificates between it and an authority, and then that of an authority; may be empty

    That it is in a certificate transparency log is not looked at, as in containers/image: the signature itself is in
    one. ValueError says what is wrong.
    """
    found = _loaded(certificate)
    if len(found) != 1:
        raise ValueError("there is not exactly one certificate")
    _check_chain(found[0], _loaded(chain)[:-1] if chain else (), authorities, time)
    return found[0]


def certified_key(certificate: "Certificate", issuer: str, email: str) -> PublicKey:
    """The key of a certificate for an address that an issuer has vouched for; ValueError says what is wrong."""
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415

    if (vouched := _issuer(certificate)) != issuer:
        raise ValueError(f"{vouched[:200]} vouched for it, and not {issuer}")
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    if email not in names.get_values_for_type(x509.RFC822Name):
        raise ValueError(f"it is not for {email}")
    pem = certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    try:
        return load_public_key(pem, "the certificate")
    except SigningError as error:
        raise ValueError(error.what) from None


def _loaded(text: str) -> "Sequence[Certificate]":
    try:
        return load_authorities(text.encode())
    except ValueError:
        raise ValueError("there is no certificate that can be read") from None


def _check_chain(
    leaf: "Certificate", between: "Sequence[Certificate]", authorities: "Sequence[Certificate]", time: datetime
) -> None:
    from cryptography import x509  # noqa: PLC0415
    from cryptography.x509 import verification  # noqa: PLC0415

    agnostic = verification.Criticality.AGNOSTIC
    authority = verification.ExtensionPolicy.webpki_defaults_ca().may_be_present(
        x509.ExtendedKeyUsage, agnostic, _signs_code
    )
    entity = verification.ExtensionPolicy.webpki_defaults_ee().require_present(
        x509.ExtendedKeyUsage, agnostic, _signs_code
    )
    builder = verification.PolicyBuilder().store(verification.Store(list(authorities))).time(time)
    try:
        builder.extension_policies(ca_policy=authority, ee_policy=entity).build_client_verifier().verify(
            leaf, list(between)
        )
    except (verification.VerificationError, x509.UnsupportedGeneralNameType):
        raise ValueError("no authority of the policy stands behind the certificate, as it was used then") from None


def _signs_code(policy: "Policy", certificate: "Certificate", usage: "ExtendedKeyUsage | None") -> None:  # noqa: ARG001
    from cryptography.x509.oid import ExtendedKeyUsageOID  # noqa: PLC0415

    wanted = (ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)
    if usage is not None and not any(each in usage for each in wanted):
        raise ValueError("it is not for code")


def _issuer(certificate: "Certificate") -> str:
    """Who vouched, by one or both of two extensions, which must not contradict each other."""
    from cryptography import x509  # noqa: PLC0415

    values = {
        extension.oid.dotted_string: extension.value.value
        for extension in certificate.extensions
        if isinstance(extension.value, x509.UnrecognizedExtension)
    }
    found = {values[_ISSUER].decode()} if _ISSUER in values else set()
    if _ISSUER_V2 in values:
        found.add(_text(values[_ISSUER_V2]))
    if len(found) != 1:
        raise ValueError("it does not say, or says differently, who vouched for it")
    return found.pop()


def _text(der: bytes) -> str:
    """A string of ASN.1 (UTF8String, PrintableString, IA5String) in DER."""
    if len(der) < 2 or der[0] not in {0x0C, 0x13, 0x16}:
        raise ValueError("its issuer is no string")
    size, start = der[1], 2
    if size in {0x81, 0x82}:
        start += size - 0x80
        size = int.from_bytes(der[2:start])
    if size != len(der) - start:
        raise ValueError("its issuer is no string")
    return der[start:].decode()
