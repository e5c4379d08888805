"""Adding to each image a second instance with zstd layers, for the systems that prefer one.

As `podman manifest push --add-compression` does it: same config, other layers, an annotation on the entry. Layers
are compressed before anything is written, since the digest of the index follows from them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from manifest_action.convert.image import serialised
from manifest_action.errors import AssembleError, ContentError
from manifest_action.events import InstanceCompressed, Reporter
from manifest_action.model import mediatype
from manifest_action.model.compression import ZSTD, is_zstd
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.reference import Repository
from manifest_action.model.strictjson import parse_object
from manifest_action.ops.instance import Instance, ResolvedIndex
from manifest_action.ops.waves import Waves
from manifest_action.plan.spec import Compression
from manifest_action.transport.base import Transport
from manifest_action.transport.zstd import MadeFile, Workplace, compress

_COMPRESSED = frozenset({mediatype.OCI_LAYER_TAR, f"{mediatype.OCI_LAYER_TAR}+gzip"})


@dataclass(frozen=True, slots=True)
class _Work:
    """A layer to compress, wherever it is, and the digest of the tar in it."""

    digest: Digest
    unpacked: Digest
    layer: Descriptor = field(compare=False)
    origin: Repository = field(compare=False)


Done = Mapping[_Work, tuple[Descriptor, MadeFile]]


def add_compressed(
    indexes: Sequence[ResolvedIndex], transport: Transport, waves: Waves, reporter: Reporter
) -> tuple[ResolvedIndex, ...]:
    """The indexes, those that ask for it with a zstd instance after each image that has none for its platform yet.

    Whether asked or not, a zstd instance does not outlive the existing image that it belongs to.

    Their instances are of the kind that is wanted already, with manifests and configs read. Each layer is compressed
    once. AssembleError for Docker images, which cannot have such layers; ContentError for layers and configs that do
    not belong together; and what the transports raise.
    """
    works = {work: None for index in indexes for instance in _lacking(index) for work in _works(instance)}
    if not works:
        return tuple(_without_outdated(index) for index in indexes)
    workplace = Workplace()

    def carry_out(work: _Work) -> tuple[Descriptor, MadeFile]:
        source, where = transport.source(work.origin), f"{work.origin}@{work.layer.digest}"
        return compress(source, work.layer, work.unpacked, workplace, where)

    done = dict(zip(works, waves.map(carry_out, works), strict=True))
    extended = [replace(index, instances=tuple(_extended(index, done, reporter))) for index in indexes]
    return tuple(_without_outdated(index) for index in extended)


def _without_outdated(index: ResolvedIndex) -> ResolvedIndex:
    """The index without the zstd instances of existing images that give way to other images without one."""

    def is_outdated(old: Instance) -> bool:
        new = [each for each in index.instances if not each.is_existing and _is_alike(each, old)]
        is_stale = any(not _is_listed(each, index) for each in new) and not any(
            is_zstd(each.descriptor) for each in new
        )
        return old.is_existing and is_zstd(old.descriptor) and is_stale

    return replace(index, instances=tuple(each for each in index.instances if not is_outdated(each)))


def _extended(index: ResolvedIndex, done: Done, reporter: Reporter) -> Iterator[Instance]:
    lacking = _lacking(index)
    for instance in index.instances:
        yield instance
        if instance in lacking:
            variant = _variant(instance, done)
            old, new = instance.descriptor.digest, variant.descriptor.digest
            reporter.emit(InstanceCompressed(instance.source, old, new, "zstd"))
            yield variant


def _lacking(index: ResolvedIndex) -> list[Instance]:
    """The images that shall have a zstd instance and have none."""
    if index.spec.compression is not Compression.ADD_ZSTD:
        return []
    images = [each for each in index.instances if _layers(each) and not _is_replaced(each, index)]
    for image in images:
        if image.descriptor.media_type != mediatype.OCI_MANIFEST:
            raise AssembleError(
                "a Docker image cannot have layers that are compressed with zstd",
                where=str(image.source),
                hint="use `format: oci`, which converts it, or leave `compression` out",
                mark=image.mark or index.spec.mark,
            )
    return [each for each in images if not any(_stands_for(other, each, index) for other in index.instances)]


def _layers(instance: Instance) -> list[Descriptor]:
    """The layers of an image that are compressed anew; none of artifacts and attestations."""
    manifest = instance.manifest
    if instance.is_attestation or manifest is None or not manifest.is_image or instance.platform is None:
        return []
    docker = (mediatype.DOCKER_LAYER, mediatype.DOCKER_LAYER_TAR)
    return [layer for layer in manifest.layers if layer.media_type in _COMPRESSED or layer.media_type in docker]


def _stands_for(other: Instance, image: Instance, index: ResolvedIndex) -> bool:
    """Whether `other` is the zstd instance for an image's platform, and not that of another image which it replaces."""
    belongs = other.is_existing == image.is_existing or (other.is_existing and _is_listed(image, index))
    return belongs and _is_alike(other, image) and is_zstd(other.descriptor)


