"""Inputs as the runner passes them."""

import pytest

from manifest_action.adapters.github.inputs import INPUTS, read_inputs, secrets


def test_names_are_upper_case_with_their_hyphens_kept() -> None:
    environment = {"INPUT_AUTH-FILE": "auth.json", "INPUT_IMAGE": "app:1", "PATH": "/bin", "INPUT_UNKNOWN": "x"}
    assert read_inputs(environment) == {"auth-file": "auth.json", "image": "app:1"}


def test_hyphens_may_have_become_underscores() -> None:
    assert read_inputs({"INPUT_RETRY_BUDGET": "60"}) == {"retry-budget": "60"}
    assert read_inputs({"INPUT_RETRY_BUDGET": "60", "INPUT_RETRY-BUDGET": "5"}) == {"retry-budget": "5"}


def test_other_systems_have_other_prefixes() -> None:
    assert read_inputs({"PLUGIN_RETRY_BUDGET": "60", "INPUT_JOBS": "1"}, "PLUGIN_") == {"retry-budget": "60"}


@pytest.mark.parametrize("blank", ["", " ", "\n\n"])
def test_a_blank_input_is_not_given(blank: str) -> None:
    assert read_inputs({"INPUT_TAGS": blank, "INPUT_IMAGES": blank}) == {}


def test_values_are_not_changed() -> None:
    text = "  - a\n  - b\n"
    assert read_inputs({"INPUT_SOURCES": text}) == {"sources": text}


def test_secrets_are_found_before_anything_is_understood() -> None:
    inputs = {
        "password": "hunter22\n",
        "github-token": "ghs_token",
        "registries": """
            ghcr.io: {username: me, password: "s3cret:x"}
            docker.io:
              username: you
              token: 'dckr_pat_1'
            broken: [password: also-this]
        """,
    }
    assert list(secrets(inputs)) == ["hunter22", "ghs_token", "s3cret:x", "dckr_pat_1", "also-this"]


def test_no_name_is_used_twice() -> None:
    assert len(INPUTS) == len(set(INPUTS))
