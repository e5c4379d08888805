"""A Sigstore of one's own on 127.0.0.1: an OIDC issuer as GitHub has it, Fulcio with its CT log, and Rekor.

Certificates, timestamps and log entries are real ones, by throwaway keys: what verifies signatures finds nothing that
it would not find in the public instance. Tokens are believed whatever their signature.
"""

import base64
import datetime as dt
import hashlib
import json
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from tests.support.loopback import LoopbackServer

ISSUER = "https://token.actions.githubusercontent.com"
IDENTITY = "https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1.4.2"
REQUEST_TOKEN = "canary-request-3f7a1d0c"
"""What the job shows to the issuer to get a token; it must appear nowhere."""

_SCTS = ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_ISSUER_V1 = ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
_ISSUER_V2 = ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
_START = "2020-01-01T00:00:00Z"


@dataclass
class Sigstore:
    """The services. Faults are set by tests.

    failures: HTTP status and body with which the next requests to a path are answered instead, one each
    requests: the path of every request, in order
    lifetime: of certificates, in seconds
    """

    server: LoopbackServer
    lifetime: float = 600
    failures: dict[str, list[tuple[int, bytes]]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    _authority: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    _transparency: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    _log: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _entries: int = 0

    def __post_init__(self) -> None:
        self.root = _root(self._authority)

    @property
    def url(self) -> str:
        """The base address of all of them."""
        return self.server.url

    @property
    def environment(self) -> dict[str, str]:
        """What a job on GitHub that may have an identity has in its environment."""
        return {
            "GITHUB_ACTIONS": "true",
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.url}/oidc?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": REQUEST_TOKEN,
        }

    @property
    def trusted_root(self) -> dict[str, Any]:
        """What to trust, as trusted_root.json has it."""
        authority = {
            "subject": {"organization": "test", "commonName": "test"},
            "uri": self.url,
            "certChain": {"certificates": [{"rawBytes": _text(self.root.public_bytes(Encoding.DER))}]},
            "validFor": {"start": _START},
        }
        return {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [_log_instance(self.url, self._log)],
            "certificateAuthorities": [authority],
            "ctlogs": [_log_instance(f"{self.url}/ct", self._transparency)],
            "timestampAuthorities": [],
        }

    @property
    def signing_config(self) -> dict[str, Any]:
        """Where to sign."""
        service = {"url": self.url, "majorApiVersion": 1, "validFor": {"start": _START}, "operator": "test"}
        return {
            "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
            "caUrls": [service],
            "oidcUrls": [],
            "rekorTlogUrls": [service],
            "rekorTlogConfig": {"selector": "ANY"},
            "tsaUrls": [],
            "tsaConfig": {"selector": "ANY"},
        }

    def write(self, folder: Path) -> Path:
        """Write trust_config.json, trusted_root.json and signing_config.json; the path of the first."""
        config = {
            "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
            "trustedRoot": self.trusted_root,
            "signingConfig": self.signing_config,
        }
        (folder / "trusted_root.json").write_text(json.dumps(self.trusted_root))
        (folder / "signing_config.json").write_text(json.dumps(self.signing_config))
        file = folder / "trust_config.json"
        file.write_text(json.dumps(config))
        return file

    @property
    def root_pem(self) -> bytes:
        """The certificate of Fulcio's authority."""
        return self.root.public_bytes(Encoding.PEM)

    @property
    def log_pem(self) -> bytes:
        """Rekor's public key."""
        return self._log.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    @property
    def transparency_pem(self) -> bytes:
        """The public key of the CT log."""
        return self._transparency.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def issue(self, key: ec.EllipticCurvePublicKey, claims: Mapping[str, Any]) -> bytes:
        """Fulcio's answer for a key and the claims of a token: the certificate and its authority's."""
        certificate = self._certificate(key, claims)
        chain = [each.public_bytes(Encoding.PEM).decode() for each in (certificate, self.root)]
        return json.dumps({"signedCertificateEmbeddedSct": {"chain": {"certificates": chain}}}).encode()

    def enter(self, proposed: Mapping[str, Any]) -> bytes:
        """Rekor's answer to a proposed entry of kind dsse or hashedrekord: what the log holds of it now."""
        with self._lock:
            self._entries += 1
            number = self._entries
        spec = _dsse(proposed["spec"]) if proposed["kind"] == "dsse" else proposed["spec"]
        entry = {"apiVersion": proposed["apiVersion"], "kind": proposed["kind"], "spec": spec}
        body = _canonical(entry)
        log, time = _key_id(self._log), int(dt.datetime.now(dt.UTC).timestamp())
        promised = {"body": _text(body), "integratedTime": time, "logID": log.hex(), "logIndex": number}
        leaf = hashlib.sha256(b"\0" + body).digest()
        # Each entry is the second of a tree of two: readers of JSON differ about places that are 0.
        first = hashlib.sha256(b"\0first").digest()
        root = hashlib.sha256(b"\1" + first + leaf).digest()
        proof = {
            "checkpoint": self._checkpoint(root),
            "hashes": [first.hex()],
            "logIndex": 1,
            "rootHash": root.hex(),
            "treeSize": 2,
        }
        promise = _text(self._log.sign(_canonical(promised), ec.ECDSA(hashes.SHA256())))
        verification = {"inclusionProof": proof, "signedEntryTimestamp": promise}
        return json.dumps({leaf.hex(): promised | {"verification": verification}}).encode()

    def _certificate(self, key: ec.EllipticCurvePublicKey, claims: Mapping[str, Any]) -> x509.Certificate:
        now, issuer = dt.datetime.now(dt.UTC), str(claims["iss"])
        name = _identity(claims)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self.root.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(seconds=2))
            .not_valid_after(now + dt.timedelta(seconds=self.lifetime))
            .add_extension(_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._authority.public_key()), critical=False
            )
            .add_extension(x509.SubjectAlternativeName([name]), critical=True)
            .add_extension(x509.UnrecognizedExtension(_ISSUER_V1, issuer.encode()), critical=False)
            .add_extension(x509.UnrecognizedExtension(_ISSUER_V2, _der(0x0C, issuer.encode())), critical=False)
        )
        stamped = self._stamped(builder.sign(self._authority, hashes.SHA256()).tbs_certificate_bytes)
        return builder.add_extension(stamped, critical=False).sign(self._authority, hashes.SHA256())

    def _stamped(self, certificate: bytes) -> x509.UnrecognizedExtension:
        """The CT log's promise about a certificate without it (RFC 6962, sections 3.2 and 3.3)."""
        time = int(dt.datetime.now(dt.UTC).timestamp() * 1000)
        issuer = _key_id(self._authority)
        signed = struct.pack("!BBQH", 0, 0, time, 1) + issuer
        signed += len(certificate).to_bytes(3) + certificate + struct.pack("!H", 0)
        signature = self._transparency.sign(signed, ec.ECDSA(hashes.SHA256()))
        promise = b"\0" + _key_id(self._transparency) + struct.pack("!QHBBH", time, 0, 4, 3, len(signature)) + signature
        promises = struct.pack("!H", len(promise)) + promise
        return x509.UnrecognizedExtension(_SCTS, _der(0x04, struct.pack("!H", len(promises)) + promises))

    def _checkpoint(self, root: bytes) -> str:
        """A signed note about a log with two entries."""
        note = f"{self.server.host} - 1\n2\n{_text(root)}\n"
        signature = self._log.sign(note.encode(), ec.ECDSA(hashes.SHA256()))
        return f"{note}\n— {self.server.host} {_text(_key_id(self._log)[:4] + signature)}\n"


