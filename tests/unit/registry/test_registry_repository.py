"""Manifests and tags of a repository, at a registry that fails in every way."""

import json
from collections.abc import Callable

import pytest

from manifest_action.errors import AuthError, ContentError, NetworkError, RateLimited, RegistryError, ResolveError
from manifest_action.events import Retrying
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.referrers import fallback_tag, referrer
from manifest_action.ops.listing import list_referrers
from manifest_action.ops.waves import Waves
from manifest_action.transport.registry.client import RegistryTransport
from tests.support.images import DOCKER_LIST, OCI_INDEX, OCI_MANIFEST, digest_of, image, index
from tests.unit.registry.fake import (
    NAME,
    FakeRegistry,
    Step,
    cut_body,
    errors,
    hang_up,
    nothing,
    reset,
    status,
    talking,
)
from tests.unit.registry.listener import Events
from tests.unit.registry.scripted import Exchange

IMAGE = image()
MANIFEST = Manifest.parse(IMAGE.manifest_bytes)
DIGEST = str(MANIFEST.digest)
BLOB = next(iter(IMAGE.blobs))


@pytest.fixture
def registry() -> FakeRegistry:
    registry = FakeRegistry()
    registry.put(IMAGE, "1")
    return registry


def serve(body: bytes, media_type: str = OCI_MANIFEST, **headers: str) -> Step:
    return status(200, body, Content_Type=media_type, **headers)


class TestReading:
    def test_all_kinds_are_asked_for_in_one_header(self, registry: FakeRegistry) -> None:
        with talking(registry) as transport:
            manifest = transport.source(registry.repository()).resolve("1")
        assert manifest.raw == IMAGE.manifest_bytes
        assert str(manifest.digest) == IMAGE.digest
        (request,) = registry.server.seen
        assert request.target == f"/v2/{NAME}/manifests/1"
        assert set(request.headers["accept"].split(", ")) >= {
            OCI_INDEX,
            OCI_MANIFEST,
            DOCKER_LIST,
            "application/vnd.docker.distribution.manifest.v2+json",
        }

    def test_a_digest_is_computed_with_its_own_algorithm(self, registry: FakeRegistry) -> None:
        long = str(Digest.of(IMAGE.manifest_bytes, "sha512"))
        registry.manifests[NAME, long] = (IMAGE.manifest_bytes, OCI_MANIFEST)
        with talking(registry) as transport:
            assert str(transport.source(registry.repository()).resolve(long).digest) == long

    @pytest.mark.parametrize("selector", ["1", DIGEST])
    @pytest.mark.parametrize(
        "wrong", [IMAGE.manifest_bytes[:-1] + b" ", IMAGE.manifest_bytes + b" ", IMAGE.manifest_bytes[:-1], b"", b"{}"]
    )
    def test_wrong_bytes_are_asked_for_once_more(self, registry: FakeRegistry, selector: str, wrong: bytes) -> None:
        step = serve(wrong, Docker_Content_Digest=DIGEST)
        registry.fail("GET", "manifests", step)
        with talking(registry) as transport:
            source = transport.source(registry.repository())
            assert source.resolve(selector).raw == IMAGE.manifest_bytes
            registry.fail("GET", "manifests", step, step, step)
            with pytest.raises(ContentError, match="do not have the digest"):
                source.resolve(selector)
        assert len(registry.server.seen) == 4

    @pytest.mark.parametrize(
        ("body", "media_type"),
        [
            (b"not json", OCI_MANIFEST),
            (IMAGE.manifest_bytes, OCI_INDEX),
            (b'{"schemaVersion":2,"manifests":[],"layers":[]}', OCI_INDEX),
            (b'{"schemaVersion":1,"fsLayers":[]}', "application/vnd.docker.distribution.manifest.v1+prettyjws"),
            (b"[" * 100_000, OCI_MANIFEST),
        ],
    )
    def test_a_manifest_that_could_be_two_things_is_none(
        self, registry: FakeRegistry, body: bytes, media_type: str
    ) -> None:
        registry.manifests[NAME, "odd"] = (body, media_type)
        with talking(registry) as transport, pytest.raises(ContentError, match="cannot be used"):
            transport.source(registry.repository()).resolve("odd")

    def test_a_body_that_is_cut_short_is_asked_for_again(self, registry: FakeRegistry) -> None:
        cut = cut_body(IMAGE.manifest_bytes, 100, Content_Type=OCI_MANIFEST)
        registry.fail("GET", "manifests", cut, cut)
        with talking(registry) as transport:
            assert transport.source(registry.repository()).resolve("1").raw == IMAGE.manifest_bytes

    def test_a_manifest_without_end_is_refused(self, registry: FakeRegistry) -> None:
        def flood(exchange: Exchange) -> None:
            exchange.begin(200, Content_Type=OCI_MANIFEST)
            while True:
                exchange.send(bytes(65536))

        registry.fail("GET", "manifests", flood)
        with talking(registry) as transport, pytest.raises(RegistryError, match="more than 4194304 bytes"):
            transport.source(registry.repository()).resolve("1")

    def test_an_encoded_manifest_is_refused(self, registry: FakeRegistry) -> None:
        registry.fail("GET", "manifests", serve(b"\x1f\x8b", Content_Encoding="gzip"))
        with talking(registry) as transport, pytest.raises(RegistryError, match="encoded"):
            transport.source(registry.repository()).resolve("1")

    @pytest.mark.parametrize("code", ["MANIFEST_UNKNOWN", "NAME_UNKNOWN"])
    def test_what_is_not_there_is_said_to_be_missing(self, registry: FakeRegistry, code: str) -> None:
        registry.fail("GET", "manifests", status(404, errors(code)))
        with talking(registry) as transport, pytest.raises(ResolveError, match=f"HTTP 404 {code}") as caught:
            transport.source(registry.repository()).resolve("2")
        assert caught.value.where == f"{registry.host}/{NAME}:2"
        assert "log in" in caught.value.hint

    def test_who_may_not_read_learns_how_to_log_in(self, registry: FakeRegistry) -> None:
        registry.fail("GET", "manifests", status(403, errors("DENIED")))
        with talking(registry, environment={"GITHUB_ACTIONS": "true"}) as transport, pytest.raises(AuthError) as caught:
            transport.source(registry.repository()).resolve("1")
        assert "not visible inside a container" in caught.value.hint

    @pytest.mark.parametrize(
        "fault",
        [reset, hang_up, *(status(code) for code in (408, 425, 429, 499, 500, 502, 503, 504, 522))],
    )
    def test_passing_trouble_three_times(self, registry: FakeRegistry, fault: Step) -> None:
        registry.fail("GET", "manifests", fault, fault, fault)
        with talking(registry) as transport:
            assert transport.source(registry.repository()).resolve("1").raw == IMAGE.manifest_bytes


