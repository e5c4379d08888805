"""Which artifacts are about a manifest: the registry's own list, page after page, and the fallback tag."""

import json

import pytest

from manifest_action.errors import RateLimited, RegistryError
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.transport.base import ReferrerRecorder
from tests.support.images import OCI_INDEX, OCI_MANIFEST, digest_of
from tests.unit.registry.fake import NAME, FakeRegistry, Step, errors, status, talking
from tests.unit.registry.scripted import Exchange

SUBJECT = Digest.of(b"subject")
FALLBACK = f"sha256-{SUBJECT.encoded}"
WANTED = "application/vnd.example.wanted"


def entry(name: str, kind: str | None = WANTED) -> dict[str, object]:
    said = {} if kind is None else {"artifactType": kind}
    return {"mediaType": OCI_MANIFEST, "digest": str(Digest.of(name.encode())), "size": 1} | said


def listing(*entries: dict[str, object]) -> bytes:
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()


def tag(registry: FakeRegistry, *entries: dict[str, object]) -> None:
    raw = listing(*entries)
    for selector in (FALLBACK, digest_of(raw)):
        registry.manifests[NAME, selector] = (raw, OCI_INDEX)


def found(registry: FakeRegistry, times: int = 1) -> list[str]:
    """The names of what is found the last of several times."""
    known = {str(Digest.of(name.encode())): name for name in ("a", "b", "c", "d", "e")}
    with talking(registry) as transport:
        source = transport.source(registry.repository())
        for _ in range(times - 1):
            source.referrers(SUBJECT, WANTED)
        return [known[str(each.digest)] for each in source.referrers(SUBJECT, WANTED)]


def asked(registry: FakeRegistry) -> list[str]:
    return [each.target for each in registry.server.requests("GET", "referrers")]


def test_where_there_is_nothing_nothing_is_found() -> None:
    assert found(FakeRegistry()) == []


def test_the_list_of_the_registry_is_asked_for_one_type() -> None:
    registry = FakeRegistry()
    registry.referrers = [json.dumps(entry(*each)).encode() for each in (("a", WANTED), ("b", "text/plain"))]
    assert found(registry) == ["a"]
    assert asked(registry) == [f"/v2/{NAME}/referrers/{SUBJECT}?artifactType=application%2Fvnd.example.wanted"]


def test_the_fallback_tag_is_read_too_and_what_is_in_both_counts_once() -> None:
    registry = FakeRegistry()
    registry.referrers = [json.dumps(entry("a")).encode()]
    tag(registry, entry("a"), entry("b"), entry("c", "text/plain"))
    assert found(registry) == ["a", "b"]


@pytest.mark.parametrize("kind", [None, "", "application/vnd.oci.empty.v1+json"])
def test_entries_whose_type_is_not_said_are_found(kind: str | None) -> None:
    """cosign writes the type of the config there."""
    registry = FakeRegistry()
    tag(registry, entry("a", kind))
    assert found(registry) == ["a"]


def test_a_registry_without_a_list_is_asked_once() -> None:
    registry = FakeRegistry()
    tag(registry, entry("a"))
    assert found(registry, times=3) == ["a"]
    assert len(asked(registry)) == 1


@pytest.mark.parametrize(
    "link",
    [
        f"</v2/{NAME}/referrers/{SUBJECT}?artifactType=x&last=b>; rel=next",
        f'<https://other.test/v2/{NAME}/referrers/{SUBJECT}?artifactType=x&last=b>; rel="next"',
        '<?artifactType=x&last=b>;rel="next"',
        '<?artifactType=x&last=b#more>;rel="next"',
        '<https://[bad/x?artifactType=x&last=b>;rel="next"',
    ],
)
def test_further_pages_are_asked_of_the_same_registry(link: str) -> None:
    registry = FakeRegistry()
    page = status(200, listing(entry("a"), entry("b")), Content_Type=OCI_INDEX, Link=link)
    registry.referrers = [json.dumps(entry("c")).encode()]
    registry.fail("GET", "referrers", page)
    assert found(registry) == ["a", "b", "c"]
    assert asked(registry)[1:] == [f"/v2/{NAME}/referrers/{SUBJECT}?artifactType=x&last=b"]


@pytest.mark.parametrize("last", ["a b", "\xe9", "\x01", "a\tb"])
def test_a_next_page_that_cannot_be_asked_for_is_an_error(last: str) -> None:
    registry = FakeRegistry()
    link = f"<?last={last}>; rel=next"
    registry.fail("GET", "referrers", status(200, listing(entry("a")), Content_Type=OCI_INDEX, Link=link))
    with pytest.raises(RegistryError, match="cannot list the referrers: its link to the next page"):
        found(registry)
    assert len(asked(registry)) == 1


def test_pages_without_an_end_have_one() -> None:
    registry = FakeRegistry()

    def more(exchange: Exchange) -> None:
        exchange.answer(200, listing(entry("a")), Content_Type=OCI_INDEX, Link="<?last=a>; rel=next")

    registry.fail("GET", "referrers", *[more] * 200)
    assert found(registry) == ["a"]
    assert len(asked(registry)) == 100


@pytest.mark.parametrize("body", [b"", b"[]", b'{"schemaVersion":2,"manifests":[3]}'])
def test_a_list_that_cannot_be_read_is_none(body: bytes) -> None:
    registry = FakeRegistry()
    registry.fail("GET", "referrers", status(200, body, Content_Type=OCI_INDEX))
    tag(registry, entry("a"))
    assert found(registry) == ["a"]


TOO_MANY = errors("TOOMANYREQUESTS")


@pytest.mark.parametrize(
    "answer", [status(429, TOO_MANY), status(429, TOO_MANY, Retry_After="999999")], ids=["for ever", "too long"]
)
def test_a_list_that_may_not_be_asked_for_is_not_taken_for_an_empty_one(answer: Step) -> None:
    registry = FakeRegistry()
    registry.fail("GET", "referrers", *[answer] * 20)
    with talking(registry, retry_budget=0.1) as transport:
        source = transport.source(registry.repository())
        with pytest.raises(RateLimited, match="cannot list the referrers"):
            source.referrers(SUBJECT, WANTED)


def test_a_list_that_could_not_be_asked_for_when_recording_is_asked_for_when_reading() -> None:
    registry = FakeRegistry()
    registry.referrers = [json.dumps(entry("a")).encode()]
    registry.fail("GET", "referrers", status(429, TOO_MANY, Retry_After="999999"))
    subject = {"mediaType": OCI_MANIFEST, "digest": str(SUBJECT), "size": 1}
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": WANTED, "subject": subject}
    config = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest_of(b"{}"), "size": 2}
    artifact = Manifest.parse(json.dumps(document | {"config": config, "layers": []}).encode())
    with talking(registry) as transport:
        repository = transport.destination(registry.repository())
        assert isinstance(repository, ReferrerRecorder)
        assert repository.record_referrers(SUBJECT, [artifact]) is not None
        listed = transport.source(registry.repository()).referrers(SUBJECT, WANTED)
    assert [each.digest for each in listed] == [Digest.of(b"a"), artifact.digest]
    assert len(asked(registry)) == 2


def test_a_website_that_turns_everybody_away_is_no_list() -> None:
    registry = FakeRegistry()
    registry.fail("GET", "referrers", *[status(429, b"<html>", Content_Type="text/html", Retry_After="999999")] * 9)
    tag(registry, entry("b"))
    assert found(registry, times=2) == ["b"]
    assert len(asked(registry)) == 1
