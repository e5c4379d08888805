"""What `sign` comes to."""

from manifest_action.adapters.document import read_documents
from manifest_action.errors import Mark
from manifest_action.plan.reader import read_specs
from manifest_action.plan.spec import SignerSpec

DEFAULTS = {"key": "env://COSIGN_PRIVATE_KEY", "passphrase": "env://COSIGN_PASSWORD", "format": "both"}


def read(sign: str) -> tuple[SignerSpec, ...]:
    (spec,) = read_specs(read_documents(f"image: a.b/c:1\nsources: [a.b/c:2]\nsign: {sign}\n", "spec.yml"))
    return spec.sign


def test_a_name_means_its_defaults_in_every_spelling() -> None:
    for text in ("cosign", "[cosign]", "{cosign: {}}", "[{cosign: {}}]", "[cosign, cosign]", "'cosign, cosign'"):
        (signer,) = read(text)
        assert (signer.name, signer.options, signer.recursive) == ("cosign", DEFAULTS, True)
    assert read("cosign")[0].mark == Mark("spec.yml", 3, 7)


def test_nothing_is_signed_unasked() -> None:
    (spec,) = read_specs(read_documents("image: a.b/c:1\nsources: [a.b/c:2]\n", "spec.yml"))
    assert spec.sign == read("") == read("[]") == ()


def test_every_option() -> None:
    (signer,) = read("{cosign: {key: keys/k, passphrase: 'file:///p', format: tag, recursive: no}}")
    assert signer.options == {"key": "keys/k", "passphrase": "file:///p", "format": "tag"}
    assert not signer.recursive


def test_signatures_are_verified_when_asked() -> None:
    text = "image: a.b/c:1\nsources: [a.b/c:2]\nsign: cosign\nverify: {}\n"
    for word, expected in (("yes", True), ("false", False), ("", False)):
        (spec,) = read_specs(read_documents(text.format(word), "spec.yml"))
        assert spec.verify is expected


def test_two_keys() -> None:
    first, second = read("[cosign, {cosign: {key: other}}]")
    assert (first.options["key"], second.options["key"]) == ("env://COSIGN_PRIVATE_KEY", "other")


def test_gpg_and_notation_and_their_defaults() -> None:
    gpg, notation = read("[gpg, notation]")
    assert gpg.options == {
        "key": "env://GPG_PRIVATE_KEY",
        "passphrase": "env://GPG_PASSPHRASE",
        "fingerprint": "",
        "lookaside": "",
    }
    assert notation.options["certificates"] == "env://NOTATION_CERTIFICATES"
    (gpg,) = read("{gpg: {fingerprint: 0x0123456789abcdef, lookaside: 'file:///srv/x', recursive: no}}")
    assert (gpg.options["fingerprint"], gpg.options["lookaside"]) == ("0x0123456789abcdef", "file:///srv/x")
    assert not gpg.recursive


def test_a_key_that_stays_elsewhere() -> None:
    (signer,) = read("{cosign: {key: 'hashivault://release'}}")
    assert signer.options["key"] == "hashivault://release"