class TestLooking:
    def test_a_tag_is_looked_at_without_reading_it(self, registry: FakeRegistry) -> None:
        with talking(registry) as transport:
            destination = transport.destination(registry.repository())
            assert destination.tagged("1") == MANIFEST.digest
            assert destination.tagged("2") is None
            assert destination.has_manifest(MANIFEST.descriptor)
            del registry.manifests[NAME, DIGEST]
            assert not destination.has_manifest(MANIFEST.descriptor)
        assert {each.method for each in registry.server.seen} == {"HEAD"}

    @pytest.mark.parametrize("stated", ["", "nonsense", "md5:00", "sha256:00"])
    def test_a_digest_that_is_not_stated_is_computed(self, registry: FakeRegistry, stated: str) -> None:
        registry.fail("HEAD", "manifests", serve(b"", Docker_Content_Digest=stated))
        with talking(registry) as transport:
            assert transport.destination(registry.repository()).tagged("1") == MANIFEST.digest
        assert [each.method for each in registry.server.seen] == ["HEAD", "GET"]

    def test_a_tag_that_goes_away_meanwhile_is_gone(self, registry: FakeRegistry) -> None:
        registry.fail("HEAD", "manifests", serve(b""))
        registry.fail("GET", "manifests", status(404))
        with talking(registry) as transport:
            assert transport.destination(registry.repository()).tagged("1") is None

    @pytest.mark.parametrize("code", [400, 403, 405, 501])
    def test_where_head_is_refused_get_is_asked(self, registry: FakeRegistry, code: int) -> None:
        registry.fail("HEAD", "manifests", *(status(code) for _ in range(4)))
        with talking(registry) as transport:
            destination = transport.destination(registry.repository())
            assert destination.tagged("1") == MANIFEST.digest
            assert destination.tagged("2") is None
            assert destination.has_manifest(MANIFEST.descriptor)
            registry.fail("GET", "manifests", status(403, errors("DENIED", "the reason")))
            with pytest.raises(AuthError, match="the reason"):
                destination.tagged("1")

    def test_anything_that_has_a_digest_can_be_tagged(self, registry: FakeRegistry) -> None:
        registry.states_digests = False
        old = b'{"schemaVersion":1,"fsLayers":[]}'
        registry.manifests[NAME, "old"] = (old, "application/vnd.docker.distribution.manifest.v1+prettyjws")
        with talking(registry) as transport:
            assert str(transport.destination(registry.repository()).tagged("old")) == digest_of(old)

    def test_it_is_asked_afresh_every_time(self, registry: FakeRegistry) -> None:
        with talking(registry) as transport:
            destination = transport.destination(registry.repository())
            assert destination.tagged("1") is not None
            del registry.manifests[NAME, "1"]
            assert destination.tagged("1") is None