def _is_listed(image: Instance, index: ResolvedIndex) -> bool:
    """Whether the existing index lists this very image."""
    return any(each.is_existing and each.descriptor.digest == image.descriptor.digest for each in index.instances)


def _is_alike(one: Instance, other: Instance) -> bool:
    """Whether two instances are for the same platform."""
    return one.platform is not None and other.platform is not None and one.platform.same_as(other.platform)


def _is_replaced(instance: Instance, index: ResolvedIndex) -> bool:
    """Whether an image of the existing index gives way to one of the sources."""
    new = [each for each in index.instances if not each.is_existing]
    return instance.is_existing and any(_is_alike(instance, each) for each in new)


def _works(instance: Instance) -> Iterator[_Work]:
    """The layers of an image with what its config says they unpack to."""
    layers = instance.manifest.layers if instance.manifest else ()
    unpacked = _unpacked(instance, len(layers))
    for layer, digest in zip(layers, unpacked, strict=True):
        if layer.media_type in _COMPRESSED:
            yield _Work(layer.digest, digest, layer, instance.origin)


def _unpacked(instance: Instance, layers: int) -> list[Digest]:
    if instance.config is None:
        raise LookupError(f"{instance.source} is to be compressed, but its config was not read")
    try:
        rootfs = parse_object(instance.config).get("rootfs")
        stated = rootfs.get("diff_ids") if isinstance(rootfs, Mapping) else None
        found = [Digest.parse(str(each)) for each in stated] if isinstance(stated, list) else []
    except ValueError as error:
        raise _unfit(instance, str(error)) from None
    if len(found) != layers:
        raise _unfit(instance, f"it has {len(found)} diff_ids for {layers} layers")
    return found


def _unfit(instance: Instance, why: str) -> ContentError:
    where = f"{instance.origin}@{instance.descriptor.digest}"
    hint = "the image is damaged; build or push it again"
    return ContentError("the image's config does not say what its layers unpack to", where=where, why=why, hint=hint)


def _variant(instance: Instance, done: Done) -> Instance:
    """The image with its layers compressed anew; its config is the same."""
    manifest = instance.manifest
    if manifest is None or manifest.config is None:
        raise LookupError(f"{instance.source} is to be compressed, but its manifest was not read")
    made = {work.layer: done[work] for work in _works(instance)}
    layers = [made[layer][0] if layer in made else layer for layer in manifest.layers]
    new = serialised(manifest.media_type, manifest.config, layers, manifest)
    descriptor = replace(
        instance.descriptor,
        digest=new.digest,
        size=len(new.raw),
        annotations={**instance.descriptor.annotations, ZSTD: "true"},
        urls=(),
        data="",
    )
    blobs = {layer.digest: file for layer, file in made.values()}
    return replace(instance, descriptor=descriptor, manifest=new, converted=True, made={**instance.made, **blobs})
