"""Finding images in layouts that others have written."""

import json
import shutil
from pathlib import Path

import pytest

from manifest_action.errors import ContentError, ManifestActionError, ResolveError, StoreError
from manifest_action.model.reference import parse_reference
from manifest_action.transport.layout.source import LayoutSource
from manifest_action.transport.layout.transport import LayoutTransport
from tests.support.images import buildx_index, digest_of, image, write_layout

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
FIRST = image()
SECOND = image("linux/arm64")


def source(path: Path) -> LayoutSource:
    return LayoutTransport().source(parse_reference(f"oci:{path}").repository)


def edit_index(path: Path, **members: object) -> None:
    file = path / "index.json"
    file.write_text(json.dumps(json.loads(file.read_bytes()) | members))


def test_the_only_image_needs_no_name(tmp_path: Path) -> None:
    for name in ("", "1.0"):
        path = write_layout(tmp_path / f"layout-{name}", {name: FIRST})
        assert source(path).resolve("").raw == FIRST.manifest_bytes


def test_the_only_image_may_have_several_names(tmp_path: Path) -> None:
    path = write_layout(tmp_path / "layout", {"1.0": FIRST, "latest": FIRST})
    assert source(path).resolve("").raw == FIRST.manifest_bytes


def test_an_index_as_buildx_exports_it_is_found_by_tag_full_name_and_without_a_name(tmp_path: Path) -> None:
    whole = buildx_index([FIRST, SECOND])
    path = write_layout(tmp_path / "layout", {"": whole})
    annotations = {
        "io.containerd.image.name": "docker.io/acme/app:1.0",
        "org.opencontainers.image.ref.name": "1.0",
        "org.opencontainers.image.created": "2026-01-01T00:00:00Z",
    }
    edit_index(path, manifests=[whole.descriptor(annotations=annotations)])
    for selector in ("", "1.0", "docker.io/acme/app:1.0", whole.digest):
        assert source(path).resolve(selector).raw == whole.manifest_bytes


def test_several_images_ask_for_a_name_and_list_them(tmp_path: Path) -> None:
    path = write_layout(tmp_path / "layout", {"1.0": FIRST, "1.1": SECOND})
    with pytest.raises(ResolveError, match="2 images") as raised:
        source(path).resolve("")
    assert "1.0, 1.1" in raised.value.hint


def test_several_images_without_names_are_offered_by_digest(tmp_path: Path) -> None:
    path = write_layout(tmp_path / "layout", {"": FIRST})
    edit_index(path, manifests=[FIRST.descriptor(), SECOND.descriptor()])
    with pytest.raises(ResolveError, match="2 images") as raised:
        source(path).resolve("")
    assert f"{FIRST.digest}, {SECOND.digest}" in raised.value.hint


def test_a_name_of_two_different_images_is_refused(tmp_path: Path) -> None:
    path = write_layout(tmp_path / "layout", {"1.0": FIRST})
    annotations = {"org.opencontainers.image.ref.name": "1.0"}
    edit_index(path, manifests=[each.descriptor(annotations=annotations) for each in (FIRST, SECOND)])
    with pytest.raises(ResolveError, match=r"2 different images named 1\.0") as raised:
        source(path).resolve("1.0")
    assert FIRST.digest in raised.value.hint


def test_an_unknown_name_lists_the_known_ones_up_to_ten(tmp_path: Path) -> None:
    path = write_layout(tmp_path / "layout", {f"v{number:02}": FIRST for number in range(12)})
    with pytest.raises(ResolveError, match="no image named 2") as raised:
        source(path).resolve("2")
    assert raised.value.hint.endswith("v09, …")
    assert "v10" not in raised.value.hint


def test_a_name_where_nothing_has_one(tmp_path: Path) -> None:
    path = write_layout(tmp_path / "layout", {"": FIRST})
    with pytest.raises(ResolveError) as raised:
        source(path).resolve("1.0")
    assert f"write oci:{path} or" in raised.value.hint


def test_a_layout_that_lists_nothing(tmp_path: Path) -> None:
    path = write_layout(tmp_path / "layout", {})
    for selector in ("", "1.0"):
        with pytest.raises(ResolveError, match="lists no image"):
            source(path).resolve(selector)
    (path / "index.json").unlink()
    with pytest.raises(ResolveError, match="lists no image"):
        source(path).resolve("")


def test_what_is_no_layout_is_a_resolve_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.tar").write_bytes(b"x")
    write_layout(tmp_path / "unmarked", {"": FIRST})
    (tmp_path / "unmarked" / "oci-layout").unlink()
    for name in ("missing", "missing/deeper", "empty", "file.tar", "unmarked"):
        with pytest.raises(ResolveError, match="no OCI layout") as raised:
            source(tmp_path / name).resolve("")
        assert raised.value.where == f"oci:{tmp_path / name}"


