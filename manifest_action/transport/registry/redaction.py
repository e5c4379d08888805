"""The secrets of a run: announced once each, and kept out of every error."""

from threading import Lock

from manifest_action.events import Reporter, SecretLearned

_SHORTEST = 4


class Secrets:
    """Announces secrets to a reporter and blanks them out of text, for any number of threads."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._lock = Lock()
        self._known: tuple[str, ...] = ()

    def learn(self, *values: str) -> None:
        """Take note of secrets. Values under 4 characters are no secrets, and would garble all text."""
        for value in values:
            with self._lock:
                if len(value) < _SHORTEST or value in self._known:
                    continue
                self._known = tuple(sorted((*self._known, value), key=len, reverse=True))
            self._reporter.emit(SecretLearned(value))

    def redact(self, text: str) -> str:
        """`text` with `***` in place of every secret."""
        for secret in self._known:
            text = text.replace(secret, "***")
        return text
