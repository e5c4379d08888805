"""Certificates for notation, made for a test, and notation with a configuration of its own."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.support.peers import Peer, find_peer

CURVES: dict[str, ec.EllipticCurve] = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "p521": ec.SECP521R1()}
CODE_SIGNING = [ExtendedKeyUsageOID.CODE_SIGNING]
_YEAR = timedelta(days=365)


@dataclass(frozen=True)
class Signing:
    """A key and its chain, as PEM: leaf first, root last."""

    key: str
    chain: Sequence[str]

    @property
    def certificates(self) -> str:
        return "".join(self.chain)

    @property
    def root(self) -> str:
        return self.chain[-1]


def make_key(kind: str) -> Any:
    """p256, p384, p521, or bits of an RSA key, which is the same in all of a test run."""
    return ec.generate_private_key(CURVES[kind]) if kind in CURVES else _rsa_key(int(kind))


@cache
def _rsa_key(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def subject(name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),
            x509.NameAttribute(NameOID.STATE_OR_PROVINCE_NAME, "Hesse"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Acme"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )


def usage(*names: str) -> x509.KeyUsage:
    every = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: name in names for name in every})


def certificate(
    key: Any,
    name: str,
    issuer: tuple[Any, x509.Certificate] | None = None,
    *,
    authority: bool | None = None,
    path_length: int | None = None,
    uses: Sequence[str] = ("digital_signature",),
    critical: bool = True,
    purposes: Sequence[x509.ObjectIdentifier] = (),
    starts: timedelta = timedelta(hours=-1),
    lasts: timedelta = _YEAR,
) -> x509.Certificate:
    """A certificate, self-signed without an issuer. authority: None leaves the constraints out; so do no `uses`."""
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject(name))
        .issuer_name(issuer[1].subject if issuer else subject(name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + starts)
        .not_valid_after(now + starts + lasts)
    )
    if authority is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=path_length), critical=True)
    if uses:
        builder = builder.add_extension(usage(*uses), critical=critical)
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    return builder.sign(issuer[0] if issuer else key, SHA256())


def root_of(name: str = "root", **changes: Any) -> tuple[Any, x509.Certificate]:
    """A key and the certificate of an authority at the top."""
    key = make_key("p256")
    options: dict[str, Any] = {"authority": True, "uses": ("key_cert_sign", "crl_sign")} | changes
    return key, certificate(key, name, **options)


def signing(kind: str = "p256", name: str = "release", **changes: Any) -> Signing:
    """A key with a leaf certificate, an intermediate authority and a root; `changes` are of the leaf."""
    root = root_of(f"root of {name}")
    middle_key = make_key("p256")
    uses = ("key_cert_sign", "crl_sign")
    middle = certificate(middle_key, f"middle of {name}", root, authority=True, path_length=0, uses=uses)
    key = make_key(kind)
    options: dict[str, Any] = {"authority": False, "purposes": CODE_SIGNING} | changes
    leaf = certificate(key, name, (middle_key, middle), **options)
    return Signing(private_pem(key), [pem(leaf), pem(middle), pem(root[1])])


def self_signed(kind: str = "p256", name: str = "alone", **changes: Any) -> Signing:
    """A key with a certificate that nobody else has signed."""
    key = make_key(kind)
    return Signing(private_pem(key), [pem(certificate(key, name, **changes))])


def pem(made: x509.Certificate) -> str:
    return made.public_bytes(Encoding.PEM).decode()


def private_pem(key: Any) -> str:
    return str(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())


@dataclass(frozen=True)
class Notation:
    """notation with a configuration in its home."""

    peer: Peer

    @property
    def folder(self) -> Path:
        """Its configuration."""
        return self.peer.home / ".config" / "notation"

    def trust(self, root: str, *identities: str, scope: str = "*") -> Path:
        """Trust one certificate, for signers of these subjects; the file of the policy."""
        store = self.folder / "truststore" / "x509" / "ca" / "acme"
        store.mkdir(parents=True, exist_ok=True)
        (store / "root.pem").write_text(root)
        statement = {
            "name": "acme",
            "registryScopes": [scope],
            "signatureVerification": {"level": "strict"},
            "trustStores": ["ca:acme"],
            "trustedIdentities": list(identities) or ["*"],
        }
        file = self.folder / "trustpolicy.json"
        file.write_text(json.dumps({"version": "1.0", "trustPolicies": [statement]}))
        file.chmod(0o600)
        return file

    def verifies(self, reference: str) -> bool:
        """Whether it accepts what a reference by digest leads to."""
        result = self.peer.run("verify", "--insecure-registry", reference)
        assert result.returncode == 0 or b"signature" in result.stderr, result.stderr
        return result.returncode == 0

    def sign(self, reference: str, made: Signing) -> None:
        """Sign what a reference by digest leads to."""
        assert self.try_to_sign(reference, made)

    def try_to_sign(self, reference: str, made: Signing) -> bool:
        """Whether it signs what a reference by digest leads to with these certificates."""
        self.folder.mkdir(parents=True, exist_ok=True)
        key, certificates = self.folder / "key.pem", self.folder / "chain.pem"
        key.write_text(made.key)
        certificates.write_text(made.certificates)
        keys = [{"name": "k", "keyPath": str(key), "certPath": str(certificates)}]
        (self.folder / "signingkeys.json").write_text(json.dumps({"default": "k", "keys": keys}))
        (self.folder / "signingkeys.json").chmod(0o600)
        result = self.peer.run("sign", "--insecure-registry", reference)
        assert result.returncode == 0 or b"certificate" in result.stderr, result.stderr
        return result.returncode == 0


def find_notation(home: Path) -> Notation:
    """notation, MissingProgram when it is not on this machine."""
    return Notation(find_peer("notation", home))
