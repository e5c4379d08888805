"""Platforms of an index's entries (OCI image-spec 1.1, image-index.md, "platform")."""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass

_WORD = re.compile(r"[A-Za-z0-9._-]{1,64}")
_OS_ALIASES = {"macos": "darwin"}
_ARCHITECTURE_ALIASES: Mapping[str, tuple[str, str]] = {
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "i386": ("386", ""),
    "i686": ("386", ""),
    "aarch64": ("arm64", ""),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
}
_DEFAULT_VARIANTS = {("amd64", "v1"): "", ("arm64", "v8"): "", ("arm", ""): "v7"}


@dataclass(frozen=True, slots=True)
class Platform:
    """Where an image runs. Empty fields are not stated.

    `os_version` and `os_features` are the specification's `os.version` and `os.features`;
    `features` exists in Docker manifest lists only.
    """

    os: str = ""
    architecture: str = ""
    variant: str = ""
    os_version: str = ""
    os_features: tuple[str, ...] = ()
    features: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Platform":
        """Read `os/architecture[/variant]`, also `windows(10.0.17763.1)/amd64` and `windows/amd64:10.0.17763.1`.

        Common spellings are folded (x86_64 is amd64, aarch64 is arm64, armhf is arm/v7).
        ValueError says what is wrong.
        """
        body, _, os_version = text.partition(":")
        parts = body.split("/")
        inner = re.fullmatch(r"([^()]*)\(([^()]*)\)", parts[0])
        if inner and os_version:
            raise ValueError(f"a platform has one os.version, {text[:80]!r} has two")
        if inner:
            parts[0], os_version = inner.groups()
        if len(parts) not in (2, 3):
            raise ValueError(f"a platform looks like linux/arm64 or linux/arm/v7, not {text[:80]!r}")
        return cls.of(*parts, os_version=os_version)

    @classmethod
    def of(
        cls,
        os: str,
        architecture: str,
        variant: str = "",
        *,
        os_version: str = "",
        os_features: tuple[str, ...] = (),
        features: tuple[str, ...] = (),
    ) -> "Platform":
        """A platform a person wrote: os and architecture are required, spellings folded; ValueError otherwise."""
        words = {"os": os, "architecture": architecture, "variant": variant, "os.version": os_version}
        for name, word in words.items():
            if not word and name in ("os", "architecture"):
                raise ValueError(f"a platform needs {name}")
            if word and not _WORD.fullmatch(word):
                raise ValueError(f"{name} {word[:80]!r} may hold letters, digits, '.', '_' and '-' only")
        os, architecture, variant = os.lower(), architecture.lower(), variant.lower()
        os = _OS_ALIASES.get(os, os)
        architecture, implied = _ARCHITECTURE_ALIASES.get(architecture, (architecture, ""))
        return cls(os, architecture, variant or implied, os_version, tuple(os_features), tuple(features))

    @property
    def is_unknown(self) -> bool:
        """Whether this is buildx's `unknown/unknown`, the mark of an attestation entry."""
        return (self.os, self.architecture) == ("unknown", "unknown")

    @property
    def key(self) -> tuple[str, str, str]:
        """Os, architecture and variant with the default variants folded, for comparing."""
        variant = _DEFAULT_VARIANTS.get((self.architecture, self.variant), self.variant)
        return self.os, self.architecture, variant

    def same_as(self, other: "Platform") -> bool:
        """Whether a runtime could not tell the two apart: equal in all fields once default variants are folded."""
        return (
            self.key == other.key
            and self.os_version == other.os_version
            and set(self.os_features) == set(other.os_features)
            and set(self.features) == set(other.features)
        )

    def selects(self, other: "Platform") -> bool:
        """Whether `other` is one of the platforms meant here: fields that are not stated here match anything.

        The variant counts as stated: `linux/arm` means v7, as runtimes read it.
        """
        return (
            self.key == other.key
            and self.os_version in ("", other.os_version)
            and set(self.os_features) <= set(other.os_features)
            and set(self.features) <= set(other.features)
        )

    def contradicts(self, other: "Platform") -> bool:
        """Whether a field is stated in both and differs; silence on either side is no contradiction."""
        mine = (self.os, self.architecture, self.stated_variant, self.os_version)
        others = (other.os, other.architecture, other.stated_variant, other.os_version)
        return any(a and b and a != b for a, b in zip(mine, others, strict=True))

    @property
    def stated_variant(self) -> str:
        """The variant if one was written down, in a spelling that compares: arm64's silence and v8 are the same."""
        return "" if (self.architecture, self.variant) in (("arm64", "v8"), ("amd64", "v1")) else self.variant

    def filled_from(self, other: "Platform") -> "Platform":
        """This platform with the fields it does not state taken from `other`."""
        return Platform(
            self.os or other.os,
            self.architecture or other.architecture,
            self.variant or (other.variant if self.architecture in ("", other.architecture) else ""),
            self.os_version or other.os_version,
            self.os_features or other.os_features,
            self.features or other.features,
        )

    def to_document(self) -> dict[str, object]:
        """The JSON object of the specification; fields that are not stated are left out (Quay refuses empty ones)."""
        fields: dict[str, object] = {"architecture": self.architecture, "os": self.os}
        if self.os_version:
            fields["os.version"] = self.os_version
        if self.os_features:
            fields["os.features"] = list(self.os_features)
        if self.variant:
            fields["variant"] = self.variant
        if self.features:
            fields["features"] = list(self.features)
        return fields

    @classmethod
    def from_document(cls, fields: Mapping[str, object]) -> "Platform":
        """Read the JSON object as found, without folding; ValueError when a field has the wrong type."""
        return cls(
            _text(fields, "os"),
            _text(fields, "architecture"),
            _text(fields, "variant"),
            _text(fields, "os.version"),
            _texts(fields, "os.features"),
            _texts(fields, "features"),
        )

    def __str__(self) -> str:
        os = f"{self.os}({self.os_version})" if self.os_version else self.os
        return "/".join(part for part in (os, self.architecture, self.variant) if part)


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a string")
    # Thousands of images have the same few words.
    return sys.intern(value)


def _texts(fields: Mapping[str, object], name: str) -> tuple[str, ...]:
    value = fields.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"{name} must be a list of strings")
    return tuple(value)
