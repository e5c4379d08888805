"""The example in the documentation does what it says."""

import re
import subprocess
import sys
from pathlib import Path

from tests.support.servers import ROOT


def test_the_example_runs(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "lists.md").read_text(), re.DOTALL)
    environment = {"PYTHONPATH": str(ROOT)}
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    digest, platform, place = said.stdout.split()
    assert digest.startswith("sha256:")
    assert (platform, place) == ("linux/arm64/v8", "ghcr.io/acme/app:1-arm64")
