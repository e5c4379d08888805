"""Where the signatures of images are, by containers-registries.d(5); reading the files is left to others. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from manifest_action.errors import ConfigError, Mark, Problem
from manifest_action.model.reference import Reference
from manifest_action.signing.policy.scopes import scopes

_TRUTHS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Section:
    """What is said of a scope.

    lookaside:   address under which signatures are read, empty when nothing is said
    staging:     address under which they are written, empty when that is the same
    attachments: whether sigstore signatures are read from the image's repository, None when nothing is said
    """

    lookaside: str = ""
    attachments: bool | None = None
    staging: str = ""


@dataclass(frozen=True, slots=True)
class Registries:
    """All files of a registries.d together.

    store: the lookaside where no section names one
    """

    default: Section = Section()
    sections: Mapping[str, Section] = field(default_factory=dict, hash=False)
    store: str = ""

    def lookaside(self, image: Reference) -> str:
        """The base address of the signatures of an image, `file://`, `http://` or `https://`; empty for none."""
        return self._first(image, lambda section: section.lookaside or None) or self.store

    def staging(self, image: Reference) -> str:
        """The base address under which signatures of an image are written; empty when no section names one."""
        return self._first(image, lambda section: section.staging or section.lookaside or None) or ""

    def reads_attachments(self, image: Reference) -> bool:
        """Whether to read sigstore signatures from the image's repository: yes, unless that is turned off."""
        return self._first(image, lambda section: section.attachments) is not False

    def _first(self, image: Reference, look: Callable[[Section], Found | None]) -> Found | None:
        """What the narrowest section says that says anything."""
        known = [self.sections[scope] for scope in scopes(image) if scope in self.sections]
        return next((found for section in (*known, self.default) if (found := look(section)) is not None), None)


NOWHERE = Registries()
"""No lookaside is known."""


def read_registries(documents: Iterable[tuple[str, object]], store: str) -> Registries:
    """Put the documents of all files together.

    documents: each file's name, and what it holds as dictionaries, lists and text
    store:     see `Registries`

    Keys that are not known are left to newer versions. Raises ConfigError: another type than there should be, or a
    scope in two files.
    """
    defaults: dict[str, Section] = {}
    sections: dict[str, Section] = {}
    for file, document in documents:
        top = _mapping(document, file, "")
        if "default-docker" in top:
            _put(defaults, "default-docker", top["default-docker"], file)
        for scope, section in _mapping(top.get("docker", {}), file, "docker").items():
            _put(sections, scope, section, file)
    return Registries(defaults.get("default-docker", Section()), sections, store)


def _put(sections: dict[str, Section], scope: str, value: object, file: str) -> None:
    if scope in sections:
        raise _refused("another file says something about this already", file, scope)
    section = _mapping(value, file, scope)
    lookaside = _address(section, "lookaside", "sigstore", file, scope)
    staging = _address(section, "lookaside-staging", "sigstore-staging", file, scope)
    attachments = section.get("use-sigstore-attachments")
    if attachments is not None and str(attachments).lower() not in _TRUTHS:
        raise _refused("use-sigstore-attachments must be true or false", file, scope)
    reads = None if attachments is None else _TRUTHS[str(attachments).lower()]
    sections[scope] = Section(lookaside, reads, staging)


def _address(section: Mapping[str, object], name: str, old_name: str, file: str, scope: str) -> str:
    address = section.get(name, section.get(old_name, ""))
    if not isinstance(address, str) or (address and not address.startswith(("file:///", "http://", "https://"))):
        raise _refused(f"{name} must be an address that begins with file:///, http:// or https://", file, scope)
    return address


def _mapping(value: object, file: str, path: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise _refused("this must be a mapping", file, path)
    return value


def _refused(what: str, file: str, path: str) -> ConfigError:
    return ConfigError([Problem(what, Mark(file, 1, 1), path)])
