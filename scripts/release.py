"""The parts of a release that are no commands of Git.

    python3 scripts/release.py check VERSION    the code and CHANGELOG.md speak of this version
    python3 scripts/release.py pin IMAGE        action.yml names this image (by digest) in the place of the Dockerfile
    python3 scripts/release.py notes VERSION    what CHANGELOG.md says of it

Needs Python alone. Exit code 1, with the reason, when something is not as it has to be.
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILT = "  image: Dockerfile\n"
IMAGE = re.compile(r"[a-z0-9.-]+(?::\d+)?(?:/[a-z0-9._-]+)+@sha256:[0-9a-f]{64}")
VERSION = re.compile(r"\d+\.\d+\.\d+")


def main() -> int:
    """Do what the command line says."""
    actions: dict[str, Callable[[str], None]] = {"check": check, "pin": pin, "notes": _show}
    if len(sys.argv) != 3 or sys.argv[1] not in actions:
        sys.exit("usage: release.py check|pin|notes VALUE")
    try:
        actions[sys.argv[1]](sys.argv[2])
    except ValueError as error:
        sys.exit(f"error: {error}")
    return 0


def _show(version: str) -> None:
    print(notes(version))


def check(version: str) -> None:
    """ValueError unless everything says that this is the version to release."""
    if not VERSION.fullmatch(version):
        raise ValueError(f"{version} is no version such as 1.4.2")
    found = re.search(r'__version__ = "([^"]+)"', (ROOT / "manifest_action" / "__init__.py").read_text())
    if found is None or found[1] != version:
        raise ValueError(f"manifest_action/__init__.py says {found[1] if found else 'nothing'}, not {version}")
    notes(version)


def pin(image: str) -> None:
    """Write the image into action.yml. A tag would be no release: it could be moved."""
    if not IMAGE.fullmatch(image):
        raise ValueError(f"{image} is no image by digest")
    file = ROOT / "action.yml"
    text = file.read_text()
    if text.count(BUILT) != 1:
        raise ValueError("action.yml does not build its image from the Dockerfile")
    file.write_text(text.replace(BUILT, f"  image: docker://{image}\n"))


def notes(version: str) -> str:
    """The section of CHANGELOG.md; ValueError when there is none, or nothing is in it."""
    parts = re.split(r"^## ", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    found = [part for part in parts if re.match(rf"\[?{re.escape(version)}\b", part)]
    text = found[0].partition("\n")[2].strip() if found else ""
    if not text:
        raise ValueError(f"CHANGELOG.md says nothing of {version}")
    return text


if __name__ == "__main__":
    sys.exit(main())
