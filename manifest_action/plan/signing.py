"""Reading how an index is to be signed (design section 5): the signers by name, each with its keys."""

import re
from collections.abc import Mapping, Sequence

from manifest_action.model.reference import DOCKER, Reference
from manifest_action.plan import keys, node
from manifest_action.plan.keys import Key
from manifest_action.plan.part import QUOTE_LIMIT, Part
from manifest_action.plan.spec import SignerSpec

_LIMIT = 10
_SCHEMES = ("env", "file")
_REFERENCES: Mapping[str, Sequence[str]] = {"secret": _SCHEMES, "seat": (*_SCHEMES, *keys.KMS_SCHEMES)}
_ELSEWHERE = tuple(f"{scheme}://" for scheme in keys.KMS_SCHEMES)
_ATTESTING = frozenset({"cosign", "keyless"})
"""The signers that sign statements too, and not only names and digests."""


def read_signers(part: Part, destinations: Sequence[Reference]) -> tuple[SignerSpec, ...]:
    """The signers that `sign` names, each with every option; a bare name takes its keys from the usual variables.

    destinations: all must be at registries, since other places have no room for signatures
    """
    for destination in destinations:
        if destination.repository.transport != DOCKER:
            part.refuse(f"{destination} cannot be signed", "signatures are kept by registries only; push there")
            return ()
    items = [part] if isinstance(part.node, node.Mapping) else part.items(_LIMIT)
    return tuple(dict.fromkeys(signer for item in items for signer in _read_item(item)))


def can_attest(signers: Sequence[SignerSpec]) -> bool:
    """Whether one of these signers signs statements about what is pushed."""
    return any(signer.name in _ATTESTING for signer in signers)


def _read_item(part: Part) -> list[SignerSpec]:
    """What one item of the list names: text is a name, a mapping has options by names."""
    if part.is_text:
        name = part.word({key.name: key.name for key in keys.SIGNER_KEYS})
        return [_signer(part, name, {})] if name else []
    named = part.fields(keys.SIGNER_KEYS) or {}
    read = [(name, options, options.fields(keys.SIGNERS[name].keys)) for name, options in named.items()]
    return [_signer(options, name, fields) for name, options, fields in read if fields is not None]


def _signer(part: Part, name: str, fields: Mapping[str, Part]) -> SignerSpec:
    known = keys.SIGNERS[name]
    recursive = fields["recursive"].boolean() if "recursive" in fields else True
    written = {key.name: _option(key, fields[key.name]) for key in known.keys if key.name in fields}
    written.pop("recursive", None)
    if "passphrase" in written and written.get("key", "").startswith(_ELSEWHERE):
        fields["passphrase"].refuse("a key that stays elsewhere has no passphrase", "leave `passphrase` out")
    return SignerSpec(name, {**known.defaults, **written}, recursive is not False, part.mark)


def _option(key: Key, part: Part) -> str:
    """What is written of one key, read as its schema says."""
    words = key.schema.get("enum")
    if isinstance(words, list):
        return part.word({word: word for word in words}) or ""
    if "pattern" in key.schema:
        return _shaped(part, str(key.schema["pattern"]), key.description)
    kind = str(key.schema["$ref"]).rpartition("/")[2]
    if kind in _REFERENCES:
        return _reference(part, _REFERENCES[kind])
    return str(part.boolean()).lower() if kind == "boolean" else part.text() or ""


def _shaped(part: Part, pattern: str, meaning: str) -> str:
    text = part.text() or ""
    if not re.search(pattern, text):
        part.refuse(f"{text[:QUOTE_LIMIT]!r} is not what this key takes", meaning)
    return text


def _reference(part: Part, schemes: Sequence[str]) -> str:
    """Where a key or passphrase is. What is written there is never repeated: it may be the secret itself."""
    text = part.text() or ""
    scheme, colon, rest = text.partition("://")
    if "\n" in text or "-----BEGIN" in text:
        part.refuse("a secret itself stands here", "write env://NAME or a path, and keep the secret out of the spec")
    elif not text or (colon and (scheme not in schemes or not rest)):
        others = "".join(f", {scheme}://…" for scheme in schemes if scheme not in _SCHEMES)
        part.refuse(f"must be env://NAME, file://path or a path{others}")
    return text
