"""Reading where an index goes and what it is made of: references, bare tags and bare digests."""

from collections.abc import Mapping

from manifest_action.model.digest import Digest
from manifest_action.model.reference import DOCKER, Reference, is_tag, parse_reference
from manifest_action.plan.keys import TAGS_LIMIT
from manifest_action.plan.part import Part

_DEFAULT_TAG = "latest"


def read_destinations(fields: Mapping[str, Part], index: Part) -> tuple[Reference, ...]:
    """The destinations that `image` and `tags` name, each once, the main one first; empty after saying what is wrong.

    The main destination is `image`, else the first full reference among the tags. A full reference among the
    tags that has none means `latest`, as everywhere with Docker; a bare tag is one of the main repository.
    """
    tags = [_tag(item) for item in fields["tags"].items(TAGS_LIMIT)] if "tags" in fields else []
    if "image" in fields:
        main = _destination(fields["image"])
    else:
        main = next((tag for tag in tags if isinstance(tag, Reference)), None)
        if all(isinstance(tag, str) for tag in tags):
            index.refuse(
                "image is missing", "give image, or a full reference such as ghcr.io/acme/app:1.4.2 among the tags"
            )
    if main is None:
        return ()
    others = [main.with_tag(tag) if isinstance(tag, str) else tag for tag in tags if tag is not None]
    return tuple(dict.fromkeys([main, *others]))


def read_source(part: Part, main: Reference | None) -> Reference | None:
    """The reference of a source; a bare digest is one in the main destination's repository."""
    text = part.text()
    if text is None:
        return None
    if text.startswith(("@", "sha256:", "sha512:")):
        return _by_digest(part, text, main)
    return _parsed(part, text)


def read_subject(part: Part, main: Reference | None) -> Reference | None:
    """What an index is about: a reference, or a bare tag or digest in the main destination's repository."""
    text = part.text()
    if text is not None and is_tag(text):
        return main.with_tag(text) if main else None
    return read_source(part, main)


def _destination(part: Part) -> Reference | None:
    text = part.text()
    reference = None if text is None else _parsed(part, text)
    if reference and reference.digest:
        part.refuse("a destination has no digest", "the digest follows from the content; name a tag or nothing")
        return None
    return reference


def _tag(part: Part) -> str | Reference | None:
    """One of the tags: a bare one as text, a full reference as such."""
    text = part.text()
    if text is None or is_tag(text):
        return text
    if not any(mark in text for mark in "/:@"):
        part.refuse(f"{text[:80]!r} is no tag", "a tag has up to 128 letters, digits, '.', '_' and '-'")
        return None
    reference = _destination(part)
    if reference and not reference.tag and reference.repository.transport == DOCKER:
        return reference.with_tag(_DEFAULT_TAG)
    return reference


def _by_digest(part: Part, text: str, main: Reference | None) -> Reference | None:
    try:
        digest = Digest.parse(text.removeprefix("@"))
    except ValueError as error:
        part.refuse(str(error))
        return None
    return Reference(main.repository, digest=digest) if main else None


def _parsed(part: Part, text: str) -> Reference | None:
    try:
        return parse_reference(text)
    except ValueError as error:
        part.refuse(str(error))
        return None
