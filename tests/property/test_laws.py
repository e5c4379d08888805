"""Laws that hold for whatever is put in: of what is written and read, of assembling, and of the store."""

import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from manifest_action.adapters.document import read_documents
from manifest_action.errors import AssembleError
from manifest_action.model import mediatype
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.platform import Platform
from manifest_action.model.reference import parse_reference
from manifest_action.ops.assemble import assemble
from manifest_action.ops.instance import Instance, ResolvedIndex
from manifest_action.plan.node import Mapping, Node, Scalar
from manifest_action.plan.spec import Existing, IndexSpec
from manifest_action.store import SavedList, Store
from manifest_action.store.state import State
from manifest_action.transport.archive.members import find_members
from manifest_action.transport.registry.challenge import Challenge, parse_challenges
from manifest_action.transport.registry.scope import parse_scopes
from manifest_action.transport.registry.url import Url
from tests.support.strategies import DIGESTS, PLATFORMS, REFERENCES

MAIN = parse_reference("registry.test/acme/app:1")
ENTRIES = st.lists(
    st.builds(Descriptor, st.just(mediatype.OCI_MANIFEST), DIGESTS, st.integers(0, 2**40), PLATFORMS),
    min_size=1,
    max_size=6,
    unique_by=(lambda entry: str(entry.digest), lambda entry: str(entry.platform)),
)


def resolved(entries: Sequence[Descriptor], base: Manifest | None = None, **spec: object) -> ResolvedIndex:
    pinned = parse_reference("registry.test/acme/build").pinned(Digest.of(b"source"))
    new = tuple(Instance(entry, pinned.repository, pinned) for entry in entries)
    old = (
        tuple(Instance(entry, MAIN.repository, MAIN.pinned(base.digest), is_existing=True) for entry in base.entries)
        if base
        else ()
    )
    return ResolvedIndex(IndexSpec((MAIN,), (), **spec), old + new, base=base, current={})  # type: ignore[arg-type]


def assembled(index: ResolvedIndex) -> Manifest:
    try:
        return assemble(index).manifest
    except AssembleError:
        assume(condition=False)
        raise


@given(ENTRIES)
def test_assembling_keeps_the_order_and_always_gives_the_same_bytes(entries: list[Descriptor]) -> None:
    made = assembled(resolved(entries))
    assert [entry.digest for entry in made.entries] == [entry.digest for entry in entries]
    assert assembled(resolved(list(entries))).raw == made.raw
    assert made.digest == Digest.of(made.raw)
    assert assembled(resolved(made.entries)).raw == made.raw


@given(ENTRIES, st.randoms())
def test_another_order_is_another_index_of_the_same_instances(entries: list[Descriptor], order: "object") -> None:
    turned = list(reversed(entries))
    made, other = assembled(resolved(entries)), assembled(resolved(turned))
    assert set(made.entries) == set(other.entries)
    assert (made.raw == other.raw) is (entries == turned)


@given(ENTRIES)
def test_appending_what_is_there_changes_nothing(entries: list[Descriptor]) -> None:
    base = assembled(resolved(entries))
    assert assembled(resolved(entries, base, existing=Existing.APPEND)).raw == base.raw


@given(ENTRIES, st.data())
def test_appending_one_by_one_is_appending_all(entries: list[Descriptor], data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(entries)))
    base = assembled(resolved(entries[:cut]))
    for entry in entries[cut:]:
        base = assembled(resolved([entry], base, existing=Existing.APPEND))
    assert base.raw == assembled(resolved(entries)).raw


@settings(max_examples=25)
@given(ENTRIES, st.none() | REFERENCES)
def test_adding_to_a_saved_list_and_removing_again_restores_every_byte(
    entries: list[Descriptor], place: object
) -> None:
    *first, last = entries
    with TemporaryDirectory() as folder:
        store = Store(Path(folder, "lists"))
        saved = SavedList(("x",))
        for entry in first:
            saved = saved.add(entry)
        store.create(saved)
        before = _content(store.path)
        store.edit("x", lambda found: found.add(last, place))  # type: ignore[arg-type]
        assert _content(store.path) != before
        store.edit("x", lambda found: found.remove(last.digest))
        assert _content(store.path) == before


