"""Making artifacts of the files that a spec attaches; pure."""

from collections.abc import Iterable, Iterator

from manifest_action.errors import AssembleError
from manifest_action.model import mediatype
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.ops.attached import Artifact, Delivery
from manifest_action.ops.instance import AssembledIndex
from manifest_action.plan.spec import AttachSpec
from manifest_action.signing.payload import EMPTY, compact

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
    """The manifest (OCI image-spec 1.1, "Guidelines for Artifact Usage") and its blobs.

    It has no time in it: the same file about the same subject is always the same artifact.
    """
    config = Descriptor(mediatype.OCI_EMPTY, Digest.of(EMPTY), len(EMPTY))
    title = {_TITLE: wanted.file.rpartition("/")[2]}
    layer = Descriptor(wanted.type, Digest.of(wanted.content), len(wanted.content), annotations=title)
    document = {
        "schemaVersion": 2,
        "mediaType": mediatype.OCI_MANIFEST,
        "artifactType": wanted.type,
        "config": config.to_document(),
        "layers": [layer.to_document()],
        "subject": Descriptor(subject.media_type, subject.digest, subject.size).to_document(),
    }
    manifest = Manifest.parse(compact(document), media_type=mediatype.OCI_MANIFEST)
    return manifest, {config.digest: EMPTY, layer.digest: wanted.content}
