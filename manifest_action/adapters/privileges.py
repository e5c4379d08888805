"""Giving up what root may do in a container, as soon as the files that only root can open are open.

The step then goes on as the owner of the workspace: it can read what the job's other steps made, and what it writes
is theirs. Where that owner is root, it stays root, but without a single capability, so that what counts are the
permissions of files alone. In neither case can a program that it starts get more (prctl(2), PR_SET_NO_NEW_PRIVS).
"""

import ctypes
import os
import stat
from collections.abc import Iterable, Mapping, MutableMapping
from contextlib import suppress
from pathlib import Path

from manifest_action.adapters.document import SIZE_LIMIT
from manifest_action.adapters.textfile import read_text
from manifest_action.errors import StoreError

IDENTITY_VARIABLES = ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL")
"""With these a program can say that it is the job; keyless signing is what needs them."""

ENGINE_SOCKET = Path("/var/run/docker.sock")
_ENGINE_PREFIX = "docker-daemon:"
_KEPT = (*IDENTITY_VARIABLES, "ACTIONS_STEP_DEBUG")
_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION_3 = 0x20080522


def give_up(workspace: Path, groups: Iterable[int] = ()) -> None:
    """Become the owner of `workspace`, for good; without root's rights only the way to new ones is closed.

    groups: supplementary groups to keep

    Raises StoreError when there is no such workspace.
    Capabilities belong to a thread and pass to those that it starts, so this comes before the first other thread.
    """
    library = ctypes.CDLL(None, use_errno=True)
    library.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if os.geteuid() != 0:
        return
    owner = _owner(workspace)
    # A container may have been started without the capabilities that this takes; then it has none to give up either.
    with suppress(PermissionError):
        os.setgroups(sorted(set(groups)))
        os.setresgid(owner.st_gid, owner.st_gid, owner.st_gid)
        os.setresuid(owner.st_uid, owner.st_uid, owner.st_uid)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    if library.capset(header, (ctypes.c_uint32 * 6)()) != 0:
        raise OSError(ctypes.get_errno(), "the capabilities cannot be given up")


def _owner(workspace: Path) -> os.stat_result:
    try:
        return workspace.stat()
    except OSError as error:
        hint = "mount the job's files, and start the container in their directory"
        raise StoreError(
            "the workspace cannot be entered", where=str(workspace), why=error.strerror or "", hint=hint
        ) from None


def engine_groups(inputs: Mapping[str, str], workspace: Path, socket: Path = ENGINE_SOCKET) -> tuple[int, ...]:
    """The group of the engine's socket, if the inputs or the spec files they name mention `docker-daemon:`.

    Every other step goes without, as who may speak to the engine may do anything on its machine.
    """
    if not any(_ENGINE_PREFIX in text for text in (*inputs.values(), *_specs(inputs, workspace))):
        return ()
    with suppress(OSError):
        found = socket.stat()
        if stat.S_ISSOCK(found.st_mode):
            return (found.st_gid,)
    return ()


def _specs(inputs: Mapping[str, str], workspace: Path) -> Iterable[str]:
    """The texts of the spec files, as far as they can be read; what is wrong with them is said later."""
    folder = workspace / inputs.get("working-directory", "").strip()
    for line in inputs.get("spec", "").splitlines():
        with suppress(ValueError):
            yield read_text(folder / line.strip(), workspace, SIZE_LIMIT)


def forget_runtime(environment: MutableMapping[str, str]) -> None:
    """Remove the runner's own variables (caches, artifacts): they open what this step has no business with."""
    for name in [name for name in environment if name.startswith("ACTIONS_") and name not in _KEPT]:
        del environment[name]


def forget_identity(environment: MutableMapping[str, str]) -> None:
    """Remove what a step needs to say who it is, once it is known that it does not sign with that."""
    for name in IDENTITY_VARIABLES:
        environment.pop(name, None)


def settle_temporary(environment: MutableMapping[str, str]) -> None:
    """Let temporary files go to RUNNER_TEMP where /tmp cannot be written, as in a read-only container."""
    place = environment.get("RUNNER_TEMP", "")
    if "TMPDIR" not in environment and place and not os.access("/tmp", os.W_OK) and os.access(place, os.W_OK):  # noqa: S108
        environment["TMPDIR"] = place
