"""Write what the documents say from what the program declares.

    .venv/bin/python scripts/write_docs.py

docs/inputs-outputs.md has the inputs and outputs of action.yml, docs/spec.md every key of the schema; in both, only
the parts between `<!-- written: NAME -->` and `<!-- end -->` are touched. docs/spec.schema.json is written whole.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from manifest_action.plan.schema import spec_schema

ROOT = Path(__file__).resolve().parent.parent
ACTION = ROOT / "action.yml"
PART = re.compile(r"(<!-- written: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
TITLES = {
    "file": "A file of several indexes",
    "index": "An index",
    "source": "A source",
    "platform": "A platform",
}
WORDS = {
    "secret": "`env://NAME` or a path",
    "seat": "`env://NAME`, a path, or a KMS URI",
    "text": "text",
    "boolean": "`true`, `false`",
    "scalar": "text",
}


def main() -> None:
    """Write every document that is written from something."""
    for file, text in written_documents().items():
        file.write_text(text, encoding="utf-8")


def written_documents() -> Mapping[Path, str]:
    """Every such document, as it should be."""
    docs = ROOT / "docs"
    return {
        docs / "inputs-outputs.md": _filled(docs / "inputs-outputs.md"),
        docs / "spec.md": _filled(docs / "spec.md"),
        docs / "spec.schema.json": json.dumps(spec_schema(), indent=2) + "\n",
    }


def _filled(file: Path) -> str:
    parts: Mapping[str, Callable[[], Iterator[str]]] = {"inputs": _inputs, "outputs": _outputs, "keys": _keys}

    def part(match: re.Match[str]) -> str:
        return f"{match[1]}" + "".join(f"{line}\n" for line in parts[match[2]]()) + match[3]

    text, count = PART.subn(part, file.read_text(encoding="utf-8"))
    if not count:
        raise ValueError(f"{file} has no part that is written")
    return text


def _inputs() -> Iterator[str]:
    yield from ("", "| Input | Meaning | Default |", "|---|---|---|")
    for name, declared in _declared("inputs").items():
        default = f"`{declared['default']}`" if "default" in declared else ""
        yield f"| `{name}` | {_cell(declared['description'])} | {default} |".replace("|  |", "| |")
    yield ""


def _outputs() -> Iterator[str]:
    yield from ("", "| Output | Meaning |", "|---|---|")
    for name, declared in _declared("outputs").items():
        yield f"| `{name}` | {_cell(declared['description'])} |"
    yield ""


def _declared(kind: str) -> Mapping[str, Any]:
    action: Mapping[str, Mapping[str, Any]] = yaml.safe_load(ACTION.read_text(encoding="utf-8"))
    return action[kind]


def _keys() -> Iterator[str]:
    """A table for each mapping of the schema, first those that have a title here, then the signers by name."""
    schema: Mapping[str, Any] = spec_schema()
    definitions = schema["$defs"]
    for name in [*TITLES, *(name for name in definitions if name not in TITLES)]:
        properties = _properties(definitions[name])
        if properties:
            yield from ("", f"### {TITLES.get(name, f'`{name}`')}", "", "| Key | Values | Meaning |", "|---|---|---|")
            for names, schema in _by_meaning(properties):
                yield f"| {names} | {_cell(_values(schema))} | {_cell(schema['description'])} |"
    yield ""


def _properties(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if "properties" in schema:
        properties: Mapping[str, Any] = schema["properties"]
        return properties
    inner = [_properties(each) for each in schema.get("anyOf", ())]
    return next((each for each in inner if each), {})


def _by_meaning(properties: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each key once, with its other spellings."""
    spellings: dict[str, list[str]] = {}
    for name, schema in properties.items():
        spellings.setdefault(json.dumps(schema, sort_keys=True), []).append(name)
    for text, names in spellings.items():
        more = f" (also {', '.join(f'`{name}`' for name in names[1:])})" if len(names) > 1 else ""
        yield f"`{names[0]}`{more}", json.loads(text)


def _values(schema: Mapping[str, Any]) -> str:
    """What a key takes, in a few words."""
    if "enum" in schema:
        return ", ".join(f"`{word}`" for word in schema["enum"])
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return WORDS.get(name, name)
    if schema.get("type") == "array":
        return f"list of {_values(schema['items'])}"
    if schema.get("type") == "boolean":
        return "`true`, `false`"
    words = [_values(each) for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    return " or ".join(dict.fromkeys(words)) or str(schema.get("type", "text"))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    main()
