"""Payloads of simple signing are read as strictly as containers/image reads them."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifest_action.model.digest import Digest
from manifest_action.signing.payload import simple_signing
from manifest_action.signing.simplesigning import (
    Statement,
    docker_reference,
    read_gpg_payload,
    read_sigstore_payload,
)

DIGEST = Digest.of(b"x")
GOOD: dict[str, object] = {
    "critical": {
        "type": "atomic container signature",
        "image": {"docker-manifest-digest": str(DIGEST)},
        "identity": {"docker-reference": "busybox:1"},
    },
    "optional": {"creator": "x", "timestamp": 1, "more": [1.5]},
}
STATEMENT = Statement(DIGEST, docker_reference("docker.io/library/busybox:1"))


def changed(path: str, value: object) -> bytes:
    """The good payload with a member set, or taken away by an Ellipsis."""
    document = json.loads(json.dumps(GOOD))
    *parents, name = path.split(".")
    place = document
    for parent in parents:
        place = place[parent]
    place[name] = value
    if value is ...:
        del place[name]
    return json.dumps(document).encode()


def test_a_payload_names_an_image() -> None:
    assert read_gpg_payload(json.dumps(GOOD, indent=2).encode() + b"\n") == STATEMENT


def test_what_our_signer_writes_is_read() -> None:
    assert read_sigstore_payload(simple_signing("docker.io/library/busybox:1", DIGEST)) == STATEMENT


def test_only_sigstore_payloads_may_have_no_optional_members() -> None:
    raw = simple_signing("busybox:1", DIGEST).replace(b"cosign container image", b"atomic container")
    with pytest.raises(ValueError, match="optional must be an object"):
        read_gpg_payload(raw)


WRONG: Mapping[str, tuple[str, object]] = {
    "no critical": ("critical", ...),
    "no optional": ("optional", ...),
    "more at the top": ("more", 1),
    "critical is a list": ("critical", []),
    "no type": ("critical.type", ...),
    "more in critical": ("critical.more", 1),
    "another type": ("critical.type", "cosign container image signature"),
    "image is text": ("critical.image", "x"),
    "more in image": ("critical.image.more", 1),
    "digest is a number": ("critical.image.docker-manifest-digest", 1),
    "digest is none": ("critical.image.docker-manifest-digest", "sha256:1"),
    "more in identity": ("critical.identity.more", 1),
    "name is null": ("critical.identity.docker-reference", None),
    "name is none": ("critical.identity.docker-reference", "A b"),
    "name is a path": ("critical.identity.docker-reference", "oci:a"),
    "optional is text": ("optional", "x"),
    "optional is null": ("optional", None),
    "creator is a number": ("optional.creator", 1),
    "timestamp is text": ("optional.timestamp", "1"),
    "timestamp is a fraction": ("optional.timestamp", 1.5),
    "timestamp is true": ("optional.timestamp", True),
}


@pytest.mark.parametrize("case", sorted(set(WRONG) - {"name is a path"}))
def test_everything_else_is_refused(case: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_gpg_payload(changed(*WRONG[case]))


def test_a_name_is_never_another_transports() -> None:
    """`oci:a` is the repository oci of Docker Hub there, with the tag a."""
    found = read_gpg_payload(changed(*WRONG["name is a path"])).identity
    assert str(found) == "docker.io/library/oci:a"


def test_a_member_given_twice_is_refused() -> None:
    raw = json.dumps(GOOD).replace('"optional"', '"optional": {}, "optional"').encode()
    with pytest.raises(ValueError, match="twice"):
        read_gpg_payload(raw)


@given(st.binary(max_size=80))
def test_no_bytes_are_more_than_invalid(raw: bytes) -> None:
    for read in (read_gpg_payload, read_sigstore_payload):
        with pytest.raises(ValueError, match=r"."):
            read(raw)
