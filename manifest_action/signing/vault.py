"""Keys in HashiCorp Vault's transit engine, and OpenBao's, over HTTP: the private half never leaves it.

Only hashes are sent. Settings are those of Vault's own command: VAULT_ADDR, VAULT_TOKEN (else ~/.vault-token),
VAULT_NAMESPACE, VAULT_CACERT; and TRANSIT_SECRET_ENGINE_PATH for where the engine is mounted, as cosign has it.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from manifest_action.errors import SigningError
from manifest_action.model.strictjson import parse_object
from manifest_action.signing.base import PublicKey
from manifest_action.signing.keys import load_public_key
from manifest_action.signing.material import Material

SCHEME = "hashivault"
_TIMEOUT = (10.0, 60.0)
"""Seconds to connect, and to wait for an answer."""
_LIMIT = 1024 * 1024
_ADDRESS = re.compile(r"https?://[A-Za-z0-9.\-_:\[\]]+(/[A-Za-z0-9.\-_/]*)?")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*")
_SIGNATURE = re.compile(r"vault:v[0-9]+:([A-Za-z0-9+/=]+)")
_ECDSA = "ecdsa-p256"


@dataclass(frozen=True, slots=True)
class Vault:
    """A server, and how to be let in. mount: the path of the transit engine; authority: a PEM file, empty for none."""

    address: str
    token: str = field(repr=False)
    namespace: str = ""
    mount: str = "transit"
    authority: str = ""

    def ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Mapping[str, object]:
        """The `data` of an answer. SigningError: it refuses, or there is no answer that makes sense."""
        import requests  # noqa: PLC0415

        where = f"{self.address}/v1/{path}"
        headers = {"X-Vault-Token": self.token, "X-Vault-Request": "true"}
        if self.namespace:
            headers["X-Vault-Namespace"] = self.namespace
        try:
            with requests.request(
                method,
                where,
                json=body,
                headers=headers,
                timeout=_TIMEOUT,
                allow_redirects=False,
                stream=True,
                verify=self.authority or True,
            ) as answer:
                content = answer.raw.read(_LIMIT + 1, decode_content=True)
        except (requests.RequestException, OSError) as error:
            raise SigningError(
                "Vault cannot be asked", where=where, why=type(error).__name__, hint="check VAULT_ADDR and VAULT_CACERT"
            ) from None
        if answer.status_code != 200:
            raise _refusal(answer.status_code, content, where, self.token)
        try:
            data = parse_object(content[:_LIMIT]).get("data")
        except ValueError as error:
            raise SigningError("Vault's answer makes no sense", where=where, why=str(error)) from None
        if not isinstance(data, Mapping):
            raise SigningError("Vault's answer makes no sense", where=where, why="it has no data")
        return data


@dataclass(frozen=True, slots=True)
class VaultKey:
    """See `base.SigningKey`. version: of the key, all of a run signs with the same."""

    vault: Vault
    name: str
    version: int
    public: PublicKey
    is_rsa: bool

    def sign(self, message: bytes, /) -> bytes:
        """See `base.SigningKey`."""
        path = f"{self.vault.mount}/sign/{quote(self.name)}/sha2-256"
        body = {
            "input": base64.b64encode(hashlib.sha256(message).digest()).decode(),
            "prehashed": True,
            "key_version": self.version,
            **({"signature_algorithm": "pkcs1v15"} if self.is_rsa else {"marshaling_algorithm": "asn1"}),
        }
        match = _SIGNATURE.fullmatch(str(self.vault.ask("POST", path, body).get("signature")))
        signature = base64.b64decode(match[1]) if match else b""
        if not self.public.verifies(signature, message):
            raise SigningError("what Vault signed is no good", where=f"{SCHEME}://{self.name}")
        return signature


def open_vault_key(name: str, material: Material) -> VaultKey:
    """The newest version of the key `name`. SigningError: a setting is missing, or the key is not there or not fit."""
    where = f"{SCHEME}://{name[:100]}"
    if not _NAME.fullmatch(name):
        raise SigningError("this is no name of a key in Vault", where=where, hint=f"write {SCHEME}://NAME")
    vault = _vault(material, where)
    data = vault.ask("GET", f"{vault.mount}/keys/{quote(name)}")
    kind, version, versions = str(data.get("type")), data.get("latest_version"), data.get("keys")
    if kind != _ECDSA and not kind.startswith("rsa-"):
        raise SigningError(
            f"a key of this kind is not accepted: {kind[:40]}", where=where, hint="make one of the type ecdsa-p256"
        )
    entry = versions.get(str(version)) if isinstance(versions, Mapping) else None
    pem = entry.get("public_key") if isinstance(entry, Mapping) else None
    if not isinstance(version, int) or not isinstance(pem, str):
        raise SigningError("Vault's answer makes no sense", where=where, why="it has no public key")
    return VaultKey(vault, name, version, load_public_key(pem.encode(), where), kind != _ECDSA)


def _vault(material: Material, where: str) -> Vault:
    environment = material.environment
    address = environment.get("VAULT_ADDR", "").rstrip("/")
    if not _ADDRESS.fullmatch(address):
        hint = "set VAULT_ADDR in the step's env, such as https://vault.example:8200"
        raise SigningError("the address of Vault is missing, or is none", where=where, hint=hint)
    token = material.secret("env://VAULT_TOKEN", "the token of Vault") or _kept_token(material)
    if not token:
        raise SigningError("the token of Vault is missing", where=where, hint="set VAULT_TOKEN in the step's env")
    mount = environment.get("TRANSIT_SECRET_ENGINE_PATH", "").strip("/") or "transit"
    return Vault(
        address,
        token.decode("ascii", "replace").strip(),
        environment.get("VAULT_NAMESPACE", ""),
        quote(mount),
        environment.get("VAULT_CACERT", ""),
    )


def _kept_token(material: Material) -> bytes | None:
    """The token that `vault login` has left behind."""
    file = Path(material.environment.get("HOME", "/"), ".vault-token")
    return material.secret(file.as_uri(), "the token of Vault") if file.is_file() else None


def _refusal(status: int, content: bytes, where: str, token: str) -> SigningError:
    """What Vault says of a request that it refused; it does not repeat the token, but nobody has to trust in that."""
    try:
        errors = parse_object(content).get("errors")
    except ValueError:
        errors = None
    said = "; ".join(str(each) for each in errors) if isinstance(errors, list) else ""
    why = f"HTTP {status} {said.replace(token, '***')[:300]}".strip()
    hints = {403: "may this token use the key?", 404: "is there such a key, and is the transit engine mounted there?"}
    return SigningError("Vault refuses", where=where, why=why, hint=hints.get(status, ""))
