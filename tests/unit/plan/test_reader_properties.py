"""Whatever is written, it is read or refused: never another error, never a half-read spec."""

from hypothesis import given
from hypothesis import strategies as st

from manifest_action.adapters.document import read_documents
from manifest_action.errors import ConfigError, Mark
from manifest_action.model.reference import parse_reference
from manifest_action.plan import keys
from manifest_action.plan.node import Mapping, Node, Scalar, Sequence
from manifest_action.plan.plan import make_plan
from manifest_action.plan.reader import read_specs
from tests.unit.plan.specs import DIGEST

MARK = Mark("f", 1, 1)
NAMES = [
    spelling
    for table in (keys.INDEX_KEYS, keys.SOURCE_KEYS, keys.PLATFORM_KEYS, keys.FILE_KEYS)
    for spelling in keys.spellings(table)
]
MEANINGFUL = (
    f"a.b/c:1 oci:x:y latest {DIGEST} @{DIGEST} linux/amd64 linux/arm/v7 auto docker append yes skip a/b ~ "
    "index:a=b manifest-descriptor[linux/arm64]:c=d index-descriptor:e=f"
)
TEXTS = st.text(max_size=20) | st.sampled_from(MEANINGFUL.split())


def scalars(texts: st.SearchStrategy[str]) -> st.SearchStrategy[Scalar]:
    return st.builds(Scalar, texts, st.just(MARK), st.booleans())


def mappings(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Mapping]:
    pairs = st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=8), inner, max_size=8)
    return pairs.map(lambda found: Mapping(tuple((Scalar(key, MARK), value) for key, value in found.items()), MARK))


WHOLE = Mapping(
    (
        (Scalar("image", MARK), Scalar("a.b/c:1", MARK)),
        (Scalar("sources", MARK), Sequence((Scalar(DIGEST, MARK),), MARK)),
    ),
    MARK,
)

NODES: st.SearchStrategy[Node] = st.recursive(
    scalars(TEXTS),
    lambda inner: mappings(inner) | st.lists(inner, max_size=5).map(lambda items: Sequence(tuple(items), MARK)),
    max_leaves=25,
)


def check(documents: list[Node], inputs: Mapping | None) -> None:
    try:
        specs = read_specs(documents, inputs)
        plan = make_plan(specs)
    except ConfigError as error:
        assert 1 <= len(error.problems) <= 100
        return
    assert plan.indexes == specs
    for spec in specs:
        assert spec.sources
        assert len(set(spec.destinations)) == len(spec.destinations) > 0
        assert all(parse_reference(str(each)) == each for each in spec.destinations if each.is_named)
        assert not any(each.digest for each in spec.destinations)


@given(st.lists(NODES, max_size=3), st.none() | mappings(NODES))
def test_any_nodes_are_read_or_refused(documents: list[Node], inputs: Mapping | None) -> None:
    check(documents, inputs)


@given(mappings(NODES).map(lambda node: Mapping((*WHOLE.entries, *node.entries), MARK)))
def test_any_keys_next_to_what_is_needed_are_read_or_refused(document: Mapping) -> None:
    check([document], None)


LINES = st.lists(
    st.tuples(st.sampled_from(["", "  ", "- ", "    "]), st.sampled_from([*NAMES, "- image"]), TEXTS).map(
        lambda parts: f"{parts[0]}{parts[1]}: {parts[2]}\n"
    ),
    max_size=12,
).map("".join)


@given(LINES)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        documents = read_documents(text, "f")
    except ConfigError as error:
        assert all(problem.mark and problem.mark.line >= 1 <= problem.mark.column for problem in error.problems)
        return
    check(list(documents), None)


COMPONENT = st.from_regex(r"[a-z0-9]{1,6}((\.|_|__|-+)[a-z0-9]{1,4})?", fullmatch=True)
REFERENCES = st.builds(
    "{}/{}{}".format,
    st.sampled_from(["ghcr.io", "localhost", "127.0.0.1:5000", "docker.io", "[::1]:5000"]),
    st.lists(COMPONENT, min_size=2, max_size=4).map("/".join),
    st.sampled_from(["", ":1.4.2", ":latest", f"@{DIGEST}", f":v1@{DIGEST}"]),
)


@given(REFERENCES)
def test_a_reference_that_was_printed_is_read_back(text: str) -> None:
    source = Mapping(((Scalar("image", MARK), Scalar(text, MARK)),), MARK)
    document = Mapping((WHOLE.entries[0], (Scalar("sources", MARK), Sequence((source,), MARK))), MARK)
    (spec,) = read_specs([document])
    assert str(spec.sources[0].reference) == text
