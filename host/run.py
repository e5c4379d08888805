"""The action on the runner's own Python, without a container: the logins of earlier steps are where they always are.

Started by `action.yml` of this folder. Needs Python 3.11 or newer. What the program needs is installed once per job,
from `requirements/image.txt` with its hashes, into an environment under RUNNER_TEMP.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements" / "image.txt"
ENTRY = """
import sys
sys.path.insert(0, sys.argv.pop())
from manifest_action.adapters.garbage import sparing
def step():
    from manifest_action.adapters.step import main
    return main()
sys.exit(sparing(step))
"""


def main() -> int:
    """Prepare, and run the step; its exit code."""
    if sys.version_info < (3, 11):  # noqa: UP036 - the one place that tells users of older interpreters
        return _fail("Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; use actions/setup-python")
    place = _place()
    python = _python(place)
    if not _is_done(place):
        return _fail("the environment could not be made; what failed is above")
    command = [str(python), "-Ic", ENTRY, str(ROOT)]
    if os.name == "posix":
        # The runner's signals are for the step itself.
        os.execv(python, command)
    return subprocess.run(command, check=False).returncode


def _place() -> Path:
    """Where the environment for this lock and interpreter is; made, as far as that can be, if it is not there yet."""
    digest = hashlib.sha256(f"{sys.version} {sys.executable}".encode() + LOCK.read_bytes()).hexdigest()
    place = Path(os.environ.get("RUNNER_TEMP") or tempfile.gettempdir(), f"manifest-action-{digest[:16]}")
    if not _is_done(place):
        print("::group::Install what the action needs", flush=True)
        if _made(place):
            (place / "done").touch()
        print("::endgroup::", flush=True)
    return place


def _is_done(place: Path) -> bool:
    return (place / "done").exists()


def _made(place: Path) -> bool:
    options = ("--disable-pip-version-check", "--no-input", "--quiet", "--require-hashes", "--only-binary", ":all:")
    commands = (
        (sys.executable, "-Im", "venv", "--clear", place),
        (_python(place), "-Im", "pip", "install", *options, "--requirement", LOCK),
    )
    return all(subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode == 0 for command in commands)


def _python(place: Path) -> Path:
    return place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _fail(what: str) -> int:
    print(f"::error title=Manifest Action::{what}", flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
