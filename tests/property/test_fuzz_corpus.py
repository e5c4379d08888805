"""The parsers that are fuzzed: every input that was worth keeping, and whatever hypothesis thinks of."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.targets import TARGETS
from tests.support.servers import ROOT

CORPUS = ROOT / "fuzz" / "corpus"
SEEDS = {name: [file.read_bytes() for file in sorted((CORPUS / name).iterdir())] for name in TARGETS}


def test_every_target_has_a_corpus_and_the_other_way_round() -> None:
    assert {folder.name for folder in CORPUS.iterdir()} == set(TARGETS)
    assert sum(file.stat().st_size for file in CORPUS.rglob("*") if file.is_file()) < 200_000


@pytest.mark.parametrize("name", TARGETS)
def test_what_was_found_before_is_read_or_refused(name: str) -> None:
    for seed in SEEDS[name]:
        TARGETS[name](seed)


@pytest.mark.parametrize("name", TARGETS)
def test_anything_is_read_or_refused(name: str) -> None:
    seeds = SEEDS[name]

    @settings(max_examples=60)
    @given(st.sampled_from(seeds), st.integers(0, 4096), st.integers(0, 40), st.binary(max_size=40))
    def changed(seed: bytes, at: int, dropped: int, put: bytes) -> None:
        TARGETS[name](seed[:at] + put + seed[at + dropped :])

    changed()


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info >= (3, 14) or sys.platform != "linux", reason="atheris has no build for it")
def test_a_minute_of_fuzzing_finds_nothing(tmp_path: Path) -> None:
    """Coverage-guided, over all targets; in a copy, so that nothing is left in the tree."""
    shutil.copytree(ROOT / "fuzz", tmp_path / "fuzz")
    (tmp_path / "manifest_action").symlink_to(ROOT / "manifest_action")
    command = [sys.executable, str(tmp_path / "fuzz" / "run.py"), "--smoke", "60"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
