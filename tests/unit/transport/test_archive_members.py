"""Archives that are as they should be, and archives that somebody has prepared."""

import io
import random
import tarfile
import time

import pytest

from manifest_action.transport.archive import members
from manifest_action.transport.archive.members import BLOCK, Member, find_members
from tests.support.tarballs import tar_of

FILES = {"index.json": b"{}", "blobs/sha256/a": b"x" * 513, "empty": b"", "last": b"y" * 512}
FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}


def found_in(archive: bytes) -> dict[str, Member]:
    return dict(find_members(lambda offset, size: archive[offset : offset + size], len(archive)))


def contents(archive: bytes) -> dict[str, bytes]:
    found = found_in(archive).values()
    return {member.name: archive[member.offset : member.offset + member.size] for member in found}


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type = kind
    made.linkname = link
    return made


def test_every_file_is_found_where_it_lies() -> None:
    assert contents(tar_of(FILES)) == FILES


@pytest.mark.parametrize("form", list(FORMATS))
def test_long_names_are_read_in_every_format(form: str) -> None:
    name = "/".join(["d" * 50, "e" * 50, "f" * 90])
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=FORMATS[form]) as archive:
        made = entry(name)
        made.size = 4
        archive.addfile(made, io.BytesIO(b"here"))
    assert contents(buffer.getvalue()) == {name: b"here"}


def test_names_have_one_form_and_directories_are_left_out() -> None:
    archive = tar_of({"./oci-layout": b"1", "blobs//a": b"2"}, [entry("./"), entry("blobs/", tarfile.DIRTYPE)])
    assert contents(archive) == {"oci-layout": b"1", "blobs/a": b"2"}


def test_links_are_listed_as_links() -> None:
    archive = tar_of(FILES, [entry("id/layer.tar", tarfile.SYMTYPE, "../last")])
    assert found_in(archive)["id/layer.tar"].link == "../last"


def test_what_follows_the_end_is_not_read() -> None:
    assert contents(tar_of(FILES) + b"anything") == FILES
    assert contents(bytes(BLOCK)) == {}
    assert contents(b"") == {}


def test_an_archive_may_end_without_its_final_zeros() -> None:
    archive = tar_of({"last": b"y" * 512})
    assert contents(archive[: 2 * BLOCK]) == {"last": b"y" * 512}


@pytest.mark.parametrize(
    ("archive", "complaint"),
    [
        (tar_of({"/etc/passwd": b""}), "leads outside"),
        (tar_of({"../x": b""}), "leads outside"),
        (tar_of({"a/../../x": b""}), "leads outside"),
        (tar_of({"a": b"1", "./a": b"2"}), "two members named 'a'"),
        (tar_of(FILES, [entry("x", tarfile.LNKTYPE, "last")]), "'x' is a hard link"),
        (tar_of(FILES, [entry("x", tarfile.CHRTYPE)]), "a device"),
        (tar_of(FILES, [entry("x", tarfile.BLKTYPE)]), "a device"),
        (tar_of(FILES, [entry("x", tarfile.FIFOTYPE)]), "a pipe"),
        (tar_of(FILES, [entry("x", tarfile.GNUTYPE_SPARSE)]), "a sparse file"),
        (tar_of(FILES, [entry("x", b"Z")]), "of an unknown kind"),
        (tar_of(FILES, [entry("x", tarfile.SYMTYPE)]), "a link to nothing"),
        (tar_of({"a" * 1025: b""}), "more than 1024 characters"),
        (tar_of({"a" * 70_000: b""}), "extended header has"),
        (b"no archive at all" * 100, "no tar archive"),
        (tar_of(FILES)[:700], "ends in the middle"),
        (tar_of(FILES)[:300], "in the middle of a header"),
    ],
)
def test_what_is_dangerous_or_damaged_is_refused(archive: bytes, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        found_in(archive)


@pytest.mark.parametrize("size", [b"77777777777\0", b"\x80" + b"\xff" * 11, b"\xff" * 12])
def test_absurd_sizes_are_refused(size: bytes) -> None:
    with pytest.raises(ValueError, match="ends in the middle"):
        found_in(with_header(tar_of({"a": b"1"}), 124, size))


def test_sizes_of_extended_headers_are_believed_only_as_numbers() -> None:
    for value, complaint in (("1" * 15, "ends in the middle"), ("-1", "no number"), ("x", "no number")):
        made = entry("a")
        made.pax_headers = {"size": value}
        with pytest.raises(ValueError, match=complaint):
            found_in(tar_of({}, [made]))


@pytest.mark.parametrize("record", [b"5 a=b\n", b"99 a=b\n", b"x a=b\n", b"6 ab\n\n", b"0 a=b\n", b"7 \xff=b\n\n"])
def test_damaged_extended_headers_are_refused(record: bytes) -> None:
    archive = tar_of({"x": record})
    with pytest.raises(ValueError, match=r"damaged|UTF-8"):
        found_in(with_header(archive, 156, b"x"))


def test_a_global_header_may_comment_but_not_name() -> None:
    record = b"16 comment=abcd\n"
    assert contents(with_header(tar_of({"g": record, "a": b"1"}), 156, b"g")) == {"a": b"1"}
    with pytest.raises(ValueError, match="global header"):
        found_in(with_header(tar_of({"g": b"9 path=b\n"}), 156, b"g"))


def test_sparse_files_of_pax_are_refused() -> None:
    made = entry("a")
    made.pax_headers = {"GNU.sparse.major": "1"}
    with pytest.raises(ValueError, match="sparse"):
        found_in(tar_of({}, [made]))


def test_names_that_are_no_text_are_refused() -> None:
    with pytest.raises(ValueError, match="UTF-8"):
        found_in(with_header(tar_of({"a": b""}), 0, b"\xff"))


def test_the_number_of_members_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "MEMBER_LIMIT", 3)
    with pytest.raises(ValueError, match="more than 3 members"):
        found_in(tar_of(FILES))


def test_any_change_of_a_byte_is_read_or_refused_in_no_time() -> None:
    chance = random.Random(7)
    archive = tar_of(FILES | {"d" * 120: b"1"})
    started = time.perf_counter()
    for _ in range(3000):
        changed = bytearray(archive)
        for _ in range(chance.randint(1, 4)):
            changed[chance.randrange(len(archive))] = chance.randrange(256)
        try:
            found = found_in(bytes(changed))
        except ValueError as error:
            assert len(str(error)) < 400
        else:
            assert all(member.offset + member.size <= len(archive) for member in found.values())
    assert time.perf_counter() - started < 20


def with_header(archive: bytes, offset: int, value: bytes) -> bytes:
    """The archive with some bytes of its first header changed, and the checksum with them."""
    block = bytearray(archive[:BLOCK])
    block[offset : offset + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + archive[BLOCK:]
