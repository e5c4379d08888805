"""Doing independent things at once: a run is a few waves of requests, one after the other."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from queue import SimpleQueue
from threading import Thread
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from manifest_action.errors import ManifestActionError

_MOMENT = 2.0
"""Seconds; enough for requests that fail beside another for the same reason, so that they are told together."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class Task(Protocol):
    """Something to do, which may lead to more."""

    def __call__(self) -> "Iterable[Task]":
        """Do it; gives the tasks that can be begun now."""


class Waves:
    """A fixed crew of threads. `workers` is how many things happen at once, at least 1."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="wave")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # After a failure or a signal nobody waits for uploads that are still under way.
        self._pool.shutdown(wait=kind is None, cancel_futures=True)

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """The results of `function` for every item, in order.

        After the first failure no further item is begun, and what is under way gets a moment to end: it may be
        a large upload, or waiting for minutes as a registry asked. Then it is left to itself, until the transport
        is closed. The first error in item order is raised; other expected errors beside it are in its `others`.
        """
        results: dict[int, Result] = {}
        self.follow([partial(_keep, results, place, function, item) for place, item in enumerate(items)])
        return [results[place] for place in range(len(results))]

    def follow(self, tasks: Iterable[Task]) -> None:
        """Carry out tasks and those that they give, each as soon as a thread is free. Failures as `map`."""
        # Futures are made shortly before their turn and come by once, when they are done: a thousand indexes are
        # tens of thousands of tasks, and looking at all of them each time would cost their square.
        waiting = deque(tasks)
        under_way: dict[Future[Iterable[Task]], None] = {}
        done: SimpleQueue[Future[Iterable[Task]]] = SimpleQueue()
        try:
            while waiting or under_way:
                while waiting and len(under_way) < 2 * self._workers:
                    future = self._pool.submit(waiting.popleft())
                    under_way[future] = None
                    future.add_done_callback(done.put)
                future = done.get()
                if future.exception() is not None:
                    break
                del under_way[future]
                waiting.extend(future.result())
        finally:
            for future in under_way:
                future.cancel()
        _settle(list(under_way))

    def half(self) -> "Waves":
        """A crew half as large, for what goes on beside something that matters more."""
        return Waves(max(1, self._workers // 2))

    def aside(self, function: Callable[[], Result]) -> Callable[[], Result]:
        """Begin `function`, which may use `map`, while other things go on; what is given waits for its result.

        It is left to itself when nobody waits for it because something else failed.
        """
        future: Future[Result] = Future()

        def work() -> None:
            try:
                future.set_result(function())
            except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
                future.set_exception(error)

        Thread(target=work, name="aside", daemon=True).start()
        return future.result


def _keep(results: dict[int, Result], place: int, function: Callable[[Item], Result], item: Item) -> "tuple[Task, ...]":
    """A task that leads to nothing but a result."""
    results[place] = function(item)
    return ()


def _settle(futures: "Sequence[Future[Any]]") -> None:
    """Give what is under way after a failure a moment to end, and raise; nothing when all went well."""
    wait((future for future in futures if not future.cancelled()), timeout=_MOMENT)
    errors = [error for error in map(_error, futures) if error is not None]
    if errors:
        raise _combined(errors)


def _error(future: "Future[Any]") -> BaseException | None:
    return future.exception() if future.done() and not future.cancelled() else None


def _combined(errors: list[BaseException]) -> BaseException:
    """The error to raise: a bug before an expected failure, the rest attached to it."""
    for error in errors:
        if not isinstance(error, ManifestActionError):
            return error
    first, *others = (error for error in errors if isinstance(error, ManifestActionError))
    seen = {str(first)}
    unique = [other for other in others if not (str(other) in seen or seen.add(str(other)))]  # type: ignore[func-returns-value]
    first.others = tuple(unique)
    return first
