"""Signatures as files, numbered from 1."""

import os
from pathlib import Path

import pytest

from manifest_action.errors import PolicyError, StoreError
from manifest_action.model.digest import Digest
from manifest_action.model.reference import parse_reference
from manifest_action.signing.lookaside import COUNT_LIMIT, SIZE_LIMIT, read_file, read_signatures, signature_address


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
