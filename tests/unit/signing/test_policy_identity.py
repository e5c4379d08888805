"""Identity rules and scopes, where skopeo's word is not to be had: other transports, odd names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifest_action.model.reference import Reference, parse_reference
from manifest_action.signing.policy.identity import (
    ExactReference,
    ExactRepository,
    IdentityRule,
    MatchExact,
    MatchRepoDigestOrExact,
    MatchRepository,
    RemapIdentity,
    image_identity,
)
from manifest_action.signing.policy.requirements import AcceptAnything, Policy, Reject, Requirements
from manifest_action.signing.policy.scopes import scopes
from manifest_action.signing.simplesigning import docker_reference

DIGEST = f"sha256:{'a' * 64}"
RULES: list[IdentityRule] = [
    MatchExact(),
    MatchRepoDigestOrExact(),
    MatchRepository(),
    RemapIdentity("ghcr.io", "ghcr.io"),
    ExactReference(docker_reference("ghcr.io/a/b:1")),
    ExactRepository(docker_reference("ghcr.io/a/b").repository),
]


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("ghcr.io/a/b", "ghcr.io/a/b:latest"),
        ("ghcr.io/a/b:1", "ghcr.io/a/b:1"),
        (f"ghcr.io/a/b@{DIGEST}", f"ghcr.io/a/b@{DIGEST}"),
        (f"ghcr.io/a/b:1@{DIGEST}", f"ghcr.io/a/b@{DIGEST}"),
        ("busybox", "docker.io/library/busybox:latest"),
        ("docker-daemon:busybox:1", "docker.io/library/busybox:1"),
        (f"docker-daemon:{DIGEST}", None),
        ("docker-archive:a.tar:busybox:1", "docker.io/library/busybox:1"),
        ("docker-archive:a.tar:@0", None),
        ("docker-archive:a.tar", None),
        ("oci:a:ghcr.io/a/b:1", None),
        ("dir:a", None),
    ],
)
def test_the_name_of_an_image(asked: str, name: str | None) -> None:
    found = image_identity(parse_reference(asked))
    assert (str(found) if found else None) == name


@pytest.mark.parametrize("rule", RULES[:4])
def test_what_has_no_name_fits_no_name(rule: IdentityRule) -> None:
    assert not rule.accepts(None, docker_reference("ghcr.io/a/b:1"))


@pytest.mark.parametrize("rule", RULES)
def test_a_bare_name_that_was_signed_fits_only_repositories(rule: IdentityRule) -> None:
    image, bare = docker_reference("ghcr.io/a/b:1"), docker_reference("ghcr.io/a/b")
    assert rule.accepts(image, bare) is isinstance(rule, MatchRepository | ExactRepository)


@pytest.mark.parametrize("rule", RULES)
def test_another_registry_never_fits(rule: IdentityRule) -> None:
    assert not rule.accepts(docker_reference("ghcr.io/a/b:1"), docker_reference("quay.io/a/b:1"))


@pytest.mark.parametrize(
    ("prefix", "signed_prefix", "signed", "fits"),
    [
        ("localhost:5000", "quay.io", "quay.io/a/b:1", True),
        ("localhost:5000", "quay.io/team", "quay.io/team/a/b:1", True),
        ("localhost:5000/a", "quay.io", "quay.io/b:1", True),
        ("localhost:5000/a/b", "quay.io/c", "quay.io/c:1", True),
        ("localhost:5000/a/b", "quay.io", "quay.io:1", False),
        ("localhost:5000/a/b", "busybox", "busybox:1", False),
        ("localhost", "quay.io", "localhost:5000/a/b:1", True),
        ("localhost:50", "quay.io", "localhost:5000/a/b:1", True),
        ("localhost:5000/a", "quay.io", "localhost:5000/a/b:1", False),
    ],
)
def test_names_are_rewritten_at_whole_components(prefix: str, signed_prefix: str, signed: str, *, fits: bool) -> None:
    image = docker_reference("localhost:5000/a/b:1")
    try:
        claimed = docker_reference(signed)
    except ValueError:
        claimed = Reference(image.repository, "none")
    assert RemapIdentity(prefix, signed_prefix).accepts(image, claimed) is fits


@pytest.mark.parametrize(
    ("asked", "path", "expected"),
    [
        (
            "a.b.example:8443/team/app:1",
            "",
            [
                "a.b.example:8443/team/app:1",
                "a.b.example:8443/team/app",
                "a.b.example:8443/team",
                "a.b.example:8443",
                "*.b.example",
                "*.example",
            ],
        ),
        ("localhost/app:1", "", ["localhost/app:1", "localhost/app", "localhost"]),
        (
            "docker-daemon:localhost/app:1",
            "",
            ["localhost/app:1", "localhost/app", "localhost"],
        ),
        (f"docker-daemon:{DIGEST}", "", []),
        ("docker-archive:a.tar:busybox:1", "/x/a.tar", []),
        ("oci-archive:a.tar:1", "/x/a.tar", ["/x/a.tar", "/x"]),
        ("dir:/", "/", []),
    ],
)
def test_scopes_from_narrow_to_wide(asked: str, path: str, expected: list[str]) -> None:
    assert list(scopes(parse_reference(asked), path)) == expected


def test_the_narrowest_scope_decides_alone() -> None:
    known: dict[str, Requirements] = {
        "ghcr.io": (Reject(),),
        "ghcr.io/a": (AcceptAnything(),),
        "": (Reject(), Reject()),
    }
    policy = Policy((Reject(),), {"docker": known})
    for asked, scope, count in (("ghcr.io/a/b", "ghcr.io/a", 1), ("ghcr.io/c", "ghcr.io", 1), ("busybox", "", 2)):
        found, requirements = policy.requirements(parse_reference(asked), "")
        assert found == f"transports.docker[{scope!r}]"
        assert len(requirements) == count
    assert policy.requirements(parse_reference("oci:a"), "/a")[0] == "default"


@pytest.mark.parametrize(
    ("policy", "is_open"),
    [
        (Policy((AcceptAnything(),)), True),
        (Policy((AcceptAnything(),), {"docker": {"": (AcceptAnything(),), "far.test": (AcceptAnything(),)}}), True),
        (Policy((Reject(),)), False),
        (Policy((AcceptAnything(), Reject())), False),
        (Policy((AcceptAnything(),), {"docker": {"far.test": (Reject(),)}}), False),
        (Policy((AcceptAnything(),), {"containers-storage": {"[overlay@/x]": (AcceptAnything(),)}}), False),
    ],
)
def test_a_policy_is_open_when_nothing_is_required_anywhere(policy: Policy, *, is_open: bool) -> None:
    assert policy.is_open is is_open


def test_scopes_of_stores_are_known_to_be_unread() -> None:
    policy = Policy((AcceptAnything(),), {"containers-storage": {"": (Reject(),), "[overlay@/x]": (Reject(),)}})
    assert policy.unread_scopes("containers-storage") == ("[overlay@/x]",)
    assert policy.unread_scopes("docker") == ()


@given(st.lists(st.from_regex(r"[a-z]{1,3}", fullmatch=True), min_size=1, max_size=4), st.sampled_from(["", ":1"]))
def test_no_scope_reaches_into_a_name(names: list[str], tag: str) -> None:
    """Every scope but wildcards is the reference cut at a separator."""
    text = "/".join(["h.example", *names]) + tag
    whole = str(image_identity(parse_reference(text)))
    for scope in scopes(parse_reference(text)):
        if not scope.startswith("*."):
            assert whole.startswith(scope)
            assert whole[len(scope) : len(scope) + 1] in ("", "/", ":")
