"""Write the lock files in `requirements/`: every package pinned, with the hashes of all its files.

    python3 scripts/lock.py             after a change of pyproject.toml or requirements/*.in
    python3 scripts/lock.py --upgrade   to take newer versions

run.txt is what the program needs, image.txt that and keyless signing, build.txt what installs it, dev.txt all of it
and what tests need, go.txt a Go compiler.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".cache" / "lock"
UV = "uv==0.13.9"
LOCKS = {
    "run.txt": ("pyproject.toml",),
    "image.txt": ("pyproject.toml", "--extra=keyless", "--constraints=requirements/run.txt"),
    "build.txt": ("requirements/build.in",),
    "dev.txt": (
        "pyproject.toml",
        "--extra=keyless",
        "requirements/build.in",
        "requirements/dev.in",
        "--constraints=requirements/image.txt",
        "--constraints=requirements/build.txt",
    ),
    "go.txt": ("requirements/go.in",),
}


def main() -> None:
    """Write all of them; arguments go to `uv pip compile`."""
    subprocess.run([sys.executable, "-m", "venv", TOOLS], check=True)
    subprocess.run([TOOLS / "bin" / "pip", "install", "--quiet", UV], check=True)
    for name, sources in LOCKS.items():
        compile_lock(name, sources)


def compile_lock(name: str, sources: tuple[str, ...]) -> None:
    """Resolve `sources` for every platform and Python from 3.11 on, from PyPI whatever this machine is set to."""
    command = [
        str(TOOLS / "bin" / "uv"),
        *("pip", "compile", "--quiet", "--no-config"),
        *("--universal", "--python-version=3.11", "--generate-hashes"),
        # Older versions of pip take a requirement with an extra for another one, which is then not pinned.
        "--no-strip-extras",
        *("--no-emit-index-url", "--no-emit-find-links", "--custom-compile-command=python3 scripts/lock.py"),
        f"--output-file=requirements/{name}",
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("UV_")}
    subprocess.run([*command, *sys.argv[1:], *sources], cwd=ROOT, env=environment, check=True)


if __name__ == "__main__":
    main()
