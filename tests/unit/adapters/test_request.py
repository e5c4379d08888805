"""Inputs and files to a request, as workflows write them."""

import json
from pathlib import Path

import pytest

from manifest_action.adapters.request import read_request, read_settings
from manifest_action.errors import ConfigError
from manifest_action.model.platform import Platform
from manifest_action.model.reference import parse_reference
from manifest_action.plan.inputs import Request
from manifest_action.plan.settings import Settings
from manifest_action.plan.spec import Attestations, Existing, Format, IndexSpec

A, B, C = (f"sha256:{letter * 64}" for letter in "abc")
APP = "ghcr.io/acme/app"


def problems(directory: Path, **values: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        request(directory, **values)
    return [str(problem) for problem in caught.value.problems]


def request(directory: Path, **values: str) -> Request:
    return read_request({name.replace("_", "-"): text for name, text in values.items()}, directory)


def only(directory: Path, **values: str) -> IndexSpec:
    (spec,) = request(directory, **values).specs
    return spec


def destinations(spec: IndexSpec) -> list[str]:
    return [str(destination) for destination in spec.destinations]


def sources(spec: IndexSpec) -> list[str]:
    return [str(source.reference) for source in spec.sources]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A workspace with a spec in it."""
    (tmp_path / "spec.yml").write_text(f"image: {APP}:1\ntags: [x, y]\nsources: [{APP}:amd64]\n", encoding="utf-8")
    return tmp_path


class TestWorkflowsOfOthers:
    """Steps written for other tools, pasted."""

    def test_int128(self, tmp_path: Path) -> None:
        made = request(
            tmp_path,
            index_annotations=(
                "org.opencontainers.image.title=app\norg.opencontainers.image.description=a, \"b\" = 'c'\n"
            ),
            tags=f"{APP}:main\nquay.io/acme/app:main\n",
            sources=f"{APP}:main-amd64\n{APP}:main-arm64\n",
            push="true",
        )
        (spec,) = made.specs
        assert destinations(spec) == [f"{APP}:main", "quay.io/acme/app:main"]
        assert sources(spec) == [f"{APP}:main-amd64", f"{APP}:main-arm64"]
        assert spec.annotations.index == {
            "org.opencontainers.image.title": "app",
            "org.opencontainers.image.description": "a, \"b\" = 'c'",
        }
        assert made.settings.push

    def test_metadata_action(self, tmp_path: Path) -> None:
        spec = only(
            tmp_path,
            image=APP,
            tags=f"{APP}:1.2.3\r\n{APP}:1.2\r\n{APP}:latest",
            annotations="manifest,index:org.x.a=1\nmanifest-descriptor[linux/amd64]:org.x.b=2\nindex:org.x.c=d: e\n",
            sources=f"{APP}:amd64",
        )
        assert destinations(spec) == [APP, f"{APP}:1.2.3", f"{APP}:1.2", f"{APP}:latest"]
        assert spec.annotations.index == {"org.x.a": "1", "org.x.c": "d: e"}
        assert spec.annotations.entries == ((Platform("linux", "amd64"), "org.x.b", "2"),)

    def test_noelware(self, tmp_path: Path) -> None:
        spec = only(tmp_path, tags=f"{APP}:1, {APP}:latest", images=f"{APP}:1-amd64,{APP}:1-arm64")
        assert destinations(spec) == [f"{APP}:1", f"{APP}:latest"]
        assert sources(spec) == [f"{APP}:1-amd64", f"{APP}:1-arm64"]

    def test_dockers_merge_job(self, tmp_path: Path) -> None:
        directory = tmp_path / "digests"
        directory.mkdir()
        for digest in (C, A):
            (directory / digest.removeprefix("sha256:")).touch()
        (directory / B).touch()
        spec = only(tmp_path, image=APP, tags=f"{APP}:1", digests="digests")
        assert sources(spec) == [f"{APP}@{A}", f"{APP}@{B}", f"{APP}@{C}"]

    def test_matrix_outputs(self, tmp_path: Path) -> None:
        outputs = {
            "digest-arm64": B,
            "digest-amd64": A,
            "tags": f"{APP}:1",
            "more": [{"deep": C}, None, True, B],
            A: "a key",
            "not-alone": f"x {C}",
        }
        for text in (json.dumps(outputs), json.dumps(outputs, indent=2), json.dumps([B, A, C])):
            assert sources(only(tmp_path, image=f"{APP}:1", digests=text)) == [f"{APP}@{B}", f"{APP}@{A}", f"{APP}@{C}"]

    def test_metadata_files_of_buildx(self, tmp_path: Path) -> None:
        folder = tmp_path / "digests"
        folder.mkdir()
        (folder / B.removeprefix("sha256:")).touch()
        (folder / "arm64.json").write_text(
            json.dumps({"app": {"containerimage.digest": A, "image.name": "quay.io/a/b:x"}})
        )
        for given, found in (
            ("digests/arm64.json", [f"quay.io/a/b@{A}"]),
            ("digests", [f"quay.io/a/b@{A}", f"{APP}@{B}"]),
        ):
            assert sources(only(tmp_path, image=f"{APP}:1", digests=given)) == found

    def test_what_metadata_action_has_worked_out(self, tmp_path: Path) -> None:
        made = {
            "tags": [f"{APP}:1.2.3", f"{APP}:latest"],
            "labels": {"org.opencontainers.image.title": "label"},
            "annotations": ["manifest:org.opencontainers.image.title=a=b, c", "index:org.x=y"],
        }
        spec = only(tmp_path, metadata=json.dumps(made, indent=2), digests=A)
        assert destinations(spec) == [f"{APP}:1.2.3", f"{APP}:latest"]
        assert spec.annotations.index == {"org.opencontainers.image.title": "a=b, c", "org.x": "y"}
        own = only(tmp_path, metadata=json.dumps(made), digests=A, image=f"{APP}:1", tags="other", annotations="a=b")
        assert destinations(own) == [f"{APP}:1", f"{APP}:other"]
        assert own.annotations.index == {"a": "b"}
        without = {**made, "annotations": [], "tags": []}
        old = only(tmp_path, metadata=json.dumps(without), digests=A, image=f"{APP}:1")
        assert destinations(old) == [f"{APP}:1"]
        assert old.annotations.index == {"org.opencontainers.image.title": "label"}

    def test_digests_on_lines(self, tmp_path: Path) -> None:
        spec = only(tmp_path, image=f"{APP}:1", digests=f"\n{B}\n{A},{C}\n{B}\n")
        assert sources(spec) == [f"{APP}@{B}", f"{APP}@{A}", f"{APP}@{C}"]


class TestInputs:
    """Each input by itself, in its forms."""

    def test_every_key_of_a_spec(self, tmp_path: Path) -> None:
        spec = only(
            tmp_path,
            image=f" {APP}:1 \n",
            tags="x, y\n# not this one, nor this\nz",
            manifests=f"[{APP}:a, {{image: {APP}:b, platform: linux/arm64}}]",
            annotations="org.x: y\nindex:org.z: 'w'\n",
            expect="- linux/amd64\n- os: linux\n  architecture: arm64\n",
            format="oci",
            attestations="drop",
            existing="append",
            artifact_type="application/vnd.acme.app",
            subject="other",
            referrers="skip",
        )
        assert destinations(spec) == [f"{APP}:1", f"{APP}:x", f"{APP}:y", f"{APP}:z"]
        assert sources(spec) == [f"{APP}:a", f"{APP}:b"]
        assert spec.sources[1].platform == Platform("linux", "arm64")
        assert spec.annotations.index == {"org.x": "y", "org.z": "w"}
        assert spec.expect == (Platform("linux", "amd64"), Platform("linux", "arm64"))
        assert (spec.format, spec.attestations, spec.existing) == (Format.OCI, Attestations.DROP, Existing.APPEND)
        assert spec.artifact_type == "application/vnd.acme.app"
        assert spec.subject == parse_reference(f"{APP}:other")

    @pytest.mark.parametrize(
        "text",
        [
            "{a: '1', b: '2'}",
            '{"a": "1",\n "b": "2"}',
            "a: 1\nb: 2",
            "# first\n'a': 1\n\"b\" : 2",
            "[a=1, b=2]",
            "- a=1\n- b=2",
            "---\na: 1\nb: 2\n",
            "a=1\nb=2",
            "\n\n  a=1\n  b=2  \n",
            "# first\nindex:a=1\nmanifest:b=2",
        ],
    )
    def test_annotations(self, tmp_path: Path, text: str) -> None:
        spec = only(tmp_path, image=f"{APP}:1", sources=APP, annotations=text)
        assert spec.annotations.index == {"a": "1", "b": "2"}

    def test_words_that_yaml_would_take_for_something_else_are_tags(self, tmp_path: Path) -> None:
        spec = only(tmp_path, image=f"{APP}:1", sources=APP, tags="null, 1.10, yes")
        assert destinations(spec) == [f"{APP}:1", f"{APP}:null", f"{APP}:1.10", f"{APP}:yes"]

    def test_blank_inputs_are_not_given(self, here: Path) -> None:
        spec = only(here, spec="spec.yml", tags=" \n", annotations="", format=" ", digests="", images="\t", push=" ")
        assert destinations(spec) == [f"{APP}:1", f"{APP}:x", f"{APP}:y"]

    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            ({}, "there is nothing to do"),
            ({"tags": "x"}, "input tags:1:1: image is missing"),
            ({"image": "A"}, "input image:1:1: image: 'A' is no part"),
            ({"image": "\n\n  A "}, "input image:3:3: image: 'A' is no part"),
            (
                {"image": "a.b/c", "sources": "a.b/c:1\n\n  B, a.b/c:2,C"},
                "input sources:3:3: sources[1]: 'B' is no part",
            ),
            ({"image": "a.b/c", "images": "B"}, "input images:1:1: sources[0]: 'B' is no part"),
            ({"image": "a.b/c", "sources": "- a\n- b: c\n"}, "input sources:2:3: sources[1]: unknown key 'b'"),
            ({"image": "a.b/c", "sources": "[a"}, "input sources:1:1: this list does not end well"),
            ({"image": "a.b/c", "sources": "[a]\n---\n[b]"}, "input sources:1:1: sources: holds several documents"),
            ({"image": "a.b/c", "sources": "---\n"}, "input sources:1:1: holds no document"),
            (
                {"image": "a", "sources": "b", "images": "c"},
                "input images:1:1: sources and images are two names of the",
            ),
            (
                {"image": "a", "sources": "b", "annotations": "x\n y"},
                "input annotations:1:1: annotations: an annotation",
            ),
            ({"image": "a", "sources": "b", "expect": "linux"}, "input expect:1:1: expect[0]: a platform looks like"),
            ({"image": "a", "sources": "b", "format": "ocj"}, "input format:1:1: format: 'ocj' is none of"),
            (
                {"image": "a", "sources": "b", "sign": "- pgp: {}"},
                "input sign:1:3: sign[0]: unknown key 'pgp'",
            ),
            ({"image": "a", "sources": "b", "digests": A}, "input digests:1:1: digests: sources and digests are both"),
            ({"image": "a", "digests": "[1, 2]"}, "input digests:1:1: digests: holds no digest"),
            ({"image": "a", "digests": '{"a": '}, "input digests:1:7: the text ends within a list or mapping"),
            ({"image": "a", "digests": "sha256:1"}, "input digests:1:1: sources[0]: a sha256 digest has 64"),
            ({"image": "a", "digests": "none"}, "input digests:1:1: digests: 'none' is neither a directory that can"),
            ({"image": "a", "digests": "spec.yml"}, "input digests:1:1: digests: 'spec.yml' is neither a directory"),
            ({"image": "a", "digests": "no.json"}, "input digests:1:1: digests: file 'no.json' does not exist"),
            ({"digests": A, "metadata": "[1]"}, "input metadata:1:1: metadata: is not the JSON of docker/metadata"),
            ({"digests": A, "metadata": "some text"}, "input metadata:1:1: metadata: is not the JSON of docker/meta"),
            ({"digests": A, "metadata": '{"a": '}, "input metadata:1:7: the text ends within a list or mapping"),
            ({"image": "a", "digests": "a\0b"}, "input digests:1:1: digests: 'a\\x00b' is neither a directory"),
        ],
    )
    def test_what_is_wrong_is_found_in_its_place(self, here: Path, values: dict[str, str], expected: str) -> None:
        assert any(problem.startswith(expected) for problem in problems(here, **values))

    def test_everything_is_said_at_once(self, here: Path) -> None:
        (here / "bad.yml").write_text("image: &a b\nsourcez: []\n", encoding="utf-8")
        found = problems(here, spec="bad.yml", tags="A+b", jobs="0", push="maybe", ca_certificates="x", username="u")
        assert [each.split(" (")[0] for each in found] == [
            "bad.yml:1:1: sources is missing",
            "bad.yml:1:8: anchors and aliases are not accepted",
            "bad.yml:2:1: unknown key 'sourcez'",
            "input tags:1:1: tags[0]: 'A+b' is no tag",
            "input push:1:1: push: 'maybe' is neither true nor false",
            "input username:1:1: username: password is missing",
            "input jobs:1:1: jobs: '0' is not a whole number from 1 to 64",
        ]

    def test_a_directory_of_digests_holds_nothing_else(self, tmp_path: Path) -> None:
        directory = tmp_path / "digests"
        (directory / "digests-linux-amd64").mkdir(parents=True)
        (directory / A).touch()
        (found,) = problems(tmp_path, image=APP, digests="digests")
        assert found.startswith("input digests:1:1: digests: 'digests-linux-amd64' in this directory is not named by a")
        assert "merge-multiple" in found

    def test_an_empty_directory_holds_no_digest(self, tmp_path: Path) -> None:
        (tmp_path / "digests").mkdir()
        assert problems(tmp_path, image=APP, digests=str(tmp_path / "digests"))[0].endswith(
            "digests: holds no digest (a digest looks like sha256:<64 hex digits>)"
        )


class TestSpecs:
    """The input `spec`, as paths and as text."""

    def test_a_file(self, here: Path) -> None:
        assert destinations(only(here, spec="spec.yml")) == [f"{APP}:1", f"{APP}:x", f"{APP}:y"]

    def test_inputs_win_over_the_file(self, here: Path) -> None:
        spec = only(here, spec=" spec.yml\n", tags="z", digests=A)
        assert destinations(spec) == [f"{APP}:1", f"{APP}:z"]
        assert sources(spec) == [f"{APP}@{A}"]

    def test_several_files(self, here: Path) -> None:
        (here / "sub").mkdir()
        (here / "sub" / "two more.yml").write_text("image: a:1\nsources: [b]\n---\nimage: a:2\nsources: [b]\n")
        made = request(here, spec="spec.yml\nsub/two more.yml\n")
        assert [str(spec.main) for spec in made.specs] == [
            f"{APP}:1",
            "docker.io/library/a:1",
            "docker.io/library/a:2",
        ]
        assert [str(spec.mark) for spec in made.specs] == [
            "spec.yml:1:1",
            "sub/two more.yml:1:1",
            "sub/two more.yml:4:1",
        ]

    @pytest.mark.parametrize(
        "text",
        [
            f"image: {APP}:1\nsources: [{APP}:2]\n",
            f"\n# a comment\n---\nimage: {APP}:1\nsources: [{APP}:2]\n",
            f"{{image: '{APP}:1', sources: ['{APP}:2']}}",
            json.dumps({"image": f"{APP}:1", "sources": [f"{APP}:2"], "tags": None}),
            f"indexes:\n- image: {APP}:1\n  sources: [{APP}:2]\n",
        ],
    )
    def test_text(self, tmp_path: Path, text: str) -> None:
        spec = only(tmp_path, spec=text)
        assert destinations(spec) == [f"{APP}:1"]
        assert sources(spec) == [f"{APP}:2"]

    def test_problems_in_text_are_located_in_the_input(self, tmp_path: Path) -> None:
        assert problems(tmp_path, spec="\nimage: A\nsources: [b]\n") == [
            "input spec:2:8: image: 'A' is no part of a repository name; names are lower case"
        ]
        assert problems(tmp_path, spec="- image: a\n")[0].startswith("input spec:1:1: a spec is a mapping")

    def test_a_byte_order_mark_is_no_problem(self, here: Path) -> None:
        (here / "bom.yml").write_bytes(b"\xef\xbb\xbf" + (here / "spec.yml").read_bytes())
        assert only(here, spec="bom.yml").destinations == only(here, spec="spec.yml").destinations

    def test_inputs_cannot_be_for_several_indexes(self, here: Path) -> None:
        (found,) = problems(here, spec="spec.yml\nspec.yml", tags="z")
        assert found.startswith("input tags:1:1: tags: tags cannot be for 2 indexes at once")


class TestWorkingDirectory:
    """Where relative paths begin."""

    def test_paths_begin_there_and_places_are_told_from_the_workspace(self, here: Path) -> None:
        (here / "sub").mkdir()
        (here / "sub" / "bad.yml").write_text("image: A\nsources: [b]\n")
        assert problems(here, spec="bad.yml", working_directory="sub")[0].startswith("sub/bad.yml:1:8: image:")
        assert only(here, spec="../spec.yml", working_directory="sub").mark
        assert problems(here, spec="./sub/../sub/bad.yml")[0].startswith("sub/bad.yml:1:8: image:")

    def test_the_request_knows_it(self, here: Path) -> None:
        (here / "sub").mkdir()
        made = request(
            here,
            spec="../spec.yml",
            working_directory=" sub\n",
            auth_file="auth.json",
            ca_certificates="/ca",
            policy="policy.json",
        )
        assert made.directory == str(here / "sub")
        assert made.settings.auth_file == str(here / "sub" / "auth.json")
        assert made.settings.ca_certificates == "/ca"
        assert made.settings.policy == str(here / "sub" / "policy.json")
        assert request(here, spec="spec.yml").directory == str(here)

    def test_home_is_known(self, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", "/home/me")
        assert request(here, spec="spec.yml", auth_file="~/.docker/config.json").settings.auth_file == (
            "/home/me/.docker/config.json"
        )

    @pytest.mark.parametrize("place", ["none", "..", "/", "spec.yml", "a\0b"])
    def test_it_is_a_directory_of_the_workspace(self, here: Path, place: str) -> None:
        (found,) = problems(here, spec="spec.yml", working_directory=place)
        assert found.startswith("input working-directory:1:1: working-directory: ")


class TestSettings:
    """How a run behaves."""

    def settings(self, directory: Path, **values: str) -> Settings:
        return request(directory, spec="spec.yml", **values).settings

    def test_defaults(self, here: Path) -> None:
        assert self.settings(here) == Settings()

    def test_all_of_them(self, here: Path) -> None:
        assert self.settings(
            here,
            push="No",
            github_token=" token\n",
            github_actor="me",
            insecure_registries="localhost, Registry.Local:5000\n127.0.0.1:80",
            jobs="64",
            retry_budget="12.5",
        ) == Settings(
            push=False,
            github_token="token",
            github_actor="me",
            insecure_registries=frozenset({"localhost", "registry.local:5000", "127.0.0.1:80"}),
            jobs=64,
            retry_budget=12.5,
        )

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            *(("jobs", text) for text in ("0", "65", "-1", "1.5", "1.0", "many", "1_0", "1e1", "９", "9" * 99)),
            *(("retry-budget", text) for text in ("-1", "86401", "nan", "inf", "1m", "0x1", "1.")),
            *(("push", text) for text in ("2", "maybe", "dry")),
            *(
                ("insecure-registries", text)
                for text in ("registry", "http://a.b", "a.b/c", "a.b:0", "{a: b}", "[[a]]")
            ),
        ],
    )
    def test_what_is_wrong(self, here: Path, name: str, text: str) -> None:
        (found,) = problems(here, spec="spec.yml", **{name: text})
        assert found.startswith(f"input {name}:1:")

    def test_settings_alone(self, here: Path) -> None:
        reference = parse_reference("quay.io/a/b:1")
        values = {"username": "me", "password": "pw", "jobs": "2", "image": "WRONG"}
        settings = read_settings(values, here, [reference])
        assert settings.jobs == 2
        assert settings.credentials["quay.io"].username == "me"
        assert read_settings({}, here) == Settings()
        with pytest.raises(ConfigError):
            read_settings({"jobs": "x"}, here)


def test_what_is_no_text_is_refused_with_its_place_and_never_quoted(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        image=f"{APP}:1",
        annotations="a=b\nc=caf\udce9\n",
        registries="{ghcr.io: {username: me, password: hunter\udcff22}}",
        password="\udcffhunter",
    )
    assert found == [
        "input annotations:2:6: an undecodable byte is not allowed (write it as UTF-8)",
        "input registries:1:42: an undecodable byte is not allowed (write it as UTF-8)",
        "input password:1:1: an undecodable byte is not allowed (write it as UTF-8)",
    ]
