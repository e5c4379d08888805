"""Run every static check that this project holds itself to, each reported in a line; all of them work offline.

    .venv/bin/python scripts/lint.py

Exit code 1 when one of them finds something.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
SCHEMAS = {
    "vendor.github-actions": ("action.yml", "host/action.yml"),
    "vendor.github-workflows": (".github/workflows/*.yml", "examples/workflows/*.yml"),
    "vendor.dependabot": (".github/dependabot.yml",),
}
SHELL_FOLDERS = (".ci", "host", "scripts", "examples", "benchmarks", "tests")


def main() -> int:
    """Run the checks and sum up."""
    failed = [command[0] for command in checks() if not _passes(command)]
    return 1 if failed else 0


def checks() -> Iterator[list[str]]:
    """The command lines, without those whose input does not exist."""
    yield ["ruff", "check", "--quiet"]
    yield ["ruff", "format", "--check", "--quiet"]
    yield ["mypy"]
    yield ["lint-imports"]
    for schema, patterns in SCHEMAS.items():
        if files := _files(*patterns):
            yield ["check-jsonschema", "--builtin-schema", schema, *files]
    if files := _files(*SCHEMAS["vendor.github-workflows"]):
        yield ["actionlint", *files]
    if audited := _files("action.yml", "host/action.yml", ".github"):
        yield ["zizmor", "--offline", "--quiet", *audited]
    if files := _files("Dockerfile"):
        yield ["hadolint", *files]
    if files := _shell_files():
        yield ["shellcheck", *files]


def _files(*patterns: str) -> list[str]:
    return [str(file.relative_to(ROOT)) for pattern in patterns for file in sorted(ROOT.glob(pattern))]


def _shell_files() -> list[str]:
    """Files that say in their first line that a shell runs them."""
    found = []
    for folder in SHELL_FOLDERS:
        for file in sorted((ROOT / folder).rglob("*")):
            if file.is_file() and file.stat().st_size < 100_000:
                first = file.read_bytes().partition(b"\n")[0]
                if first.startswith(b"#!") and first.rstrip().endswith((b"bash", b"/sh", b" sh")):
                    found.append(str(file.relative_to(ROOT)))
    return found


def _passes(command: list[str]) -> bool:
    started = time.monotonic()
    own = ROOT / "scripts" / f"{command[0]}.py"
    program = [sys.executable, own] if own.exists() else [BIN / command[0]]
    result = subprocess.run(
        [*program, *command[1:]],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    name = " ".join(command)[:100]
    seconds = time.monotonic() - started
    if result.returncode == 0:
        print(f"ok      {name} ({seconds:.1f} s)", flush=True)
        return True
    print(f"FAILED  {name} ({seconds:.1f} s)\n{result.stdout}", flush=True)
    return False


if __name__ == "__main__":
    sys.exit(main())
