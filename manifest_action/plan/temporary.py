"""Reading what becomes of tags that are not an index's own: those of its children, and those of its builds."""

from collections.abc import Mapping, Sequence

from manifest_action.model.reference import DOCKER, Reference, is_tag, parse_reference
from manifest_action.plan import keys
from manifest_action.plan.part import Part
from manifest_action.plan.spec import Protection, SourceSpec


def read_protection(fields: Mapping[str, Part], place: Part, main: Reference | None) -> Protection:
    """How children are protected; by platform only if there is a main tag to name them after."""
    if "protect-children" not in fields:
        return Protection.NO
    part = fields["protect-children"]
    protection = part.word(keys.PROTECTIONS) or Protection.NO
    if protection is Protection.PLATFORM and main and not main.tag:
        (fields.get("image") or place).refuse(
            "tags by platform begin with the tag of image, and it has none", "add one, or say protect-children: digest"
        )
    return protection


def read_cleanup(part: Part, destinations: Sequence[Reference], sources: Sequence[SourceSpec]) -> tuple[Reference, ...]:
    """The temporary tags: those of the sources for `true`, else the ones that are listed.

    A bare tag is one of the main destination's repository. A tag that this index itself goes to is no temporary one.
    """
    if part.is_text and (part.text() or "").lower() in keys.BOOLEANS:
        if not part.boolean():
            return ()
        references = [source.reference for source in sources if source.reference.tag]
        found = [Reference(each.repository, each.tag) for each in references if each.repository.transport == DOCKER]
        if not found:
            part.refuse("no source is named by a tag at a registry", "list the tags, or leave cleanup-tags out")
    else:
        read = (_temporary(item, destinations) for item in part.items(keys.TAGS_LIMIT, empty="lists no tag"))
        found = [reference for reference in read if reference]
    for reference in found:
        if reference in destinations:
            part.refuse(f"{reference} is where this index goes", "a temporary tag must not be one of its own")
    return tuple(dict.fromkeys(found))


def _temporary(part: Part, destinations: Sequence[Reference]) -> Reference | None:
    text = part.text()
    if text is None or not destinations:
        return None
    try:
        reference = destinations[0].with_tag(text) if is_tag(text) else parse_reference(text)
    except ValueError as error:
        part.refuse(str(error))
        return None
    if reference.repository.transport != DOCKER or not reference.tag or reference.digest:
        part.refuse(f"{text[:80]!r} is no tag at a registry", "write a tag, or registry/repository:tag")
        return None
    return reference
