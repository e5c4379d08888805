"""Reading simple signing payloads: which image a signature is about and what it may be called. Pure.

The strictness is that of containers/image (containers-signature(5)): a member it does not know in a place that
matters makes the whole invalid.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from manifest_action.model.digest import Digest
from manifest_action.model.reference import DOCKER, Reference, parse_reference
from manifest_action.model.strictjson import compact, parse_object
from manifest_action.signing.payload import SIMPLE_SIGNING_TYPE

GPG_TYPE = "atomic container signature"


@dataclass(frozen=True, slots=True)
class Statement:
    """What a payload says: the manifest with `digest` may be called `identity`, a reference at a registry."""

    digest: Digest
    identity: Reference


def gpg_payload(identity: str, digest: Digest) -> bytes:
    """The payload of a GPG signature. It has no time in it, so the same statement always has the same bytes."""
    critical = {
        "identity": {"docker-reference": identity},
        "image": {"docker-manifest-digest": str(digest)},
        "type": GPG_TYPE,
    }
    return compact({"critical": critical, "optional": {}})


def read_gpg_payload(raw: bytes) -> Statement:
    """Read the payload of a GPG signature; ValueError says what is wrong."""
    return _read(raw, GPG_TYPE, optional_may_be_null=False)


def read_sigstore_payload(raw: bytes) -> Statement:
    """Read the payload of a sigstore signature; `optional` may be null there. ValueError says what is wrong."""
    return _read(raw, SIMPLE_SIGNING_TYPE, optional_may_be_null=True)


def docker_reference(text: str) -> Reference:
    """A reference at a registry, names without a host being Docker Hub's; ValueError for anything else."""
    return parse_reference(f"{DOCKER}://{text}")


def _read(raw: bytes, kind: str, *, optional_may_be_null: bool) -> Statement:
    document = parse_object(raw)
    _check_members(document, {"critical", "optional"}, "the payload")
    critical = _object(document["critical"], {"type", "image", "identity"}, "critical")
    image = _object(critical["image"], {"docker-manifest-digest"}, "critical.image")
    identity = _object(critical["identity"], {"docker-reference"}, "critical.identity")
    if critical["type"] != kind:
        raise ValueError(f"critical.type is not {kind!r}")
    if document["optional"] is not None or not optional_may_be_null:
        _check_optional(document["optional"])
    digest = _text(image["docker-manifest-digest"], "docker-manifest-digest")
    return Statement(Digest.parse(digest), docker_reference(_text(identity["docker-reference"], "docker-reference")))


def _check_optional(value: object) -> None:
    """`creator` and `timestamp` have a meaning and so a type; everything else in there is free."""
    if not isinstance(value, Mapping):
        raise ValueError("optional must be an object")
    if not isinstance(value.get("creator", ""), str):
        raise ValueError("optional.creator must be a string")
    timestamp = value.get("timestamp", 0)
    if isinstance(timestamp, bool) or not isinstance(timestamp, int):
        raise ValueError("optional.timestamp must be a whole number")


def _object(value: object, members: set[str], name: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} must be an object")
    _check_members(value, members, name)
    return value


def _check_members(document: Mapping[str, object], members: set[str], name: str) -> None:
    if document.keys() != members:
        raise ValueError(f"{name} must have exactly the members {', '.join(sorted(members))}")


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a string")
    return value
