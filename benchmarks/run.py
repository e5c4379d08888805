"""Ours and its peers side by side: every job by every program that is installed, at several round trip times.

    python3 benchmarks/run.py [--jobs J1,J2] [--only ours,crane] [--rtt 0,20,50,100] [--repeat 3] [--output FOLDER]

Installs what is missing and can be installed: the project's environment, Debian's programs as root on Debian, and the
others by Go; what could not be is left out, and named. Brings up two registries with tokens, a latency proxy before
each and the images, and writes `results.json`, `table.md` and one plot (SVG) a job. Programs take turns within every
repetition, so that ratios are taken in one run. It needs Linux and the right to make a mount namespace (root, or user
namespaces), where `/etc/hosts` has names for the registries: at `127.0.0.1` most clients would speak plain HTTP.
"""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
_INSIDE = "MANIFEST_ACTION_BENCHMARK"
_DEBIAN = ("docker-registry", "skopeo", "buildah", "podman")
_HOSTS = "127.0.0.1 localhost rega.bench.test regb.bench.test\n::1 localhost\n"


def main() -> int:
    """Enter a mount namespace with names for the registries, and measure there."""
    if _INSIDE in os.environ:
        sys.path.insert(0, str(ROOT))
        from benchmarks.bench import measure  # noqa: PLC0415 - needs the environment that is made below

        return measure(sys.argv[1:], __doc__ or "")
    _install()
    with TemporaryDirectory(prefix="manifest-action-hosts-") as folder:
        hosts = Path(folder) / "hosts"
        hosts.write_text(_HOSTS)
        flags = ["--mount"] if os.geteuid() == 0 else ["--mount", "--map-root-user"]
        inside: list[str | Path] = ["sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', hosts]
        command: list[str | Path] = ["unshare", *flags, *inside, ROOT / ".venv" / "bin" / "python", *sys.argv]
        return subprocess.run(command, check=False, env=os.environ | {_INSIDE: "1"}).returncode


def _install() -> None:
    """What is there already is left as it is; scripts say themselves what they could not install."""
    scripts = ROOT / "scripts"
    subprocess.run([sys.executable, scripts / "environment.py", "dev"], check=True)
    subprocess.run([sys.executable, scripts / "debian.py", *_DEBIAN], check=False)
    subprocess.run([ROOT / ".venv" / "bin" / "python", scripts / "peers.py", "--benchmarks"], check=False)


if __name__ == "__main__":
    sys.exit(main())
