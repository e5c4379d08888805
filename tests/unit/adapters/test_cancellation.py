"""Signals end a run cleanly."""

import os
import signal
import subprocess
import sys
import time

import pytest

from manifest_action.adapters.cancellation import PATIENCE, Cancellation


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_first_signal_is_an_error_with_its_exit_code(number: signal.Signals, code: int) -> None:
    program = f"""
import os, signal
from manifest_action.adapters.cancellation import Cancellation
from manifest_action.errors import Interrupted
with Cancellation() as cancellation:
    try:
        os.kill(os.getpid(), {int(number)})
    except Interrupted as error:
        os.kill(os.getpid(), {int(number)})
        print(error, end="")
        cancellation.leave(error.exit_code)
"""
    result = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=30)
    assert (result.returncode, result.stdout, result.stderr) == (code, f"stopped by {number.name}", "")


def test_once_the_work_is_done_signals_are_ignored() -> None:
    with Cancellation() as cancellation:
        cancellation.settle()
        os.kill(os.getpid(), signal.SIGTERM)
        assert cancellation.leave(13) == 13


def test_a_signal_that_comes_as_the_work_ends_does_not_cut_the_report_short() -> None:
    program = f"""
import os, signal, time
from manifest_action.adapters import cancellation as module
module.PATIENCE = 0.2
with module.Cancellation() as cancellation:
    # The handler runs once the work is done, though the signal was heard before.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    os.write(cancellation._bell, bytes([{int(signal.SIGTERM)}]))
    time.sleep(0.05)
    cancellation.settle()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    time.sleep(1)
    cancellation.leave(0)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=30).returncode == 0


def test_the_handlers_before_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Cancellation():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


def test_threads_that_are_stuck_do_not_keep_a_stopped_process() -> None:
    program = """
import threading, time
from manifest_action.adapters.cancellation import Cancellation
from manifest_action.errors import Interrupted
with Cancellation() as cancellation:
    threading.Thread(target=time.sleep, args=(60,)).start()
    try:
        print("ready", flush=True)
        time.sleep(60)
    except Interrupted as error:
        cancellation.leave(error.exit_code)
"""
    assert _seconds_to_end(program) < 30, "the thread sleeps for 60 s"


def test_a_report_that_hangs_is_given_up() -> None:
    program = """
import time
from manifest_action.adapters.cancellation import Cancellation
with Cancellation():
    try:
        print("ready", flush=True)
        time.sleep(60)
    finally:
        time.sleep(60)
"""
    assert PATIENCE <= _seconds_to_end(program) < 30, "the report would take 60 s"


def test_a_signal_that_does_not_wake_the_main_thread_stops_it_all_the_same() -> None:
    program = """
import signal, threading
from manifest_action.adapters.cancellation import Cancellation
from manifest_action.errors import Interrupted
with Cancellation() as cancellation:
    try:
        hit = threading.Timer(0.5, lambda: signal.pthread_kill(threading.get_ident(), signal.SIGTERM))
        hit.start()
        lock = threading.Lock()
        lock.acquire()
        lock.acquire()
    except Interrupted as error:
        print(error, end="")
        cancellation.leave(error.exit_code)
"""
    result = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=30)
    assert (result.returncode, result.stdout) == (143, "stopped by SIGTERM"), "patience was over, and nobody was woken"


def _seconds_to_end(program: str) -> float:
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        start = time.monotonic()
        process.terminate()
        process.wait(timeout=30)
        assert process.returncode == 143
        return time.monotonic() - start
