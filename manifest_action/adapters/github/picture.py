"""A small picture of an index: its tags, itself, and what it lists, as a Mermaid flowchart."""

import re
from collections.abc import Sequence

from manifest_action.adapters.tables import entry_name, size_text
from manifest_action.ops.outcome import EntryReport, IndexReport

_SHOWN = 12
_TEXT_LIMIT = 60


def picture(report: IndexReport) -> list[str]:
    """Lines of Markdown; none before the index is assembled."""
    if report.manifest is None:
        return []
    index = f'  index["{_label("index")}<br>{report.manifest.digest.short}"]'
    names = [_label(str(tag.reference.tag or tag.reference)) for tag in report.tags]
    tags = [f'  tag{number}(["{name}"]) --> index' for number, name in enumerate(_few(names))]
    children = [f"  index --> child{number}{_child(entry)}" for number, entry in enumerate(report.entries[:_SHOWN])]
    more = len(report.entries) - _SHOWN
    rest = [f'  index --> rest["and {more} more"]'] if more > 0 else []
    return ["```mermaid", "flowchart LR", index, *tags, *children, *rest, "```", ""]


def _few(names: Sequence[str]) -> list[str]:
    more = len(names) - _SHOWN
    return [*names[:_SHOWN], *([f"and {more} more"] if more > 0 else [])]


def _child(entry: EntryReport) -> str:
    name, size = _label(entry_name(entry)), size_text(entry)
    opening, closing = ('[/"', '"/]') if entry.is_attestation else ('["', '"]')
    return f"{opening}{name}<br>{entry.digest.short}{f', {size}' if size != '-' else ''}{closing}"


def _label(text: str) -> str:
    """`text` as part of a label: nothing in it can end the label, or be markup."""
    return re.sub(r"[^A-Za-z0-9 ._/:,+-]", "_", text)[:_TEXT_LIMIT]
