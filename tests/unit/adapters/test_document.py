"""YAML text to nodes: what survives, where it stands, and what it costs."""

import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from manifest_action.adapters import document
from manifest_action.adapters.document import read_documents
from manifest_action.errors import ConfigError, Mark
from manifest_action.plan.node import Mapping, Node, Scalar, Sequence, is_null
from manifest_action.plan.problems import Problems
from tests.unit.plan.specs import BAD, GOOD

LIMIT = 256 * 1024


def one(text: str) -> Node:
    (node,) = read_documents(text, "f")
    return node


def plain(node: Node) -> object:
    """What a node holds, without places."""
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return {key.text: plain(value) for key, value in node.entries}


def located(node: Node) -> object:
    """What a node holds, with the places of all that is something."""
    if isinstance(node, Scalar):
        return None if is_null(node) else (node.text, node.mark, node.block)
    if isinstance(node, Sequence):
        return node.mark, [located(item) for item in node.items]
    return node.mark, [(located(key), located(value)) for key, value in node.entries]


@pytest.mark.parametrize(
    "text", ["1.10", "on", "0755", "22:30", "1_000", "~", "null", "True", "0x1F", ".inf", "2024-01-01", "12e03"]
)
def test_scalars_stay_the_text_they_were_written_as(text: str) -> None:
    assert plain(one(f"key: {text}\n")) == {"key": text}


def test_every_node_knows_its_place() -> None:
    text = "a: 1\nb:\n  - x\n  - {c: 'y'}\n"
    assert one(text) == Mapping(
        (
            (Scalar("a", Mark("f", 1, 1)), Scalar("1", Mark("f", 1, 4))),
            (
                Scalar("b", Mark("f", 2, 1)),
                Sequence(
                    (
                        Scalar("x", Mark("f", 3, 5)),
                        Mapping(
                            ((Scalar("c", Mark("f", 4, 6)), Scalar("y", Mark("f", 4, 9), plain=False)),),
                            Mark("f", 4, 5),
                        ),
                    ),
                    Mark("f", 3, 3),
                ),
            ),
        ),
        Mark("f", 1, 1),
    )


def test_columns_count_characters_not_bytes() -> None:
    node = one("{é𝕏: b}")
    assert isinstance(node, Mapping)
    assert node.entries[0][1].mark == Mark("f", 1, 6)


def test_lines_count_from_the_first_line() -> None:
    (node,) = read_documents("\na: b", "f", first_line=10)
    assert node.mark == Mark("f", 11, 1)


def test_a_literal_block_knows_where_its_lines_are() -> None:
    node = one("a:\n  b: |\n\n     one\n     two, three\n")
    assert isinstance(node, Mapping)
    inner = node.entries[0][1]
    assert isinstance(inner, Mapping)
    block = inner.entries[0][1]
    assert isinstance(block, Scalar)
    assert block.mark == Mark("f", 2, 6)
    assert [(piece.text, piece.mark.line, piece.mark.column) for piece in block.pieces(commas=True)] == [
        ("one", 4, 6),
        ("two", 5, 6),
        ("three", 5, 11),
    ]


def test_the_lines_of_folded_text_are_where_the_text_is() -> None:
    node = one("a: >\n  one\n\n  two\n")
    assert isinstance(node, Mapping)
    folded = node.entries[0][1]
    assert isinstance(folded, Scalar)
    assert [(piece.text, piece.mark) for piece in folded.pieces(commas=False)] == [
        ("one", Mark("f", 1, 4)),
        ("two", Mark("f", 1, 4)),
    ]


def test_an_empty_literal_block() -> None:
    assert plain(one("a: |\n")) == {"a": ""}


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "---\n...\n---\n", "~\n", "null\n---\n"])
def test_documents_that_hold_nothing_are_left_out(text: str) -> None:
    assert read_documents(text, "f") == ()


def test_several_documents() -> None:
    documents = read_documents("---\na: 1\n---\n---\n- b\n---\n''\n", "f")
    assert [plain(each) for each in documents] == [{"a": "1"}, ["b"], ""]


def test_a_byte_order_mark_at_the_beginning_is_no_part_of_the_text() -> None:
    assert one("\ufeffa: b") == one("a: b")


def test_json_is_understood() -> None:
    assert plain(one('{\n  "a": ["b", {"c": 1.10}],\n  "d": "\\u00e9\\/"\n}')) == {"a": ["b", {"c": "1.10"}], "d": "é/"}


