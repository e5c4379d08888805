"""Finding the digests that builds have left: in JSON of whatever shape, and in the names of files."""

import re
from collections.abc import Iterable, Iterator

from manifest_action.errors import Mark
from manifest_action.model.reference import parse_reference
from manifest_action.model.strictjson import parse_object
from manifest_action.plan.node import Mapping, Node, Scalar, Sequence
from manifest_action.plan.problems import Problems

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PINNED = re.compile(r"[^\s@]+@sha256:[0-9a-f]{64}")
_DIGEST_NAME = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
_BUILT = "containerimage.digest"
_NAME = "image.name"
_OTHER_THINGS = frozenset({"imageid", "containerimage.config.digest", "containerimage.descriptor"})
"""Keys of buildx and its actions whose digests are those of configs, or the same once more."""
_DEPTH_LIMIT = 16


def digests_within(document: Node) -> Iterator[Scalar]:
    """Every digest, or reference by digest, among the texts of a document, in order; keys do not count.

    What buildx writes about a build (the metadata of `build` and `bake`, also as an action's output) gives the digest
    that was pushed, in the repository that it names. A text that is JSON itself is looked into.
    """
    if isinstance(document, Scalar):
        yield from _in_text(document)
    elif isinstance(document, Sequence):
        for item in document.items:
            yield from digests_within(item)
    else:
        fields = {key.text: value for key, value in document.entries}
        built = fields.get(_BUILT)
        if isinstance(built, Scalar) and _DIGEST.fullmatch(built.text):
            yield _of_build(built, fields.get(_NAME))
            return
        for name, value in fields.items():
            if name not in _OTHER_THINGS:
                yield from digests_within(value)


def named_digests(names: Iterable[str], mark: Mark, problems: Problems) -> Iterator[Scalar]:
    """The digests that files are named by, in their own order, so that it is the same in every run."""
    for name in sorted(names, key=lambda name: name.removeprefix("sha256:")):
        if match := _DIGEST_NAME.fullmatch(name):
            yield Scalar(f"sha256:{match[1]}", mark, plain=False)
        else:
            problems.add(
                f"{name[:80]!r} in this directory is not named by a digest",
                mark,
                path="digests",
                hint="each file is named by 64 hex digits; download-artifact needs merge-multiple: true",
            )


def _in_text(scalar: Scalar) -> Iterator[Scalar]:
    text = scalar.text.strip()
    if _DIGEST.fullmatch(text) or _PINNED.fullmatch(text):
        yield Scalar(text, scalar.mark, plain=False)
    elif text.startswith(("{", "[")):
        try:
            value = parse_object(f'{{"":{text}}}'.encode("utf-8", "surrogatepass"))[""]
        except ValueError:
            return
        yield from digests_within(_as_node(value, scalar.mark, _DEPTH_LIMIT))


def _as_node(value: object, mark: Mark, depth: int) -> Node:
    """A JSON value as a node; what is nested too deeply is nothing."""
    if depth and isinstance(value, list):
        return Sequence(tuple(_as_node(item, mark, depth - 1) for item in value), mark)
    if depth and isinstance(value, dict):
        entries = value.items()
        return Mapping(tuple((Scalar(key, mark), _as_node(item, mark, depth - 1)) for key, item in entries), mark)
    return Scalar(value if isinstance(value, str) else "", mark)


def _of_build(digest: Scalar, name: Node | None) -> Scalar:
    """A built image by its digest, in the first repository that it was pushed to, if that is said."""
    first = name.text.partition(",")[0].strip() if isinstance(name, Scalar) else ""
    try:
        place = f"{parse_reference(first).repository}@" if first else ""
    except ValueError:
        place = ""
    return Scalar(f"{place}{digest.text}", digest.mark, plain=False)
