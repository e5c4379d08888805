"""Digests that builds have left behind."""

import json

from manifest_action.adapters.document import read_documents
from manifest_action.plan.digests import digests_within

A, B, C = (f"sha256:{letter * 64}" for letter in "abc")


def found(value: object) -> list[str]:
    """The digests within a JSON value, as a workflow passes it."""
    return [each.text for document in read_documents(json.dumps(value), "x") for each in digests_within(document)]


def test_outputs_of_jobs_in_the_shapes_that_people_give_them() -> None:
    assert found({"amd64": A, "arm64": B, "version": "1.0"}) == [A, B]
    assert found({"image": f"ghcr.io/acme/app@{A}", "other": f"ghcr.io/acme/app:1 {B}"}) == [f"ghcr.io/acme/app@{A}"]


def test_outputs_that_are_json_themselves_are_looked_into() -> None:
    assert found({"result_0": json.dumps({"digest": A}), "result_1": json.dumps([{"digest": B}, 1])}) == [A, B]
    assert found({"a": '{"digest": ', "b": "[broken", "c": json.dumps({"twice": json.dumps({"deep": C})})}) == [C]


def test_nesting_has_an_end() -> None:
    assert found({"a": "[" * 5000 + "]" * 5000}) == []
    assert found({"a": "[" * 20 + json.dumps(A) + "]" * 20}) == []


def test_metadata_of_buildx_gives_the_image_and_not_its_config() -> None:
    build = {
        "buildx.build.ref": "builder/0/x",
        "containerimage.config.digest": B,
        "containerimage.descriptor": {"digest": A, "size": 5},
        "containerimage.digest": A,
        "image.name": "ghcr.io/acme/app:build,docker.io/acme/app",
    }
    assert found(build) == [f"ghcr.io/acme/app@{A}"]
    assert found({"metadata": json.dumps(build), "digest": A, "imageid": B}) == [f"ghcr.io/acme/app@{A}", A]
    assert found({"app-amd64": {**build, "image.name": ""}, "app-arm64": {"containerimage.digest": C}}) == [A, C]
    assert found({**build, "image.name": "no name at all"}) == [A]


def test_a_broken_digest_of_buildx_is_none() -> None:
    assert found({"containerimage.digest": ["x"], "other": A}) == [A]
    assert found({"containerimage.digest": "sha256:1", "image.name": "a"}) == []
