"""What is in the image beside this program: the licences of its Python packages, and a bill of materials.

    .venv/bin/python scripts/inventory.py licences            write docs/licences.md
    .venv/bin/python scripts/inventory.py sbom [FILE]         a CycloneDX 1.6 document, on standard output by default

Both are made of `requirements/image.txt` and of what the packages in `.venv` say about themselves. The same lock
always gives the same bytes: no dates and no random numbers are in it.
"""

import json
import re
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements" / "image.txt"
PAGE = ROOT / "docs" / "licences.md"
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)((?:[^\n\\]|\\\n)*)", re.MULTILINE)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}
_NOT_SAID = {"sigstore-models": "MIT"}
"""Of packages whose metadata has no licence, as the file that they come with has it."""
_HEADER = """\
# Licences of the packages in the image

Made by `scripts/inventory.py licences` of `requirements/image.txt`; do not edit. Manifest Action itself is under
Apache-2.0. The image also holds Python (PSF-2.0) and Debian packages, whose licences are in `/usr/share/doc` there.

| Package | Version | Licence (SPDX) |
|---|---|---|
"""


@dataclass(frozen=True)
class Package:
    """One pinned package. hashes: SHA-256 of every file of it that may be installed."""

    name: str
    version: str
    licence: str
    hashes: tuple[str, ...]


def main() -> int:
    """Write what the arguments ask for."""
    match sys.argv[1:]:
        case ["licences"]:
            PAGE.write_text(licences_page())
        case ["sbom"]:
            sys.stdout.write(sbom())
        case ["sbom", file]:
            Path(file).write_text(sbom())
        case _:
            sys.exit(str(__doc__))
    return 0


def packages() -> tuple[Package, ...]:
    """Every package of the image's lock, by name. ValueError when one does not say its licence."""
    return tuple(sorted(_packages(), key=lambda package: package.name))


def licences_page() -> str:
    """The page for people."""
    return _HEADER + "".join(f"| {each.name} | {each.version} | {each.licence} |\n" for each in packages())


def sbom() -> str:
    """The document for programs."""
    found = packages()
    body = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": _own()},
        "components": [_component(package) for package in found],
    }
    # The number is that of the content, so that the same content has the same one.
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(body, sort_keys=True))
    return json.dumps({"$schema": _SCHEMA, "serialNumber": f"urn:uuid:{serial}", **body}, indent=2) + "\n"


_SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"


def _own() -> dict[str, object]:
    version = metadata.version("manifest-action")
    return {
        "type": "application",
        "bom-ref": f"pkg:pypi/manifest-action@{version}",
        "name": "manifest-action",
        "version": version,
        "licenses": [{"expression": "Apache-2.0"}],
        "purl": f"pkg:pypi/manifest-action@{version}",
    }


def _component(package: Package) -> dict[str, object]:
    purl = f"pkg:pypi/{package.name}@{package.version}"
    files = [{"alg": "SHA-256", "content": digest} for digest in package.hashes]
    return {
        "type": "library",
        "bom-ref": purl,
        "name": package.name,
        "version": package.version,
        "licenses": [{"expression": package.licence}],
        "purl": purl,
        "externalReferences": [
            {
                "type": "distribution",
                "url": purl,
                "hashes": [file],
            }
            for file in files
        ],
    }


def _packages() -> Iterator[Package]:
    for name, version, rest in _PIN.findall(LOCK.read_text()):
        yield Package(name, version, _licence(name), tuple(sorted(_HASH.findall(rest))))


def _licence(name: str) -> str:
    said = metadata.metadata(name)
    if "License-Expression" in said:
        return str(said["License-Expression"])
    classified = [
        text.rpartition(" :: ")[2] for text in said.get_all("Classifier") or [] if text.startswith("License ::")
    ]
    known = [_CLASSIFIERS[text] for text in classified if text in _CLASSIFIERS]
    if not known and "License" in said and re.fullmatch(r"[A-Za-z0-9.-]{2,20}", said["License"]):
        return str(said["License"])
    if known or name in _NOT_SAID:
        return " AND ".join(known) or _NOT_SAID[name]
    raise ValueError(f"{name} does not say its licence; look it up, and add it here")


if __name__ == "__main__":
    sys.exit(main())