def by_digest(transport: RegistryTransport, registry: FakeRegistry) -> None:
    transport.destination(registry.repository("acme/new")).push_manifest(MANIFEST)


def by_tag(transport: RegistryTransport, registry: FakeRegistry) -> None:
    transport.destination(registry.repository("acme/new")).tag(MANIFEST, "2")


@pytest.mark.parametrize("write", [by_digest, by_tag])
class TestWriting:
    def test_the_bytes_go_as_they_are(
        self, registry: FakeRegistry, write: Callable[[RegistryTransport, FakeRegistry], None]
    ) -> None:
        with talking(registry) as transport:
            write(transport, registry)
        assert registry.manifests["acme/new", DIGEST] == (IMAGE.manifest_bytes, OCI_MANIFEST)
        assert (("acme/new", "2") in registry.manifests) == (write is by_tag)
        assert len(registry.server.seen) == 1

    @pytest.mark.parametrize("code", [400, 401, 403, 404, 405, 409, 412, 413, 415])
    def test_a_refusal_is_final(
        self, registry: FakeRegistry, write: Callable[[RegistryTransport, FakeRegistry], None], code: int
    ) -> None:
        registry.fail("PUT", "manifests", status(code, errors("MANIFEST_INVALID", "no")))
        with talking(registry) as transport, pytest.raises(RegistryError, match=f"HTTP {code} MANIFEST_INVALID: no"):
            write(transport, registry)
        assert len(registry.server.seen) == 1

    def test_an_answer_that_is_lost_costs_one_more_request(
        self, registry: FakeRegistry, write: Callable[[RegistryTransport, FakeRegistry], None]
    ) -> None:
        def store(exchange: Exchange) -> None:
            registry.manifests["acme/new", DIGEST] = (exchange.read_body(), exchange.headers["content-type"])
            exchange.reset()

        registry.fail("PUT", "manifests", store, status(502))
        with talking(registry) as transport:
            write(transport, registry)
        assert len(registry.server.seen) == 3
        assert registry.manifests["acme/new", DIGEST][0] == IMAGE.manifest_bytes

    @pytest.mark.parametrize("code", ["MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN"])
    @pytest.mark.parametrize("answer", [400, 404])
    def test_what_was_just_sent_may_take_a_moment_to_be_known(
        self, registry: FakeRegistry, write: Callable[[RegistryTransport, FakeRegistry], None], code: str, answer: int
    ) -> None:
        registry.fail("PUT", "manifests", *(status(answer, errors(code)) for _ in range(3)))
        events = Events()
        with talking(registry, events=events) as transport:
            write(transport, registry)
        assert [event.reason for event in events if isinstance(event, Retrying)] == [code] * 3

    def test_but_not_for_ever(
        self, registry: FakeRegistry, write: Callable[[RegistryTransport, FakeRegistry], None]
    ) -> None:
        registry.fail("PUT", "manifests", *(status(400, errors("MANIFEST_BLOB_UNKNOWN")) for _ in range(9)))
        with talking(registry) as transport, pytest.raises(RegistryError, match="MANIFEST_BLOB_UNKNOWN"):
            write(transport, registry)
        assert len(registry.server.seen) == 4

    @pytest.mark.parametrize("code", [200, 201, 202, 204])
    def test_a_registry_that_stored_something_else_is_caught(
        self, registry: FakeRegistry, write: Callable[[RegistryTransport, FakeRegistry], None], code: int
    ) -> None:
        registry.fail("PUT", "manifests", status(code, Docker_Content_Digest=digest_of(b"other")))
        with talking(registry) as transport, pytest.raises(RegistryError, match=digest_of(b"other")):
            write(transport, registry)

    def test_a_server_that_says_yes_to_everything_is_no_registry(
        self, registry: FakeRegistry, write: Callable[[RegistryTransport, FakeRegistry], None]
    ) -> None:
        registry.fail("PUT", "manifests", status(200, b"<html>welcome</html>"))
        with talking(registry) as transport, pytest.raises(RegistryError, match="HTTP 200"):
            write(transport, registry)

    def test_a_registry_need_not_state_the_digest(
        self, registry: FakeRegistry, write: Callable[[RegistryTransport, FakeRegistry], None]
    ) -> None:
        registry.states_digests = False
        with talking(registry) as transport:
            write(transport, registry)

    @pytest.mark.parametrize("fault", [reset, hang_up, status(500), status(503, Retry_After="1"), status(429)])
    def test_passing_trouble(
        self, registry: FakeRegistry, write: Callable[[RegistryTransport, FakeRegistry], None], fault: Step
    ) -> None:
        registry.fail("PUT", "manifests", fault)
        with talking(registry) as transport:
            write(transport, registry)
        assert len(registry.server.seen) == 2

    @pytest.mark.parametrize(("code", "kind"), [(503, RegistryError), (429, RateLimited)])
    def test_trouble_that_does_not_pass(
        self,
        registry: FakeRegistry,
        write: Callable[[RegistryTransport, FakeRegistry], None],
        code: int,
        kind: type[RegistryError],
    ) -> None:
        registry.fail("PUT", "manifests", *(status(code) for _ in range(9)))
        with talking(registry) as transport, pytest.raises(kind, match="given up after 6 tries"):
            write(transport, registry)
        assert len(registry.server.seen) == 6


