"""What the keys of an index come to, several indexes with defaults, and inputs that win over a file."""

import pytest

from manifest_action.adapters.document import read_documents
from manifest_action.errors import ConfigError, Mark
from manifest_action.model.platform import Platform
from manifest_action.model.reference import parse_reference
from manifest_action.plan.node import Mapping
from manifest_action.plan.reader import read_specs
from manifest_action.plan.spec import Attestations, Compression, Existing, Format, IndexSpec
from tests.unit.plan.specs import DIGEST

MINIMAL = "image: a.b/c:1\nsources: [a.b/c:2]\n"


def read(text: str, inputs: str = "") -> tuple[IndexSpec, ...]:
    given = read_documents(inputs, "input") if inputs else ()
    mapping = given[0] if given else None
    assert mapping is None or isinstance(mapping, Mapping)
    return read_specs(read_documents(text, "spec.yml"), mapping)


def problems(text: str, inputs: str = "") -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(text, inputs)
    return [str(problem) for problem in caught.value.problems]


def test_what_is_not_said_has_its_default() -> None:
    (spec,) = read(MINIMAL)
    assert spec.expect is None
    assert (spec.format, spec.attestations, spec.existing) == (Format.AUTO, Attestations.KEEP, Existing.REPLACE)
    assert (spec.artifact_type, spec.subject) == ("", None)
    assert spec.annotations.index == {}
    assert spec.annotations.entries == ()
    (source,) = spec.sources
    assert (source.platform, source.platforms, source.override, source.annotations) == (None, (), False, {})
    assert (source.mark, source.path) == (Mark("spec.yml", 2, 11), "sources[0]")


@pytest.mark.parametrize(
    ("word", "expected"),
    [("auto", Format.AUTO), ("oci", Format.OCI), ("v2s2", Format.DOCKER), ("v2s1", Format.SCHEMA1)],
)
def test_formats(word: str, expected: Format) -> None:
    assert read(f"{MINIMAL}format: {word}\n")[0].format is expected


@pytest.mark.parametrize(("word", "expected"), [("true", True), ("no", False), ("", False)])
def test_lossy(word: str, expected: bool) -> None:
    assert read(f"{MINIMAL}lossy: {word}\n")[0].lossy is expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [("keep", Compression.KEEP), ("add zstd", Compression.ADD_ZSTD), ("zstd", Compression.ADD_ZSTD)],
)
def test_compression(word: str, expected: Compression) -> None:
    assert read(f"{MINIMAL}compression: {word}\n")[0].compression is expected


def test_docker_images_are_not_compressed_with_zstd() -> None:
    assert "zstd layers" in problems(f"{MINIMAL}format: docker\ncompression: add zstd\n")[0]
    assert read(f"{MINIMAL}format: docker\ncompression: keep\n")


@pytest.mark.parametrize("word", ["docker", "v2s1"])
def test_what_docker_cannot_hold_is_refused_where_it_is_written(word: str) -> None:
    assert "cannot hold this" in problems(f"{MINIMAL}format: {word}\nannotations: {{a: b}}\n")[0]


@pytest.mark.parametrize("word", ["replace", "append", "keep-equal"])
def test_what_happens_to_tags_that_exist(word: str) -> None:
    assert read(f"{MINIMAL}existing: {word}\n")[0].existing == word


def test_docker_lists_are_fine_without_what_they_lack() -> None:
    assert read(f"{MINIMAL}format: docker\nannotations:\n")[0].format is Format.DOCKER


@pytest.mark.parametrize(
    ("written", "expected"),
    [(f"'{DIGEST}'", f"a.b/c@{DIGEST}"), ("v1", "a.b/c:v1"), ("x.y/z:v2", "x.y/z:v2")],
)
def test_subjects(written: str, expected: str) -> None:
    assert read(f"{MINIMAL}subject: {written}\n")[0].subject == parse_reference(expected)


def test_the_details_of_a_source() -> None:
    text = (
        "image: a.b/c:1\nmanifests:\n- image: a.b/c:2\n  platform: {variant: v7}\n  override: on\n"
        "  platforms: [linux/amd64]\n  annotations: {a: b}\n"
    )
    (source,) = read(text)[0].sources
    assert source.platform == Platform(variant="v7")
    assert source.override is True
    assert source.platforms == (Platform("linux", "amd64"),)
    assert source.annotations == {"a": "b"}
    assert (source.mark, source.path) == (Mark("spec.yml", 3, 3), "manifests[0]")


