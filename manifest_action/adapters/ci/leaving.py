"""The files that a step leaves in the workspace, in the forms that CI systems and shells read."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path

from manifest_action.adapters.github.files import REPORT_DIRECTORY, write_file
from manifest_action.errors import StoreError

VALUE_LIMIT = 4096
"""Characters of one value in a file of assignments; larger ones are in `outputs.json` and in the report."""


def leave(workspace: Path, name: str, text: str) -> Path:
    """Write a file into the folder of reports in the workspace; gives its absolute path. StoreError when that fails."""
    try:
        return workspace / write_file(workspace, name, text)
    except OSError as error:
        raise StoreError(
            "the results cannot be left in the workspace",
            where=f"{workspace}/{REPORT_DIRECTORY}/{name}",
            why=error.strerror or "",
            hint="the step has to be able to write in the directory that the job works in",
        ) from None


def variable(name: str) -> str:
    """The name of an output as a variable's: `media-type` is `MANIFEST_ACTION_MEDIA_TYPE`."""
    return f"MANIFEST_ACTION_{name.upper().replace('-', '_')}"


def dotenv(values: Mapping[str, str], limit: int = 1 << 30) -> str:
    """Outputs as `NAME=value` lines without quotes, of at most `limit` bytes together.

    Values with spaces, line ends or over 4096 characters are left out, as nothing could read them back.
    """
    text = ""
    for name, value in values.items():
        line = f"{variable(name)}={value}\n"
        if len(value) <= VALUE_LIMIT and not set(value) & set(" \t\r\n\0") and len((text + line).encode()) <= limit:
            text += line
    return text


def exports(values: Mapping[str, str]) -> str:
    """Outputs as commands of a POSIX shell; every value is quoted, so none can be a command of its own."""
    return "".join(
        f"export {variable(name)}={shlex.quote(value)}\n"
        for name, value in values.items()
        if len(value) <= VALUE_LIMIT and "\0" not in value
    )


def properties(values: Mapping[str, str]) -> str:
    """Outputs in the form of Java's properties, ASCII only."""
    return "".join(f"{name}={_property(value)}\n" for name, value in values.items() if len(value) <= VALUE_LIMIT)


def _property(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    units = escaped.encode("utf-16-be", "replace")
    pairs = (int.from_bytes(units[at : at + 2]) for at in range(0, len(units), 2))
    text = "".join(chr(unit) if 0x20 <= unit < 0x7F else f"\\u{unit:04x}" for unit in pairs)
    return f"\\{text}" if text.startswith(" ") else text


def as_json(values: Mapping[str, str]) -> str:
    """Outputs as one JSON object of texts."""
    return json.dumps(dict(values), indent=2) + "\n"
