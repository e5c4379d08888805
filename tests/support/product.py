"""The program under test, started as its users start it: a process of its own, with an environment of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.servers import ROOT, Registry


@dataclass
class Product:
    """The command line program, run in `folder`, which is its home too."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def login(self, registry: Registry) -> None:
        """Let it find the registry's one user in a Docker configuration, and trust the registry's certificate."""
        registry.write_login(self.folder)
        if registry.ca_file:
            self.environment["SSL_CERT_FILE"] = str(registry.ca_file)

    def spec(self, text: str, name: str = "spec.yml") -> Path:
        """Write a spec file; its path."""
        file = self.folder / name
        file.write_text(text)
        return file

    def start(self, *arguments: str | Path, stderr: int = subprocess.PIPE) -> "subprocess.Popen[bytes]":
        """Start it and do not wait."""
        return subprocess.Popen(
            [sys.executable, "-m", "manifest_action", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            cwd=self.folder,
            env=self._environment(),
        )

    def run(self, *arguments: str | Path) -> "subprocess.CompletedProcess[bytes]":
        """Run it, whatever comes of it."""
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=300)
            return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def push(self, spec: str, *arguments: str, code: int = 0) -> Mapping[str, Any]:
        """`push --json` of a spec given as text; its report. AssertionError when it ends with another code."""
        result = self.run("push", "--json", *arguments, self.spec(spec))
        assert result.returncode == code, (result.returncode, result.stdout.decode(), result.stderr.decode())
        report: Mapping[str, Any] = json.loads(result.stdout)
        return report

    def _environment(self) -> Mapping[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.folder),
            "DOCKER_CONFIG": str(self.folder),
            "PYTHONPATH": str(ROOT),
        } | self.environment
