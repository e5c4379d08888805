"""What is said about how an index was made, and when two such statements say the same."""

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from manifest_action.adapters.workflow import build_of
from manifest_action.model.digest import Digest
from manifest_action.signing.payload import statement
from manifest_action.signing.provenance import (
    BUILD_TYPE,
    PREDICATE_TYPE,
    UNKNOWN_BUILD,
    Build,
    Dependency,
    predicate,
    restates,
)

GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "acme/app",
    "GITHUB_REF": "refs/tags/v1",
    "GITHUB_SHA": "a" * 40,
    "GITHUB_RUN_ID": "7",
    "GITHUB_RUN_ATTEMPT": "2",
    "GITHUB_WORKFLOW_REF": "acme/app/.github/workflows/release.yml@refs/tags/v1",
}
GITLAB = {
    "GITLAB_CI": "true",
    "CI_PROJECT_URL": "https://gitlab.com/acme/app",
    "CI_COMMIT_REF_NAME": "main",
    "CI_COMMIT_SHA": "b" * 40,
    "CI_JOB_URL": "https://gitlab.com/acme/app/-/jobs/9",
}
BUILD = build_of(GITHUB)
DEPENDENCY = Dependency("docker://a.b/c:1", f"sha256:{'1' * 64}", "linux/amd64")


def said(build: Build = BUILD, version: str = "1", kind: str = PREDICATE_TYPE, **parameters: object) -> bytes:
    return statement("a.b/c", Digest.of(b""), kind, predicate(build, parameters, [DEPENDENCY], version))


def test_the_workflow_on_github() -> None:
    assert (
        Build(
            builder="https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1",
            invocation="https://github.com/acme/app/actions/runs/7/attempts/2",
            source="git+https://github.com/acme/app@refs/tags/v1",
            commit="a" * 40,
            workflow={
                "repository": "https://github.com/acme/app",
                "ref": "refs/tags/v1",
                "path": ".github/workflows/release.yml",
            },
        )
        == BUILD
    )
    bare = build_of({name: text for name, text in GITHUB.items() if "RUN" not in name and "WORKFLOW" not in name})
    assert (bare.builder, bare.invocation) == ("https://github.com/acme/app", "")


@pytest.mark.parametrize(("more", "ref"), [({}, "refs/heads/main"), ({"CI_COMMIT_TAG": "main"}, "refs/tags/main")])
def test_the_project_on_gitlab(more: Mapping[str, str], ref: str) -> None:
    build = build_of({**GITLAB, **more})
    assert (build.builder, build.invocation, build.commit) == (
        "https://gitlab.com/acme/app",
        "https://gitlab.com/acme/app/-/jobs/9",
        "b" * 40,
    )
    assert build.source == f"git+https://gitlab.com/acme/app@{ref}"
    assert build.workflow["path"] == ".gitlab-ci.yml"


def test_elsewhere_nothing_is_known_and_nothing_is_said() -> None:
    assert build_of({"HOME": "/"}) is UNKNOWN_BUILD
    document = predicate(UNKNOWN_BUILD, {"format": "auto"}, [], "1")
    assert document == {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {"format": "auto"},
            "resolvedDependencies": [],
        },
        "runDetails": {"builder": {"id": UNKNOWN_BUILD.builder, "version": {"manifest-action": "1"}}},
    }


def test_everything_that_is_known_is_said() -> None:
    document = json.loads(said(format="auto"))["predicate"]
    assert document["buildDefinition"]["resolvedDependencies"] == [
        {"uri": BUILD.source, "digest": {"gitCommit": "a" * 40}},
        {"name": "linux/amd64", "uri": "docker://a.b/c:1", "digest": {"sha256": "1" * 64}},
    ]
    assert document["buildDefinition"]["externalParameters"] == {"format": "auto", "workflow": BUILD.workflow}
    assert document["runDetails"]["metadata"] == {"invocationId": BUILD.invocation}


def test_the_run_and_the_version_do_not_make_another_statement() -> None:
    again = said(replace(BUILD, invocation="other"), "2")
    assert again != said()
    assert restates(again, said())
    assert said() == said()


@pytest.mark.parametrize(
    "other",
    [
        said(replace(BUILD, builder="other")),
        said(replace(BUILD, commit="c" * 40)),
        said(format="oci"),
        said(kind="https://slsa.dev/provenance/v0.2"),
        statement("a.b/c", Digest.of(b"other"), PREDICATE_TYPE, predicate(BUILD, {}, [DEPENDENCY], "1")),
        b"",
        b"[]",
        b'{"predicateType":"https://slsa.dev/provenance/v1","predicate":1}',
        b'{"predicateType":"https://slsa.dev/provenance/v1","predicate":{"runDetails":{"builder":1}}}',
        b'{"predicateType":"https://slsa.dev/provenance/v1","predicate":{"runDetails":[]}}',
    ],
)
def test_anything_else_does(other: bytes) -> None:
    assert not restates(other, said())
