"""Finding the members of a tar archive without unpacking it (POSIX.1-2017 pax, ustar; GNU tar's long names). Pure.

Nothing in an archive is trusted: a name that leaves it, a second member of the same name, hard links, devices, sparse
files, and sizes beyond the archive's end are refused with ValueError.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

BLOCK = 512
MEMBER_LIMIT = 100_000
NAME_LIMIT = 1024

_EXTENSION_LIMIT = 64 * 1024
_REGULAR = (b"0", b"\0", b"7")
_SYMLINK = b"2"
_DIRECTORY = b"5"
_PAX, _PAX_GLOBAL, _GNU_NAME, _GNU_LINK = b"x", b"g", b"L", b"K"
_RECORDS_USED = ("path", "linkpath", "size")
_EXTENSIONS = (_PAX, _PAX_GLOBAL, _GNU_NAME, _GNU_LINK)
_REFUSED = {b"1": "a hard link", b"3": "a device", b"4": "a device", b"6": "a pipe", b"S": "a sparse file"}

ReadAt = Callable[[int, int], bytes]
"""Up to so many bytes from so far on; fewer only at the end."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive: `size` bytes from `offset` on; or (with `link`) another name for a file."""

    name: str
    offset: int
    size: int
    link: str = ""


@dataclass(frozen=True, slots=True)
class _Header:
    name: str
    kind: bytes
    size: int
    link: str


def find_members(read_at: ReadAt, size: int) -> Mapping[str, Member]:
    """Every file and symbolic link of an archive of `size` bytes, by name; directories are left out.

    Names have no `./` at their start. ValueError says what is wrong with the archive.
    """
    found: dict[str, Member] = {}
    for member in _walk(read_at, size):
        if member.name in found:
            raise ValueError(f"there are two members named {member.name[:200]!r}")
        if len(found) == MEMBER_LIMIT:
            raise ValueError(f"there are more than {MEMBER_LIMIT} members")
        found[member.name] = member
    return found


def _walk(read_at: ReadAt, size: int) -> Iterator[Member]:
    offset = 0
    stated: dict[str, str] = {}
    while offset < size:
        block = read_at(offset, BLOCK)
        if not any(block):
            return
        header = _header(block)
        start = offset + BLOCK
        length = _length(header, stated)
        offset = start + -(-length // BLOCK) * BLOCK
        if offset > size:
            raise ValueError(f"it ends in the middle of {header.name[:200]!r}")
        if header.kind in _EXTENSIONS:
            stated |= _extension(header, read_at, start)
            continue
        member = _member(header, stated, start, length)
        stated = {}
        if member:
            yield member


def _header(block: bytes) -> _Header:
    if len(block) < BLOCK:
        raise ValueError("it ends in the middle of a header")
    if _number(block[148:156]) != sum(block) - sum(block[148:156]) + 8 * 0x20:
        raise ValueError("it is no tar archive, or a header in it is damaged")
    name = _text(block[:100])
    if block[257:263] == b"ustar\0" and block[345]:
        name = f"{_text(block[345:500])}/{name}"
    return _Header(name, block[156:157], _number(block[124:136]), _text(block[157:257]))


def _length(header: _Header, stated: Mapping[str, str]) -> int:
    """How many bytes follow the header; links and directories have none, whatever they say."""
    if header.kind in _EXTENSIONS:
        if header.size > _EXTENSION_LIMIT:
            raise ValueError(f"an extended header has {header.size} bytes, over the limit of {_EXTENSION_LIMIT}")
        return header.size
    if header.kind not in _REGULAR:
        return 0
    size = stated.get("size")
    if size is None:
        return header.size
    if not (size.isascii() and size.isdigit() and len(size) <= 20):
        raise ValueError(f"{header.name[:200]!r} has a size that is no number")
    return int(size)


def _member(header: _Header, stated: Mapping[str, str], offset: int, size: int) -> Member | None:
    name = stated.get("path", header.name)
    if header.kind in _REFUSED or header.kind not in (*_REGULAR, _SYMLINK, _DIRECTORY):
        what = _REFUSED.get(header.kind, "of an unknown kind")
        raise ValueError(f"{name[:200]!r} is {what}; only files belong into an image archive")
    is_directory = header.kind == _DIRECTORY or name.endswith("/")
    name = inside(name)
    if is_directory:
        return None
    if not name:
        raise ValueError("a file has no name")
    link = stated.get("linkpath", header.link) if header.kind == _SYMLINK else ""
    if header.kind == _SYMLINK and not link:
        raise ValueError(f"{name[:200]!r} is a link to nothing")
    return Member(name, offset, size, link)


def inside(path: str) -> str:
    """A member's path in its one form; ValueError when it is absolute, leads outside or is over NAME_LIMIT long."""
    if len(path) > NAME_LIMIT:
        raise ValueError(f"a name has more than {NAME_LIMIT} characters")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if path.startswith("/") or ".." in parts:
        raise ValueError(f"{path[:200]!r} leads outside of the archive")
    return "/".join(parts)


def _extension(header: _Header, read_at: ReadAt, offset: int) -> Mapping[str, str]:
    """What an extended header says about the member after it."""
    content = read_at(offset, header.size)
    if header.kind == _GNU_NAME:
        return {"path": _text(content)}
    if header.kind == _GNU_LINK:
        return {"linkpath": _text(content)}
    records = dict(_records(content))
    if any(key.startswith("GNU.sparse") for key in records):
        raise ValueError("a member is a sparse file; only files belong into an image archive")
    used = {key: value for key, value in records.items() if key in _RECORDS_USED}
    if used and header.kind == _PAX_GLOBAL:
        raise ValueError("a global header names or sizes members")
    return used


def _records(content: bytes) -> Iterator[tuple[str, str]]:
    """Each is its length (counting all of it), a space, `key=value` and a line feed."""
    while content:
        digits, space, _ = content[:8].partition(b" ")
        length = int(digits) if space and digits.isdigit() else 0
        key, equals, value = content[len(digits) + 1 : length].partition(b"=")
        if not equals or not value.endswith(b"\n") or length > len(content):
            raise ValueError("an extended header is damaged")
        yield _decoded(key), _decoded(value[:-1])
        content = content[length:]


def _number(field: bytes) -> int:
    if field[0] & 0x80:
        # GNU tar: the rest of the field is a binary number.
        return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:])
    digits = field.strip(b" \0")
    if not all(0x30 <= digit <= 0x37 for digit in digits):
        raise ValueError("it is no tar archive, or a header in it is damaged")
    return int(digits or b"0", 8)


def _text(field: bytes) -> str:
    return _decoded(field.partition(b"\0")[0])


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise ValueError("a name is not UTF-8 text") from None
