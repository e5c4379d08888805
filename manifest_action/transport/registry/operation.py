"""Requests that belong together, whose failures are counted together."""

from collections.abc import Callable

from manifest_action.transport.registry.failure import Failure
from manifest_action.transport.registry.patience import Patience


class Operation:
    """Decides after each failure whether there is another try.

    challenged: learns from a 401; whether asking again makes sense
    """

    def __init__(self, patience: Patience, challenged: Callable[[Failure], bool]) -> None:
        self._patience = patience
        self._challenged = challenged
        self._refused: set[bool] = set()

    def again(self, failure: Failure) -> None:
        """Return when it is time for the next try; raise the failure's error when there is none.

        A 401 is answered at once: by a login when there was none, and once more by a renewed one.
        """
        with_login = bool(failure.authorization)
        if failure.challenges and with_login not in self._refused:
            self._refused.add(with_login)
            if self._challenged(failure):
                return
        self._patience.wait(failure)

    def progressed(self) -> None:
        """Something substantial was achieved: earlier failures no longer count."""
        self._refused.clear()
        self._patience.progressed()
