"""From instances to the bytes of an index: pure, so the digest is known before anything is written.

OCI image-spec 1.1, image-index.md; Docker image manifest v2 schema 2, "Manifest List".
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from manifest_action.errors import AssembleError
from manifest_action.model import mediatype
from manifest_action.model.attestation import attested_digest
from manifest_action.model.compression import is_zstd
from manifest_action.model.digest import Digest
from manifest_action.model.index import Index
from manifest_action.model.manifest import Manifest
from manifest_action.model.platform import Platform
from manifest_action.ops.instance import AssembledIndex, Instance, ResolvedIndex
from manifest_action.plan.spec import Existing, Format, IndexSpec, Protection


def assemble(resolved: ResolvedIndex) -> AssembledIndex:
    """The index of one spec, checked against everything the spec asks for.

    Instances keep their bytes only where those will be sent: a run may hold thousands until its tags move.

    Raises AssembleError: no instances, two for the same platform, not the expected platforms, media types or
    annotations that the format cannot hold, more than 4 MiB, an existing tag that must not change.
    """
    spec = resolved.spec
    instances = _annotated(_joined(resolved), spec)
    _check_instances(instances, spec)
    _check_expected(instances, spec)
    parent = resolved.base or resolved.whole
    index = Index(
        entries=tuple(instance.descriptor for instance in instances),
        media_type=_media_type(instances, resolved),
        annotations={**(parent.annotations if parent else {}), **spec.annotations.index},
        artifact_type=spec.artifact_type or (parent.artifact_type if parent else ""),
        subject=resolved.subject or (parent.subject if parent else None),
    )
    kept = tuple(each if _is_sent(each, spec) else each.without_bytes() for each in instances)
    assembled = AssembledIndex(spec, _manifest(index, resolved), kept, resolved.current, resolved.present)
    _check_existing(assembled)
    return assembled


def _is_sent(instance: Instance, spec: IndexSpec) -> bool:
    """Whether the instance's manifest will be sent somewhere: to another repository, or under a tag of its own."""
    return instance.must_travel(spec) or spec.protect is not Protection.NO


def _joined(resolved: ResolvedIndex) -> tuple[Instance, ...]:
    """The instances of the existing index with those of the sources put in: same platforms in place, others last.

    An attestation goes with the image it is about, so those of a replaced image leave with it.
    """
    base = resolved.base
    if base is None:
        return resolved.instances
    if not base.is_index:
        raise AssembleError(
            "the existing tag is a single image, not an index that could be extended",
            where=str(resolved.spec.main),
            hint="use `existing: replace`, or name that image among the sources",
            mark=resolved.spec.mark,
        )
    return tuple(_extended(resolved.instances))


def _extended(instances: Sequence[Instance]) -> Iterable[Instance]:
    """The existing instances with their successors in place, and the new ones behind them, both in their order.

    An attestation is listed once, and stays as long as its image does, whoever knew of it: the existing index or
    the source that names the image again. Doing the same once more changes nothing.
    """
    existing = [instance for instance in instances if instance.is_existing]
    left = [instance for instance in instances if not instance.is_existing]
    successors = _successors(existing, left)
    kept = {instance.descriptor.digest for instance in left if not instance.is_attestation}
    kept |= {old.descriptor.digest for old in existing if not old.is_attestation and id(old) not in successors}
    told = {old.descriptor.digest for old in existing if old.is_attestation and _subject(old) in kept}
    for old in existing:
        if old.is_attestation:
            if old.descriptor.digest in told:
                yield old
            continue
        image = successors.get(id(old), old)
        yield image
        if image is not old:
            left.remove(image)
            about = [each for each in left if each.is_attestation and _subject(each) == image.descriptor.digest]
            yield from (each for each in about if each.descriptor.digest not in told)
            told |= {each.descriptor.digest for each in about}
    yield from (each for each in left if each.descriptor.digest not in told)


def _successors(existing: Iterable[Instance], new: Iterable[Instance]) -> dict[int, Instance]:
    """For each existing image that a new one takes the place of (by its identity): the new one."""
    free = [instance for instance in new if not instance.is_attestation]
    found: dict[int, Instance] = {}
    for old in existing:
        successor = None if old.is_attestation else next((image for image in free if _replaces(image, old)), None)
        if successor is not None:
            free.remove(successor)
            found[id(old)] = successor
    return found


def _subject(attestation: Instance) -> Digest | None:
    return attested_digest(attestation.descriptor)


def _replaces(new: Instance, old: Instance) -> bool:
    """Whether nobody could tell which of the two is meant; a zstd instance stands beside the other of its platform."""
    if new.platform is None or old.platform is None:
        return new.descriptor.digest == old.descriptor.digest
    return new.platform.same_as(old.platform) and is_zstd(new.descriptor) == is_zstd(old.descriptor)


def _annotated(instances: Iterable[Instance], spec: IndexSpec) -> tuple[Instance, ...]:
    """The instances with the spec's descriptor annotations; every platform these name must be there."""
    instances = tuple(instances)
    for platform, key, _ in spec.annotations.entries:
        if platform is not None and not any(_is_image_for(instance, platform) for instance in instances):
            raise AssembleError(
                f"annotation {key} is meant for {platform}, which is not in the index",
                where=str(spec.main),
                hint=f"the platforms are {_names(instances)}",
                mark=spec.mark,
            )
    return tuple(_with_annotations(instance, spec) for instance in instances)


