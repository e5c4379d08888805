"""The `docker://` transport against real registries."""

import io
import json
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from manifest_action.errors import AuthError, ContentError, RegistryError, ResolveError
from manifest_action.events import Event, SecretLearned, Transfer
from manifest_action.model.access import Access
from manifest_action.model.credential import Credential
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import Repository
from manifest_action.ops.listing import list_referrers
from manifest_action.ops.waves import Waves
from manifest_action.transport.registry.client import RegistryTransport
from manifest_action.transport.registry.options import RegistryOptions
from tests.support.cutter import Cutter
from tests.support.images import (
    Synthetic,
    SyntheticImage,
    SyntheticIndex,
    artifact,
    attestation,
    buildx_index,
    image,
    index,
    push,
)
from tests.support.recorder import recording
from tests.support.servers import PASSWORD, USERNAME, Registry

SERVERS = ["registry", "registry_tls", "registry_token", "registry_v3"]


class Events(list[Event]):
    def emit(self, event: Event, /) -> None:
        self.append(event)


class Bytes:
    """Content in memory that notes how often it was opened."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.opened: list[int] = []

    @contextmanager
    def open(self, offset: int = 0, /) -> Iterator[io.BytesIO]:
        self.opened.append(offset)
        yield io.BytesIO(self.content[offset:])


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Registry:
    found: Registry = request.getfixturevalue(request.param)
    return found


@contextmanager
def client(
    *registries: Registry, password: str = PASSWORD, events: Events | None = None
) -> Iterator[RegistryTransport]:
    certificates = [str(each.ca_file) for each in registries if each.ca_file]
    options = RegistryOptions(
        credentials={
            each.host: Credential(USERNAME, password, origin="input registries") for each in registries if each.username
        },
        ca_certificates=certificates[0] if certificates else "",
    )
    transport = RegistryTransport(options, Events() if events is None else events)
    try:
        yield transport
    finally:
        transport.close()


def at(registry: Registry, name: str) -> Repository:
    return Repository("docker", registry.host, name)


def copy(transport: RegistryTransport, what: Synthetic, target: Repository) -> None:
    destination = transport.destination(target)
    for child in what.children if isinstance(what, SyntheticIndex) else ():
        copy(transport, child, target)
    if isinstance(what, SyntheticImage):
        for blob in Manifest.parse(what.manifest_bytes).blobs:
            content = what.blobs[str(blob.digest)]
            assert isinstance(content, bytes)
            destination.push_blob(blob, Bytes(content), None)
    destination.push_manifest(Manifest.parse(what.manifest_bytes))


@pytest.mark.parametrize(
    "what",
    [
        image(),
        image(docker=True),
        image("windows/amd64:10.0.17763.1"),
        index([image("linux/amd64"), image("linux/arm64")]),
        index([image("linux/amd64", docker=True), image("linux/arm64", docker=True)], docker=True),
        buildx_index([image("linux/amd64"), image("linux/arm64")]),
        artifact(),
    ],
    ids=["oci", "docker", "windows", "index", "list", "buildx", "artifact"],
)
def test_whatever_is_written_reads_back_byte_for_byte(server: Registry, repository: str, what: Synthetic) -> None:
    place = at(server, repository)
    with client(server) as transport:
        destination, source = transport.destination(place), transport.source(place)
        descriptor = Manifest.parse(what.manifest_bytes).descriptor
        assert not destination.has_manifest(descriptor)
        assert destination.tagged("1") is None
        copy(transport, what, place)
        assert destination.has_manifest(descriptor)
        destination.tag(Manifest.parse(what.manifest_bytes), "1")
        assert str(destination.tagged("1")) == what.digest
        for selector in ("1", what.digest):
            found = source.resolve(selector)
            assert (found.raw, found.media_type) == (what.manifest_bytes, what.media_type)
    assert server.manifest_bytes(repository, "1") == what.manifest_bytes
    if isinstance(what, SyntheticImage):
        for digest, content in what.blobs.items():
            assert server.blob(repository, digest) == content


def test_blobs_are_read_from_any_offset(server: Registry, repository: str) -> None:
    made = image(layers=1, layer_size=300_000)
    push(server, repository, made)
    with client(server) as transport:
        for blob in Manifest.parse(made.manifest_bytes).blobs:
            content = made.blobs[str(blob.digest)]
            for offset in (0, 1, blob.size // 2, blob.size - 1, blob.size):
                with transport.source(at(server, repository)).open(blob, offset) as stream:
                    assert stream.read() == content[offset:]  # type: ignore[index]


def test_what_is_there_is_not_sent_and_what_is_nearby_is_mounted(server: Registry, repository: str) -> None:
    made = image()
    push(server, f"{repository}-base", made)
    with recording(server) as recorder:
        base, place = at(recorder.registry, f"{repository}-base"), at(recorder.registry, repository)
        with client(recorder.registry) as transport:
            transport.prepare([Access(base), Access(place, push=True)])
            destination = transport.destination(place)
            blobs = Manifest.parse(made.manifest_bytes).blobs
            contents = [Bytes(b"never read") for _ in blobs]
            for wanted in (Transfer.MOUNTED, Transfer.MOUNTED):
                for blob, content in zip(blobs, contents, strict=True):
                    assert destination.push_blob(blob, content, base) is wanted
            for blob, content in zip(blobs, contents, strict=True):
                assert destination.push_blob(blob, content, None) is Transfer.PRESENT
        assert recorder.blob_bytes_sent == 0
        assert not any(content.opened for content in contents)
    assert all(server.has_blob(repository, str(blob.digest)) for blob in blobs)


def test_a_mount_from_where_the_blob_is_not_becomes_an_upload(server: Registry, repository: str) -> None:
    content = b"some layer"
    blob = Descriptor("application/octet-stream", Digest.of(content), len(content))
    with client(server) as transport:
        elsewhere = at(server, f"{repository}-without")
        transfer = transport.destination(at(server, repository)).push_blob(blob, Bytes(content), elsewhere)
    assert transfer is Transfer.COPIED
    assert server.blob(repository, str(blob.digest)) == content


@pytest.mark.parametrize("wrong", [b"", b"some laye", b"some layer!", b"Some layer", b"some layeR"])
def test_wrong_content_never_gets_a_digest(server: Registry, repository: str, wrong: bytes) -> None:
    content = b"some layer"
    blob = Descriptor("application/octet-stream", Digest.of(content), len(content))
    with client(server) as transport, pytest.raises(ContentError):
        transport.destination(at(server, repository)).push_blob(blob, Bytes(wrong), None)
    assert not server.has_blob(repository, str(blob.digest))


def test_what_is_missing_is_said_to_be_missing(server: Registry, repository: str) -> None:
    with client(server) as transport:
        for selector in ("no-such-tag", str(Digest.of(b"nothing"))):
            with pytest.raises(ResolveError, match="HTTP 404"):
                transport.source(at(server, repository)).resolve(selector)


def test_a_manifest_whose_parts_are_missing_is_refused_with_advice(
    server: Registry, repository: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("manifest_action.transport.registry.repository._SETTLING", (0.01,))
    manifest = Manifest.parse(image().manifest_bytes)
    with client(server) as transport, pytest.raises(RegistryError, match="BLOB_UNKNOWN") as caught:
        transport.destination(at(server, repository)).push_manifest(manifest)
    assert "run it again" in caught.value.hint


class TestLogins:
    def test_a_token_costs_two_requests_for_the_whole_run(self, registry_token: Registry, repository: str) -> None:
        made = [image(f"linux/{name}") for name in ("amd64", "arm64", "arm/v7", "s390x")]
        for each in made:
            push(registry_token, repository, each)
        with recording(registry_token, delay=0.05) as recorder:
            place, other = at(recorder.registry, repository), at(recorder.registry, f"{repository}-base")
            with client(recorder.registry) as transport, ThreadPoolExecutor(8) as pool:
                transport.prepare([Access(other), Access(place, push=True)])
                source, destination = transport.source(place), transport.destination(place)
                found = list(pool.map(source.resolve, [each.digest for each in made]))
                list(pool.map(destination.tagged, ["1", "2", "3"]))
                list(pool.map(lambda each: destination.tag(each, "1"), found[:1]))
            log = sorted(recorder.log, key=lambda each: each.start)
            assert [(each.status, each.route == "/token") for each in log[:2]] == [(401, False), (200, True)]
            assert all(each.authorized and each.status != 401 for each in log[2:])
            assert len(log) == 2 + 4 + 3 + 1
            scope = f"scope=repository:{repository}:pull,push&scope=repository:{repository}-base:pull"
            assert scope in log[1].path

    def test_a_token_that_ends_is_replaced(self, registry_token: Registry, repository: str) -> None:
        made = image()
        push(registry_token, repository, made, "1")
        assert registry_token.tokens
        with client(registry_token) as transport:
            source = transport.source(at(registry_token, repository))
            source.resolve("1")
            endpoint = transport._repositories._session.endpoint(registry_token.host)
            (login,) = endpoint.auth._logins.values()
            for held in login.held.values():
                held.header = "Bearer not-a-token"
            before = len(registry_token.tokens.requests)
            assert source.resolve("1").raw == made.manifest_bytes
            assert len(registry_token.tokens.requests) == before + 1

    def test_an_identity_token_is_enough(self, registry_token: Registry, repository: str) -> None:
        made = image()
        push(registry_token, repository, made, "1")
        assert registry_token.tokens
        identity = registry_token.tokens.identity_token(USERNAME)
        options = RegistryOptions(credentials={registry_token.host: Credential(identity_token=identity)})
        transport = RegistryTransport(options, Events())
        try:
            assert transport.source(at(registry_token, repository)).resolve("1").raw == made.manifest_bytes
        finally:
            transport.close()
        assert registry_token.tokens.requests[-1].grant_type == "refresh_token"

    def test_a_login_may_be_in_a_file(self, registry_token: Registry, repository: str, tmp_path: Path) -> None:
        made = image()
        push(registry_token, repository, made, "1")
        registry_token.write_login(tmp_path)
        transport = RegistryTransport(RegistryOptions(environment={"DOCKER_CONFIG": str(tmp_path)}), Events())
        try:
            assert transport.source(at(registry_token, repository)).resolve("1").raw == made.manifest_bytes
        finally:
            transport.close()

    def test_anybody_may_read_what_is_public(self, registry_token: Registry, repository: str) -> None:
        made = image()
        name = f"public/{repository}"
        push(registry_token, name, made, "1")
        transport = RegistryTransport(RegistryOptions(), Events())
        try:
            assert transport.source(at(registry_token, name)).resolve("1").raw == made.manifest_bytes
            with pytest.raises(AuthError, match="HTTP 401") as caught:
                transport.destination(at(registry_token, name)).tag(Manifest.parse(made.manifest_bytes), "2")
            assert "log in" in caught.value.hint
        finally:
            transport.close()

    def test_a_token_server_that_refuses_one_scope_does_not_spoil_the_rest(
        self, registry_token: Registry, repository: str
    ) -> None:
        made = image()
        push(registry_token, f"public/{repository}", made, "1")
        assert registry_token.tokens
        registry_token.tokens.all_or_nothing = True
        transport = RegistryTransport(RegistryOptions(), Events())
        try:
            public, private = at(registry_token, f"public/{repository}"), at(registry_token, repository)
            transport.prepare([Access(public), Access(private, push=True)])
            assert transport.source(public).resolve("1").raw == made.manifest_bytes
            with pytest.raises(AuthError):
                transport.source(private).resolve("1")
        finally:
            transport.close()
            registry_token.tokens.all_or_nothing = False

    @pytest.mark.parametrize("name", ["registry_tls", "registry_token"])
    def test_a_wrong_password_is_an_error_that_does_not_show_it(
        self, request: pytest.FixtureRequest, name: str, repository: str
    ) -> None:
        server: Registry = request.getfixturevalue(name)
        events = Events()
        with client(server, password="wrong-canary", events=events) as transport, pytest.raises(AuthError) as caught:
            transport.source(at(server, repository)).resolve("1")
        assert "input registries" in caught.value.hint
        assert "wrong-canary" not in f"{caught.value!r}{caught.value}{caught.value.hint}{events!r}"
        assert SecretLearned("wrong-canary") in events

    @pytest.mark.parametrize("name", ["registry_tls", "registry_token"])
    def test_without_a_login_the_ways_to_one_are_named(
        self, request: pytest.FixtureRequest, name: str, repository: str
    ) -> None:
        server: Registry = request.getfixturevalue(name)
        options = RegistryOptions(
            ca_certificates=str(server.ca_file or ""), environment={"GITHUB_ACTIONS": "true", "HOME": "/nowhere"}
        )
        transport = RegistryTransport(options, Events())
        try:
            with pytest.raises(AuthError, match="HTTP 401") as caught:
                transport.source(at(server, repository)).resolve("1")
        finally:
            transport.close()
        assert "not visible inside a container action" in caught.value.hint


class TestInterruptions:
    SIZE = 30_000_000

    @pytest.mark.parametrize(("name", "most"), [("registry", 2.9), ("registry_v3", 1.3)])
    def test_an_upload_that_is_cut_off_is_completed(
        self, request: pytest.FixtureRequest, name: str, most: float, repository: str
    ) -> None:
        """Where uploads can go on, little is sent twice; docker-registry 2.8 loses them, and takes new ones."""
        server: Registry = request.getfixturevalue(name)
        content = random.Random(7).randbytes(self.SIZE)
        blob = Descriptor("application/octet-stream", Digest.of(content), len(content))
        with Cutter(server.host).running() as cutter:
            cutter.cuts = [self.SIZE * 2 // 5, 3_000_000]
            transport = RegistryTransport(RegistryOptions(), Events())
            try:
                place = Repository("docker", cutter.host, repository)
                source = Bytes(content)
                assert transport.destination(place).push_blob(blob, source, None) is Transfer.COPIED
            finally:
                transport.close()
            assert not cutter.cuts
            assert cutter.passed <= most * self.SIZE
        assert server.blob(repository, str(blob.digest)) == content

    def test_a_download_that_is_cut_off_goes_on(self, registry: Registry, repository: str) -> None:
        made = image(layers=1, layer_size=self.SIZE)
        push(registry, repository, made)
        blob = Manifest.parse(made.manifest_bytes).blobs[-1]
        with Cutter(registry.host, answers=True).running() as cutter:
            cutter.cuts = [self.SIZE * 2 // 5, self.SIZE // 5, 1000]
            transport = RegistryTransport(RegistryOptions(), Events())
            try:
                place = Repository("docker", cutter.host, repository)
                with transport.source(place).open(blob) as stream:
                    assert stream.read() == made.blobs[str(blob.digest)]
            finally:
                transport.close()
            assert not cutter.cuts
            assert cutter.passed <= 1.25 * self.SIZE, "only what was in the buffers is sent again"


def test_twelve_signers_at_once_lose_nothing(registry: Registry, repository: str) -> None:
    """Twelve processes as far as the registry can tell: each has its own transport."""
    subject = image()
    push(registry, repository, subject)
    artifacts = [artifact(f"application/vnd.example.{number}", subject=subject) for number in range(12)]

    def sign(each: SyntheticImage) -> None:
        with client(registry) as transport:
            copy(transport, each, at(registry, repository))
            with Waves(1) as waves:
                list_referrers([(at(registry, repository), Manifest.parse(each.manifest_bytes))], transport, waves)

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(sign, artifacts))
    raw = registry.manifest_bytes(repository, subject.digest.replace(":", "-"))
    assert raw
    listed = json.loads(raw)["manifests"]
    assert {entry["digest"] for entry in listed} == {each.digest for each in artifacts}
    assert {entry["artifactType"] for entry in listed} == {f"application/vnd.example.{number}" for number in range(12)}


def test_an_attestation_needs_no_subject(server: Registry, repository: str) -> None:
    made = image()
    with client(server) as transport:
        copy(transport, attestation(made), at(server, repository))
    assert server.tags(repository) == []
