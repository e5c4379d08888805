"""What specs say about tags of children and of builds."""

import pytest

from manifest_action.adapters.document import read_documents
from manifest_action.errors import ConfigError
from manifest_action.plan.plan import make_plan
from manifest_action.plan.reader import read_specs
from manifest_action.plan.spec import IndexSpec, Protection

BASE = "image: ghcr.io/acme/app:1\nsources: [ghcr.io/acme/app:amd64, 'ghcr.io/acme/app:arm64', oci:out:x]\n"


def read(text: str) -> IndexSpec:
    return read_specs(read_documents(BASE + text, "spec.yml"))[0]


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        make_plan([read(text)])
    return str(caught.value.problems[0])


@pytest.mark.parametrize(
    ("word", "meaning"),
    [
        ("true", Protection.DIGEST),
        ("digest", Protection.DIGEST),
        ("platform", Protection.PLATFORM),
        ("no", Protection.NO),
        ("false", Protection.NO),
    ],
)
def test_words_for_protection(word: str, meaning: Protection) -> None:
    assert read(f"protect-children: {word}").protect is meaning


def test_nothing_is_protected_or_removed_unasked() -> None:
    assert read("").protect is Protection.NO
    assert read("").cleanup == ()
    assert read("cleanup-tags: false").cleanup == ()


def test_true_means_the_tags_of_the_sources() -> None:
    assert list(map(str, read("cleanup-tags: true").cleanup)) == ["ghcr.io/acme/app:amd64", "ghcr.io/acme/app:arm64"]


def test_a_list_has_bare_tags_and_full_references() -> None:
    found = read("cleanup-tags: [a, quay.io/acme/app:b, a]").cleanup
    assert list(map(str, found)) == ["ghcr.io/acme/app:a", "quay.io/acme/app:b"]
    assert list(map(str, read("cleanup-tags: 'a, b'").cleanup)) == ["ghcr.io/acme/app:a", "ghcr.io/acme/app:b"]


def test_a_place_to_clean_is_one_to_push_to() -> None:
    plan = make_plan([read("cleanup-tags: [quay.io/acme/app:b]")])
    assert ("quay.io/acme/app", True) in {(str(access.repository), access.push) for access in plan.accesses}


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("cleanup-tags: [1]", "ghcr.io/acme/app:1 is where this index goes"),
        ("cleanup-tags: [oci:out:x]", "'oci:out:x' is no tag at a registry"),
        (f"cleanup-tags: ['ghcr.io/a/b@sha256:{'a' * 64}']", "is no tag at a registry"),
        ("cleanup-tags: [ghcr.io/a/b]", "'ghcr.io/a/b' is no tag at a registry"),
        ("cleanup-tags: ['a b']", "a b"),
        ("cleanup-tags: []", "lists no tag"),
        ("protect-children: maybe", "'maybe' is none of no, digest, platform, true, false"),
    ],
)
def test_what_is_refused(text: str, fragment: str) -> None:
    assert fragment in refusal(text)


def test_sources_without_tags_leave_nothing_to_clean() -> None:
    text = f"image: ghcr.io/a/b:1\nsources: ['@sha256:{'a' * 64}']\ncleanup-tags: true\n"
    with pytest.raises(ConfigError, match="no source is named by a tag at a registry"):
        read_specs(read_documents(text, "x"))


def test_tags_by_platform_need_a_tag_to_begin_with() -> None:
    with pytest.raises(ConfigError, match="tags by platform begin with the tag of image"):
        read_specs(read_documents("image: ghcr.io/a/b\nsources: [ghcr.io/a/b:x]\nprotect-children: platform\n", "x"))


def test_a_tag_of_another_index_is_not_temporary() -> None:
    first = "{image: 'a.io/b:1', sources: ['a.io/b:x'], cleanup-tags: ['2']}"
    text = f"indexes:\n- {first}\n- {{image: 'a.io/b:2', sources: ['a.io/b:y']}}\n"
    with pytest.raises(ConfigError, match=r"a\.io/b:2 is a destination of this run"):
        make_plan(read_specs(read_documents(text, "x")))
