"""Content digests (OCI image-spec 1.1, descriptor.md, "Digests")."""

import hashlib
import re
import sys
from dataclasses import dataclass

_ENCODED = {"sha256": re.compile(r"[0-9a-f]{64}"), "sha512": re.compile(r"[0-9a-f]{128}")}


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """`algorithm:encoded`; only the registered algorithms sha256 and sha512 exist here."""

    algorithm: str
    encoded: str

    @classmethod
    def parse(cls, text: str) -> "Digest":
        """Read `sha256:<64 lower-case hex>` or `sha512:<128 lower-case hex>`; ValueError says what is wrong."""
        algorithm, colon, encoded = text.partition(":")
        if not colon:
            raise ValueError(f"a digest looks like sha256:<64 hex digits>, not {text[:80]!r}")
        pattern = _ENCODED.get(algorithm)
        if pattern is None:
            raise ValueError(f"unknown digest algorithm {algorithm[:40]!r}; sha256 and sha512 are known")
        if not pattern.fullmatch(encoded):
            length = 64 if algorithm == "sha256" else 128
            raise ValueError(f"a {algorithm} digest has {length} lower-case hex digits, this one has {encoded[:140]!r}")
        return cls(sys.intern(algorithm), encoded)

    @classmethod
    def of(cls, content: bytes, algorithm: str = "sha256") -> "Digest":
        """The digest of `content`."""
        return cls(sys.intern(algorithm), hashlib.new(algorithm, content).hexdigest())

    def matches(self, content: bytes) -> bool:
        """Whether `content` has this digest."""
        return Digest.of(content, self.algorithm) == self

    def hasher(self) -> "hashlib._Hash":
        """A fresh hashlib object of this digest's algorithm, for content that streams by."""
        return hashlib.new(self.algorithm)

    @property
    def short(self) -> str:
        """The first 12 hex digits, for tables; never for identity."""
        return self.encoded[:12]

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.encoded}"
