"""Which images of a run are checked, under which names, and what a refusal says."""

import base64
from collections.abc import Mapping, Sequence
from functools import partial

import pytest

from manifest_action.errors import Mark, PolicyError, RegistryError
from manifest_action.events import SourcesAdmitted
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.platform import Platform
from manifest_action.model.reference import parse_reference
from manifest_action.ops import judge as judge_module
from manifest_action.ops.assembly import assemble_sources
from manifest_action.ops.outcome import Outcome
from manifest_action.ops.rules import Rules
from manifest_action.ops.run import run
from manifest_action.plan.plan import make_plan
from manifest_action.plan.spec import Attestations, Existing, IndexSpec, SourceSpec
from manifest_action.signing.attachment import LAYER, SIGNATURE_ANNOTATION, attachment_tag, with_attachments
from manifest_action.signing.base import Attachment
from manifest_action.signing.keys import load_private_key
from manifest_action.signing.payload import simple_signing
from manifest_action.signing.policy.identity import MatchRepoDigestOrExact, MatchRepository
from manifest_action.signing.policy.requirements import (
    AcceptAnything,
    Keys,
    Policy,
    Reject,
    Requirements,
    SignedBy,
    SigstoreSigned,
)
from manifest_action.signing.policy.verdict import Candidate
from manifest_action.signing.registriesd import Registries, Section
from tests.support.images import buildx_index, image, index
from tests.support.keys import KeyPair, key_pair
from tests.unit.ops.memory import MemoryTransport, Recorder
from tests.unit.ops.world import HOME, place, spec

AMD64 = image("linux/amd64")
ARM64 = image("linux/arm64")
FAR = "far.test/acme/src"


@pytest.fixture
def transport() -> MemoryTransport:
    return MemoryTransport()


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[Candidate]:
    """Every image that is asked about, in no order; whatever is required of it, it passes."""
    asked: list[Candidate] = []

    def note(_: object, candidate: Candidate, __: object) -> str:
        asked.append(candidate)
        return ""

    monkeypatch.setattr(judge_module, "shortfall", note)
    return asked


def policy(*requirements: object, **scopes: Requirements) -> Rules:
    return Rules(Policy(tuple(requirements) or (AcceptAnything(),), {"docker": scopes}), "p.json")  # type: ignore[arg-type]


def carry_out(transport: MemoryTransport, wanted: IndexSpec, rules: Rules, recorder: Recorder | None = None) -> Outcome:
    assembly = partial(assemble_sources, rules=rules)
    return run(make_plan([wanted]), transport, recorder or Recorder(), jobs=2, push=True, assembly=assembly)


def names(checked: Sequence[Candidate]) -> dict[str, str]:
    return {f"{candidate.digest}": f"{candidate.name}" for candidate in checked}


def test_every_instance_is_asked_about_under_the_name_of_its_source(
    transport: MemoryTransport, checked: list[Candidate]
) -> None:
    place(transport, f"{FAR}:1", index([AMD64, ARM64]))
    assert carry_out(transport, spec([f"{FAR}:1"]), policy(Reject())).error is None
    assert names(checked) == {AMD64.digest: f"{FAR}:1", ARM64.digest: f"{FAR}:1"}


def test_attestations_are_asked_about_only_when_they_are_taken(
    transport: MemoryTransport, checked: list[Candidate]
) -> None:
    place(transport, f"{FAR}:1", buildx_index([AMD64]))
    for attestations, count in ((Attestations.KEEP, 2), (Attestations.DROP, 1)):
        checked.clear()
        assert carry_out(transport, spec([f"{FAR}:1"], attestations=attestations), policy(Reject())).error is None
        assert len(checked) == count


def test_platforms_that_are_left_out_are_not_asked_about(transport: MemoryTransport, checked: list[Candidate]) -> None:
    place(transport, f"{FAR}:1", index([AMD64, ARM64]))
    only = SourceSpec(parse_reference(f"{FAR}:1"), platforms=(_platform("arm64"),))
    assert carry_out(transport, spec([only]), policy(Reject())).error is None
    assert names(checked) == {ARM64.digest: f"{FAR}:1"}


