"""From documents to specs: every index that is described, or every mistake that was made (design section 4.1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from manifest_action.model.descriptor import NONE
from manifest_action.model.reference import Reference
from manifest_action.plan import keys, node
from manifest_action.plan.annotations import read_annotations, read_entry_annotations
from manifest_action.plan.attach import MEDIA_TYPE, read_attachments
from manifest_action.plan.node import Node
from manifest_action.plan.part import Part
from manifest_action.plan.platforms import read_platform, read_platforms
from manifest_action.plan.problems import Problems
from manifest_action.plan.references import read_destinations, read_source, read_subject
from manifest_action.plan.signing import can_attest, read_signers
from manifest_action.plan.spec import (
    Annotations,
    Attestations,
    Compression,
    Existing,
    Format,
    IndexSpec,
    Referrers,
    SourceSpec,
)
from manifest_action.plan.temporary import read_cleanup, read_protection

Word = TypeVar("Word")


@dataclass(frozen=True, slots=True)
class _Description:
    """What was written about one index: its keys, and the place as a whole."""

    place: Part
    fields: Mapping[str, Part]


def read_specs(documents: Sequence[Node], inputs: node.Mapping | None = None) -> tuple[IndexSpec, ...]:
    """Read what documents and inputs together describe.

    documents: each one index, or `indexes` with `defaults`
    inputs:    keys of one index; they win over the same keys of a document, or describe the index alone

    Raises ConfigError with every problem that was found.
    """
    problems = Problems()
    descriptions = [each for document in documents for each in _descriptions(Part(document, "", problems))]
    if len(descriptions) > keys.INDEXES_LIMIT:
        descriptions[keys.INDEXES_LIMIT].place.refuse(f"there are more than {keys.INDEXES_LIMIT} indexes")
    if inputs:
        descriptions = _with_inputs(descriptions, inputs, problems)
    elif not documents:
        problems.add("there is nothing to do", hint="give a spec, or image and sources")
    specs = [_read_index(each.fields, each.place) for each in descriptions[: keys.INDEXES_LIMIT]]
    problems.raise_all()
    return tuple(spec for spec in specs if spec)


def _descriptions(document: Part) -> list[_Description]:
    """The indexes of one document, defaults filled in."""
    if not isinstance(document.node, node.Mapping):
        document.refuse("a spec is a mapping with keys such as image and sources")
        return []
    if {key.text for key, _ in document.node.entries}.isdisjoint(key.name for key in keys.FILE_KEYS):
        return [_Description(document, document.fields(keys.INDEX_KEYS) or {})]
    fields = document.fields(keys.FILE_KEYS) or {}
    defaults = fields["defaults"].fields(keys.INDEX_KEYS) or {} if "defaults" in fields else {}
    if "indexes" not in fields:
        document.refuse("defaults stand next to indexes only", "put the keys of a single index at the top")
        return []
    indexes = fields["indexes"].items(keys.INDEXES_LIMIT, empty="lists no index")
    described = [(index, index.fields(keys.INDEX_KEYS)) for index in indexes]
    return [_Description(index, defaults | own) for index, own in described if own is not None]


def _with_inputs(found: Sequence[_Description], inputs: node.Mapping, problems: Problems) -> list[_Description]:
    place = Part(inputs, "", problems)
    fields = place.fields(keys.INDEX_KEYS) or {}
    if len(found) > 1:
        for name, part in fields.items():
            part.refuse(
                f"{name} cannot be for {len(found)} indexes at once", "put it into the spec, in an index or in defaults"
            )
        return list(found)
    if found:
        return [_Description(found[0].place, {**found[0].fields, **fields})]
    return [_Description(place, fields)]


def _read_index(fields: Mapping[str, Part], place: Part) -> IndexSpec | None:
    destinations = read_destinations(fields, place)
    main = destinations[0] if destinations else None
    sources = _read_sources(fields, place, main)
    spec_format = _word(fields, "format", keys.FORMATS, Format.AUTO)
    lossy = fields["lossy"].boolean() if "lossy" in fields else False
    compression = _word(fields, "compression", keys.COMPRESSIONS, Compression.KEEP)
    existing = _word(fields, "existing", keys.EXISTING, Existing.REPLACE)
    annotations = read_annotations(fields["annotations"]) if "annotations" in fields else Annotations()
    expect = read_platforms(fields["expect"]) if "expect" in fields else None
    subject = read_subject(fields["subject"], main) if "subject" in fields else None
    attestations = _word(fields, "attestations", keys.ATTESTATIONS, Attestations.KEEP)
    artifact_type = _read_artifact_type(fields)
    if spec_format in (Format.DOCKER, Format.SCHEMA1):
        _refuse_what_docker_lacks(fields, sources, place)
    if existing is Existing.APPEND and main and not main.is_named:
        (fields.get("image") or place).refuse("appending needs a tag to append to", "add a tag to image")
    sign = read_signers(fields["sign"], destinations) if "sign" in fields else ()
    verify = fields["verify"].boolean() if "verify" in fields else False
    if verify and not sign:
        fields["verify"].refuse("there is nothing to verify", "say how to sign, with `sign`")
    protect = read_protection(fields, place, main)
    cleanup = read_cleanup(fields["cleanup-tags"], destinations, sources) if "cleanup-tags" in fields else ()
    referrers = _word(fields, "referrers", keys.REFERRERS, Referrers.COPY)
    remove_signatures = fields["remove-signatures"].boolean() if "remove-signatures" in fields else False
    attach = read_attachments(fields["attach"], destinations) if "attach" in fields else ()
    provenance = fields["provenance"].boolean() if "provenance" in fields else False
    if provenance and not can_attest(sign):
        fields["provenance"].refuse("nobody signs the statement", "sign with cosign or keyless")
    if main is None or not sources:
        return None
    return IndexSpec(
        destinations=destinations,
        sources=sources,
        annotations=annotations,
        expect=expect,
        format=spec_format,
        lossy=bool(lossy),
        compression=compression,
        attestations=attestations,
        existing=existing,
        artifact_type=artifact_type,
        subject=subject,
        sign=sign,
        verify=bool(verify),
        protect=protect,
        cleanup=cleanup,
        referrers=referrers,
        remove_signatures=bool(remove_signatures),
        attach=attach,
        provenance=bool(provenance),
        mark=place.mark,
    )


def _read_sources(fields: Mapping[str, Part], place: Part, main: Reference | None) -> tuple[SourceSpec, ...]:
    if "sources" not in fields:
        place.refuse("sources is missing", "list the images that the index is made of")
        return ()
    items = fields["sources"].items(keys.SOURCES_LIMIT, empty="lists no source")
    return tuple(source for item in items if (source := _read_source(item, main)))


def _read_source(part: Part, main: Reference | None) -> SourceSpec | None:
    if part.is_text:
        reference = read_source(part, main)
        return SourceSpec(reference, mark=part.mark, path=part.path) if reference else None
    fields = part.fields(keys.SOURCE_KEYS)
    if fields is None:
        return None
    reference = read_source(fields["image"], main) if "image" in fields else None
    if "image" not in fields:
        part.refuse("image is missing", "name what to take")
    platform = read_platform(fields["platform"]) if "platform" in fields else None
    platforms = read_platforms(fields["platforms"]) if "platforms" in fields else ()
    annotations = read_entry_annotations(fields["annotations"]) if "annotations" in fields else NONE
    override = fields["override"].boolean() if "override" in fields else False
    if reference is None:
        return None
    return SourceSpec(
        reference,
        platform=platform,
        override=bool(override),
        platforms=platforms,
        annotations=annotations,
        mark=part.mark,
        path=part.path,
    )


def _word(fields: Mapping[str, Part], name: str, words: Mapping[str, Word], default: Word) -> Word:
    word = fields[name].word(words) if name in fields else None
    return default if word is None else word


def _read_artifact_type(fields: Mapping[str, Part]) -> str:
    part = fields.get("artifact-type")
    text = part.text() if part else None
    if part and text is not None and not MEDIA_TYPE.fullmatch(text):
        part.refuse(f"{text[:80]!r} is no media type", "an artifact type looks like application/vnd.example.thing")
    return text or ""


def _refuse_what_docker_lacks(fields: Mapping[str, Part], sources: Sequence[SourceSpec], place: Part) -> None:
    what, hint = "a Docker manifest list cannot hold this", "use format: oci, or leave this out"
    for name in ("annotations", "artifact-type", "subject"):
        if name in fields:
            fields[name].refuse(what, hint)
    if fields.get("compression") and fields["compression"].text() != Compression.KEEP:
        fields["compression"].refuse("Docker images cannot have zstd layers", hint)
    for source in sources:
        if source.annotations:
            place.problems.add(what, source.mark, path=f"{source.path}.annotations", hint=hint)