class TestFindingReferrers:
    ARTIFACT = Manifest.parse(
        json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "artifactType": "application/vnd.example.report",
                "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest_of(b"{}"), "size": 2},
                "layers": [],
                "subject": {"mediaType": OCI_MANIFEST, "digest": DIGEST, "size": len(MANIFEST.raw)},
                "annotations": {"org.example.by": "test"},
            }
        ).encode()
    )
    TAG = DIGEST.replace(":", "-")

    def push(self, registry: FakeRegistry, times: int = 1) -> None:
        repository = registry.repository()
        with talking(registry) as transport, Waves(1) as waves:
            for _ in range(times):
                transport.destination(repository).push_manifest(self.ARTIFACT)
                list_referrers([(repository, self.ARTIFACT)], transport, waves, sleep=lambda _: None)

    def entries(self, registry: FakeRegistry) -> list[dict[str, object]]:
        raw, media_type = registry.manifests[NAME, self.TAG]
        assert media_type == OCI_INDEX
        entries: list[dict[str, object]] = json.loads(raw)["manifests"]
        return entries

    def listed(self) -> bytes:
        return json.dumps(
            {"mediaType": OCI_MANIFEST, "digest": str(self.ARTIFACT.digest), "size": len(self.ARTIFACT.raw)}
        ).encode()

    def test_a_registry_that_lists_it_needs_no_more(self, registry: FakeRegistry) -> None:
        registry.referrers = [self.listed()]
        self.push(registry)
        assert [each.method for each in registry.server.seen] == ["PUT", "GET"]
        assert (NAME, self.TAG) not in registry.manifests

    def test_a_list_may_take_a_moment(self, registry: FakeRegistry) -> None:
        registry.referrers = []

        def appear(_: Exchange) -> None:
            registry.referrers = [self.listed()]

        registry.fail("GET", "referrers", nothing, appear)
        self.push(registry)
        assert (NAME, self.TAG) not in registry.manifests

    @pytest.mark.parametrize(
        "answer",
        [
            status(404, errors("UNSUPPORTED")),
            status(400),
            status(403),
            status(401),
            status(405),
            status(303, Location="https://github.example/packages"),
            status(429, b"<html>slow down</html>", Content_Type="text/html"),
            status(200, b"<html>welcome</html>", Content_Type="text/html"),
        ],
    )
    def test_every_other_registry_gets_a_tag(self, registry: FakeRegistry, answer: Step) -> None:
        registry.fail("GET", "referrers", answer)
        self.push(registry)
        (entry,) = self.entries(registry)
        assert entry == {
            "mediaType": OCI_MANIFEST,
            "digest": str(self.ARTIFACT.digest),
            "size": len(self.ARTIFACT.raw),
            "annotations": {"org.example.by": "test"},
            "artifactType": "application/vnd.example.report",
        }

    def test_a_registry_that_claims_a_list_but_does_not_keep_it_gets_a_tag_too(self, registry: FakeRegistry) -> None:
        registry.referrers = []
        self.push(registry)
        assert len(self.entries(registry)) == 1
        assert len(registry.server.requests("GET", "referrers")) == 3

    def test_the_tag_keeps_what_is_in_it_and_holds_each_entry_once(self, registry: FakeRegistry) -> None:
        other = index([image("linux/arm64")], annotations={"kept": "yes"})
        doubled = json.loads(other.manifest_bytes)
        doubled["manifests"] *= 2
        registry.manifests[NAME, self.TAG] = (json.dumps(doubled).encode(), OCI_INDEX)
        self.push(registry, times=2)
        entries = self.entries(registry)
        assert [entry["digest"] for entry in entries] == [other.children[0].digest, str(self.ARTIFACT.digest)]
        assert json.loads(registry.manifests[NAME, self.TAG][0])["annotations"] == {"kept": "yes"}
        assert len(registry.server.requests("GET", "referrers")) == 1, "what a registry cannot do is learnt once"
        assert len(registry.server.requests("PUT", self.TAG)) == 1

    def test_an_entry_that_others_overwrite_is_added_again(self, registry: FakeRegistry) -> None:
        other = index([image("linux/arm64")])
        overwritten: list[object] = []

        def overwrite(_: Exchange) -> None:
            if len(overwritten) < 2:
                overwritten.append(registry.manifests.get((NAME, self.TAG)))
                registry.manifests[NAME, self.TAG] = (other.manifest_bytes, OCI_INDEX)

        registry.fail("GET", self.TAG, nothing, overwrite, overwrite, nothing)
        self.push(registry)
        assert [entry["digest"] for entry in self.entries(registry)] == [
            other.children[0].digest,
            str(self.ARTIFACT.digest),
        ]

    def test_who_never_gets_through_says_so(self, registry: FakeRegistry) -> None:
        def lose(_: Exchange) -> None:
            registry.manifests.pop((NAME, self.TAG), None)

        registry.fail("GET", self.TAG, *(lose for _ in range(24)))
        with pytest.raises(RegistryError, match="overwrite"):
            self.push(registry)

    def test_a_tag_that_is_something_else_is_left_alone(self, registry: FakeRegistry) -> None:
        registry.manifests[NAME, self.TAG] = registry.manifests[NAME, "1"]
        with pytest.raises(RegistryError, match="the list of referrers cannot be kept: it is a "):
            self.push(registry)
        assert registry.manifests[NAME, self.TAG][0] == IMAGE.manifest_bytes

    def test_a_subject_of_another_algorithm_has_a_tag_of_limited_length(self) -> None:
        tag = fallback_tag(Digest.of(b"x", "sha512"))
        assert tag.startswith("sha512-")
        assert len(tag) == 7 + 64
        plain = Manifest.parse(IMAGE.manifest_bytes)
        assert referrer(plain).artifact_type == "application/vnd.oci.image.config.v1+json"


