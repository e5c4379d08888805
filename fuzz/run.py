"""Fuzz one parser, guided by coverage.

    .venv/bin/python fuzz/run.py TARGET [SECONDS]      one target, 60 seconds by default
    .venv/bin/python fuzz/run.py --smoke [SECONDS]     all of them, so many seconds in all

Starts from `fuzz/corpus/TARGET`. What is new goes to `.cache/fuzz/TARGET`; what crashes, to `.cache/fuzz/crash-…`:
make a test of it (a file in `fuzz/corpus/TARGET` is one). Exit code 0 when nothing crashed.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT / "fuzz" / "corpus"
CACHE = ROOT / ".cache" / "fuzz"
_LONGEST = 16 * 1024
_SLOW = 10
"""Seconds after which one input counts as a crash."""


def main() -> int:
    """Run what the arguments say."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["--smoke"]:
        names = sorted(folder.name for folder in CORPUS.iterdir())
        seconds = max(1, int(arguments[1] if len(arguments) > 1 else "60") // len(names))
        codes = [
            subprocess.run([sys.executable, __file__, name, str(seconds)], check=False).returncode for name in names
        ]
        return 1 if any(codes) else 0
    if not 1 <= len(arguments) <= 2:
        sys.exit(str(__doc__))
    return _fuzz(arguments[0], int(arguments[1]) if len(arguments) > 1 else 60)


def _fuzz(name: str, seconds: int) -> int:
    import atheris  # noqa: PLC0415 - takes a while, and only this needs it

    sys.path.insert(0, str(ROOT))
    with atheris.instrument_imports(include=["manifest_action", "fuzz"]):
        from fuzz.targets import TARGETS  # noqa: PLC0415 - must come after the hooks

    found = CACHE / name
    found.mkdir(parents=True, exist_ok=True)
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={_LONGEST}",
        f"-timeout={_SLOW}",
        "-rss_limit_mb=1024",
        "-print_final_stats=1",
        "-verbosity=0",
        f"-artifact_prefix={CACHE}/crash-{name}-",
    ]
    atheris.Setup([sys.argv[0], *options, str(found), str(CORPUS / name)], TARGETS[name])
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
