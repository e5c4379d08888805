"""Reading keys and passphrases from where a spec says they are; they are never written in it."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from manifest_action.errors import SigningError
from manifest_action.events import Reporter, SecretLearned, Warned

SIZE_LIMIT = 64 * 1024
_VARIABLE = "env://"
_FILE = "file://"


class Material:
    """Reads `env://NAME`, `file://path` and plain paths; what is secret is told to the reporter before it is used.

    Used for a block, at the end of which everything that was laid out for signing is put away again.
    """

    def __init__(self, environment: Mapping[str, str], reporter: Reporter) -> None:
        self.environment = environment
        self._reporter = reporter
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def at_the_end(self, put_away: Callable[[], None]) -> None:
        """Have something done at the end of the block, the last first, whatever happens meanwhile."""
        self._stack.callback(put_away)

    def warn(self, text: str) -> None:
        """Say something that a person should know."""
        self._reporter.emit(Warned(text))

    def passphrase(self, reference: str) -> bytes | None:
        """A passphrase, without the line break at the end that files have; None when its variable is not set."""
        content = self.secret(reference, "passphrase")
        if content is not None and not reference.startswith(_VARIABLE):
            content = content.removesuffix(b"\n").removesuffix(b"\r")
        return content

    def secret(self, reference: str, what: str) -> bytes | None:
        """A key or passphrase of at most 64 KiB; None when a variable is not set.

        what: its name in messages; a plain path is not repeated in them, as it may be a secret put there by mistake
        """
        content = self._read(reference, what)
        if content:
            self.learned(content.decode(errors="replace"))
        return content

    def learned(self, secret: str) -> None:
        """Tell the reporter of a secret that came from elsewhere."""
        self._reporter.emit(SecretLearned(secret))

    def public(self, reference: str, what: str) -> bytes:
        """Something that everybody may see; SigningError when a variable is not set."""
        content = self._read(reference, what)
        if content is None:
            raise unset(reference, what)
        return content

    def _read(self, reference: str, what: str) -> bytes | None:
        if reference.startswith(_VARIABLE):
            value = self.environment.get(reference.removeprefix(_VARIABLE))
            return None if value is None else value.encode(errors="surrogateescape")
        try:
            with Path(reference.removeprefix(_FILE)).open("rb") as file:
                content = file.read(SIZE_LIMIT + 1)
        except (OSError, ValueError) as error:
            raise SigningError(
                f"the file of {what} cannot be read",
                where=reference if reference.startswith(_FILE) else "",
                why=getattr(error, "strerror", None) or "",
                hint="write env://NAME for a variable, or a path that begins in the working directory",
            ) from None
        if len(content) > SIZE_LIMIT:
            raise SigningError(f"the file of {what} has more than {SIZE_LIMIT} bytes")
        return content


def unset(reference: str, what: str) -> SigningError:
    """The error for a variable that is not there."""
    name = reference.removeprefix(_VARIABLE)
    return SigningError(
        f"{what} is missing: the variable {name} is not set",
        hint=f"set {name} in the step's env, for instance from a secret",
    )
