"""The schema for editors: made from the reader's table, and of one mind with the reader."""

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from manifest_action.plan.schema import spec_schema
from tests.unit.plan.specs import BAD, GOOD, Bad, Good

SCHEMA_FILE = Path(__file__).parents[3] / "docs" / "spec.schema.json"
VALIDATOR = Draft202012Validator(spec_schema())


def test_the_file_is_what_the_table_makes() -> None:
    expected = json.dumps(spec_schema(), indent=2) + "\n"
    assert SCHEMA_FILE.read_text(encoding="utf-8") == expected, "run scripts/write_docs.py"


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(spec_schema())


@pytest.mark.parametrize("good", GOOD, ids=lambda good: good.name)
def test_editors_accept_what_the_reader_accepts(good: Good) -> None:
    assert not list(VALIDATOR.iter_errors(as_editors_see_it(good.text)))


@pytest.mark.parametrize("bad", [bad for bad in BAD if bad.schema is not None], ids=lambda bad: bad.name)
def test_editors_refuse_what_the_reader_refuses_where_they_can_know(bad: Bad) -> None:
    assert bool(list(VALIDATOR.iter_errors(as_editors_see_it(bad.text)))) == bad.schema


def as_editors_see_it(text: str) -> object:
    """The document with YAML's types, dates as text; keys are text in every editor."""
    return json.loads(json.dumps(yaml.safe_load(text), default=str))