@pytest.mark.parametrize(
    "marker",
    [b"", b"{}", b'{"imageLayoutVersion":"2.0.0"}', b'{"imageLayoutVersion":1}', b"x" * 10_000, b'{"a":1,"a":2}'],
)
def test_another_version_of_the_format_is_refused(tmp_path: Path, marker: bytes) -> None:
    path = write_layout(tmp_path / "layout", {"": FIRST})
    (path / "oci-layout").write_bytes(marker)
    with pytest.raises(StoreError):
        source(path).resolve("")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b'{"schemaVersion":2,"manifests":[],"manifests":[]}',
        b'{"schemaVersion":2,"manifests":[{"mediaType":"x","digest":"sha256:../../oci-layout","size":30}]}',
    ],
)
def test_a_damaged_index_is_refused_with_its_path(tmp_path: Path, content: bytes) -> None:
    path = write_layout(tmp_path / "layout", {"": FIRST})
    (path / "index.json").write_bytes(content)
    with pytest.raises(StoreError, match="damaged") as raised:
        source(path).resolve("")
    assert raised.value.where == str(path / "index.json")


def test_an_index_over_four_mebibytes_is_refused(tmp_path: Path) -> None:
    path = write_layout(tmp_path / "layout", {"": FIRST})
    edit_index(path, padding="")
    missing = 4 * 1024 * 1024 - (path / "index.json").stat().st_size
    edit_index(path, padding="x" * missing)
    assert source(path).resolve("").raw == FIRST.manifest_bytes
    edit_index(path, padding="x" * (missing + 1))
    with pytest.raises(StoreError, match="more than"):
        source(path).resolve("")


@pytest.mark.parametrize("wrong", [{"size": 1}, {"size": 2**53 - 1}, {"mediaType": OCI_INDEX}, {"size": 0}])
def test_an_entry_that_misdescribes_its_manifest_is_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    path = write_layout(tmp_path / "layout", {"": FIRST})
    edit_index(path, manifests=[FIRST.descriptor() | wrong])
    with pytest.raises(ContentError):
        source(path).resolve("")


def test_an_entry_whose_manifest_is_missing(tmp_path: Path) -> None:
    path = write_layout(tmp_path / "layout", {"1.0": FIRST})
    (path / "blobs" / "sha256" / FIRST.digest.partition(":")[2]).unlink()
    with pytest.raises(ResolveError, match="does not have"):
        source(path).resolve("1.0")
    shutil.rmtree(path / "blobs")
    with pytest.raises(ResolveError, match="does not have"):
        source(path).resolve("1.0")


def test_a_blob_that_is_no_manifest(tmp_path: Path) -> None:
    path = write_layout(tmp_path / "layout", {"1.0": FIRST})
    for digest in FIRST.blobs:
        with pytest.raises(ContentError, match="no manifest"):
            source(path).resolve(digest)


def test_a_blob_that_is_too_large_for_a_manifest_is_not_read(tmp_path: Path) -> None:
    path = write_layout(tmp_path / "layout", {"1.0": FIRST})
    digest = f"sha256:{'5' * 64}"
    with (path / "blobs" / "sha256" / ("5" * 64)).open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ContentError, match="over the limit"):
        source(path).resolve(digest)


def test_sha512_content_is_checked_as_such(tmp_path: Path) -> None:
    path = write_layout(tmp_path / "layout", {"": FIRST})
    (path / "blobs" / "sha512").mkdir()
    (path / "blobs" / "sha512" / ("0" * 128)).write_bytes(FIRST.manifest_bytes)
    with pytest.raises(ContentError):
        source(path).resolve(f"sha512:{'0' * 128}")


def test_manifests_without_a_media_type_take_that_of_their_entry(tmp_path: Path) -> None:
    document = json.loads(FIRST.manifest_bytes)
    del document["mediaType"]
    raw = json.dumps(document).encode()
    path = write_layout(tmp_path / "layout", {"": FIRST})
    (path / "blobs" / "sha256" / digest_of(raw).partition(":")[2]).write_bytes(raw)
    edit_index(path, manifests=[FIRST.descriptor() | {"digest": digest_of(raw), "size": len(raw)}])
    assert source(path).resolve("").media_type == FIRST.media_type


def test_every_error_says_where(tmp_path: Path) -> None:
    path = write_layout(tmp_path / "layout", {"1.0": FIRST, "1.1": SECOND})
    for selector in ("", "2", f"sha256:{'1' * 64}", next(iter(FIRST.blobs))):
        with pytest.raises(ManifestActionError) as raised:
            source(path).resolve(selector)
        assert str(path) in raised.value.where
