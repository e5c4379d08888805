"""Between resolving and assembling: instances of the other kind become the kind that `format` asks for (pure).

A converted instance exists nowhere yet: its blobs are at its origin, its manifest is pushed to every destination.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from manifest_action.convert.image import Conversion, Losses, docker_losses, to_docker, to_oci
from manifest_action.errors import AssembleError
from manifest_action.events import InstanceConverted, Reporter, Warned
from manifest_action.model.attestation import pointing_at
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import DOCKER
from manifest_action.ops.formats import is_converted
from manifest_action.ops.instance import Instance, ResolvedIndex
from manifest_action.plan.spec import Format, IndexSpec


def convert(resolved: ResolvedIndex, reporter: Reporter) -> ResolvedIndex:
    """The same index with every instance of the kind that its spec asks for.

    Into OCI nothing is lost. Into Docker, AssembleError names everything that cannot survive; with `lossy` that
    is left out, attestations too, and only what has no Docker form at all is an error.
    """
    spec = resolved.spec
    if spec.format is Format.SCHEMA1:
        _check_places(spec)
    if spec.format in (Format.DOCKER, Format.SCHEMA1):
        resolved = _without_losses(resolved, reporter)
    converted = [_attempted(instance, spec) for instance in resolved.instances]
    for old, new in zip(resolved.instances, converted, strict=True):
        if new.descriptor.digest != old.descriptor.digest:
            reporter.emit(InstanceConverted(old.source, old.descriptor.digest, new.descriptor.digest, str(spec.format)))
    moved = {
        old.descriptor.digest: new.descriptor.digest for old, new in zip(resolved.instances, converted, strict=True)
    }
    return replace(resolved, instances=tuple(_followed(instance, moved) for instance in converted))


def _check_places(spec: IndexSpec) -> None:
    """Only registries know that a digest of schema 1 is not over its signatures; files are named by their digest."""
    for place in spec.repositories:
        if place.transport != DOCKER:
            raise AssembleError(
                "images of schema 1 can be written to registries only",
                where=str(place),
                hint="use `format: docker` for this destination",
                mark=spec.mark,
            )


def _attempted(instance: Instance, spec: IndexSpec) -> Instance:
    try:
        return _converted(instance, spec)
    except ValueError as error:
        raise AssembleError(
            f"the image cannot be converted to {spec.format}",
            where=_name(instance),
            why=str(error),
            hint="use another `format`, or build the image again",
            mark=instance.mark or spec.mark,
        ) from None


def _converted(instance: Instance, spec: IndexSpec) -> Instance:
    if not is_converted(spec, instance.descriptor.media_type):
        return instance
    conversion = _conversion(instance, spec)
    manifest = conversion.manifest
    descriptor = replace(
        instance.descriptor,
        media_type=manifest.media_type,
        digest=manifest.digest,
        size=len(manifest.raw),
        data="",
    )
    made = {**instance.made, **conversion.blobs}
    return replace(instance, descriptor=descriptor, manifest=manifest, converted=True, made=made)


def _conversion(instance: Instance, spec: IndexSpec) -> Conversion:
    original = _read(instance)
    if spec.format is Format.OCI:
        return Conversion(to_oci(original), {})
    if spec.format is Format.DOCKER:
        return Conversion(to_docker(original, lossy=spec.lossy), {})
    name = next((place.name for place in spec.repositories if place.transport == DOCKER), "")
    if instance.config is None:
        raise LookupError(f"{instance.source} is to be converted, but its config was not read")
    from manifest_action.convert.schema1 import to_schema1  # noqa: PLC0415 - few runs make what only old registries take

    return to_schema1(original, instance.config, name, lossy=spec.lossy)


def _read(instance: Instance) -> Manifest:
    if instance.manifest is None:
        raise LookupError(f"{instance.source} is to be converted, but its manifest was not read")
    return instance.manifest


def _followed(instance: Instance, moved: Mapping[Digest, Digest]) -> Instance:
    """An attestation points to its image by digest, and follows it to the new one."""
    return replace(instance, descriptor=pointing_at(instance.descriptor, moved))


@dataclass(frozen=True, slots=True)
class _Loss:
    """What one instance, or the index itself, would lose."""

    where: str
    losses: Losses

    def __str__(self) -> str:
        return f"{self.where}: {', '.join([*self.losses.fatal, *self.losses.droppable])}"


def _without_losses(resolved: ResolvedIndex, reporter: Reporter) -> ResolvedIndex:
    """What is left once all that Docker cannot hold is dropped; AssembleError when it may not be, or cannot."""
    spec = resolved.spec
    found = [_Loss(_name(instance), _losses(instance, spec)) for instance in resolved.instances]
    parents = [parent for parent in (resolved.base, resolved.whole) if parent is not None]
    found += [_Loss(f"the index {parent.digest}", _index_losses(parent)) for parent in parents]
    fatal = [loss for loss in found if loss.losses.fatal]
    dropped = [loss for loss in found if loss.losses.droppable]
    if fatal or (dropped and not spec.lossy):
        raise _refusal(spec, fatal if spec.lossy else [*fatal, *(loss for loss in dropped if loss not in fatal)], fatal)
    for loss in dropped:
        reporter.emit(Warned(f"Docker's format cannot hold everything, left out: {loss}", spec.mark))
    return replace(
        resolved,
        instances=tuple(_plain(instance) for instance in resolved.instances if not instance.is_attestation),
        base=_plain_index(resolved.base),
        whole=_plain_index(resolved.whole),
    )


def _refusal(spec: IndexSpec, losses: Sequence[_Loss], fatal: Sequence[_Loss]) -> AssembleError:
    return AssembleError(
        "not everything can be converted to Docker's format",
        where=str(spec.main),
        why="; ".join(map(str, losses)),
        hint="use `format: oci`, or take these from elsewhere"
        if fatal
        else "use `format: oci`, or `lossy: true` to leave these out",
        mark=spec.mark,
    )


def _name(instance: Instance) -> str:
    platform = f" ({instance.platform})" if instance.platform and not instance.is_attestation else ""
    return f"{instance.source}{platform}"


def _losses(instance: Instance, spec: IndexSpec) -> Losses:
    descriptor = instance.descriptor
    if instance.is_attestation:
        return Losses((f"the attestation {descriptor.digest}",))
    mine = _manifest_losses(instance, spec)
    droppable = [f"the annotation {key} of its entry" for key in descriptor.annotations]
    return Losses((*mine.droppable, *droppable), mine.fatal)


def _manifest_losses(instance: Instance, spec: IndexSpec) -> Losses:
    if not is_converted(spec, instance.descriptor.media_type):
        return Losses()
    if spec.format is not Format.SCHEMA1:
        return docker_losses(_read(instance))
    from manifest_action.convert.schema1 import schema1_losses  # noqa: PLC0415

    return schema1_losses(_read(instance))


def _plain(instance: Instance) -> Instance:
    return replace(instance, descriptor=replace(instance.descriptor, annotations={}, artifact_type="", data=""))


def _index_losses(index: Manifest) -> Losses:
    found = [f"the annotation {key}" for key in index.annotations]
    found += [f"the artifact type {index.artifact_type}"] if index.artifact_type else []
    found += [f"the subject {index.subject.digest}"] if index.subject else []
    return Losses(tuple(found))


def _plain_index(index: Manifest | None) -> Manifest | None:
    return None if index is None else replace(index, annotations={}, artifact_type="", subject=None)
