"""Where keys and passphrases are read from, and that what is read is masked first."""

import base64
from pathlib import Path

import pytest

from manifest_action.errors import SigningError
from manifest_action.events import Event, SecretLearned
from manifest_action.signing.cosign import open_cosign
from manifest_action.signing.material import SIZE_LIMIT, Material
from manifest_action.signing.sealed import sealed
from manifest_action.signing.table import open_signer
from tests.support.keys import key_pair


class Events:
    def __init__(self) -> None:
        self.all: list[Event] = []

    def emit(self, event: Event, /) -> None:
        self.all.append(event)


def test_variables_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("key").write_bytes(b"from a file")
    events = Events()
    material = Material({"K": "from a variable"}, events)
    assert material.secret("env://K", "key") == b"from a variable"
    assert material.secret("env://OTHER", "key") is None
    assert {material.secret(text, "key") for text in ("key", "file://key", f"file://{tmp_path}/key")} == {
        b"from a file"
    }
    assert events.all == [SecretLearned("from a variable"), *[SecretLearned("from a file")] * 3]


def test_what_is_public_is_not_masked() -> None:
    events = Events()
    assert Material({"K": "public"}, events).public("env://K", "key") == b"public"
    assert events.all == []
    with pytest.raises(SigningError, match="the variable OTHER is not set"):
        Material({}, events).public("env://OTHER", "key")


def test_a_path_that_may_be_a_secret_is_not_repeated(tmp_path: Path) -> None:
    material = Material({}, Events())
    for text in ("hunter2-not-a-path", "a\0b", "/" * 5000):
        with pytest.raises(SigningError) as caught:
            material.secret(text, "passphrase")
        assert "the file of passphrase cannot be read" in str(caught.value)
        assert text not in str(caught.value) + caught.value.where
    with pytest.raises(SigningError) as caught:
        material.secret(f"file://{tmp_path}/gone", "passphrase")
    assert caught.value.where == f"file://{tmp_path}/gone"


def test_files_have_a_limit(tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(b"x" * (SIZE_LIMIT + 1))
    with pytest.raises(SigningError, match="more than 65536 bytes"):
        Material({}, Events()).secret(str(large), "key")
    large.write_bytes(b"x" * SIZE_LIMIT)
    assert Material({}, Events()).secret(str(large), "key") == b"x" * SIZE_LIMIT


OPTIONS = {"key": "env://KEY", "passphrase": "env://PASSPHRASE", "format": "tag"}


def test_a_signer_from_variables() -> None:
    open_signer("cosign", OPTIONS, Material({"KEY": key_pair().private}, Events()))
    open_signer("cosign", OPTIONS, Material({"KEY": sealed(_der(), b"p\n"), "PASSPHRASE": "p\n"}, Events()))


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_line_end_in_a_passphrase_file_is_none_of_it(end: bytes, tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.write_bytes(b"p" + end)
    open_cosign(OPTIONS | {"passphrase": str(file)}, Material({"KEY": sealed(_der(), b"p")}, Events()))


def _der() -> bytes:
    return base64.b64decode("".join(key_pair().private.splitlines()[1:-1]))