def _content(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


@settings(max_examples=25)
@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), ENTRIES, max_size=3), REFERENCES)
def test_what_a_store_holds_is_read_by_another_as_it_was(lists: dict[str, list[Descriptor]], place: object) -> None:
    with TemporaryDirectory() as folder:
        store = Store(Path(folder, "lists"))
        made = []
        for name, entries in lists.items():
            saved = SavedList((name,))
            for entry in entries:
                saved = saved.add(entry, place)  # type: ignore[arg-type]
            made.append(store.create(saved))
        assert {saved.names: saved for saved in Store(store.path).lists()} == {saved.names: saved for saved in made}
        for file in store.path.glob("*.json"):
            raw = file.read_bytes()
            if file.name != "index.json":
                assert State.parse(raw).serialise() == raw


@given(
    st.lists(
        st.builds(
            Challenge,
            st.sampled_from(["bearer", "basic", "negotiate", "x-y"]),
            st.dictionaries(
                st.from_regex(r"[a-z][a-z0-9_-]{0,8}", fullmatch=True),
                st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20),
                min_size=1,
                max_size=4,
            ),
        ),
        max_size=4,
    )
)
def test_challenges_are_read_as_they_were_written(challenges: list[Challenge]) -> None:
    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    written = ", ".join(
        f"{each.scheme.title()} " + ", ".join(f"{name}={quoted(value)}" for name, value in each.parameters.items())
        for each in challenges
    )
    assert parse_challenges([written]) == tuple(challenges)


@given(
    st.sampled_from(["http", "https"]),
    st.sampled_from(["a.b", "localhost", "[::1]", "127.0.0.1"]),
    st.integers(1, 65535),
    st.from_regex(r"/[A-Za-z0-9%/?&=._~-]{0,40}", fullmatch=True),
)
def test_addresses_are_read_as_they_were_written(scheme: str, host: str, port: int, target: str) -> None:
    url = Url(scheme, host, port, target)
    assert Url.parse(f"{url.origin}{url.target}") == url
    assert url.join(f"{url.origin}{target}") == url
    # What begins with two slashes names a host.
    assert target.startswith("//") or url.join(target) == url


@given(
    st.lists(st.from_regex(r"repository:[a-z]{1,8}(/[a-z]{1,8})?:(pull|push|pull,push)", fullmatch=True), max_size=4)
)
def test_scopes_are_read_as_they_were_written(scopes: list[str]) -> None:
    again = [str(scope) for scope in parse_scopes(" ".join(scopes))]
    assert parse_scopes(" ".join(again)) == parse_scopes(" ".join(scopes))
    assert {scope.split(":")[1] for scope in again} == {scope.split(":")[1] for scope in scopes}


FILES = st.dictionaries(
    st.lists(st.from_regex(r"[a-zäß0-9_-][a-z0-9._ä-]{0,60}", fullmatch=True), min_size=1, max_size=4).map("/".join),
    st.binary(max_size=700),
    max_size=5,
)


@given(FILES, st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]))
def test_every_file_of_an_archive_is_found_with_its_bytes(files: dict[str, bytes], kind: int) -> None:
    assume(not any(f"{name}/" in other for name in files for other in files))
    buffer = io.BytesIO()
    try:
        with tarfile.open(fileobj=buffer, mode="w", format=kind) as archive:
            for name, content in files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    except ValueError:
        assume(condition=False)  # a name that the oldest format cannot hold
    raw = buffer.getvalue()
    found = find_members(lambda offset, size: raw[offset : offset + size], len(raw))
    read = {name: raw[member.offset : member.offset + member.size] for name, member in found.items()}
    assert read == files


PRINTABLE = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"], max_codepoint=0xFFFF), max_size=12)


@given(st.dictionaries(st.from_regex(r"[a-z]{1,10}", fullmatch=True), PRINTABLE, min_size=1, max_size=5))
def test_a_document_is_read_as_json_wrote_it(values: dict[str, str]) -> None:
    (node,) = read_documents(json.dumps(values, ensure_ascii=False), "f")
    assert isinstance(node, Mapping)

    def text(item: Node) -> str:
        assert isinstance(item, Scalar)
        return item.text

    assert {key.text: text(value) for key, value in node.entries} == values


@given(ENTRIES, st.sampled_from([Platform("linux", "amd64"), Platform("linux", "arm64")]))
def test_an_index_that_is_read_is_written_as_it_was(entries: list[Descriptor], platform: Platform) -> None:
    stated = [replace(entries[0], platform=platform)]
    made = assembled(resolved(stated))
    assert Manifest.parse(made.raw, media_type=made.media_type) == made
