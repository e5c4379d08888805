"""Every spelling of annotations that docker/metadata-action and buildx produce."""

import pytest

from manifest_action.adapters.document import read_documents
from manifest_action.model.platform import Platform
from manifest_action.plan.reader import read_specs
from manifest_action.plan.spec import Annotations, IndexSpec

AMD64 = Platform("linux", "amd64")
ARM_V7 = Platform("linux", "arm", "v7")


def index(annotations: str) -> IndexSpec:
    (spec,) = read_specs(read_documents(f"image: a.b/c:1\nsources: [a.b/c:2]\nannotations: {annotations}\n", "f"))
    return spec


def of_line(line: str) -> Annotations:
    escaped = line.replace("\\", "\\\\").replace('"', '\\"')
    return index(f'["{escaped}"]').annotations


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a=b", Annotations({"a": "b"})),
        ("index:a=b", Annotations({"a": "b"})),
        ("manifest:a=b", Annotations({"a": "b"})),
        ("manifest,index:a=b", Annotations({"a": "b"})),
        ("index-descriptor,index:a=b", Annotations({"a": "b"})),
        ("manifest-descriptor:a=b", Annotations(entries=((None, "a", "b"),))),
        ("manifest-descriptor[linux/amd64]:a=b", Annotations(entries=((AMD64, "a", "b"),))),
        ("manifest[linux/arm/v7]:a=b", Annotations(entries=((ARM_V7, "a", "b"),))),
        ("manifest-descriptor,index-descriptor:a=b", Annotations(entries=((None, "a", "b"),))),
        (
            "index,manifest[linux/amd64],manifest-descriptor[linux/x86_64]:a=b",
            Annotations({"a": "b"}, ((AMD64, "a", "b"),)),
        ),
        (
            "manifest-descriptor[windows/amd64:10.0.1]:a=b",
            Annotations(entries=((Platform("windows", "amd64", os_version="10.0.1"), "a", "b"),)),
        ),
        ("  index:a = b, \"c\" = d: 'e'  ", Annotations({"a": " b, \"c\" = d: 'e'  "})),
        ("a=", Annotations({"a": ""})),
        ("index:org.x:y=z", Annotations({"org.x:y": "z"})),
        ("index:index:a=b", Annotations({"index:a": "b"})),
        ("org.x/y:z=1", Annotations({"org.x/y:z": "1"})),
        ("indexes:a=b", Annotations({"indexes:a": "b"})),
        ("index=b", Annotations({"index": "b"})),
        ("manifest-descriptor=b", Annotations({"manifest-descriptor": "b"})),
        ("other[linux/amd64]:a=b", Annotations({"other[linux/amd64]:a": "b"})),
        ("index,other:a=b", Annotations({"index,other:a": "b"})),
        ("manifest-descriptor[linux/amd64:a=b", Annotations({"manifest-descriptor[linux/amd64:a": "b"})),
    ],
)
def test_one_line(line: str, expected: Annotations) -> None:
    assert of_line(line) == expected


def test_a_mapping_a_list_and_lines_say_the_same() -> None:
    expected = Annotations({"a": "1, 2", "b": "c=d"}, ((None, "e", "f"),))
    assert index("{a: '1, 2', 'index:b': c=d, 'manifest-descriptor:e': f}").annotations == expected
    assert index("['a=1, 2', 'b=c=d', 'manifest-descriptor:e=f']").annotations == expected
    assert index("|\n  # three\n  a=1, 2\n\n  manifest:b=c=d\n  manifest-descriptor:e=f").annotations == expected
    assert index('"a=1, 2\\nb=c=d\\r\\nmanifest-descriptor:e=f\\n"').annotations == expected


def test_a_later_line_wins() -> None:
    assert index("[a=1, a=2]").annotations.index == {"a": "2"}


def test_what_names_the_index_wins_over_what_was_meant_for_manifests() -> None:
    assert index("['index:a=i', 'manifest:a=m', 'manifest:b=m']").annotations.index == {"a": "i", "b": "m"}


def test_what_is_for_one_platform_comes_after_what_is_for_all() -> None:
    lines = "['manifest-descriptor[linux/amd64]:a=1', 'manifest-descriptor:a=2', 'manifest:x=y']"
    assert index(lines).annotations.entries == ((None, "a", "2"), (AMD64, "a", "1"))


def test_values_of_a_mapping_may_span_lines_and_be_empty() -> None:
    assert index('{a: "b\\nc", d: , e: 1.10}').annotations.index == {"a": "b\nc", "d": "", "e": "1.10"}


def test_the_annotations_of_a_source_are_for_its_entries() -> None:
    text = (
        "image: a.b/c:1\nsources:\n- {image: a.b/c:2, annotations: {a: b}}\n"
        "- {image: a.b/c:3, annotations: ['manifest-descriptor:a=b', 'manifest:c=d', e=f]}\n"
    )
    (spec,) = read_specs(read_documents(text, "f"))
    assert [source.annotations for source in spec.sources] == [{"a": "b"}, {"a": "b", "c": "d", "e": "f"}]
