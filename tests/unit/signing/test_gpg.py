"""What gpg says is understood in one way only: one good signature by a key of the policy."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from manifest_action.errors import PolicyError
from manifest_action.signing.gpg import PAYLOAD_LIMIT, Keyring, _fault
from tests.support.gpg import Gpg, gpg

FINGERPRINT = "A" * 40
NAME = "a@test.invalid"


def status(*lines: str) -> list[str]:
    return [f"[GNUPG:] {line}" for line in lines]


GOOD = status(
    "NEWSIG", "PLAINTEXT 62 0", "GOODSIG AAAA x", f"VALIDSIG {'B' * 40} 2026-01-01 1 0 4 0 1 8 00 {FINGERPRINT}"
)


def test_a_good_signature_is_known_by_its_primary_key() -> None:
    assert _fault(GOOD, frozenset({FINGERPRINT})) == ""
    assert _fault(GOOD, frozenset({"B" * 40})) == "it was made by another key"


@pytest.mark.parametrize("missing", range(4))
def test_every_word_is_needed(missing: int) -> None:
    lines = GOOD[:missing] + GOOD[missing + 1 :]
    assert _fault(lines, frozenset({FINGERPRINT})) == "there is not exactly one good signature"


@pytest.mark.parametrize("twice", range(4))
def test_no_word_may_come_twice(twice: int) -> None:
    assert _fault([*GOOD, GOOD[twice]], frozenset({FINGERPRINT})) == "there is not exactly one good signature"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("BADSIG x", "what is signed was changed"),
        ("ERRSIG x", "cannot be checked"),
        ("NO_PUBKEY x", "another key"),
        ("EXPSIG x", "signature has expired"),
        ("EXPKEYSIG x", "key of the signature has expired"),
        ("REVKEYSIG x", "revoked"),
        ("UNEXPECTED 0", "more than a signed message"),
        ("NODATA 1", "no signed message"),
    ],
)
def test_one_bad_word_is_enough(line: str, why: str) -> None:
    assert why in _fault([*GOOD, *status(line)], frozenset({FINGERPRINT}))


def test_lines_that_only_look_like_gpgs_do_not_count() -> None:
    assert _fault([line.removeprefix("[GNUPG:] ") for line in GOOD], frozenset({FINGERPRINT}))


@pytest.fixture(scope="module")
def signer() -> Iterator[Gpg]:
    with gpg() as made:
        made.make_key(NAME)
        yield made


def test_the_payload_is_what_was_signed(signer: Gpg) -> None:
    with Keyring([signer("--export", NAME)]) as keyring:
        assert keyring.opened(signer.sign(NAME, b"{}\r\n\xff")) == b"{}\r\n\xff"


def test_a_payload_that_grows_without_bound_is_left(signer: Gpg) -> None:
    signed = signer.sign(NAME, bytes(PAYLOAD_LIMIT * 20), "--compress-algo", "zlib")
    assert len(signed) < PAYLOAD_LIMIT
    with Keyring([signer("--export", NAME)]) as keyring, pytest.raises(ValueError, match=r"."):
        keyring.opened(signed)


def test_what_follows_a_signed_message_does_not_get_in(signer: Gpg) -> None:
    signed = signer.sign(NAME, b"first", "--compress-algo", "none")
    other = signer.sign(NAME, b"second", "--compress-algo", "none")
    with Keyring([signer("--export", NAME)]) as keyring:
        for joined in (signed + other, signed + signed):
            with pytest.raises(ValueError, match=r"."):
                keyring.opened(joined)


def test_a_revoked_key_counts_no_more(signer: Gpg) -> None:
    name = "revoked@test.invalid"
    signer.make_key(name)
    signed = signer.sign(name, b"x")
    fingerprint = signer("--with-colons", "--list-keys", name).decode().partition("fpr:::::::::")[2][:40]
    revocation = (signer.home / "openpgp-revocs.d" / f"{fingerprint}.rev").read_text().replace(":-----", "-----")
    with Keyring([signer("--export", name)]) as keyring:
        assert keyring.opened(signed) == b"x"
    signer("--import", given=revocation.encode())
    with Keyring([signer("--export", name)]) as keyring, pytest.raises(ValueError, match="revoked"):
        keyring.opened(signed)


def test_nothing_is_left_behind(signer: Gpg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Keyring([signer("--export", NAME)]) as keyring:
        assert [folder.stat().st_mode & 0o777 for folder in tmp_path.iterdir()] == [0o700]
        with pytest.raises(ValueError, match=r"."):
            keyring.opened(b"\xa3")
    with pytest.raises(PolicyError, match="no public GPG key"):
        Keyring([signer("--export", NAME), b"no key"])
    assert not list(tmp_path.iterdir())


def test_a_machine_without_gpg_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PolicyError, match="gpg is needed"):
        Keyring([b"key"])
