"""What is fuzzed: one function for each parser of text that others write. It returns, or what it raises is a bug."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime

from manifest_action.adapters.document import read_documents
from manifest_action.errors import ConfigError, ContentError, ManifestActionError, StoreError
from manifest_action.model.digest import Digest
from manifest_action.model.index import Index
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import Repository, parse_reference
from manifest_action.plan.plan import make_plan
from manifest_action.plan.reader import read_specs
from manifest_action.signing.certificates import parse_chain
from manifest_action.signing.envelope import open_envelope
from manifest_action.signing.keys import load_public_key
from manifest_action.signing.policy.reading import read_policy
from manifest_action.signing.simplesigning import read_gpg_payload, read_sigstore_payload
from manifest_action.signing.trustpolicy import applicable, parse_subject
from manifest_action.signing.verification import bundle_fault
from manifest_action.transport.archive.members import find_members
from manifest_action.transport.archive.saved import layer_digests, parse_listing
from manifest_action.transport.registry.challenge import HEADER_LIMIT, MOST_CHALLENGES, parse_challenges
from manifest_action.transport.registry.scope import parse_scopes
from manifest_action.transport.registry.token_exchange import parse_token
from manifest_action.transport.registry.url import Url

_NOW = datetime(2026, 11, 1, tzinfo=UTC)
_KINDS = (
    "",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
)


def reference(data: bytes) -> None:
    """A reference that is read is written back as something that is read as the same."""
    text = data.decode("utf-8", "surrogateescape")
    with suppress(ValueError):
        found = parse_reference(text)
        assert parse_reference(str(found)) == found, text


def challenge(data: bytes) -> None:
    """Any header value is read, within its limits; so are addresses, scopes and tokens that go with it."""
    text = data.decode("latin-1")
    challenges = parse_challenges([text])
    assert len(challenges) <= MOST_CHALLENGES
    assert len(text) <= HEADER_LIMIT or not challenges
    for each in challenges:
        assert each.scheme == each.scheme.lower()
        parse_scopes(each.get("scope"))
    with suppress(ValueError):
        url = Url.parse(text)
        assert Url.parse(f"{url.origin}{url.target}") == url, text
    with suppress(ValueError):
        assert parse_token(data).value


def manifest(data: bytes) -> None:
    """A manifest that is read keeps its bytes and its digest; an index is written and read as the same."""
    kind, raw = (_KINDS[data[0] % len(_KINDS)], data[1:]) if data else ("", b"")
    with suppress(ValueError):
        found = Manifest.parse(raw, media_type=kind)
        assert found.raw == raw
        assert found.is_schema1 or found.digest == Digest.of(raw)
        if found.is_index:
            index = Index(found.entries, media_type=found.media_type, annotations=found.annotations)
            assert Manifest.parse(index.manifest().raw).entries == found.entries


def spec(data: bytes) -> None:
    """A spec is read whole, or refused with the places of what is wrong."""
    text = data.decode("utf-8", "surrogateescape")
    try:
        specs = read_specs(read_documents(text, "spec.yml"), None)
        make_plan(specs)
    except ConfigError as error:
        assert 1 <= len(error.problems) <= 100
        assert "\n" not in str(error.problems[0].what)


def archive(data: bytes) -> None:
    """What is found in an archive lies in it; listings and configs of saved images are read or refused."""
    with suppress(StoreError, ContentError, ValueError):
        members = find_members(lambda offset, size: data[offset : offset + size], len(data))
        for name, member in members.items():
            assert not name.startswith("/")
            assert ".." not in name.split("/")
            assert 0 <= member.offset <= member.offset + member.size <= len(data)
    for read in (parse_listing, layer_digests):
        with suppress(StoreError, ContentError, ValueError):
            read(data)


def signature(data: bytes) -> None:
    """Signatures, their payloads, keys and policies are read or refused."""
    for read in (read_gpg_payload, read_sigstore_payload):
        with suppress(ValueError):
            read(data)
    with suppress(ManifestActionError):
        read_policy(data, "policy.json")
    with suppress(ManifestActionError):
        load_public_key(data, "key")
    with suppress(ValueError):
        open_envelope(data).chain.fault(_NOW)
    with suppress(ValueError):
        parse_chain(data).fault(_NOW)
    with suppress(ValueError):
        for identity in applicable(data, Repository("docker", "a.b", "c")).identities:
            parse_subject(identity)
    assert bundle_fault(data, Digest.of(b""), _NoKey())


class _NoKey:
    """A key that has signed nothing."""

    der = b""
    pem = ""

    def verifies(self, _signature: bytes, _message: bytes) -> bool:
        """Never."""
        return False


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    target.__name__: target for target in (reference, challenge, manifest, spec, archive, signature)
}
