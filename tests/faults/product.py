"""The program under test within this process, with waits that are much shorter than its users'."""

import io
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from manifest_action.adapters.cli import main
from manifest_action.events import Reporter
from manifest_action.ops import tag
from manifest_action.transport import table
from manifest_action.transport.registry import patience, referrers, repository
from manifest_action.transport.registry.client import RegistryTransport
from manifest_action.transport.registry.limits import Limits
from manifest_action.transport.registry.options import RegistryOptions
from tests.faults.acts import now
from tests.faults.world import Ran
from tests.support.keys import PASSPHRASE, key_pair

LIMITS = Limits(connect=2.0, idle=0.6, answer=3.0, least_rate=200.0, rate_window=0.5)


class Steady:
    """In place of the module `random`: jitter that is always the most."""

    @staticmethod
    def uniform(_: float, most: float) -> float:
        return most

    @staticmethod
    def random() -> float:
        return 0.5


@contextmanager
def quick() -> Iterator[None]:
    """Let the program wait a twenty-fifth of what it usually does, but for what servers ask for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patience, "_BASE", 0.02)
        patch.setattr(patience, "random", Steady)
        patch.setattr(repository, "_SETTLING", (0.04, 0.08, 0.16))
        patch.setattr(referrers, "_LISTING_DELAYS", (0.02, 0.04))
        patch.setattr(tag, "READ_BACK_DELAYS", (0.0, 0.04, 0.08, 0.16))
        patch.setitem(table._FACTORIES, "docker", _transport)
        yield


def _transport(options: RegistryOptions, reporter: Reporter) -> RegistryTransport:
    return RegistryTransport(options, reporter, LIMITS)


def push(folder: Path, spec: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Ran:
    """`push --json` of a spec, with the login in `folder`. environment: further variables."""
    file = folder / "spec.yml"
    file.write_text(spec)
    out = io.StringIO()
    began = now()
    variables = {"HOME": str(folder), "DOCKER_CONFIG": str(folder), "PATH": os.environ.get("PATH", os.defpath)}
    variables |= {"COSIGN_PRIVATE_KEY": key_pair().private, "COSIGN_PASSWORD": PASSPHRASE} | dict(environment or {})
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(out):
        for name in tuple(os.environ):
            patch.delenv(name)
        for name, value in variables.items():
            patch.setenv(name, value)
        patch.chdir(folder)
        code = main(["push", "--json", *arguments, str(file)])
        seconds = now() - began
        # After a failure the program leaves threads behind, which end with its process; this process goes on.
        for thread in threading.enumerate():
            if thread.name.startswith("wave"):
                thread.join(10)
    return Ran(code, out.getvalue(), seconds)
