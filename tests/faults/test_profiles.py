"""The same job at registries that differ as those of the market do: done, and complete, at every one of them."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.bench import Loop
from tests.faults.product import push, quick
from tests.faults.profiles import PROFILES
from tests.faults.steps import Step
from tests.faults.world import CANARY, NAME, world
from tests.support.images import image


@pytest.fixture(scope="module")
def loop() -> Iterator[Loop]:
    with Loop() as running:
        yield running


@pytest.mark.parametrize("signed", [False, True], ids=["plain", "signed"])
@pytest.mark.parametrize("name", PROFILES)
def test_the_job_is_done(name: str, signed: bool, loop: Loop, tmp_path: Path) -> None:
    digests = set()
    for profile in (PROFILES["oci"], PROFILES[name]):
        with quick(), world(loop, tmp_path, profile) as place:
            ran = push(tmp_path, place.spec(signed=signed))
            assert ran.code == 0, ran.output[:3000]
            digests |= set(place.tags().values())
            assert place.complete(place.tags()["1"])
            assert CANARY not in ran.output
            if signed:
                kinds = {reference.partition("-")[0] for owner, reference in place.registry.manifests if owner == NAME}
                tag = f"{place.tags()['1'].replace(':', '-')}"
                assert (NAME, f"{tag}.sig") in place.registry.manifests
                assert ((NAME, tag) in place.registry.manifests) is (profile.referrers != "api"), kinds
    assert len(digests) == 1


@pytest.mark.parametrize("name", PROFILES)
def test_doing_it_again_writes_nothing(name: str, loop: Loop, tmp_path: Path) -> None:
    with quick(), world(loop, tmp_path, PROFILES[name]) as place:
        assert push(tmp_path, place.spec()).code == 0
        place.forget()
        place.registry.moves.clear()
        ran = push(tmp_path, place.spec())
        assert ran.code == 0
        assert '"changed": false' in ran.output
        writes = [record for record in place.records() if record.head.method not in ("GET", "HEAD")]
        assert [record for record in writes if record.step is not Step.TOKEN] == []
        assert place.registry.moves == []


@pytest.mark.parametrize(("tags", "code"), [("same", 0), ("other", 5)])
def test_immutable_tags(tags: str, code: int, loop: Loop, tmp_path: Path) -> None:
    with quick(), world(loop, tmp_path, PROFILES["ecr"]) as place:
        if tags == "same":
            assert push(tmp_path, place.spec()).code == 0
        place.registry.profile = replace(PROFILES["ecr"], immutable=(400, "TAG_INVALID"))
        before = place.tags()
        ran = push(tmp_path, place.spec())
        assert ran.code == code, ran.output[:3000]
        assert place.tags() == before
        if code:
            assert "immutable" in ran.output


def test_a_repository_that_is_not_there_and_is_not_made(loop: Loop, tmp_path: Path) -> None:
    with quick(), world(loop, tmp_path, PROFILES["ecr"]) as place:
        for key in [key for key in place.registry.manifests if key[0] == NAME]:
            del place.registry.manifests[key]
        for blob in [blob for blob in place.registry.blobs if blob[0] == NAME]:
            del place.registry.blobs[blob]
        ran = push(tmp_path, place.spec())
        assert ran.code == 5
        assert "NAME_UNKNOWN" in ran.output


def test_a_token_server_that_refuses_everything_for_one_repository(loop: Loop, tmp_path: Path) -> None:
    """Docker Hub refuses the whole token when one scope is bad: the mount is left out, the rest goes on."""
    with quick(), world(loop, tmp_path, PROFILES["docker-hub"]) as place:
        place.registry.denied.add("acme/amd64")
        ran = push(tmp_path, place.spec())
        assert ran.code == 6
        place.registry.denied.clear()
        assert push(tmp_path, place.spec()).code == 0


@pytest.mark.parametrize("takes_index", [True, False])
def test_a_registry_that_takes_no_oci_index_says_so(takes_index: bool, loop: Loop, tmp_path: Path) -> None:
    with quick(), world(loop, tmp_path, replace(PROFILES["oci"], takes_index=takes_index)) as place:
        before = place.tags()
        ran = push(tmp_path, place.spec())
        assert ran.code == (0 if takes_index else 5)
        assert takes_index or place.tags() == before


@pytest.mark.parametrize("format_", ["oci", "docker"])
def test_kinds_are_never_mixed_where_registries_mind(format_: str, loop: Loop, tmp_path: Path) -> None:
    with quick(), world(loop, tmp_path, PROFILES["quay"]) as place:
        docker = image("linux/arm/v7", layers=1, docker=True)
        place.registry.put("acme/arm", docker)
        text = f"{place.spec()}- {place.near.host}/acme/arm@{docker.digest}\nformat: {format_}\n"
        ran = push(tmp_path, text)
        assert ran.code == 0, ran.output[:3000]