def test_several_documents_are_several_indexes() -> None:
    specs = read("image: a.b/c:1\nsources: [d]\n---\nimage: a.b/c:2\nsources: [e]\n---\n")
    assert [str(spec.main) for spec in specs] == ["a.b/c:1", "a.b/c:2"]
    assert [spec.mark for spec in specs] == [Mark("spec.yml", 1, 1), Mark("spec.yml", 4, 1)]


def test_defaults_fill_in_what_an_index_does_not_say() -> None:
    specs = read(
        "defaults:\n  manifests: [x]\n  format: oci\n  annotations: {a: b}\n  expect: [linux/amd64]\n"
        "indexes:\n"
        "  - image: a.b/c:1\n"
        "  - {image: a.b/c:2, sources: [y], annotations: {c: d}, expect: }\n"
        "---\nimage: a.b/c:3\nsources: [z]\n"
    )
    assert [str(spec.sources[0].reference) for spec in specs] == [f"docker.io/library/{name}" for name in "xyz"]
    assert [spec.format for spec in specs] == [Format.OCI, Format.OCI, Format.AUTO]
    assert [spec.annotations.index for spec in specs] == [{"a": "b"}, {"c": "d"}, {}]
    assert [spec.expect for spec in specs] == [(Platform("linux", "amd64"),), (Platform("linux", "amd64"),), None]
    assert [spec.sources[0].path for spec in specs] == ["defaults.manifests[0]", "indexes[1].sources[0]", "sources[0]"]


def test_a_thousand_indexes_and_not_one_more() -> None:
    entry = "- {image: 'a.b/c:%d', sources: [d]}\n"
    assert len(read("indexes:\n" + "".join(entry % number for number in range(1000)))) == 1000
    assert problems("indexes:\n" + "".join(entry % number for number in range(1001))) == [
        "spec.yml:2:1: indexes: has 1001 items, more than 1000"
    ]
    documents = "".join(f"image: a.b/c:{number}\nsources: [d]\n---\n" for number in range(1001))
    assert problems(documents) == ["spec.yml:3001:1: there are more than 1000 indexes"]


def test_nothing_to_do() -> None:
    assert problems("") == ["there is nothing to do (give a spec, or image and sources)"]


def test_inputs_alone_make_an_index() -> None:
    (spec,) = read("", "{tags: [latest, x.y/z:1], sources: [x.y/z:2]}")
    assert [str(each) for each in spec.destinations] == ["x.y/z:1", "x.y/z:latest"]
    assert spec.mark == Mark("input", 1, 1)


def test_inputs_win_over_the_keys_of_the_only_index() -> None:
    (spec,) = read(f"{MINIMAL}tags: [x, y]\nformat: oci\n", "{tags: [z], sources: [a.b/c:3], existing: append}")
    assert [str(each) for each in spec.destinations] == ["a.b/c:1", "a.b/c:z"]
    assert [str(each.reference) for each in spec.sources] == ["a.b/c:3"]
    assert (spec.format, spec.existing) == (Format.OCI, Existing.APPEND)
    assert spec.mark == Mark("spec.yml", 1, 1)


def test_inputs_fill_in_what_the_spec_leaves_open() -> None:
    (spec,) = read("sources: [a.b/c:2]\n", "{image: a.b/c:9}")
    assert str(spec.main) == "a.b/c:9"


def test_inputs_cannot_be_for_several_indexes() -> None:
    found = problems(f"{MINIMAL}---\n{MINIMAL}", "{tags: [z], format: oci}")
    assert found == [
        "input:1:8: tags: tags cannot be for 2 indexes at once (put it into the spec, in an index or in defaults)",
        "input:1:21: format: format cannot be for 2 indexes at once (put it into the spec, in an index or in defaults)",
    ]


def test_appending_to_a_layout_without_a_name() -> None:
    assert read("image: oci:out\nsources: [a]\nexisting: append\n")[0].existing is Existing.APPEND


def test_appending_needs_a_tag_whoever_names_the_destination() -> None:
    assert problems("image: a.b/c\nsources: [d]\nexisting: append\n") == [
        "spec.yml:1:8: image: appending needs a tag to append to (add a tag to image)"
    ]
