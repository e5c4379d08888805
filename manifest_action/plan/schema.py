"""The JSON Schema (draft 2020-12) of a spec, for editors; made from the reader's own table of keys."""

from collections.abc import Iterable, Sequence

from manifest_action.plan import keys
from manifest_action.plan.keys import Key


def spec_schema() -> dict[str, object]:
    """The schema of one document.

    It knows what can be known without reading references, and takes what YAML makes of unquoted text.
    Nothing is required, since the action's inputs may add any key.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Manifest Action spec",
        "description": "Joins per-architecture images into one multi-arch image.",
        "if": {"anyOf": [{"required": [key.name]} for key in keys.FILE_KEYS]},
        "then": {"$ref": "#/$defs/file"},
        "else": {"$ref": "#/$defs/index"},
        "$defs": {
            "file": _mapping(keys.FILE_KEYS) | {"required": ["indexes"]},
            "index": _mapping(keys.INDEX_KEYS),
            "source": _text_or(_mapping(keys.SOURCE_KEYS) | {"required": ["image"]}),
            "platform": _text_or(_mapping(keys.PLATFORM_KEYS)),
            "annotations": _text_or(
                {"type": "object", "additionalProperties": {"$ref": "#/$defs/scalar"}},
                {"type": "array", "items": {"$ref": "#/$defs/text"}},
            ),
            "attachment": _mapping(keys.ATTACH_KEYS) | {"required": ["file"]},
            "signers": _mapping(keys.SIGNER_KEYS),
            **{name: _mapping(signer.keys) for name, signer in keys.SIGNERS.items()},
            "boolean": {"anyOf": [{"type": "boolean"}, {"type": "string", "pattern": _in_any_case(keys.BOOLEANS)}]},
            "scalar": {"type": ["string", "number", "boolean", "null"]},
            "text": {"type": ["string", "number", "boolean"]},
            "secret": {"$ref": "#/$defs/text", "description": "env://NAME, file://path or a path, never the secret."},
            "seat": {
                "$ref": "#/$defs/text",
                "description": f"As a secret, or a key elsewhere: {', '.join(keys.KMS_SCHEMES)}://NAME.",
            },
        },
    }


def _mapping(known: Sequence[Key]) -> dict[str, object]:
    schema: dict[str, object] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            spelling: {"description": key.description, "anyOf": [key.schema, {"type": "null"}]}
            for key in known
            for spelling in (key.name, *key.aliases)
        },
    }
    aliased = [{"not": {"required": [key.name, *key.aliases]}} for key in known if key.aliases]
    return schema | {"allOf": aliased} if aliased else schema


def _text_or(*others: dict[str, object]) -> dict[str, object]:
    return {"anyOf": [{"$ref": "#/$defs/text"}, *others]}


def _in_any_case(words: Iterable[str]) -> str:
    spelled = ("".join(f"[{letter.upper()}{letter}]" for letter in word) for word in words)
    return f"^({'|'.join(spelled)})$"
