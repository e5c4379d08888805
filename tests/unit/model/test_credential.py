"""Credentials do not show what they hold."""

import pytest

from manifest_action.model.access import Access
from manifest_action.model.credential import ANONYMOUS, Credential
from manifest_action.model.reference import Repository


def test_secrets_are_not_in_the_representation() -> None:
    credential = Credential("me", "hunter2", "identity-secret", "registry-secret", "input registries")
    assert repr(credential) == "Credential(username='me', origin='input registries')"


@pytest.mark.parametrize("field", ["username", "password", "identity_token", "registry_token"])
def test_anything_that_identifies_us_is_not_anonymous(field: str) -> None:
    assert not Credential(**{field: "x"}).is_anonymous


def test_nothing_is_anonymous() -> None:
    assert ANONYMOUS.is_anonymous
    assert Credential(origin="config.json").is_anonymous


def test_accesses_can_be_collected() -> None:
    repository = Repository("docker", "ghcr.io", "acme/app")
    assert sorted({Access(repository, push=True), Access(repository), Access(repository)}) == [
        Access(repository),
        Access(repository, push=True),
    ]