def _with_annotations(instance: Instance, spec: IndexSpec) -> Instance:
    if instance.is_attestation:
        return instance
    meant: Mapping[str, str] = {
        key: value
        for platform, key, value in spec.annotations.entries
        if platform is None or _is_image_for(instance, platform)
    }
    if not meant:
        return instance
    annotations = {**instance.descriptor.annotations, **meant}
    return replace(instance, descriptor=replace(instance.descriptor, annotations=annotations))


def _is_image_for(instance: Instance, platform: Platform) -> bool:
    return not instance.is_attestation and instance.platform is not None and platform.selects(instance.platform)


def _check_instances(instances: Sequence[Instance], spec: IndexSpec) -> None:
    images = [instance for instance in instances if not instance.is_attestation]
    if not images:
        raise AssembleError(
            "no image is left to put into the index",
            where=str(spec.main),
            hint="check `platforms` and `attestations` of the sources",
            mark=spec.mark,
        )
    for position, instance in enumerate(images):
        for earlier in images[:position]:
            if _replaces(instance, earlier):
                raise _twice(instance, earlier, spec)


def _twice(instance: Instance, earlier: Instance, spec: IndexSpec) -> AssembleError:
    what = f"platform {instance.platform}" if instance.platform else f"artifact {instance.descriptor.digest}"
    same = " (both are the same image)" if instance.descriptor.digest == earlier.descriptor.digest else ""
    return AssembleError(
        f"{what} comes from two sources: {earlier.source} and {instance.source}{same}",
        where=str(spec.main),
        hint="remove one, correct its `platform`, or take a part of an index with `platforms`",
        mark=instance.mark or spec.mark,
    )


def _check_expected(instances: Sequence[Instance], spec: IndexSpec) -> None:
    if spec.expect is None:
        return
    images = [instance for instance in instances if not instance.is_attestation]
    missing = [want for want in spec.expect if not any(_is_image_for(image, want) for image in images)]
    extra = [image for image in images if not any(_is_image_for(image, want) for want in spec.expect)]
    complaints = [f"missing {', '.join(map(str, missing))}"] if missing else []
    complaints += [f"not expected {_names(extra)}"] if extra else []
    if complaints:
        raise AssembleError(
            f"the platforms are not the expected ones: {'; '.join(complaints)}",
            where=str(spec.main),
            hint="a build may have failed or pushed elsewhere; correct the sources or `expect`",
            mark=spec.mark,
        )


def _names(instances: Iterable[Instance]) -> str:
    names = (str(i.platform or i.descriptor.artifact_type or i.descriptor.media_type) for i in instances)
    return ", ".join(dict.fromkeys(names))


def _media_type(instances: Sequence[Instance], resolved: ResolvedIndex) -> str:
    """Docker's list or OCI's index, as `format` says and the entries allow.

    An index that is extended or taken over whole stays what it is unless `format` says otherwise.
    """
    spec, parent = resolved.spec, resolved.base or resolved.whole
    stays_oci = parent is not None and parent.media_type == mediatype.OCI_INDEX
    docker = [instance for instance in instances if instance.descriptor.media_type in mediatype.DOCKER]
    if spec.format is Format.OCI or (spec.format is Format.AUTO and stays_oci):
        return mediatype.OCI_INDEX
    if spec.format is Format.DOCKER and len(docker) < len(instances):
        odd = next(instance for instance in instances if instance not in docker)
        raise AssembleError(
            f"a Docker manifest list cannot hold {odd.descriptor.media_type}",
            where=str(odd.source),
            hint="use `format: oci`, or build that image with Docker media types (buildx: `oci-mediatypes=false`)",
            mark=odd.mark or spec.mark,
        )
    if spec.format is Format.AUTO and docker and len(docker) < len(instances):
        raise AssembleError(
            "the sources mix Docker and OCI media types: "
            f"{docker[0].source} is Docker's, {next(i for i in instances if i not in docker).source} is OCI's",
            where=str(spec.main),
            hint="say `format: oci` or `format: docker` to have the others converted, or build all with the same types",
            mark=spec.mark,
        )
    return mediatype.DOCKER_LIST if docker else mediatype.OCI_INDEX


def _manifest(index: Index, resolved: ResolvedIndex) -> Manifest:
    """The index's bytes; an index that is taken over or extended, and comes out unchanged, keeps the bytes it has."""
    whole = resolved.base or resolved.whole
    if whole is not None and index == Index.of(whole):
        return whole
    try:
        return index.manifest()
    except ValueError as error:
        raise AssembleError(
            str(error),
            where=str(resolved.spec.main),
            hint="use `format: oci`" if index.media_type == mediatype.DOCKER_LIST else "put less into the index",
            mark=resolved.spec.mark,
        ) from None


def _check_existing(assembled: AssembledIndex) -> None:
    if assembled.spec.existing is not Existing.KEEP_EQUAL:
        return
    for tag, digest in assembled.current.items():
        if digest is not None and digest != assembled.manifest.digest:
            raise AssembleError(
                f"the tag exists with {digest} and must stay, but the index would be {assembled.manifest.digest}",
                where=str(tag),
                hint="choose a new tag, or allow the move with `existing: replace`",
                mark=assembled.spec.mark,
            )
