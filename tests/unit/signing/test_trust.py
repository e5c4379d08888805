"""The keys of a policy, and what cannot be used as one."""

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from manifest_action.errors import PolicyError
from manifest_action.signing.keys import load_private_key
from manifest_action.signing.policy.requirements import Keys
from manifest_action.signing.policy.verdict import SigstoreSignature
from manifest_action.signing.trust import Trust
from tests.support.keys import key_pair

FIRST, OTHER = key_pair(), key_pair("other")
CONTENT = b"content"
GOOD = SigstoreSignature(CONTENT, load_private_key(FIRST.private.encode(), None, "test").sign(CONTENT))


def test_any_of_the_keys_will_do(tmp_path: Path) -> None:
    paths = (str(OTHER.write_public(tmp_path, "other.pub")), str(FIRST.write_public(tmp_path)))
    data = (OTHER.public.encode(), FIRST.public.encode())
    with Trust() as trust:
        for keys in (Keys(paths), Keys(data=data)):
            assert trust.verified(keys, Keys(), GOOD) == CONTENT


def test_files_are_read_once_for_a_run(tmp_path: Path) -> None:
    file = FIRST.write_public(tmp_path)
    with Trust() as trust:
        trust.verified(Keys((str(file),)), Keys(), GOOD)
        file.unlink()
        assert trust.verified(Keys((str(file),)), Keys(), GOOD) == CONTENT


@pytest.mark.parametrize(
    ("key", "signature"),
    [
        (OTHER.public, GOOD),
        (FIRST.public, SigstoreSignature(b"other", GOOD.signature)),
        (FIRST.public, SigstoreSignature(CONTENT, b"")),
        (FIRST.public, SigstoreSignature(CONTENT, base64.b64encode(GOOD.signature))),
    ],
)
def test_everything_else_is_no_good(key: str, signature: SigstoreSignature) -> None:
    with Trust() as trust, pytest.raises(ValueError, match="by another key, or over something else"):
        trust.verified(Keys(data=(key.encode(),)), Keys(), signature)


def test_what_is_no_key_is_told(tmp_path: Path) -> None:
    large = ec.generate_private_key(ec.SECP384R1()).public_key()
    curve = large.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "large").write_bytes(bytes(4 * 1024 * 1024 + 1))
    with Trust() as trust:
        for keys, what in (
            (Keys((str(tmp_path / "none"),)), "cannot be read: No such file"),
            (Keys((str(tmp_path),)), "cannot be read"),
            (Keys(("a\0b",)), "cannot be read"),
            (Keys((str(tmp_path / "large"),)), "more than 4194304 bytes"),
            (Keys(data=(b"no key",)), "cannot be used: there is no public key"),
            (Keys(data=(curve,)), "cannot be used: a key of this kind is not accepted"),
        ):
            with pytest.raises(PolicyError, match=what):
                trust.verified(keys, Keys(), GOOD)
