"""What the registry client knows of schema 1: digests over what was signed, and sizes that must be asked for."""

from typing import cast

import pytest

from manifest_action.convert.schema1 import to_schema1
from manifest_action.errors import ContentError, RegistryError, ResolveError
from manifest_action.model import mediatype
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import parse_reference
from manifest_action.transport.registry.extension import SignatureExtension
from manifest_action.transport.registry.message import Headers, Reply, Request
from manifest_action.transport.registry.referrers import Referrers
from manifest_action.transport.registry.repository import RegistryRepository
from manifest_action.transport.registry.session import Session
from manifest_action.transport.registry.url import Url
from tests.support.images import image

HERE = parse_reference("registry.test/acme/app").repository
DIGEST = Digest.of(b"layer")


class Answers:
    """A session that gives one answer to everything."""

    def __init__(self, status: int, body: bytes = b"", **headers: str) -> None:
        fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
        self._reply = Reply(status, Headers(fields), body, cast("Url", None))
        self.requests: list[Request] = []

    def exchange(self, request: Request) -> Reply:
        self.requests.append(request)
        return self._reply

    def caller(self, _repository: object) -> None:
        return None


def repository(answers: Answers) -> RegistryRepository:
    unused = (cast("Referrers", None), cast("SignatureExtension", None))
    return RegistryRepository(HERE, cast("Session", answers), *unused)


def old() -> Manifest:
    made = image()
    manifest = Manifest.parse(made.manifest_bytes)
    assert manifest.config is not None
    config = made.blobs[str(manifest.config.digest)]
    assert isinstance(config, bytes)
    return to_schema1(manifest, config, "acme/app").manifest


def test_the_digest_is_over_what_was_signed() -> None:
    manifest = old()
    served = Answers(200, manifest.raw, Content_Type=mediatype.DOCKER_SCHEMA1_SIGNED)
    assert repository(served).resolve(str(manifest.digest)).digest == manifest.digest


def test_other_content_is_refused() -> None:
    manifest = old()
    forged = manifest.raw.replace(b'"amd64"', b'"arm64"', 1)
    for body in (forged, b"{}", manifest.raw[:100]):
        with pytest.raises(ContentError):
            repository(Answers(200, body, Content_Type=mediatype.DOCKER_SCHEMA1_SIGNED)).resolve(str(manifest.digest))


def test_a_whole_that_has_the_digest_is_not_schema_1_for_that() -> None:
    manifest = old()
    plain = Answers(200, manifest.raw, Content_Type=mediatype.OCI_MANIFEST)
    with pytest.raises(ContentError, match="cannot be used"):
        repository(plain).resolve(str(Digest.of(manifest.raw)))


def test_the_size_of_a_blob_is_asked_for() -> None:
    answers = Answers(200, Content_Length="17")
    assert repository(answers).size_of(DIGEST) == 17
    (request,) = answers.requests
    assert (request.method, request.path) == ("HEAD", f"/v2/acme/app/blobs/{DIGEST}")


@pytest.mark.parametrize("length", ["", "many", "-1", "9" * 16])
def test_a_size_that_is_none_is_refused(length: str) -> None:
    with pytest.raises(RegistryError, match="size"):
        repository(Answers(200, Content_Length=length)).size_of(DIGEST)


def test_a_blob_that_is_missing_is_named() -> None:
    with pytest.raises(ResolveError) as caught:
        repository(Answers(404)).size_of(DIGEST)
    assert str(DIGEST) in str(caught.value)