def _platform(architecture: str) -> Platform:
    return Platform("linux", architecture)


def test_each_name_of_one_image_is_asked_about_once(transport: MemoryTransport, checked: list[Candidate]) -> None:
    pinned = str(place(transport, f"{FAR}:1", AMD64))
    place(transport, f"{FAR}:2", AMD64)
    sources = [f"{FAR}:1", f"{FAR}:2", pinned, f"{FAR}:1"]
    carry_out(transport, spec(sources), policy(Reject()))
    assert sorted(str(candidate.name) for candidate in checked) == sorted({f"{FAR}:1", f"{FAR}:2", pinned})


def test_what_is_extended_is_asked_about_under_the_destination(
    transport: MemoryTransport, checked: list[Candidate]
) -> None:
    place(transport, f"{HOME}:1", index([ARM64]))
    place(transport, f"{FAR}:1", AMD64)
    assert carry_out(transport, spec([f"{FAR}:1"], existing=Existing.APPEND), policy(Reject())).error is None
    assert names(checked) == {ARM64.digest: f"{HOME}:1", AMD64.digest: f"{FAR}:1"}


def test_a_refusal_names_image_line_requirement_and_reason(transport: MemoryTransport) -> None:
    place(transport, f"{FAR}:1", AMD64)
    source = SourceSpec(parse_reference(f"{FAR}:1"), mark=Mark("spec.yml", 3, 5))
    known: Mapping[str, Requirements] = {"far.test": (AcceptAnything(), Reject())}
    error = carry_out(transport, spec([source]), policy(**known)).error
    assert isinstance(error, PolicyError)
    assert error.exit_code == 12
    assert error.where == f"{FAR}@{AMD64.digest}"
    assert error.why == "p.json: transports.docker['far.test'][1], reject: images of this scope are rejected"
    assert error.mark == Mark("spec.yml", 3, 5)
    assert transport.writes() == []


def test_all_that_are_refused_are_named(transport: MemoryTransport) -> None:
    place(transport, f"{FAR}:1", index([AMD64, ARM64]))
    error = carry_out(transport, spec([f"{FAR}:1"]), policy(Reject())).error
    assert error is not None
    assert {error.where, *(other.where for other in error.others)} == {
        f"{FAR}@{AMD64.digest}",
        f"{FAR}@{ARM64.digest}",
    }


def test_signatures_that_cannot_be_looked_for_are_no_missing_ones(transport: MemoryTransport) -> None:
    reference = place(transport, f"{FAR}:1", AMD64)
    broken = RegistryError("the registry is ill")
    tag = attachment_tag(Digest.parse(AMD64.digest))
    transport[reference.repository].refuse["resolve", tag] = broken
    requirement = SigstoreSigned(Keys(data=(b"key",)), MatchRepository())
    assert carry_out(transport, spec([f"{FAR}:1"]), policy(requirement)).error is broken
    assert transport.writes() == []


def test_a_lookaside_that_this_transport_cannot_read_is_an_error(transport: MemoryTransport) -> None:
    place(transport, f"{FAR}:1", AMD64)
    registries = Registries(Section(lookaside="https://sigs.test/x"))
    rules = Rules(Policy((SignedBy(Keys(data=(b"key",)), MatchRepository()),)), "p.json", registries)
    error = carry_out(transport, spec([f"{FAR}:1"]), rules).error
    assert isinstance(error, PolicyError)
    assert "https://sigs.test/x/acme/src@sha256=" in error.why


def test_scopes_that_cannot_be_told_apart_are_refused(transport: MemoryTransport) -> None:
    place(transport, "containers-storage:far.test/app:1", AMD64)
    scoped = {"containers-storage": {"[overlay@/x]far.test": (Reject(),)}}
    rules = Rules(Policy((AcceptAnything(),), scoped), "p.json")
    error = carry_out(transport, spec(["containers-storage:far.test/app:1"]), rules).error
    assert isinstance(error, PolicyError)
    assert "such scopes cannot be checked" in error.why


