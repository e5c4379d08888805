"""Keys in every accepted form, and what is said of every other one; secrets in none of it."""

import base64
import json
import traceback
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from manifest_action.errors import SigningError
from manifest_action.signing import sealed as sealed_module
from manifest_action.signing.keys import generate_pair, load_private_key, load_public_key
from manifest_action.signing.sealed import LABELS, sealed

P256 = ec.derive_private_key(0x5EED, ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)
Accepted = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
SECRET = b"canary-ae03"
FORMS = [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL]


def pem(key: object, form: PrivateFormat = PrivateFormat.PKCS8, passphrase: bytes = b"") -> bytes:
    protection = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    text: bytes = key.private_bytes(Encoding.PEM, form, protection)  # type: ignore[attr-defined]
    return text


def public_pem(key: object) -> bytes:
    text: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]
    return text


def refusal(load: Callable[[], object]) -> SigningError:
    with pytest.raises(SigningError) as caught:
        load()
    shown = "".join(traceback.format_exception(caught.value)) + caught.value.hint
    assert SECRET.decode() not in shown
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("passphrase", [b"", SECRET])
@pytest.mark.parametrize("key", [P256, RSA], ids=["p256", "rsa"])
def test_pem_of_every_form_signs(key: Accepted, passphrase: bytes, form: PrivateFormat) -> None:
    loaded = load_private_key(pem(key, form, passphrase), passphrase or None, "k")
    signature = loaded.sign(b"message")
    public = load_public_key(public_pem(key), "k")
    assert public.verifies(signature, b"message")
    assert not public.verifies(signature, b"other")
    assert not public.verifies(signature[:-1], b"message")
    assert loaded.public.pem.encode() == public.pem.encode() == public_pem(key)
    assert signature == loaded.sign(b"message"), "equal messages have equal signatures"


@pytest.mark.parametrize("label", sorted(LABELS))
@pytest.mark.parametrize("passphrase", [b"", SECRET])
def test_cosigns_own_form(label: str, passphrase: bytes) -> None:
    plain = P256.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    text = sealed(plain, passphrase).replace("ENCRYPTED SIGSTORE PRIVATE KEY", label)
    loaded = load_private_key(text.encode(), passphrase or None, "k")
    assert loaded.public.pem.encode() == public_pem(P256)


def test_a_generated_pair_belongs_together() -> None:
    private, public = generate_pair(SECRET)
    assert load_private_key(private.encode(), SECRET, "k").public.pem == public
    assert max(map(len, private.splitlines())) <= 64
    assert private != generate_pair(SECRET)[0]


def test_a_passphrase_for_a_key_without_one_is_not_looked_at() -> None:
    assert load_private_key(pem(P256), SECRET, "k").public.pem.encode() == public_pem(P256)


def test_what_stands_around_the_key_is_not_looked_at() -> None:
    """As `openssl ecparam -genkey` writes it."""
    text = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n" + pem(P256, FORMS[1])
    assert load_private_key(b"# mine\r\n" + text + b"\n", None, "k").public.pem.encode() == public_pem(P256)


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        (ec.derive_private_key(7, ec.SECP384R1()), "an ECDSA key on secp384r1"),
        (ec.derive_private_key(7, ec.SECP256K1()), "an ECDSA key on secp256k1"),
        (rsa.generate_private_key(65537, 1024), "an RSA key of 1024 bits"),
        (ed25519.Ed25519PrivateKey.generate(), "Ed25519"),
        (dsa.generate_private_key(1024), "DSA"),
    ],
    ids=["p384", "k256", "rsa1024", "ed25519", "dsa"],
)
def test_other_kinds_of_keys_are_refused_with_the_reason(key: object, kind: str) -> None:
    for error in (
        refusal(lambda: load_private_key(pem(key), None, "env://K")),
        refusal(lambda: load_public_key(public_pem(key), "env://K")),
    ):
        assert kind in error.what
        assert error.where == "env://K"
        assert "P-256" in error.hint


@pytest.mark.parametrize("form", FORMS)
def test_a_wrong_or_missing_passphrase(form: PrivateFormat) -> None:
    text = pem(P256, form, SECRET)
    assert "needs a passphrase" in refusal(lambda: load_private_key(text, None, "k")).what
    error = refusal(lambda: load_private_key(text, b"wrong", "k"))
    assert (error.what, error.hint) == ("the private key cannot be read", "check `passphrase`")


def test_a_wrong_passphrase_of_cosigns_form() -> None:
    text = sealed(b"key", SECRET).encode()
    assert "does not open" in refusal(lambda: load_private_key(text, b"wrong", "k")).what
    assert "does not open" in refusal(lambda: load_private_key(text, None, "k")).what


def test_a_box_with_something_else_in_it() -> None:
    text = sealed(SECRET, b"").encode()
    assert refusal(lambda: load_private_key(text, None, "k")).what == "the private key cannot be read"


@pytest.mark.parametrize("text", [b"", SECRET, public_pem(P256), b"-----BEGIN PRIVATE KEY-----\n" + SECRET])
def test_what_is_no_private_key(text: bytes) -> None:
    assert refusal(lambda: load_private_key(text, None, "k")).what == "there is no private key in PEM form"


@pytest.mark.parametrize("text", [b"", SECRET, pem(P256)])
def test_what_is_no_public_key(text: bytes) -> None:
    assert refusal(lambda: load_public_key(text, "k")).what == "there is no public key in PEM form"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"kdf": {"params": {"N": 2**30}}}, "scrypt parameters"),
        ({"kdf": {"params": {"N": 65536.0}}}, "scrypt parameters"),
        ({"kdf": {"params": {"r": 1024}}}, "scrypt parameters"),
        ({"kdf": {"params": {"p": 2}}}, "scrypt parameters"),
        ({"kdf": {"name": "argon2"}}, "only scrypt"),
        ({"cipher": {"name": "aes"}}, "only scrypt"),
        ({"cipher": {"nonce": "AAAA"}}, "the nonce has 3 bytes"),
        ({"cipher": {"nonce": "!"}}, ""),
        ({"kdf": {"params": 3}}, "params is missing"),
    ],
)
def test_odd_parameters_are_refused_before_any_work(
    change: dict[str, dict[str, object]], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = sealed(b"key", b"").splitlines()
    document = json.loads(base64.b64decode("".join(lines[1:-1])))
    for part, members in change.items():
        for name, value in members.items():
            old = document[part].get(name)
            document[part][name] = old | value if isinstance(value, dict) and isinstance(old, dict) else value
    body = base64.b64encode(json.dumps(document).encode()).decode()
    monkeypatch.setattr(sealed_module, "_stretched", lambda *_: pytest.fail("worked"))
    error = refusal(lambda: load_private_key("\n".join([lines[0], body, lines[-1]]).encode(), None, "k"))
    assert error.what == "the encrypted private key cannot be used"
    assert why in error.why


def test_nothing_shows_a_key() -> None:
    loaded = load_private_key(pem(P256), None, "k")
    assert "private" not in repr(loaded).lower().replace("localkey", "")
    assert "0x" not in repr(loaded)
    assert "0x" not in repr(loaded.public)
