"""Rekor's promise that a signature is in its log, as cosign keeps it beside signatures under `.sig` tags. Pure.

Only what Podman and skopeo read is read: entries of kind hashedrekord 0.0.1, and promises signed with ECDSA.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from manifest_action.model.strictjson import parse_object
from manifest_action.signing.base import PublicKey

_KIND, _VERSION = "hashedrekord", "0.0.1"
_PROMISED = {"body", "integratedTime", "logIndex", "logID"}
_PEM = re.compile(rb"\s*-----BEGIN ([A-Z0-9 ]+)-----\s*([A-Za-z0-9+/=\s]+?)\s*-----END \1-----\s*")


def logged_at(promise: str, logs: Iterable[PublicKey], signer: bytes, signature: bytes, payload: bytes) -> datetime:
    """When a signature came into a log.

    promise: JSON with SignedEntryTimestamp and Payload
    logs:    the keys of the logs that are trusted
    signer:  DER of the public key or certificate that the entry must name

    ValueError says what is wrong: no such promise, by another log, or about something else.
    """
    document = parse_object(promise.encode("utf-8", "surrogatepass"))
    promised = _member(document, "Payload")
    if document.keys() != {"SignedEntryTimestamp", "Payload"} or promised.keys() != _PROMISED:
        raise ValueError("the promise of the log has members that are missing or unknown")
    stamp = _bytes(document["SignedEntryTimestamp"], "the promise")
    # RFC 8785, for whole numbers and for text that needs no escapes; a log signs nothing else.
    canonical = json.dumps(promised, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    if not any(log.verifies(stamp, canonical) for log in logs):
        raise ValueError("the promise is not one of the log's")
    time = promised["integratedTime"]
    if isinstance(time, bool) or not isinstance(time, int):
        raise ValueError("the promise has no time")
    _check_entry(parse_object(_bytes(promised["body"], "the entry")), signer, signature, payload)
    try:
        return datetime.fromtimestamp(time, UTC)
    except (OverflowError, OSError):
        raise ValueError("the promise has no time that can be") from None


def pem_content(text: bytes) -> bytes:
    """The DER in a PEM text with one block; ValueError for anything else."""
    block = _PEM.fullmatch(text)
    if block is None:
        raise ValueError("it is no PEM with one block")
    return base64.b64decode(b"".join(block[2].split()), validate=True)


def _check_entry(entry: Mapping[str, object], signer: bytes, signature: bytes, payload: bytes) -> None:
    """ValueError unless an entry is about this signature of this payload by this signer."""
    if entry.get("kind") != _KIND or entry.get("apiVersion") != _VERSION:
        raise ValueError(f"the entry is no {_KIND} {_VERSION}")
    spec = _member(entry, "spec")
    signed, digest = _member(spec, "signature"), _member(_member(spec, "data"), "hash")
    if pem_content(_bytes(_member(signed, "publicKey").get("content"), "the signer")) != signer:
        raise ValueError("the entry is about another signer")
    if _bytes(signed.get("content"), "the signature") != signature:
        raise ValueError("the entry is about another signature")
    value = str(digest.get("value")).lower()
    if digest.get("algorithm") != "sha256" or value != hashlib.sha256(payload).hexdigest():
        raise ValueError("the entry is about another payload")


def _member(document: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = document.get(name)
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} must be an object")
    return value


def _bytes(value: object, what: str) -> bytes:
    if not isinstance(value, str):
        raise ValueError(f"{what} must be base64")
    try:
        return base64.b64decode(value, validate=True)
    except ValueError:
        raise ValueError(f"{what} must be base64") from None
