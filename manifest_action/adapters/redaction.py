"""Keeping secrets out of whatever is printed or written."""

import base64
import threading
from collections.abc import Callable

Redact = Callable[[str], str]
"""Gives a text without secrets."""

_SHORTEST = 4
"""Shorter values are no secrets in any useful sense, and blanking them out would garble everything else."""


class Redactor:
    """Replaces the secrets it has learned of by `***`; used by several threads at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._secrets: tuple[str, ...] = ()

    def learn(self, secret: str) -> tuple[str, ...]:
        """Take note of a secret; the forms that were new, longest first: itself, its lines, its base64."""
        forms = {secret, *(line.strip() for line in secret.splitlines()), base64.b64encode(_encoded(secret)).decode()}
        with self._lock:
            new = {form for form in forms if len(form) >= _SHORTEST} - set(self._secrets)
            self._secrets = tuple(sorted({*self._secrets, *new}, key=len, reverse=True))
        return tuple(sorted(new, key=len, reverse=True))

    def __call__(self, text: str) -> str:
        """`text` without the secrets."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


def _encoded(secret: str) -> bytes:
    """The bytes of a secret: those it was read from, also when they are no UTF-8."""
    try:
        return secret.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return secret.encode(errors="surrogatepass")