@contextmanager
def sigstore() -> Iterator[Sigstore]:
    """The services, until the block ends."""

    class Handler(_Handler):
        pass

    server = LoopbackServer(Handler)
    Handler.services = Sigstore(server)
    with server.running():
        yield Handler.services
    assert not server.errors, server.errors


def token(subject: str = IDENTITY, issuer: str = ISSUER, *, audience: str = "sigstore", lifetime: int = 300) -> str:
    """An OIDC token; `subject` is what Fulcio will certify."""
    now = int(dt.datetime.now(dt.UTC).timestamp())
    claims: dict[str, Any] = {"iss": issuer, "aud": audience, "iat": now, "nbf": now - 5, "exp": now + lifetime}
    claims |= {"sub": "repo:acme/app:ref:refs/tags/v1.4.2", "certify": subject}
    if "@" in subject and "://" not in subject:
        claims |= {"email": subject, "email_verified": True}
    parts = [json.dumps(each).encode() for each in ({"alg": "RS256", "typ": "JWT"}, claims)]
    signature = hashlib.sha256(b"canary signature" + parts[1]).digest()
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (*parts, signature))


class _Handler(BaseHTTPRequestHandler):
    services: Sigstore
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path != "/oidc":
            self._answer(404, b"{}")
        elif not self._failed(path):
            assert self.headers["Authorization"].lower() == f"bearer {REQUEST_TOKEN}"
            self._answer(200, json.dumps({"value": token()}).encode())

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self._failed(self.path):
            return
        if self.path == "/api/v2/signingCert":
            bearer = self.headers.get("Authorization", "").partition(" ")[2]
            claims = _claims(bearer or sent["credentials"]["oidcIdentityToken"])
            self._answer(200, self.services.issue(_requested_key(sent), claims))
        elif self.path == "/api/v1/signingCert":
            claims = _claims(self.headers["Authorization"].partition(" ")[2])
            answer = json.loads(self.services.issue(_requested_key(sent), claims))
            pem = answer["signedCertificateEmbeddedSct"]["chain"]["certificates"]
            self._answer(201, "".join(pem).encode())
        elif self.path == "/api/v1/log/entries":
            entry = self.services.enter(sent)
            self._answer(201, entry, next(iter(json.loads(entry))))
        else:
            self._answer(404, b"{}")

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""

    def _failed(self, path: str) -> bool:
        """Whether the request was answered with a failure that a test has put there."""
        self.services.requests.append(path)
        waiting = self.services.failures.get(path)
        if waiting:
            self._answer(*waiting.pop(0))
            return True
        return False

    def _answer(self, status: int, body: bytes, tag: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if tag:
            self.send_header("ETag", tag)
        self.end_headers()
        self.wfile.write(body)


def _requested_key(sent: Mapping[str, Any]) -> ec.EllipticCurvePublicKey:
    """The key of a certificate signing request, as sigstore-python sends one, or the bare key that cosign sends.

    Version 2 of cosign speaks version 1 of the protocol when it signs for `.sig` tags.
    """
    if sent.get("certificateSigningRequest"):
        request = base64.b64decode(sent["certificateSigningRequest"])
        key: object = x509.load_pem_x509_csr(request).public_key()
    elif "publicKeyRequest" in sent:
        key = load_pem_public_key(sent["publicKeyRequest"]["publicKey"]["content"].encode())
    else:
        key = load_pem_public_key(base64.b64decode(sent["publicKey"]["content"]))
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key


def _claims(text: str) -> dict[str, Any]:
    part = text.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def _identity(claims: Mapping[str, Any]) -> x509.GeneralName:
    subject = str(claims["certify"])
    return x509.UniformResourceIdentifier(subject) if "://" in subject else x509.RFC822Name(subject)


def _dsse(spec: Mapping[str, Any]) -> dict[str, Any]:
    """What Rekor keeps of a proposed entry of kind dsse: digests, signatures and what they were made with."""
    proposed = spec["proposedContent"]
    envelope = json.loads(proposed["envelope"])
    signatures = [
        {"signature": each["sig"], "verifier": verifier}
        for each, verifier in zip(envelope["signatures"], proposed["verifiers"], strict=True)
    ]
    return {
        "envelopeHash": _sha256(proposed["envelope"].encode()),
        "payloadHash": _sha256(base64.b64decode(envelope["payload"])),
        "signatures": signatures,
    }


def _sha256(content: bytes) -> dict[str, str]:
    return {"algorithm": "sha256", "value": hashlib.sha256(content).hexdigest()}


def _root(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "test"), x509.NameAttribute(NameOID.COMMON_NAME, "authority")]
    )
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _usage(**used: bool) -> x509.KeyUsage:
    rest = ["content_commitment", "key_encipherment", "data_encipherment", "key_agreement"]
    names = ["digital_signature", *rest, "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"]
    return x509.KeyUsage(**{name: used.get(name, False) for name in names})


def _log_instance(url: str, key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
    public = {
        "rawBytes": _text(_spki(key)),
        "keyDetails": "PKIX_ECDSA_P256_SHA_256",
        "validFor": {"start": _START},
    }
    return {"baseUrl": url, "hashAlgorithm": "SHA2_256", "publicKey": public, "logId": {"keyId": _text(_key_id(key))}}


def _key_id(key: ec.EllipticCurvePrivateKey) -> bytes:
    return hashlib.sha256(_spki(key)).digest()


def _spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([0x81, size]) if size < 256 else b"\x82" + size.to_bytes(2)
    return bytes([tag]) + length + content


def _canonical(document: Mapping[str, Any]) -> bytes:
    """RFC 8785, for documents of text, small numbers and plain names."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
