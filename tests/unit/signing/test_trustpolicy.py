"""notation's trust policy: which statement is for a repository, and what is refused."""

import json
from typing import Any

import pytest

from manifest_action.model.reference import parse_reference
from manifest_action.signing.trustpolicy import Statement, applicable, parse_subject
from tests.support.notation import subject

REPOSITORY = parse_reference("ghcr.io/acme/app").repository


def statement(**changes: Any) -> dict[str, Any]:
    return {
        "name": "acme",
        "registryScopes": ["ghcr.io/acme/app"],
        "signatureVerification": {"level": "strict"},
        "trustStores": ["ca:acme", "ca:other"],
        "trustedIdentities": ["x509.subject: C=DE, O=Acme"],
    } | changes


def policy(*statements: object, version: str = "1.0") -> bytes:
    return json.dumps({"version": version, "trustPolicies": statements}).encode()


def test_the_statement_of_the_repository_comes_before_that_of_all() -> None:
    everywhere = statement(registryScopes=["*"], trustStores=["ca:all"], trustedIdentities=["*"])
    both = policy(everywhere, statement())
    assert applicable(both, REPOSITORY) == Statement(("acme", "other"), ("C=DE, O=Acme",))
    assert applicable(both, parse_reference("a.b/c").repository) == Statement(("all",), ())


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (b"x", "not JSON"),
        (policy(version="2.0"), "must be of version 1.0"),
        (b'{"version": "1.0"}', "trustPolicies must be a list of objects"),
        (policy("x"), "trustPolicies must be a list of objects"),
        (policy(statement(registryScopes="*")), "registryScopes must be a list of texts"),
        (policy(statement(registryScopes=["a.b/c"])), "none of its statements is about ghcr.io/acme/app"),
        (policy(statement(), statement()), "two of its statements are about ghcr.io/acme/app"),
        (policy(statement(signatureVerification={"level": "skip"})), "its verification level is 'skip'"),
        (policy(statement(signatureVerification="strict")), "its verification level is 'None'"),
        (policy(statement(trustStores=["signingAuthority:x"])), "must all be of the type ca"),
        (policy(statement(trustStores=[])), "must all be of the type ca"),
        (policy(statement(trustedIdentities=[])), "must name trusted identities"),
        (policy(statement(trustedIdentities=["CN=x"])), "must begin with x509.subject:"),
    ],
)
def test_what_cannot_be_used(raw: bytes, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        applicable(raw, REPOSITORY)


def test_subjects_as_people_write_them() -> None:
    wanted = {(part.oid, part.value) for part in subject("release")}
    for text in ("C=DE, ST=Hesse, O=Acme, CN=release", "CN=release,O=Acme,S=Hesse,C=DE"):
        assert {(part.oid, part.value) for part in parse_subject(text)} == wanted
    assert "Acme, Inc" in {part.value for part in parse_subject(r"C=DE, O=Acme\, Inc, CN=release")}
    with pytest.raises(ValueError, match="'nonsense' is no subject of a certificate"):
        parse_subject("nonsense")
