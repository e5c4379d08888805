"""The store's state file: which lists there are, under which names, and where their instances live. Pure.

A JSON object: `version` (1) and `lists`, each with `names`, `index` (a descriptor of the list in the layout) and
`locations` (digest to place). A place is `{"transport", "registry", "repository", "tag", "digest"}`, fields of
`Reference`, so that a path may hold any character; empty ones are left out.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from manifest_action.model.descriptor import Descriptor, string
from manifest_action.model.digest import Digest
from manifest_action.model.reference import Reference, Repository
from manifest_action.model.strictjson import parse_object

VERSION = 1


@dataclass(frozen=True, slots=True)
class Record:
    """One list: its names, at least one, the descriptor of its bytes, and the locations of its instances."""

    names: tuple[str, ...]
    target: Descriptor
    locations: Mapping[Digest, Reference] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class State:
    """Every list of a store. A name leads to one list only."""

    records: tuple[Record, ...] = ()

    @classmethod
    def parse(cls, raw: bytes) -> "State":
        """Read the file's bytes; ValueError says what is wrong."""
        document = parse_object(raw)
        if document.get("version") != VERSION:
            raise ValueError(f"its version is {str(document.get('version'))[:40]!r}; only {VERSION} is known")
        lists = document.get("lists")
        if not isinstance(lists, list):
            raise ValueError("lists must be a list")
        return cls(tuple(_record(each) for each in lists))

    def serialise(self) -> bytes:
        """The file's bytes; the same content always gives the same."""
        lists = [_record_document(record) for record in self.records]
        return json.dumps({"version": VERSION, "lists": lists}, indent=2, ensure_ascii=False).encode() + b"\n"

    def named(self, name: str) -> Record | None:
        """The list of that name."""
        return next((record for record in self.records if name in record.names), None)

    def names(self) -> tuple[str, ...]:
        """Every name, list by list."""
        return tuple(name for record in self.records for name in record.names)

    def with_record(self, new: Record, old: Record | None = None) -> "State":
        """`new` in the place of `old`, which is one of these, else last. Other lists lose the names it has."""
        records = [new if record is old else _without(record, new.names) for record in self.records]
        return _named([*records, *([] if old else [new])])

    def without(self, gone: Record) -> "State":
        """The state without this list, which is one of its."""
        return State(tuple(record for record in self.records if record is not gone))


def _without(record: Record, names: Sequence[str]) -> Record:
    return replace(record, names=tuple(name for name in record.names if name not in names))


def _named(records: Iterable[Record]) -> State:
    """A list that has lost its last name is gone."""
    return State(tuple(record for record in records if record.names))


def _record(document: object) -> Record:
    members = _object(document, "a list")
    names = members.get("names")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise ValueError("a list's names must be strings, at least one")
    locations = _object(members.get("locations"), "locations")
    return Record(
        names=tuple(names),
        target=Descriptor.from_document(members.get("index")),
        locations={Digest.parse(digest): _location(place) for digest, place in locations.items()},
    )


def _location(document: object) -> Reference:
    members = _object(document, "a location")
    digest = string(members, "digest")
    return Reference(
        Repository(
            string(members, "transport", required=True),
            string(members, "registry"),
            string(members, "repository", required=True),
        ),
        string(members, "tag"),
        Digest.parse(digest) if digest else None,
    )


def _object(document: object, what: str) -> Mapping[str, object]:
    if not isinstance(document, Mapping):
        raise ValueError(f"{what} must be an object")
    return document


def _record_document(record: Record) -> dict[str, object]:
    return {
        "names": list(record.names),
        "index": record.target.to_document(),
        "locations": {str(digest): _location_document(place) for digest, place in record.locations.items()},
    }


def _location_document(location: Reference) -> dict[str, str]:
    repository = location.repository
    members = {
        "transport": repository.transport,
        "registry": repository.registry,
        "repository": repository.name,
        "tag": location.tag,
        "digest": str(location.digest or ""),
    }
    return {name: value for name, value in members.items() if value}
