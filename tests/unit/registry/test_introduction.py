import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from manifest_action.errors import AuthError
from manifest_action.transport.registry.introduction import Introduction


def nothing() -> None:
    """For waiters that have nothing to do meanwhile."""


class Visitors:
    """Threads that ask a host something; the first of them introduces all."""

    def __init__(self, introduction: Introduction) -> None:
        self.introduction = introduction
        self.log: list[str] = []
        self.arrived = threading.Semaphore(0)

    def warm(self) -> None:
        self.log.append("warmed")
        self.arrived.release()

    def visit(self, error: AuthError | None = None) -> None:
        self.introduction.begin(self.warm)
        if "first" not in self.log:
            self.log.append("first")
            for _ in range(3):
                assert self.arrived.acquire(timeout=5)
            time.sleep(0.05)
            assert "later" not in self.log
            if error:
                self.introduction.failed(error)
                raise error
            self.introduction.done()
        self.log.append("later")


def test_one_goes_ahead_and_the_others_wait() -> None:
    visitors = Visitors(Introduction())
    with ThreadPoolExecutor(4) as pool:
        for each in [pool.submit(visitors.visit) for _ in range(4)]:
            each.result(10)
    assert visitors.log == ["first", "warmed", "warmed", "warmed", "later", "later", "later", "later"]


def test_a_failed_introduction_fails_for_all_who_waited() -> None:
    visitors = Visitors(Introduction())
    error = AuthError("refused")
    with ThreadPoolExecutor(4) as pool:
        raised = [each.exception(10) for each in [pool.submit(visitors.visit, error) for _ in range(4)]]
    assert [str(each) for each in raised] == [str(error)] * 4
    assert {type(each) for each in raised} == {AuthError}
    assert len({id(each) for each in raised}) == 4, "each adds to its own what it was about"
    assert "later" not in visitors.log
    visitors.introduction.begin(lambda: pytest.fail("nobody is being waited for any more"))


def test_an_introduction_that_ends_for_another_reason_is_made_by_somebody_else() -> None:
    introduction = Introduction()
    introduction.begin(nothing)
    with ThreadPoolExecutor(1) as pool:
        waiting = threading.Event()
        other = pool.submit(introduction.begin, waiting.set)
        assert waiting.wait(5)
        introduction.failed(None)
        other.result(5)


def test_the_one_who_introduces_may_ask_several_things() -> None:
    introduction = Introduction()
    introduction.begin(nothing)
    introduction.begin(nothing)
    introduction.done()
    introduction.failed(AuthError("too late to matter"))
    introduction.begin(lambda: pytest.fail("the host is known"))


def test_only_the_one_who_introduces_can_fail_it() -> None:
    introduction = Introduction()
    introduction.begin(nothing)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(introduction.failed, AuthError("not mine")).result(5)
    introduction.begin(lambda: pytest.fail("still this thread's introduction"))
