"""Signatures as files, numbered from 1."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from manifest_action.errors import PolicyError, StoreError
from manifest_action.model.digest import Digest
from manifest_action.model.reference import parse_reference
from manifest_action.signing.lookaside import (
    COUNT_LIMIT,
    SIZE_LIMIT,
    append_signature,
    read_file,
    read_signatures,
    signature_address,
)


def test_the_address_has_no_host_and_no_colon() -> None:
    digest = Digest.of(b"")
    for base in ("https://sigs.example/x", "https://sigs.example/x/"):
        address = signature_address(base, parse_reference("ghcr.io:5000/acme/app:1").repository, digest)
        assert address == f"https://sigs.example/x/acme/app@sha256={digest.encoded}/signature-"


def test_reading_ends_at_the_first_gap() -> None:
    stored = {"a/signature-1": b"1", "a/signature-2": b"2", "a/signature-4": b"4"}
    assert list(read_signatures("a/signature-", stored.get)) == [b"1", b"2"]


def test_a_lookaside_without_end_is_left() -> None:
    asked: list[str] = []

    def read(address: str) -> bytes:
        asked.append(address)
        return b""

    with pytest.raises(PolicyError, match="more than 128"):
        list(read_signatures("", read))
    assert len(asked) == COUNT_LIMIT


def test_files_are_found_by_path_and_by_address(tmp_path: Path) -> None:
    file = tmp_path / "a file"
    file.write_bytes(b"x")
    assert read_file(str(file)) == read_file(file.as_uri()) == b"x"
    assert read_file(f"{file}-2") is None
    assert read_file(f"{file}/1") is None


def test_files_that_cannot_be_read_are_no_missing_ones(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        read_file(str(tmp_path))
    (tmp_path / "large").touch()
    os.truncate(tmp_path / "large", SIZE_LIMIT + 1)
    with pytest.raises(StoreError, match="more than"):
        read_file(str(tmp_path / "large"))


def test_signatures_get_the_first_number_that_is_free(tmp_path: Path) -> None:
    beginning = f"{tmp_path.as_uri()}/new%20place/app@sha256=1/signature-"
    folder = tmp_path / "new place" / "app@sha256=1"
    assert append_signature(beginning, b"a") == f"{beginning}1"
    (folder / "signature-3").write_bytes(b"c")
    assert [append_signature(beginning, text)[-1] for text in (b"b", b"d")] == ["2", "4"]
    assert list(read_signatures(beginning, read_file)) == [b"a", b"b", b"c", b"d"]
    assert sorted(file.name for file in folder.iterdir()) == [f"signature-{number}" for number in range(1, 5)]


def test_many_writers_at_once_leave_no_gap(tmp_path: Path) -> None:
    beginning = f"{tmp_path.as_uri()}/signature-"
    texts = [str(number).encode() for number in range(60)]
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda text: append_signature(beginning, text), texts))
    assert sorted(read_signatures(beginning, read_file)) == sorted(texts)


def test_a_lookaside_that_is_full_or_cannot_be_written(tmp_path: Path) -> None:
    beginning = f"{tmp_path.as_uri()}/signature-"
    for number in range(1, 129):
        (tmp_path / f"signature-{number}").write_bytes(b"x")
    with pytest.raises(StoreError, match="there are 128 signatures already"):
        append_signature(beginning, b"y")
    assert len(list(tmp_path.iterdir())) == 128
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="a signature cannot be written"):
        append_signature(f"{tmp_path.as_uri()}/file/signature-", b"y")
