"""Every error this program ends with, and the exit code of each.

    ManifestActionError
    ├── ConfigError            2   the spec, an input or an argument is wrong
    ├── ResolveError           3   a source cannot be found or is not what it was said to be
    ├── AssembleError          4   the index that would result is not acceptable
    ├── RegistryError          5   a registry refused or answered nonsense
    │   ├── AuthError          6   credentials are missing, wrong or not enough
    │   ├── NetworkError       7   a host cannot be reached, or stopped answering
    │   └── RateLimited        8   a registry asked for more patience than the budget has
    ├── ContentError           9   bytes do not match their digest, size or media type
    ├── StoreError            10   a local layout, archive or directory cannot be read or written
    ├── SigningError          11   a signature could not be made or found
    ├── PolicyError           12   a policy forbids a source
    ├── PartialTagError       13   the content is in place, but some tags did not move
    └── Interrupted      130, 143  SIGINT, SIGTERM
    unexpected                70

All are defined here so that the codes stay unique.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

UNEXPECTED_EXIT_CODE = 70
INTERRUPTED_EXIT_CODE = 130
TERMINATED_EXIT_CODE = 143


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place in something a person wrote: `file` (a path or a label such as `input tags`), line and column from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing a user got wrong: what, where (mark and a path such as `sources[1].platform`), and what to do."""

    what: str
    mark: Mark | None = None
    path: str = ""
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.mark}: " if self.mark else ""
        field = f"{self.path}: " if self.path else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}{field}{self.what}{hint}"


class ManifestActionError(Exception):
    """The base of every expected failure.

    what:  what went wrong, one sentence, no trailing full stop
    where: the reference, file or address it happened at
    why:   what the other side said, or the cause that is known (already safe to print)
    hint:  what the user can do about it
    mark:  the place in the user's own text that led here, when one is known
    others: further failures of the same step, which happened side by side with this one
    """

    exit_code: int = UNEXPECTED_EXIT_CODE
    code: ClassVar[str] = "unexpected"

    def __init__(self, what: str, *, where: str = "", why: str = "", hint: str = "", mark: Mark | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.why = why
        self.hint = hint
        self.mark = mark
        self.others: tuple[ManifestActionError, ...] = ()

    def __copy__(self) -> Self:
        """The same failure for somebody else. Made without the constructor, as that differs from kind to kind."""
        twin = type(self).__new__(type(self), *self.args)
        twin.__dict__.update(self.__dict__)
        return twin

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head}: {self.why}" if self.why else head


class ConfigError(ManifestActionError):
    """The user's text is wrong; carries every problem found, in the order of the text."""

    exit_code = 2
    code = "config"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        more = f" (and {len(self.problems) - 1} more)" if len(self.problems) > 1 else ""
        super().__init__(f"{first}{more}", mark=first.mark)


class ResolveError(ManifestActionError):
    """A source is missing, or is not what the spec says it is."""

    exit_code = 3
    code = "resolve"


class AssembleError(ManifestActionError):
    """The sources are readable, but the index they would make is not acceptable; nothing was written."""

    exit_code = 4
    code = "assemble"


class RegistryError(ManifestActionError):
    """A registry refused a request or answered outside the protocol.

    status: the HTTP status, 0 when there was none
    codes:  the registry's own error codes (distribution-spec 1.1, "Error Codes"), upper case
    """

    exit_code = 5
    code = "registry"

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        why: str = "",
        hint: str = "",
        mark: Mark | None = None,
        status: int = 0,
        codes: Sequence[str] = (),
    ) -> None:
        super().__init__(what, where=where, why=why, hint=hint, mark=mark)
        self.status = status
        self.codes = tuple(codes)


class AuthError(RegistryError):
    """Credentials are missing, wrong, or do not allow the request."""

    exit_code = 6
    code = "auth"


class NetworkError(RegistryError):
    """A host could not be reached, broke the connection, or stalled, and retries did not help."""

    exit_code = 7
    code = "network"


class RateLimited(RegistryError):
    """The registry asked to wait for longer than the run may still take."""

    exit_code = 8
    code = "rate-limited"


class ContentError(ManifestActionError):
    """Bytes do not match the digest, size or media type they were promised under."""

    exit_code = 9
    code = "content"


class StoreError(ManifestActionError):
    """A local layout, archive, directory or store cannot be read or written."""

    exit_code = 10
    code = "store"


class SigningError(ManifestActionError):
    """A signature could not be made, stored or verified."""

    exit_code = 11
    code = "signing"


class PolicyError(ManifestActionError):
    """The signature policy does not allow a source."""

    exit_code = 12
    code = "policy"


class Interrupted(ManifestActionError):
    """The run was told to stop: SIGINT ends it with exit code 130, SIGTERM with 143."""

    code = "interrupted"

    def __init__(self, signal_name: str, exit_code: int) -> None:
        super().__init__(f"stopped by {signal_name}", hint="run it again; what is in place already is not sent again")
        self.exit_code = exit_code


class PartialTagError(ManifestActionError):
    """Every image is in place, but not every tag could be moved; the report holds the state of each."""

    exit_code = 13
    code = "partial-tags"
