"""Tags for children, so that what prunes untagged images leaves them alone."""

import re
from collections.abc import Iterable, Mapping, Sequence

from manifest_action.events import Reporter, TagSettled, TagState
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import DOCKER, Reference, Repository
from manifest_action.ops.account import Account
from manifest_action.ops.instance import AssembledIndex, Instance
from manifest_action.ops.waves import Waves
from manifest_action.plan.spec import IndexSpec, Protection
from manifest_action.transport.base import Transport

_TAG_LIMIT = 128


def protect(
    indexes: Sequence[AssembledIndex], transport: Transport, waves: Waves, reporter: Reporter, account: Account
) -> None:
    """See that every child has a tag of its own in every registry repository of its index, where that is asked for.

    The children are there already. A tag that is right is left alone; one that an index of this run goes to is never
    touched. Raises what the transports raise.
    """
    wanted = _wanted(indexes, transport)

    def put(reference: Reference) -> None:
        destination, manifest = transport.destination(reference.repository), wanted[reference]
        previous = destination.tagged(reference.tag)
        state = TagState.UNCHANGED
        if previous != manifest.digest:
            destination.tag(manifest, reference.tag)
            state = TagState.CREATED if previous is None else TagState.MOVED
        account.protected(reference, manifest.digest, state)
        reporter.emit(TagSettled(reference, manifest.digest, state, previous))

    waves.map(put, wanted)


def registry_repositories(spec: IndexSpec) -> list[Repository]:
    """The repositories of an index that are at registries; nobody prunes other places."""
    return [repository for repository in spec.repositories if repository.transport == DOCKER]


def child_manifest(instance: Instance, transport: Transport) -> Manifest:
    """The bytes of a child, read now when nothing made it necessary before."""
    return instance.manifest or transport.source(instance.origin).resolve(str(instance.descriptor.digest))


def child_tags(spec: IndexSpec, instances: Iterable[Instance]) -> Mapping[Digest, str]:
    """The tag for each child: `keep-sha256-<hex>`, or `1.4.2-linux-arm64` by the main tag and the platform.

    By platform, a child that shares its platform with an earlier one, and one that has none or is an attestation,
    gets a part of its digest instead.
    """
    names: dict[Digest, str] = {}
    for instance in instances:
        digest = instance.descriptor.digest
        if digest in names:
            continue
        by_platform = spec.protect is Protection.PLATFORM
        name = _by_platform(spec.main.tag, instance) if by_platform else _by_digest(digest)
        names[digest] = _told_apart(name, digest) if name in names.values() else name
    return names


def _wanted(indexes: Sequence[AssembledIndex], transport: Transport) -> Mapping[Reference, Manifest]:
    """What each tag shall point to. None is a tag that an index of this run goes to, or that another child has."""
    taken = {tag for index in indexes for tag in index.spec.tags}
    wanted: dict[Reference, Manifest] = {}
    for index in indexes:
        for name, manifest in _named(index, transport):
            for repository in registry_repositories(index.spec):
                reference = Reference(repository, name)
                if reference in taken or wanted.get(reference, manifest).digest != manifest.digest:
                    reference = Reference(repository, _told_apart(name, manifest.digest))
                wanted[reference] = manifest
    return wanted


def _named(index: AssembledIndex, transport: Transport) -> list[tuple[str, Manifest]]:
    if index.spec.protect is Protection.NO:
        return []
    tags = child_tags(index.spec, index.instances)
    manifests = {each.descriptor.digest: each for each in index.instances}
    return [(tags[digest], child_manifest(instance, transport)) for digest, instance in manifests.items()]


def _told_apart(name: str, digest: Digest) -> str:
    return f"{name[: _TAG_LIMIT - 13]}-{digest.short}"


def _by_digest(digest: Digest) -> str:
    """Not `sha256-<hex>`: there, registries without a referrers API keep what refers to the child."""
    return f"keep-{digest.algorithm}-{digest.encoded}"[:_TAG_LIMIT]


def _by_platform(tag: str, instance: Instance) -> str:
    if instance.is_attestation or instance.platform is None:
        kind = "attestation" if instance.is_attestation else "child"
        return f"{tag[:90]}-{kind}-{instance.descriptor.digest.short}"
    platform = re.sub(r"[^A-Za-z0-9_.-]+", "-", str(instance.platform))
    return f"{tag}-{platform}"[:_TAG_LIMIT]
