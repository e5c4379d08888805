"""Saved lists beside podman's: the same edits give the same lists, and each tool reads what the other pushed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.images import DOCKER_LIST, OCI_INDEX, SyntheticImage, image, index, write_layout
from tests.support.peers import Peer, Podman
from tests.support.product import Product

NAME = "localhost/edits:1"
IMAGES: Mapping[str, SyntheticImage] = {
    "amd64": image("linux/amd64"),
    "arm64": image("linux/arm64"),
    "armv7": image("linux/arm/v7"),
    "armv6": image("linux/arm/v6"),
    "i386": image("linux/386"),
    "s390x": image("linux/s390x"),
    "riscv64": image("linux/riscv64"),
    "ltsc2019": image("windows/amd64:10.0.17763.6893", os_features=["win32k"]),
    "ltsc2022": image("windows/amd64:10.0.20348.3207"),
}

# With an architecture there is always a variant: podman 4.3 kept an old one, later versions clear it, as we do.
# Features of the operating system come from configs only: podman 4.3 takes the option and loses it.
SCRIPT = """
    create {name}
    add {name} {amd64}
    add {name} {arm64}
    add --variant v8 --os-version 6.1 {name} {arm64}
    add {name} {ltsc2019}
    add {name} {ltsc2022}
    annotate --os-version 10.0.20348.1 {name} @ltsc2022
    annotate --features sse4,avx2 {name} @amd64
    add --features vfp {name} {armv7}
    add {name} {armv7}
    annotate --arch arm --variant v5 {name} @armv7
    remove {name} @ltsc2019
    add --all {name} {index}
    add {name} {i386}
    annotate --annotation org.example.a=1 --annotation org.example.b=x=y {name} @i386
    add --annotation org.example.note=Ünïcode<&> {name} {s390x}
    annotate --annotation org.example.a= {name} @i386
    annotate --os freebsd --arch riscv64 --variant rva23 {name} @riscv64
    remove {name} @i386
    add {name} {i386}
    annotate --variant v7 {name} @armv6
    annotate --features neon {name} @armv7
    remove {name} @amd64
    add {name} {index}
    annotate --os linux --os-version 5.15 {name} @riscv64
"""


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    listed = index([IMAGES[name] for name in ("amd64", "armv6", "riscv64", "arm64")])
    return write_layout(tmp_path / "layout", {**IMAGES, "index": listed})


def edits(layout: Path) -> list[list[str]]:
    """The script's lines as arguments that podman's `manifest` and our `list` both take."""
    places = {name: f"oci:{layout}:{name}" for name in [*IMAGES, "index"]}
    digests = {f"@{name}": made.digest for name, made in IMAGES.items()}
    lines = [line.split() for line in SCRIPT.strip().splitlines()]
    return [[digests.get(word, word.format(name=NAME, **places)) for word in line] for line in lines]


def meaning(raw: bytes) -> dict[str, Any]:
    """What an index says, without its formatting; podman writes empty lists of entries as null or not at all."""
    document: dict[str, Any] = json.loads(raw)
    return {**document, "manifests": document.get("manifests") or []}


def ours(product: Product, *arguments: str) -> dict[str, Any]:
    result = product.run("list", arguments[0], "--json", *arguments[1:])
    assert result.returncode == 0, result.stderr.decode()
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def test_the_same_edits_give_the_same_list(podman: Podman, product: Product, layout: Path) -> None:
    script = edits(layout)
    assert len(script) == 25
    seen = []
    identifier = ""
    for edit in script:
        said = podman("manifest", *edit).decode().split()
        identifier = identifier or said[-1]
        theirs = meaning(podman.stored_list(identifier))
        assert meaning(ours(product, *edit)["index"].encode()) == theirs, edit
        seen.append(theirs["mediaType"])
    # Both types were preferred at some time, the Docker list first for being empty, then for its features.
    assert seen[0] == DOCKER_LIST
    assert seen[-1] == OCI_INDEX
    assert {OCI_INDEX, DOCKER_LIST} == set(seen[1:])


def test_each_reads_what_the_other_pushed(podman: Podman, skopeo: Peer, product: Product, layout: Path) -> None:
    for edit in edits(layout):
        podman("manifest", *edit)
        ours(product, *edit)
    podman("manifest", "push", "--all", NAME, f"oci:{product.folder}/theirs:1")
    report = ours(product, "push", NAME, "oci:ours:1")["indexes"][0]
    pushed = {who: skopeo("inspect", "--raw", f"oci:{product.folder}/{who}:1") for who in ("ours", "theirs")}
    assert meaning(pushed["ours"]) == meaning(pushed["theirs"])
    assert len(report["entries"]) == len(meaning(pushed["ours"])["manifests"]) == 8

    read = podman("manifest", "create", "--all", "localhost/back:1", f"oci:{product.folder}/ours:1").decode().strip()
    again = ours(product, "create", "--all", "localhost/back:1", "oci:theirs:1")
    assert platforms(podman.stored_list(read)) == platforms(again["index"].encode()) == platforms(pushed["ours"])
    skopeo("copy", "--all", f"oci:{product.folder}/ours:1", f"dir:{product.folder}/copy")


def platforms(raw: bytes) -> list[tuple[str, Any]]:
    return [(entry["digest"], entry["platform"]) for entry in meaning(raw)["manifests"]]


def test_a_saved_list_is_read_from_the_store_itself(skopeo: Peer, product: Product, layout: Path) -> None:
    ours(product, "create", NAME, f"oci:{layout}:amd64", f"oci:{layout}:arm64", "--store", "lists")
    saved = ours(product, "inspect", NAME, "--store", "lists")
    assert skopeo("inspect", "--raw", f"oci:{product.folder}/lists:{NAME}") == saved["index"].encode()
    assert saved["instances"][0]["location"] == f"oci:{layout}:amd64"
    assert product.run("inspect", f"oci:lists:{NAME}").returncode == 3, "the children are elsewhere, and it says so"