@pytest.mark.parametrize(
    ("rules", "event"), [(Rules(), SourcesAdmitted("", 1)), (policy(), SourcesAdmitted("p.json", 1))]
)
def test_it_is_said_once_by_what_sources_were_admitted(
    rules: Rules, event: SourcesAdmitted, transport: MemoryTransport
) -> None:
    place(transport, f"{FAR}:1", AMD64)
    recorder = Recorder()
    assert carry_out(transport, spec([f"{FAR}:1"]), rules, recorder).error is None
    assert [each for each in recorder.events if isinstance(each, SourcesAdmitted)] == [event]


def _signed(transport: MemoryTransport, subject: str, key: KeyPair, *, media_type: str = LAYER) -> None:
    """Put a signature of `FAR:1` under the `.sig` tag of a digest there."""
    content = simple_signing(f"{FAR}:1", Digest.parse(subject))
    signature = base64.b64encode(load_private_key(key.private.encode(), None, "test").sign(content)).decode()
    layer = Descriptor(media_type, Digest.of(content), len(content), annotations={SIGNATURE_ANNOTATION: signature})
    manifest, _ = with_attachments(None, [Attachment(attachment_tag(Digest.parse(subject)), layer, content)])
    repository = transport[parse_reference(FAR).repository]
    repository.manifests[str(manifest.digest)] = manifest
    repository.tags[attachment_tag(Digest.parse(subject))] = str(manifest.digest)
    repository.blobs[str(layer.digest)] = content


def test_an_attached_signature_counts_for_its_own_instance_only(transport: MemoryTransport) -> None:
    place(transport, f"{FAR}:1", index([AMD64, ARM64]))
    rules = policy(SigstoreSigned(Keys(data=(key_pair().public.encode(),)), MatchRepoDigestOrExact()))
    _signed(transport, AMD64.digest, key_pair())
    error = carry_out(transport, spec([f"{FAR}:1"]), rules).error
    assert error is not None
    assert error.where.endswith(ARM64.digest)
    assert error.others == ()
    _signed(transport, ARM64.digest, key_pair("other"))
    error = carry_out(transport, spec([f"{FAR}:1"]), rules).error
    assert isinstance(error, PolicyError)
    assert "by another key" in error.why
    _signed(transport, ARM64.digest, key_pair())
    assert carry_out(transport, spec([f"{FAR}:1"]), rules).error is None


def test_a_layer_of_another_kind_is_no_signature(transport: MemoryTransport) -> None:
    place(transport, f"{FAR}:1", AMD64)
    _signed(transport, AMD64.digest, key_pair(), media_type="application/vnd.dsse.envelope.v1+json")
    requirement = SigstoreSigned(Keys(data=(key_pair().public.encode(),)), MatchRepoDigestOrExact())
    error = carry_out(transport, spec([f"{FAR}:1"]), policy(requirement)).error
    assert isinstance(error, PolicyError)
    assert error.why.endswith("a signature is required, and there is none")


def test_attachments_that_are_turned_off_are_not_even_looked_for(transport: MemoryTransport) -> None:
    place(transport, f"{FAR}:1", AMD64)
    _signed(transport, AMD64.digest, key_pair())
    requirement = SigstoreSigned(Keys(data=(key_pair().public.encode(),)), MatchRepoDigestOrExact())
    off = Registries(Section(attachments=False))
    error = carry_out(transport, spec([f"{FAR}:1"]), Rules(Policy((requirement,)), "p.json", off)).error
    assert isinstance(error, PolicyError)
    assert not any(selector.endswith(".sig") for _, _, selector in transport.calls)


def test_an_attestation_that_is_refused_is_called_one(transport: MemoryTransport) -> None:
    place(transport, f"{FAR}:1", buildx_index([AMD64]))
    rules = policy(SigstoreSigned(Keys(data=(key_pair().public.encode(),)), MatchRepoDigestOrExact()))
    _signed(transport, AMD64.digest, key_pair())
    error = carry_out(transport, spec([f"{FAR}:1"]), rules).error
    assert isinstance(error, PolicyError)
    assert "does not allow this attestation" in error.what
    assert "`attestations: drop` leaves it behind" in error.hint
