"""Warnings that registries send along (OCI distribution-spec 1.1, "Warnings"; RFC 7234, section 5.5)."""

from manifest_action.transport.registry.failure import TEXT_LIMIT, printable
from manifest_action.transport.registry.message import Headers

_PREFIX = '299 - "'


def read_warnings(headers: Headers) -> tuple[str, ...]:
    """The text of every `Warning: 299 - "text"`, as one printable line of at most 300 characters each."""
    return tuple(
        printable(value[len(_PREFIX) : -1].replace('\\"', '"').replace("\\\\", "\\"), TEXT_LIMIT)
        for value in headers.all("Warning")
        if value.startswith(_PREFIX) and value.endswith('"') and len(value) > len(_PREFIX) + 1
    )
