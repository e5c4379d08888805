"""BuildKit's attestation entries: `unknown/unknown` manifests that describe another entry of the same index.

Format: the `vnd.docker.reference.*` annotations of buildx's image output.
"""

from collections.abc import Mapping
from dataclasses import replace

from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest

_TYPE = "vnd.docker.reference.type"
_DIGEST = "vnd.docker.reference.digest"


def is_attestation(entry: Descriptor) -> bool:
    """Whether an index entry is an attestation manifest rather than an image."""
    return entry.annotations.get(_TYPE) == "attestation-manifest"


def attested_digest(entry: Descriptor) -> Digest | None:
    """The digest of the entry that an attestation is about; None when it names none or names it wrongly."""
    try:
        return Digest.parse(entry.annotations.get(_DIGEST, ""))
    except ValueError:
        return None


def pointing_at(entry: Descriptor, moved: Mapping[Digest, Digest]) -> Descriptor:
    """The entry of an attestation, about the image that took the place of the one it is about.

    moved: digests of images, to those of the images that took their places
    """
    about = attested_digest(entry)
    if not is_attestation(entry) or about is None or moved.get(about, about) == about:
        return entry
    return replace(entry, annotations={**entry.annotations, _DIGEST: str(moved[about])})
