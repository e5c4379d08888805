"""Try an image of the action on the examples, as GitHub's runner starts it; exit code 1 when it is not as it should be.

    python3 scripts/smoke.py IMAGE [ENGINE…]    ENGINE is `docker` unless words are given, such as `sudo podman`

Needs Python and the engine. The result must be the digest that the examples always have.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from scripts.examples import write_all  # noqa: E402 - found by the line above

DIGEST = "sha256:29effe38e2896b71f61d71874b3ecb7e23330bdaccc9ab13bdfccbab6c5f2972"
"""Of the index of the example images amd64 and arm64."""


def main() -> int:
    """Run it, and compare."""
    image, engine = sys.argv[1], sys.argv[2:] or ["docker"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        write_all(folder / "images")
        output = folder / "output"
        output.touch()
        told = subprocess.run(command(image, engine, folder), check=False)
        return 0 if told.returncode == 0 and is_good(output.read_text(), folder) else 1


def command(image: str, engine: list[str], folder: Path) -> list[str]:
    """The engine's command line: nothing can be written but the workspace, and no network is there."""
    inputs = {
        "INPUT_IMAGE": "oci:out:1.0",
        "INPUT_SOURCES": "oci:images/amd64\noci:images/arm64",
        "INPUT_EXPECT": "linux/amd64,linux/arm64/v8",
        "GITHUB_ACTIONS": "true",
        "GITHUB_WORKSPACE": "/github/workspace",
        "GITHUB_OUTPUT": "/github/workspace/output",
    }
    variables = [word for name, value in inputs.items() for word in ("--env", f"{name}={value}")]
    mount = ["--volume", f"{folder}:/github/workspace", "--workdir", "/github/workspace"]
    return [*engine, "run", "--rm", "--read-only", "--network", "none", *mount, *variables, image]


def is_good(output: str, folder: Path) -> bool:
    """Whether the digest is the known one, and everything belongs to whoever owns the folder."""
    strangers = [path for path in folder.rglob("*") if path.lstat().st_uid != folder.stat().st_uid]
    for path in strangers:
        print(f"error: {path.name} does not belong to the owner of the workspace", flush=True)
    if DIGEST not in output:
        print(f"error: the digest is not {DIGEST}", flush=True)
    return DIGEST in output and not strangers


if __name__ == "__main__":
    sys.exit(main())
