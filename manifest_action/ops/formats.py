"""Which manifests the format of a spec lets be as they are (pure)."""

from manifest_action.model import mediatype
from manifest_action.plan.spec import Format, IndexSpec


def is_converted(spec: IndexSpec, media_type: str) -> bool:
    """Whether a manifest of this type is not of the kind that the spec's format asks for; its bytes are needed then."""
    match spec.format:
        case Format.AUTO:
            return False
        case Format.OCI:
            return media_type in mediatype.DOCKER
        case Format.DOCKER:
            return media_type not in mediatype.DOCKER
        case Format.SCHEMA1:
            return media_type not in mediatype.SCHEMA1
