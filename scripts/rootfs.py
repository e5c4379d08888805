"""Gather what the image holds, in the build stage of the Dockerfile: Python, its packages, gpg, what those load.

    python rootfs.py PACKAGES ROOT

PACKAGES: the folder that `pip install --target` filled
ROOT:     the folder that becomes the image's root

There is no shell, no pip and no package manager among it. What came from Debian packages is listed in
var/lib/dpkg/status.d, where image scanners look, with the licences in usr/share/doc. Needs nothing but the standard
library and, of Debian, binutils, dpkg and ldconfig.
"""

import compileall
import os
import shutil
import ssl
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path
from py_compile import PycInvalidationMode

PROGRAMS = ("gpg", "gpg-agent", "gpgconf")
LEFT_OUT = (
    *("__pycache__", "config-*", "dist-packages", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "site-packages"),
    *("test", "tests", "tkinter", "turtledemo", "turtle.py", "venv", "*.a", "_tkinter*.so", "_test*.so", "xx*.so"),
)
# Of zstandard's two extension modules, CPython uses the other one.
LEFT_OUT_OF_PACKAGES = ("__pycache__", "bin", "test_data", "tests", "_cffi.cpython-*.so")
USERS = "root:x:0:0:root:/:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n"
GROUPS = "root:x:0:\nnogroup:x:65534:\n"
HOSTS_LOOKUP = "passwd: files\ngroup: files\nhosts: files dns\n"
ELF = b"\x7fELF"


def main() -> None:
    """Fill the folder."""
    packages, root = Path(sys.argv[1]), Path(sys.argv[2])
    library = _python(root)
    site = root / sysconfig.get_path("purelib").lstrip("/")
    shutil.copytree(packages, site, ignore=shutil.ignore_patterns(*LEFT_OUT_OF_PACKAGES))
    # Some wheels come with symbols for debuggers, which are most of their size.
    subprocess.run(["strip", "--strip-unneeded", *_binaries(site)], check=True)
    programs = [Path("/usr/bin", name) for name in PROGRAMS]
    debian = {*programs, *_libraries([*programs, *_binaries(root)], root)}
    for file in debian:
        _copy(file, root)
    _records(debian, root)
    _settings(root)
    subprocess.run(["ldconfig", "-r", root], check=True)
    _compile((library, site, root / "app"), root)


def _python(root: Path) -> Path:
    """Copy the interpreter and its standard library; gives the latter's place below `root`."""
    program = Path(sys.executable).resolve()
    library = Path(sysconfig.get_path("stdlib"))
    _copy(program, root)
    for name in ("python", "python3"):
        (root / "usr/local/bin").mkdir(parents=True, exist_ok=True)
        link = root / "usr/local/bin" / name
        if not link.exists():
            link.symlink_to(program)
    target = root / library.relative_to("/")
    shutil.copytree(library, target, ignore=shutil.ignore_patterns(*LEFT_OUT))
    return target


def _binaries(root: Path) -> Iterator[Path]:
    """Programs and shared objects below `root`."""
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                if file.read(len(ELF)) == ELF:
                    yield path


def _libraries(binaries: Iterable[Path], root: Path) -> Iterator[Path]:
    """What the dynamic loader finds for them, outside of `root`."""
    for binary in binaries:
        told = subprocess.run(["ldd", binary], capture_output=True, text=True, check=False).stdout
        for word in told.split():
            if word.startswith("/") and not Path(word).is_relative_to(root):
                yield Path(word)
        if "not found" in told:
            sys.exit(f"error: {binary} lacks a library:\n{told}")


def _copy(path: Path, root: Path) -> None:
    target = root / path.relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, target)


def _records(files: Iterable[Path], root: Path) -> None:
    """For each Debian package with one of the files: what dpkg says of it, and its licence."""
    status = root / "var/lib/dpkg/status.d"
    status.mkdir(parents=True)
    for package in sorted({name for file in files for name in _owners(file)} | {"ca-certificates"}):
        told = subprocess.run(["dpkg-query", "--status", package], capture_output=True, text=True, check=True).stdout
        name = package.partition(":")[0]
        (status / name).write_text(told)
        licence = Path("/usr/share/doc", name, "copyright")
        if licence.exists():
            _copy(licence, root)


def _owners(file: Path) -> list[str]:
    """The package that a file is from; none for what is from no package. /lib may be another name of /usr/lib."""
    for name in (str(file), str(file.resolve()), f"/usr{file}", str(file).removeprefix("/usr")):
        told = subprocess.run(["dpkg-query", "--search", name], capture_output=True, text=True, check=False)
        # Since Debian 13, the loader's old name is also told of as one that a package keeps others from.
        lines = [line for line in told.stdout.splitlines() if not line.startswith("diversion by ")]
        if lines:
            return [lines[0].rpartition(": ")[0].partition(",")[0]]
    return []


def _settings(root: Path) -> None:
    """The few files in which libraries look things up."""
    etc = root / "etc"
    etc.mkdir(exist_ok=True)
    (etc / "passwd").write_text(USERS)
    (etc / "group").write_text(GROUPS)
    (etc / "nsswitch.conf").write_text(HOSTS_LOOKUP)
    for name in ("os-release", "ld.so.conf"):
        shutil.copy(Path("/etc", name), etc)
    shutil.copytree("/etc/ld.so.conf.d", etc / "ld.so.conf.d")
    # Where OpenSSL looks; the Dockerfile copies the file itself.
    authorities = root / ssl.get_default_verify_paths().openssl_cafile.lstrip("/")
    authorities.parent.mkdir(parents=True, exist_ok=True)
    authorities.symlink_to("/etc/ssl/certs/ca-certificates.crt")
    temporary = root / "tmp"
    temporary.mkdir()
    temporary.chmod(0o1777)


def _compile(folders: Iterable[Path], root: Path) -> None:
    """Bytecode that is never compared with its source: each run is a fresh container, and nothing in it changes."""
    for folder in folders:
        done = compileall.compile_dir(
            folder,
            quiet=2,
            workers=os.cpu_count() or 1,
            stripdir=str(root),
            prependdir="/",
            invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
        )
        if not done:
            sys.exit(f"error: not everything in {folder} could be compiled")


if __name__ == "__main__":
    main()
