"""The action's image as a root to change to: what users run, with its own Python and OpenSSL, without an engine."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.contestants import Contestant, Task, ours
from scripts import image as images

_MAIN = "import sys; sys.path.insert(0, '/app'); from manifest_action.__main__ import main; sys.exit(main())"
_SHARED = ("/dev", "/proc", "/tmp")
"""Where runs of the benchmark have their files, and what Python needs of the system."""


@contextmanager
def from_image() -> Iterator[Contestant]:
    """Ours as the image holds it, for a block; the image is built if need be (scripts/image.py: root on Debian).

    What is mounted for it goes with the mount namespace that the benchmark runs in.
    """
    images.build()
    container = _done("buildah", "from", images.IMAGE)
    with ExitStack() as stack:
        stack.callback(_done, "buildah", "rm", container)
        root = Path(_done("buildah", "mount", container))
        stack.callback(_done, "buildah", "umount", container)
        for place in (*_SHARED, "/etc/hosts"):
            inside = root / place.lstrip("/")
            if Path(place).is_dir():
                inside.mkdir(exist_ok=True)
            else:
                inside.touch()
            _done("mount", "--rbind", "--make-rslave", place, inside)
            stack.callback(_done, "umount", "--recursive", "--lazy", inside)
        yield Contestant("image", "chroot", lambda task: [_command(root, task)])


def _command(root: Path, task: Task) -> Sequence[str | Path]:
    """Ours, by the image's interpreter."""
    return ["chroot", root, "/usr/local/bin/python3", "-Ic", _MAIN, *ours(task)]


def _done(*words: str | Path) -> str:
    told = subprocess.run(words, env=images.environment(), check=True, stdout=subprocess.PIPE, text=True)
    return told.stdout.strip()
