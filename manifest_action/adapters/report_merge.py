"""Joining the JSON reports of several runs, such as the shards of one spec, into one of the same form."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import manifest_action
from manifest_action.adapters.report import SCHEMA, Document
from manifest_action.adapters.textfile import read_text
from manifest_action.errors import (
    UNEXPECTED_EXIT_CODE,
    ConfigError,
    ManifestActionError,
    Problem,
)
from manifest_action.model.strictjson import parse_object

SIZE_LIMIT = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Part:
    """One report: where it came from, and what it says."""

    name: str
    document: Mapping[str, object]

    @property
    def indexes(self) -> Sequence[Mapping[str, object]]:
        """What it says of each index."""
        listed = self.document.get("indexes")
        return [index for index in listed if isinstance(index, dict)] if isinstance(listed, list) else []

    @property
    def error(self) -> Mapping[str, object] | None:
        """Why the run ended, None after a success."""
        error = self.document.get("error")
        return error if isinstance(error, dict) else None


def read_parts(paths: Sequence[str]) -> list[Part]:
    """Read reports. ConfigError with everything that is wrong with any of them."""
    problems = []
    parts = []
    for path in paths:
        try:
            document = parse_object(read_text(Path(path), Path("/"), SIZE_LIMIT).encode("utf-8", "surrogateescape"))
            if document.get("schema") != SCHEMA or not isinstance(document.get("indexes"), list):
                raise ValueError(f"is no report of schema {SCHEMA}")
        except ValueError as error:
            hint = "reports are what `manifest-action push --json` prints, and the action's output `report` points to"
            problems.append(Problem(f"{path[:200]!r} {error}", path="REPORT", hint=hint))
        else:
            parts.append(Part(path, document))
    if problems:
        raise ConfigError(problems)
    return parts


def merged(parts: Sequence[Part]) -> Document:
    """One report of all indexes, in the order of the parts; of one that is in several, the last says how it is."""
    indexes = {_key(index): index for part in parts for index in part.indexes}
    errors = [part.error for part in parts if part.error is not None]
    findings: list[object] = []
    for error in errors:
        found = error.get("findings")
        findings += found if isinstance(found, list) else []
    return {
        "schema": SCHEMA,
        "version": manifest_action.__version__,
        "success": all(part.document.get("success") is True for part in parts),
        "dryRun": any(part.document.get("dryRun") is True for part in parts),
        "changed": any(part.document.get("changed") is True for part in parts),
        "error": {**errors[0], "findings": findings} if errors else None,
        "indexes": list(indexes.values()),
    }


def _key(index: Mapping[str, object]) -> tuple[str, ...]:
    """What makes an index another one: its name and its tags, as several may have a name without a tag.

    Without any tag its digest has to do.
    """
    listed = index.get("tags")
    tags = [str(tag.get("reference")) for tag in listed if isinstance(tag, dict)] if isinstance(listed, list) else []
    return (str(index.get("name")), *(tags or [str(index.get("digest"))]))


def failure(parts: Sequence[Part]) -> ManifestActionError | None:
    """The failure of the first part that failed, with its exit code; None when all went well."""
    failed = [part for part in parts if part.document.get("success") is not True]
    if not failed:
        return None
    found = (failed[0].error or {}).get("exitCode")
    error = ManifestActionError(
        f"{len(failed)} of {len(parts)} runs failed",
        where=failed[0].name,
        hint="run those shards again; what is in place already is left as it is",
    )
    error.exit_code = found if isinstance(found, int) and 0 < found < 256 else UNEXPECTED_EXIT_CODE
    return error
