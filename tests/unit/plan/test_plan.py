"""From specs to a plan."""

import pytest

from manifest_action.adapters.document import read_documents
from manifest_action.errors import ConfigError
from manifest_action.model.access import Access
from manifest_action.model.reference import parse_reference
from manifest_action.plan.plan import Plan, make_plan
from manifest_action.plan.reader import read_specs
from manifest_action.plan.spec import IndexSpec
from tests.unit.plan.specs import DIGEST


def plan(text: str) -> Plan:
    return make_plan(read(text))


def read(text: str) -> tuple[IndexSpec, ...]:
    return read_specs(read_documents(text, "spec.yml"))


def access(text: str, *, push: bool = False) -> Access:
    return Access(parse_reference(text).repository, push)


def test_every_repository_is_accessed_once_and_pushing_wins() -> None:
    made = plan(
        "image: a.io/x:1\ntags: [latest, b.io/x:1]\nsources: [c.io/x:amd64, a.io/x:arm64, 'oci:in']\n"
        "subject: d.io/x:1\n"
        "---\nimage: c.io/x:1\nsources: [b.io/x:2, c.io/x:2]\n"
    )
    assert made.accesses == (
        access("a.io/x", push=True),
        access("b.io/x", push=True),
        access("c.io/x", push=True),
        access("oci:in"),
        access("d.io/x"),
    )
    assert [str(spec.main) for spec in made.indexes] == ["a.io/x:1", "c.io/x:1"]


def test_nothing_makes_an_empty_plan() -> None:
    assert make_plan([]) == Plan((), ())


def test_two_indexes_cannot_have_one_tag() -> None:
    with pytest.raises(ConfigError) as caught:
        plan(
            "image: a.io/x:1\ntags: [latest]\nsources: [b]\n---\nimage: a.io/x:2\ntags: [latest, '1']\nsources: [b]\n"
            "---\nimage: b.io/x:1\nsources: [b]\n"
        )
    told = "is a destination of two indexes; the first begins at spec.yml:1:1 (remove it from one of them)"
    assert [str(problem) for problem in caught.value.problems] == [
        f"spec.yml:5:1: a.io/x:latest {told}",
        f"spec.yml:5:1: a.io/x:1 {told}",
    ]


def test_two_indexes_cannot_be_the_one_without_a_name() -> None:
    with pytest.raises(ConfigError):
        plan("image: oci:out\nsources: [b]\n---\nimage: oci:out\nsources: [c]\n")


def test_two_indexes_may_go_to_one_repository_by_digest() -> None:
    made = plan(f"image: a.io/x\nsources: ['{DIGEST}']\n---\nimage: a.io/x\nsources: [b]\n")
    assert len(made.indexes) == 2


def test_an_index_cannot_be_made_from_one_of_the_same_run() -> None:
    first, second = read(
        "indexes:\n"
        "  - {image: 'ghcr.io/acme/app:1', sources: ['ghcr.io/acme/app:build']}\n"
        "  - {image: 'ghcr.io/acme/other:1', sources: ['ghcr.io/acme/app:1']}\n"
    )
    with pytest.raises(ConfigError, match="another index of this run") as caught:
        make_plan([first, second])
    assert caught.value.problems[0].path.endswith("sources[0]")
    assert make_plan([first]).indexes == (first,)


def test_an_index_may_be_made_from_what_its_own_tag_was() -> None:
    (spec,) = read("image: ghcr.io/acme/app:1\nsources: ['ghcr.io/acme/app:1']\n")
    assert make_plan([spec]).indexes == (spec,)
