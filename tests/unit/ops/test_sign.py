"""Signing between push and tag: what is signed under which names, what is recognised, and who else may write."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from manifest_action.errors import Mark, RegistryError, SigningError
from manifest_action.events import SignatureStored, Stage, StageStarted, TagState, Transfer
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import Reference, Repository, parse_reference
from manifest_action.ops import merging
from manifest_action.ops.outcome import Outcome
from manifest_action.ops.run import run
from manifest_action.plan.plan import make_plan
from manifest_action.plan.spec import IndexSpec, SignerSpec
from manifest_action.signing.attachment import LAYER, attachment_tag, with_attachments
from manifest_action.signing.base import Attachment, Signature, Signer, SignRequest
from manifest_action.signing.cosign import FORMATS, CosignSigner
from manifest_action.signing.keys import load_private_key
from manifest_action.signing.payload import BUNDLE
from manifest_action.transport.base import Content
from tests.support.images import buildx_index, image
from tests.support.keys import key_pair
from tests.unit.ops.memory import MemoryRepository, MemoryTransport, Recorder
from tests.unit.ops.world import HOME, place, spec

FAR = "far.test/acme/app"
INDEX = buildx_index([image("linux/amd64"), image("linux/arm64")])
COSIGN = SignerSpec("cosign")
TAGS_ONLY = SignerSpec("cosign", {"format": "tag"})


@dataclass
class Listing(MemoryRepository):
    """A repository that lists referrers, and in which somebody else may write a tag just after us."""

    meddling: Callable[[str], object] = field(default=str)

    def referrers(self, subject: Digest, artifact_type: str, /) -> tuple[Descriptor, ...]:
        self._called("referrers", subject)
        found = [manifest for manifest in self.manifests.values() if manifest.subject]
        return tuple(
            manifest.descriptor
            for manifest in found
            if manifest.subject and manifest.subject.digest == subject
            if artifact_type in ("", manifest.artifact_type)
        )

    def tag(self, manifest: Manifest, tag: str, /) -> None:
        super().tag(manifest, tag)
        self.meddling(tag)


class Registry(MemoryTransport):
    """Registries that list referrers."""

    def __getitem__(self, repository: Repository) -> Listing:
        known = self.repositories
        found = known.setdefault(repository, Listing(repository, self.calls, known))
        assert isinstance(found, Listing)
        return found

    def home(self) -> Listing:
        return self[parse_reference(HOME).repository]

    def signatures(self, digest: object) -> list[str]:
        """The digests of the payloads under a `.sig` tag."""
        home = self.home()
        tag = attachment_tag(Digest.parse(str(digest)))
        return [str(layer.digest) for layer in home.manifests[home.tags[tag]].layers] if tag in home.tags else []


@pytest.fixture
def transport(monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.setattr(merging, "SETTLING", 0)
    return Registry()


def signer(wanted: SignerSpec, name: str = "first") -> Signer:
    key = load_private_key(key_pair(name).private.encode(), None, "k")
    return CosignSigner(key, FORMATS[wanted.options.get("format", "both")])


def carry_out(
    transport: MemoryTransport, *specs: IndexSpec, opening: Callable[[SignerSpec], Signer] = signer
) -> tuple[Outcome, Recorder]:
    recorder = Recorder()
    return run(make_plan(specs), transport, recorder, jobs=4, push=True, opening=opening), recorder


def test_the_index_and_every_instance_are_signed_under_every_tag_before_any_tag_moves(transport: Registry) -> None:
    source = place(transport, FAR, INDEX)
    outcome, recorder = carry_out(transport, spec([source], f"{HOME}:1", f"{HOME}:2", sign=(COSIGN,)))
    assert outcome.error is None
    (report,) = outcome.reports
    assert report.manifest is not None
    digests = [report.manifest.digest, *(entry.digest for entry in report.entries)]
    assert len(digests) == 5
    for digest in digests:
        own = [each for each in report.signatures if each.subject == digest]
        assert sorted((each.kind, each.identity) for each in own) == [
            ("cosign-bundle", ""),
            ("cosign-tag", f"{HOME}:1"),
            ("cosign-tag", f"{HOME}:2"),
        ]
        assert len(transport.signatures(digest)) == 2
        assert len(transport.home().referrers(digest, BUNDLE)) == 1
        assert {str(each.location) for each in own if each.identity} == {f"{HOME}:{attachment_tag(digest)}"}
    tags = [call[2] for call in transport.calls if call[0] == "tag"]
    assert sorted(tags[-2:]) == ["1", "2"]
    assert all(tag.endswith(".sig") for tag in tags[:-2])
    stored = [event for event in recorder.events if isinstance(event, SignatureStored)]
    assert len(stored) == len(report.signatures) == 15


def test_without_recursion_only_the_index_is_signed(transport: Registry) -> None:
    source = place(transport, FAR, INDEX)
    outcome, _ = carry_out(transport, spec([source], sign=(SignerSpec("cosign", recursive=False),)))
    (report,) = outcome.reports
    assert report.manifest is not None
    assert {each.subject for each in report.signatures} == {report.manifest.digest}


def test_a_destination_without_a_tag_is_signed_under_its_digest(transport: Registry) -> None:
    source = place(transport, FAR, INDEX)
    outcome, _ = carry_out(transport, spec([source], HOME, sign=(TAGS_ONLY,)))
    assert [each.identity for each in outcome.reports[0].signatures] == [
        f"{HOME}@{each.subject}" for each in outcome.reports[0].signatures
    ]


def test_a_second_run_adds_nothing(transport: Registry) -> None:
    source = place(transport, FAR, INDEX)
    carry_out(transport, spec([source], sign=(COSIGN,)))
    before = len(transport.writes())
    outcome, recorder = carry_out(transport, spec([source], sign=(COSIGN,)))
    assert len(transport.writes()) == before
    assert not outcome.reports[0].changed
    assert not any(each.added for each in outcome.reports[0].signatures)
    assert all(event.present for event in recorder.events if isinstance(event, SignatureStored))


def test_another_key_is_added_beside_the_first(transport: Registry) -> None:
    source = place(transport, FAR, INDEX)
    first, _ = carry_out(transport, spec([source], sign=(COSIGN,)))
    second, _ = carry_out(transport, spec([source], sign=(COSIGN,)), opening=lambda wanted: signer(wanted, "other"))
    assert second.reports[0].changed
    for each in first.reports[0].signatures:
        assert len(transport.signatures(each.subject)) == 2
        assert len(transport.home().referrers(each.subject, BUNDLE)) == 2


def test_images_in_two_indexes_of_one_run_get_both_names_at_once(transport: Registry) -> None:
    source = place(transport, FAR, INDEX)
    specs = [spec([source], f"{HOME}:{tag}", sign=(TAGS_ONLY,)) for tag in ("1", "2")]
    outcome, _ = carry_out(transport, *specs)
    assert outcome.error is None
    for each in outcome.reports[0].signatures:
        assert len(transport.signatures(each.subject)) == 2
    assert transport.count("tag") == 5 + 2


def test_what_others_write_at_the_same_time_is_kept(transport: Registry) -> None:
    """Twice somebody who has read the tag before us overwrites it after us."""
    source = place(transport, FAR, INDEX)
    home, left = transport.home(), [b"one", b"two"]

    def meddle(tag: str) -> None:
        if left and tag.endswith(".sig"):
            content = left.pop()
            layer = Descriptor("application/x", Digest.of(content), len(content))
            manifest, blobs = with_attachments(None, [Attachment(tag, layer, content)])
            home.blobs |= {str(digest): blob for digest, blob in blobs.items()}
            home.manifests[str(manifest.digest)] = manifest
            home.tags[tag] = str(manifest.digest)

    home.meddling = meddle
    outcome, _ = carry_out(transport, spec([source], sign=(SignerSpec("cosign", {"format": "tag"}, recursive=False),)))
    assert outcome.error is None
    (found,) = outcome.reports[0].signatures
    kept = transport.signatures(found.subject)
    assert kept[0] == str(Digest.of(b"one"))
    assert len(kept) == 2


def test_who_was_slow_to_write_waits_for_others_that_are_as_slow(transport: Registry) -> None:
    """Somebody else has read the tag before us as well, and overwrites it a while after us."""
    source = place(transport, FAR, INDEX)
    home = transport.home()
    rival = threading.Timer(0.15, lambda: home.tags.pop(tag_of(home)))

    def meddle(tag: str) -> None:
        if rival.ident is None and tag.endswith(".sig"):
            time.sleep(0.25)
            rival.start()

    home.meddling = meddle
    outcome, _ = carry_out(transport, spec([source], sign=(SignerSpec("cosign", {"format": "tag"}, recursive=False),)))
    assert outcome.error is None
    rival.join()
    (found,) = outcome.reports[0].signatures
    assert len(transport.signatures(found.subject)) == 1


def tag_of(home: Listing) -> str:
    """The only `.sig` tag."""
    (tag,) = (tag for tag in home.tags if tag.endswith(".sig"))
    return tag


def test_who_is_overwritten_for_ever_gives_up_and_leaves_the_tags(transport: Registry) -> None:
    source = place(transport, FAR, INDEX)
    home = transport.home()
    home.meddling = lambda tag: home.tags.pop(tag, None)
    outcome, _ = carry_out(transport, spec([source], sign=(TAGS_ONLY,)))
    assert isinstance(outcome.error, RegistryError)
    assert "again and again" in outcome.error.what
    assert "1" not in home.tags


@pytest.mark.parametrize("call", ["push_blob", "push_manifest", "tag", "referrers", "resolve"])
def test_a_refusal_while_signing_leaves_every_tag_and_says_what_is_in_place(call: str, transport: Registry) -> None:
    source = place(transport, FAR, INDEX)
    probe = Registry()
    done, _ = carry_out(probe, spec([place(probe, FAR, INDEX)], sign=(COSIGN,)))
    (report,) = done.reports
    assert report.manifest is not None
    targets = {
        "push_blob": str(probe.signatures(report.manifest.digest)[0]),
        "push_manifest": str(probe.home().referrers(report.manifest.digest, BUNDLE)[0].digest),
        "tag": attachment_tag(report.manifest.digest),
        "referrers": str(report.manifest.digest),
        "resolve": attachment_tag(report.manifest.digest),
    }
    transport.home().refuse[call, targets[call]] = RegistryError("refused", where="home")
    outcome, _ = carry_out(transport, spec([source], sign=(COSIGN,)))
    assert isinstance(outcome.error, RegistryError)
    assert "1" not in transport.home().tags
    assert [tag.state for tag in outcome.reports[0].tags] == [TagState.PENDING]
    assert outcome.reports[0].pushed
    assert all(Reference.__str__(each.location) for each in outcome.reports[0].signatures)


def test_a_key_that_cannot_be_read_stops_everything_where_it_is_asked_for(transport: Registry) -> None:
    source = place(transport, FAR, INDEX)

    def opening(wanted: SignerSpec) -> Signer:
        raise SigningError("no key")

    mark = Mark("spec.yml", 3, 7)
    outcome, _ = carry_out(transport, spec([source], sign=(SignerSpec("cosign", mark=mark),)), opening=opening)
    assert isinstance(outcome.error, SigningError)
    assert outcome.error.mark == mark
    assert transport.calls == []


def test_a_key_that_refuses_stops_the_run(transport: Registry) -> None:
    class Refusing(CosignSigner):
        def sign(self, request: SignRequest, /) -> Sequence[Signature]:
            raise SigningError("refused", where=str(request.repository))

    refusing = Refusing(load_private_key(key_pair().private.encode(), None, "k"), FORMATS["both"])
    outcome, _ = carry_out(transport, spec([place(transport, FAR, INDEX)], sign=(COSIGN,)), opening=lambda _: refusing)
    assert isinstance(outcome.error, SigningError)
    assert transport.count("tag") == 0


def test_signatures_are_read_back_before_any_tag_moves(transport: Registry) -> None:
    source = place(transport, FAR, INDEX)
    outcome, recorder = carry_out(transport, spec([source], sign=(COSIGN,), verify=True))
    assert outcome.error is None
    stages = [event.stage for event in recorder.events if isinstance(event, StageStarted)]
    assert stages[-3:] == [Stage.SIGN, Stage.VERIFY, Stage.TAG]


@pytest.mark.parametrize("kind", ["bundle", "tag"])
def test_what_reads_back_otherwise_stops_the_run(kind: str, transport: Registry) -> None:
    source = place(transport, FAR, INDEX)
    home, place_blob = transport.home(), transport.home().push_blob

    def damaged(blob: Descriptor, content: Content, mount_from: Repository | None, /) -> Transfer:
        done = place_blob(blob, content, mount_from)
        if blob.media_type in (BUNDLE, LAYER):
            home.blobs[str(blob.digest)] = home.blobs[str(blob.digest)].replace(b"o", b"0")
        return done

    home.push_blob = damaged  # type: ignore[method-assign]
    wanted = SignerSpec("cosign", {"format": kind})
    outcome, _ = carry_out(transport, spec([source], sign=(wanted,), verify=True))
    assert isinstance(outcome.error, SigningError)
    assert "cannot be verified" in outcome.error.what
    assert "1" not in home.tags
    assert outcome.reports[0].changed


def test_a_dry_run_needs_no_key(transport: Registry) -> None:
    source = place(transport, FAR, INDEX)
    outcome = run(make_plan([spec([source], sign=(COSIGN,))]), transport, Recorder(), jobs=2, push=False)
    assert outcome.error is None
    refused = run(make_plan([spec([source], sign=(COSIGN,))]), transport, Recorder(), jobs=2, push=True)
    assert isinstance(refused.error, SigningError)


def test_a_bundle_that_cannot_be_read_is_passed_over(transport: Registry) -> None:
    source = place(transport, FAR, INDEX)
    carry_out(transport, spec([source], sign=(COSIGN,)), opening=lambda wanted: signer(wanted, "other"))
    home = transport.home()
    for manifest in [each for each in home.manifests.values() if each.subject]:
        home.blobs[str(manifest.layers[0].digest)] = b"damaged"
    outcome, _ = carry_out(transport, spec([source], sign=(COSIGN,)))
    assert outcome.error is None
    assert all(each.added for each in outcome.reports[0].signatures if each.kind == "cosign-bundle")


def test_signing_goes_on_while_the_index_is_on_its_way(transport: Registry) -> None:
    """The index is not taken before a blob of its signatures is there."""
    source = place(transport, FAR, INDEX)
    home, arrived = transport.home(), threading.Event()
    push_blob, push_manifest = home.push_blob, home.push_manifest

    def seen(blob: Descriptor, content: Content, mount_from: Repository | None, /) -> Transfer:
        if blob.media_type == LAYER:
            arrived.set()
        return push_blob(blob, content, mount_from)

    def waiting(manifest: Manifest, /) -> None:
        assert not manifest.entries or arrived.wait(20)
        push_manifest(manifest)

    home.push_blob, home.push_manifest = seen, waiting  # type: ignore[method-assign]
    outcome, _ = carry_out(transport, spec([source], sign=(COSIGN,)))
    assert outcome.error is None


class Logged(CosignSigner):
    """A signer that leaves a trace elsewhere, as one that writes to a log does."""

    def recognised(self, *_: object) -> Signature | None:
        return None


def test_what_leaves_a_trace_elsewhere_is_signed_when_all_of_it_is_in_place(transport: Registry) -> None:
    source = place(transport, FAR, INDEX)
    home = transport.home()

    class Watching(Logged):
        def sign(self, request: SignRequest, /) -> Sequence[Signature]:
            assert any(manifest.entries for manifest in home.manifests.values())
            return super().sign(request)

    watching = Watching(load_private_key(key_pair().private.encode(), None, "k"), FORMATS["both"])
    outcome, _ = carry_out(
        transport,
        spec([source], sign=(COSIGN, TAGS_ONLY)),
        opening=lambda wanted: watching if wanted == COSIGN else signer(wanted),
    )
    assert outcome.error is None
    assert {each.kind for each in outcome.reports[0].signatures} == {"cosign-bundle", "cosign-tag"}


def test_signatures_that_come_along_are_recognised(transport: Registry) -> None:
    """They are looked for when they have come, so that none is there twice."""
    source = place(transport, FAR, INDEX)
    first, _ = carry_out(transport, spec([source], sign=(COSIGN,)))
    home, far = transport.home(), transport[source.repository]
    far.manifests |= {digest: each for digest, each in home.manifests.items() if not each.entries}
    far.tags |= {tag: digest for tag, digest in home.tags.items() if tag.endswith(".sig")}
    far.blobs |= home.blobs
    for kept in (home.manifests, home.tags, home.blobs):
        kept.clear()
    outcome, _ = carry_out(transport, spec([source], sign=(COSIGN,)))
    assert outcome.error is None
    assert len(outcome.reports[0].signatures) == len(first.reports[0].signatures)
    for each in outcome.reports[0].signatures:
        assert not each.added
        assert len(transport.signatures(each.subject)) == 1
        assert len(home.referrers(each.subject, BUNDLE)) == 1
