"""Make the project's virtual environment: `.venv` with the locked requirements and the project itself.

    python3 scripts/environment.py run    what the program needs
    python3 scripts/environment.py dev    and what its tests and checks need

Needs Python 3.11 or newer and nothing else. Does nothing when a stamp in `.venv` says that it is done.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - the one place that tells users of older interpreters
    sys.exit("error: Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; try python3.11 or newer")

import hashlib
import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "manifest-action.json"
REQUIREMENTS = ROOT / "requirements"
LOCKS = {"run": ("run.txt", "build.txt"), "dev": ("dev.txt",)}


def main() -> None:
    """Read the level from the command line and bring `.venv` to it."""
    level = sys.argv[1] if len(sys.argv) == 2 else ""
    if level not in LOCKS:
        sys.exit("usage: environment.py run|dev")
    try:
        prepare(level)
    except subprocess.CalledProcessError as error:
        sys.exit(f"error: this command failed with exit code {error.returncode}: {' '.join(map(str, error.cmd))}")


def prepare(level: str) -> None:
    """Bring `.venv` to `level` ("run" or "dev"); an environment that has more is left as it is."""
    wanted = {known: _fingerprint(known) for known in LOCKS}
    if _is_done(level, wanted):
        return
    if not _works():
        _create()
    print(f"Installing the {level} requirements into {VENV.name} ...", flush=True)
    locks = [argument for name in LOCKS[level] for argument in ("-r", str(REQUIREMENTS / name))]
    _pip("--require-hashes", "--only-binary", ":all:", *locks)
    _pip("--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    done = LOCKS if level == "dev" else ("run",)
    STAMP.write_text(json.dumps({known: wanted[known] for known in done}))


def _fingerprint(level: str) -> str:
    """What the environment depends on, as one value: the interpreter, the locks and the project's metadata."""
    digest = hashlib.sha256(f"{sys.version} {ROOT}".encode())
    for file in (*(REQUIREMENTS / name for name in LOCKS[level]), ROOT / "pyproject.toml"):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _is_done(level: str, wanted: dict[str, str]) -> bool:
    try:
        found = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return False
    return bool(found.get(level) == wanted[level]) and _works()


def _works() -> bool:
    try:
        probe = subprocess.run(
            [str(PYTHON), "-c", "import sys, pip; print(sys.version)"], capture_output=True, text=True, check=False
        )
    except OSError:
        return False
    return probe.stdout.strip() == sys.version


def _create() -> None:
    print(f"Making {VENV.name} with Python {sys.version.split()[0]} ...", flush=True)
    if not _can_create():
        subprocess.run([sys.executable, ROOT / "scripts" / "debian.py", "python3-venv"], check=True)
    if not _can_create():
        sys.exit("error: this Python cannot make virtual environments; install its venv module (Debian: python3-venv)")
    subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)


def _can_create() -> bool:
    probe = [sys.executable, "-c", "import venv, ensurepip"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def _pip(*arguments: str) -> None:
    environment = os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    subprocess.run([PYTHON, "-m", "pip", "install", "--quiet", *arguments], env=environment, check=True)


if __name__ == "__main__":
    main()