def test_an_unreachable_registry_is_a_network_error(registry: FakeRegistry) -> None:
    repository = registry.repository()
    with talking(registry) as transport:
        registry.server.stop_listening()
        with pytest.raises(NetworkError, match="refused"):
            transport.source(repository).resolve("1")


class TestReplacing:
    """Moving a tag from where it was last seen."""

    def replace(self, registry: FakeRegistry, current: str | None) -> None:
        seen = Digest.parse(current) if current else None
        with talking(registry) as transport:
            transport.destination(registry.repository()).replace_tagged(MANIFEST, "1", seen)

    def puts(self, registry: FakeRegistry) -> int:
        return sum(request.method == "PUT" for request in registry.server.seen)

    def test_it_moves_from_there(self, registry: FakeRegistry) -> None:
        self.replace(registry, DIGEST)
        assert [request.method for request in registry.server.seen] == ["HEAD", "PUT"]

    @pytest.mark.parametrize("current", [None, digest_of(b"older")])
    def test_it_stays_when_somebody_has_moved_it(self, registry: FakeRegistry, current: str | None) -> None:
        self.replace(registry, current)
        assert self.puts(registry) == 0

    @pytest.mark.parametrize("failure", [status(404, errors("MANIFEST_BLOB_UNKNOWN")), status(502), status(429)])
    def test_it_is_looked_at_again_before_a_further_try(self, registry: FakeRegistry, failure: Step) -> None:
        other = image("linux/arm64")

        def overtake(exchange: Exchange) -> None:
            exchange.read_body()
            registry.put(other, "1")
            failure(exchange)

        registry.fail("PUT", "manifests", overtake)
        self.replace(registry, DIGEST)
        assert [request.method for request in registry.server.seen] == ["HEAD", "PUT", "HEAD"]