def test_sixteen_levels_are_not_too_many() -> None:
    assert read_documents("[" * 16 + "]" * 16, "f")


def test_a_secret_text_is_not_quoted() -> None:
    with pytest.raises(ConfigError) as caught:
        read_documents("{hunter2: a, hunter2: b}", "f", secret=True)
    assert "hunter2" not in str(caught.value)


def test_a_caller_can_read_on_after_what_does_not_hinder_it() -> None:
    problems = Problems()
    (node,) = read_documents("a: &x b\nc: *x\na: d\n", "f", problems=problems)
    assert plain(node) == {"a": "d", "c": ""}
    with pytest.raises(ConfigError) as caught:
        problems.raise_all()
    assert [problem.mark for problem in caught.value.problems] == [Mark("f", 1, 4), Mark("f", 2, 4), Mark("f", 3, 1)]


def test_nobody_is_told_more_than_a_hundred_problems() -> None:
    with pytest.raises(ConfigError) as caught:
        read_documents("[" + "*a," * 80000 + "]", "f")
    assert len(caught.value.problems) == 100


@pytest.mark.parametrize("text", [bad.text for bad in BAD] + [good.text for good in GOOD])
def test_pyyamls_own_parser_says_the_same_as_libyaml(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert yaml.__with_libyaml__, "this test compares the two, so both must be there"
    fast = outcome(text)
    monkeypatch.setattr(document, "_LOADER", yaml.BaseLoader)
    assert outcome(text) == fast


def outcome(text: str) -> object:
    try:
        return [located(document) for document in read_documents(text, "f")]
    except ConfigError as error:
        return [(problem.what, problem.mark) for problem in error.problems]


def test_a_colon_that_only_libyaml_minds() -> None:
    with pytest.raises(ConfigError) as caught:
        read_documents("{image:}", "f")
    assert str(caught.value.problems[0]).startswith("f:1:7: a colon is not allowed here")


COSTLY = {
    "open lists": "[" * LIMIT,
    "open mappings": "{" * LIMIT,
    "nested items": "- " * (LIMIT // 2),
    "nested questions": "? " * (LIMIT // 2),
    "flat list": "[" + "a," * (LIMIT // 2 - 1) + "]",
    "list of lists": "[" + "[]," * (LIMIT // 3 - 1) + "]",
    "aliases": "[" + "*a," * (LIMIT // 3 - 1) + "]",
    "anchors": "[" + "&a b," * (LIMIT // 5 - 1) + "]",
    "same key": "{" + "a: b," * (LIMIT // 5 - 1) + "}",
    "documents": "---\n" * (LIMIT // 4),
    "line breaks": "\n" * LIMIT,
    "one word": "x" * LIMIT,
    "one key": "x" * (LIMIT - 3) + ": y",
    "quotes": '"' * LIMIT,
    "exclamation marks": "!" * LIMIT,
    "directives": "%a b\n" * (LIMIT // 5),
    "NULs": "\0" * LIMIT,
    "NULs at the end": "\n" * (LIMIT - 20) + "\0" * 20,
    "blocks": "- |\n a\n" * (LIMIT // 7),
    "block of blank lines": "- |\n" * 20000 + "\n" * (LIMIT - 80000),
}


@pytest.mark.parametrize("name", COSTLY)
def test_no_text_costs_much(name: str) -> None:
    assert len(COSTLY[name]) <= LIMIT
    start = time.process_time()
    outcome(COSTLY[name])
    assert time.process_time() - start < 3


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    outcome(text)


SIGNS = [
    *"aé[]{}'\">#%@~\\\t\n\u2028\ufeff",
    *("b: ", "- ", "? ", ": ", ", ", "|\n  ", "&x ", "*x", "!t ", "<<: ", "\n  ", "\r\n", "---\n", "...\n"),
]
YAMLISH = st.lists(st.sampled_from(SIGNS), max_size=40).map("".join)


@given(YAMLISH)
def test_what_looks_like_yaml_is_read_or_refused(text: str) -> None:
    outcome(text)


@given(
    st.recursive(st.text(alphabet="abc:#- 1\n", max_size=8), lambda inner: st.lists(inner, max_size=4), max_leaves=12)
)
def test_what_yaml_writes_is_read_back(value: object) -> None:
    text = yaml.safe_dump([value], default_style='"', explicit_start=True).replace("!!str ", "")
    assert plain(one(text)) == [value]
