"""What is shipped beside the program is known, and may be shipped."""

import json
import re

from scripts.inventory import PAGE, licences_page, packages, sbom
from tests.support.servers import ROOT

ALLOWED = {"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "MPL-2.0", "PSF-2.0", "Unlicense"}


def test_the_page_of_licences_is_that_of_the_lock() -> None:
    assert PAGE.read_text() == licences_page(), "run: .venv/bin/python scripts/inventory.py licences"


def test_every_licence_is_one_that_may_be_shipped() -> None:
    for package in packages():
        named = set(re.split(r" (?:AND|OR) ", package.licence.strip("()")))
        assert named <= ALLOWED, f"{package.name}: {package.licence}"


def test_the_bill_of_materials_holds_exactly_what_is_locked() -> None:
    document = json.loads(sbom())
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    lock = (ROOT / "requirements" / "image.txt").read_text()
    pinned = re.findall(r"^([\w.-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", lock, re.MULTILINE)
    assert [(each["name"], each["version"]) for each in document["components"]] == sorted(pinned)
    hashes = re.findall(r"--hash=sha256:(\w+)", lock)
    listed = [
        reference["hashes"][0]["content"] for each in document["components"] for reference in each["externalReferences"]
    ]
    assert sorted(listed) == sorted(hashes)


def test_the_same_lock_gives_the_same_bytes() -> None:
    assert sbom() == sbom()
