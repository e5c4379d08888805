"""Docker image manifests of schema 1, as read: a list of layers with what Docker's first registry knew of each.

Docker image manifest v2 schema 1; signatures in the readable JWS form ("pretty" JWS) that Docker's tools write.
What was signed, and what the digest is over, is the document without its signatures.
"""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from manifest_action.model.descriptor import string
from manifest_action.model.digest import Digest
from manifest_action.model.strictjson import parse_object

EMPTY_LAYER = bytes.fromhex("1f8b080000096e8800ff621805a360148c5800080000ffff2eafb5ef00040000")
"""The gzip of an empty tar that stands for layers which change no file."""
EMPTY_LAYER_DIGEST = Digest.of(EMPTY_LAYER)
LAYER_LIMIT = 1000

_ID = re.compile(r"[0-9a-f]{64}")
_OTHER_MEMBERS = ("manifests", "config", "layers")


@dataclass(frozen=True, slots=True)
class Signature:
    """One JWS signature: its header (with the key), and base64url texts of what it protects and what it is."""

    header: Mapping[str, object] = field(hash=False)
    protected: str
    signature: str


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One layer: its blob, and the image configuration at that point as Docker's first format has it."""

    blob: Digest
    compatibility: Mapping[str, object] = field(hash=False)

    @property
    def is_empty(self) -> bool:
        """Whether it changes no file, so that later formats list no layer for it."""
        return self.compatibility.get("throwaway") is True or self.blob == EMPTY_LAYER_DIGEST


@dataclass(frozen=True, slots=True)
class Schema1:
    """A signed schema 1 manifest; `history` begins with the base, unlike the document."""

    payload: bytes = field(repr=False)
    signatures: tuple[Signature, ...]
    architecture: str
    history: tuple[HistoryEntry, ...]

    @property
    def layers(self) -> tuple[Digest, ...]:
        """The blobs that hold files, base first, each as often as it is listed."""
        return tuple(entry.blob for entry in self.history if not entry.is_empty)


def parse_schema1(raw: bytes) -> Schema1:
    """Read a signed schema 1 manifest; the signatures are not verified here (convert.jws does).

    Raises ValueError: no signed JSON document, other members than schema 1 has, layers and history that differ in
    number, or a history whose entries do not follow one another.
    """
    payload, signatures = split_signatures(raw)
    document = parse_object(payload)
    if document.get("schemaVersion") != 1:
        raise ValueError("schemaVersion must be 1")
    odd = [name for name in _OTHER_MEMBERS if name in document]
    if odd:
        raise ValueError(f"a schema 1 manifest has no {odd[0]}; the document could be read either way")
    layers, history = _objects(document, "fsLayers"), _objects(document, "history")
    if len(layers) != len(history):
        raise ValueError(f"there are {len(layers)} layers, but {len(history)} entries of history")
    entries = [
        HistoryEntry(
            Digest.parse(string(layer, "blobSum", required=True)),
            parse_object(string(entry, "v1Compatibility", required=True).encode()),
        )
        for layer, entry in zip(reversed(layers), reversed(history), strict=True)
    ]
    return Schema1(payload, signatures, string(document, "architecture"), _chained(entries))


def split_signatures(raw: bytes) -> tuple[bytes, tuple[Signature, ...]]:
    """What was signed, and the signatures over it; ValueError when there are none or they disagree on what it is.

    Each signature protects how many bytes of the document come first, and which bytes take the place of the rest.
    """
    document = parse_object(raw)
    if "signatures" not in document:
        raise ValueError("the schema 1 manifest is not signed")
    signatures = [_signature(block) for block in _objects(document, "signatures")]
    payloads = {_payload(raw, signature) for signature in signatures}
    if len(payloads) != 1:
        raise ValueError("the signatures are not over the same document")
    return payloads.pop(), tuple(signatures)


def decode64(text: str) -> bytes:
    """The bytes of base64url text without padding (RFC 7515, section 2); ValueError for anything else."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("not base64url text") from None


def _signature(block: Mapping[str, object]) -> Signature:
    header = block.get("header")
    if not isinstance(header, Mapping):
        raise ValueError("a signature has no header")
    return Signature(header, string(block, "protected", required=True), string(block, "signature", required=True))


def _payload(raw: bytes, signature: Signature) -> bytes:
    protected = parse_object(decode64(signature.protected))
    length = protected.get("formatLength")
    if isinstance(length, bool) or not isinstance(length, int) or not 0 < length <= len(raw):
        raise ValueError("a signature's formatLength does not fit the document")
    return raw[:length] + decode64(string(protected, "formatTail", required=True))


def _objects(document: Mapping[str, object], name: str) -> Sequence[Mapping[str, object]]:
    found = document.get(name)
    if not isinstance(found, list) or not found or not all(isinstance(each, Mapping) for each in found):
        raise ValueError(f"{name} must be a list of objects, and not empty")
    if len(found) > LAYER_LIMIT:
        raise ValueError(f"{name} has {len(found)} entries, over the limit of {LAYER_LIMIT}")
    return found


def _chained(entries: Sequence[HistoryEntry]) -> tuple[HistoryEntry, ...]:
    """The entries, base first, once each follows from the one before; of neighbours with one id the later stays."""
    kept: list[HistoryEntry] = []
    for entry in entries:
        identity = string(entry.compatibility, "id", required=True)
        if not _ID.fullmatch(identity):
            raise ValueError("an entry of history has an id that is not 64 hex digits")
        before = kept[-1].compatibility["id"] if kept else ""
        if identity == before:
            kept.pop()
        elif string(entry.compatibility, "parent") != before:
            raise ValueError("an entry of history does not follow from the one before it")
        kept.append(entry)
    if len({str(entry.compatibility["id"]) for entry in kept}) != len(kept):
        raise ValueError("the history holds the same id twice")
    return tuple(kept)
