"""Requests that belong together, whose failures are counted together."""

from collections.abc import Callable

from manifest_action.transport.registry.failure import Failure
from manifest_action.transport.registry.patience import Patience

_MOST_LOGINS = 3


class Operation:
    """Decides after each failure whether there is another try.

    challenged: learns from a 401; whether asking again makes sense
    """

    def __init__(self, patience: Patience, challenged: Callable[[Failure], bool]) -> None:
        self._patience = patience
        self._challenged = challenged
        self._refused: set[str] = set()

    def again(self, failure: Failure) -> None:
        """Return when it is time for the next try; raise the failure's error when there is none.

        A 401 is answered at once by another login, three times at most and by none that was refused before: where
        tokens are short-lived, one may end before it is used, as other requests of the host wait in between.
        """
        used = failure.authorization
        if failure.challenges and used not in self._refused and len(self._refused) < _MOST_LOGINS:
            self._refused.add(used)
            if self._challenged(failure):
                return
        self._patience.wait(failure)

    def progressed(self) -> None:
        """Something substantial was achieved: earlier failures no longer count."""
        self._refused.clear()
        self._patience.progressed()
