"""The rules for chains of certificates; that notation has the same is shown among the tests with notation."""

from datetime import UTC, datetime

import pytest

from manifest_action.signing.certificates import parse_chain, read_chain
from tests.support.chains import BAD, GOOD
from tests.support.notation import signing


@pytest.mark.parametrize("name", GOOD)
def test_good_chains(name: str) -> None:
    made = GOOD[name]()
    chain = parse_chain(made.certificates.encode())
    assert chain.fault(datetime.now(UTC)) == ""
    assert len(chain.der) == len(made.chain)


@pytest.mark.parametrize("name", BAD)
def test_bad_chains(name: str) -> None:
    make, what = BAD[name]
    fault = parse_chain(make().certificates.encode()).fault(datetime.now(UTC))
    assert fault
    assert what in fault


def test_keys_decide_about_the_algorithm() -> None:
    algorithms = {"p256": "ES256", "p384": "ES384", "p521": "ES512", "2048": "PS256", "3072": "PS384", "4096": "PS512"}
    for kind, algorithm in algorithms.items():
        assert parse_chain(signing(kind).certificates.encode()).algorithm == algorithm
    other = parse_chain(signing("2560").certificates.encode())
    assert other.algorithm == ""
    assert "a key of a kind that is not accepted" in other.fault(datetime.now(UTC))


def test_what_is_no_chain() -> None:
    with pytest.raises(ValueError, match="there are 0 certificates"):
        parse_chain(b"")
    with pytest.raises(ValueError, match="there are 11 certificates"):
        parse_chain(signing().chain[0].encode() * 11)
    with pytest.raises(ValueError, match="there are 0 certificates"):
        read_chain([])
    with pytest.raises(ValueError, match=r"."):
        parse_chain(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")


def test_the_subject_is_said_in_the_order_in_which_people_write_it() -> None:
    assert parse_chain(signing().certificates.encode()).subject == "CN=release,O=Acme,ST=Hesse,C=DE"
