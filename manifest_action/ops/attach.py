"""Making artifacts of the files that a spec attaches; pure."""

from collections.abc import Iterable, Iterator

from manifest_action.errors import AssembleError
from manifest_action.model.artifact import EMPTY, artifact
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.ops.attached import Artifact, Delivery
from manifest_action.ops.instance import AssembledIndex
from manifest_action.plan.spec import AttachSpec

_TITLE = "org.opencontainers.image.title"


def attachments(indexes: Iterable[AssembledIndex]) -> list[Delivery]:
    """What is to be attached, for every repository that an index goes to.

    Raises AssembleError when a file is about a platform that an index does not have.
    """
    return [
        Delivery(repository, Artifact(subject.digest, subject.digest, repository, manifest, made=blobs))
        for index in indexes
        for wanted in index.spec.attach
        for subject in _subjects(index, wanted)
        for manifest, blobs in [_artifact(subject, wanted)]
        for repository in index.spec.repositories
    ]


def _subjects(index: AssembledIndex, wanted: AttachSpec) -> Iterator[Descriptor]:
    if wanted.to is None:
        yield index.manifest.descriptor
        return
    images = [each for each in index.instances if each.platform and not each.is_attestation]
    found = [each.descriptor for each in images if each.platform and wanted.to.selects(each.platform)]
    if not found:
        offered = ", ".join(dict.fromkeys(str(each.platform) for each in images))
        raise AssembleError(
            f"there is no {wanted.to} to attach {wanted.file} to",
            why=f"the index has {offered or 'no platform'}",
            mark=wanted.mark,
        )
    yield from found


def _artifact(subject: Descriptor, wanted: AttachSpec) -> tuple[Manifest, dict[Digest, bytes]]:
    """The manifest and its blobs; the same file about the same subject is always the same artifact."""
    title = {_TITLE: wanted.file.rpartition("/")[2]}
    layer = Descriptor(wanted.type, Digest.of(wanted.content), len(wanted.content), annotations=title)
    return artifact(wanted.type, subject, layer), {Digest.of(EMPTY): EMPTY, layer.digest: wanted.content}
