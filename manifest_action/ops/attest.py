"""Saying how indexes were made: a signed statement about each, in every repository, before any tag moves."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import manifest_action
from manifest_action.errors import ContentError, ResolveError
from manifest_action.events import Reporter, SignatureStored
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import DOCKER, Reference, Repository
from manifest_action.ops.account import Account
from manifest_action.ops.attached import Artifact, Delivery, under_tag
from manifest_action.ops.bundles import listed_referrers, read_bundles
from manifest_action.ops.deliver import place
from manifest_action.ops.instance import AssembledIndex
from manifest_action.ops.outcome import SignatureReport
from manifest_action.ops.signatures import Signers
from manifest_action.ops.waves import Waves
from manifest_action.plan.spec import IndexSpec
from manifest_action.signing.attachment import CONTENT_LIMIT, with_attachments
from manifest_action.signing.base import AttestationForm, Held, Kind, Referrer, StatementSigner
from manifest_action.signing.payload import BUNDLE, statement
from manifest_action.signing.provenance import PREDICATE_TYPE, UNKNOWN_BUILD, Build, Dependency, predicate, restates
from manifest_action.transport.base import Transport
from manifest_action.transport.verify import read_blob

_READ = 100
"""Statements under one tag that are looked at."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A statement that a repository shall have in one form."""

    repository: Repository
    index: Manifest
    signer: StatementSigner
    form: AttestationForm
    statement: bytes


def attest(
    indexes: Iterable[AssembledIndex],
    signers: Signers,
    build: Build | None,
    *,
    transport: Transport,
    waves: Waves,
    reporter: Reporter,
    account: Account,
) -> None:
    """See that every index whose spec asks for it has a statement by each of its signers that makes statements.

    One that says the same and is signed by the same signer is left as it is. Raises what `place` and signers raise.
    """
    wanted = [
        each for index in indexes if index.spec.provenance for each in _wanted(index, signers, build or UNKNOWN_BUILD)
    ]
    found = waves.map(lambda each: _location(each, transport), wanted)
    missing = [each for each, location in zip(wanted, found, strict=True) if location is None]
    made = waves.map(_made, missing)
    place(made, transport, waves, reporter, account)
    locations = dict(zip(missing, map(_where, made), strict=True))
    for each, present in zip(wanted, found, strict=True):
        location = present or locations[each]
        digest, kind = each.index.digest, Kind.PROVENANCE.value
        account.signed(SignatureReport(digest, kind, location, "", each.signer.author, present is None))
        reporter.emit(SignatureStored(digest, kind, location, present=present is not None))


def parameters(spec: IndexSpec) -> dict[str, object]:
    """What the user asked for, as far as it decides what the index is and where it goes; nothing secret is in it."""
    asked: dict[str, object] = {
        "destinations": [str(each) for each in spec.destinations],
        "sources": [str(each.reference) for each in spec.sources],
        "format": spec.format.value,
        "attestations": spec.attestations.value,
        "compression": spec.compression.value,
        "existing": spec.existing.value,
    }
    if spec.annotations.index:
        asked["annotations"] = dict(sorted(spec.annotations.index.items()))
    return asked


def dependencies(index: AssembledIndex) -> list[Dependency]:
    """The sources with what they were pinned to, and the instances that were taken from those that are indexes."""
    found: dict[str, Dependency] = {}
    for instance in index.instances:
        source = instance.source
        if source.digest is not None:
            found.setdefault(str(source.digest), Dependency(_uri(source.with_tag(source.tag)), str(source.digest)))
    for instance in index.instances:
        if not instance.converted:
            digest = instance.descriptor.digest
            platform = str(instance.platform) if instance.platform and not instance.is_attestation else ""
            new = Dependency(_uri(Reference(instance.origin, digest=digest)), str(digest), platform)
            found.setdefault(str(digest), new)
    return list(found.values())


def _uri(reference: Reference) -> str:
    return f"docker://{reference}" if reference.repository.transport == DOCKER else str(reference)


def _wanted(index: AssembledIndex, signers: Signers, build: Build) -> Iterator[_Wanted]:
    said = predicate(build, parameters(index.spec), dependencies(index), manifest_action.__version__)
    for repository in index.spec.repositories:
        text = statement(str(repository), index.manifest.digest, PREDICATE_TYPE, said)
        for signer in (signers[wanted] for wanted in index.spec.sign):
            if isinstance(signer, StatementSigner):
                for form in signer.forms:
                    yield _Wanted(repository, index.manifest, signer, form, text)


def _location(wanted: _Wanted, transport: Transport) -> Reference | None:
    """Where the repository has an equal statement by the same signer already."""
    held = _bundles if wanted.form is AttestationForm.BUNDLE else _layers
    for location, each in held(wanted, transport):
        said = wanted.signer.attested(each)
        if said and restates(said, wanted.statement):
            return location
    return None


def _bundles(wanted: _Wanted, transport: Transport) -> Iterator[tuple[Reference, Held]]:
    listed = listed_referrers(wanted.repository, wanted.index.digest, BUNDLE, transport)
    for manifest, layer, content in read_bundles(wanted.repository, listed, transport):
        yield Reference(wanted.repository, digest=manifest.digest), Held(content, layer)


def _layers(wanted: _Wanted, transport: Transport) -> Iterator[tuple[Reference, Held]]:
    location = Reference(wanted.repository, _tag(wanted))
    manifest = under_tag(wanted.repository, location.tag, transport)
    source = transport.source(location.repository)
    for layer in manifest.layers[:_READ] if manifest else ():
        try:
            yield location, Held(read_blob(source, layer, CONTENT_LIMIT, str(location)), layer)
        except (ResolveError, ContentError):
            continue


def _tag(wanted: _Wanted) -> str:
    digest = wanted.index.digest
    return f"{digest.algorithm}-{digest.encoded}.att"


def _made(wanted: _Wanted) -> Delivery:
    subject = wanted.index.descriptor
    artefact = wanted.signer.attest(wanted.form, subject, wanted.statement, PREDICATE_TYPE)
    if isinstance(artefact, Referrer):
        manifest, blobs, tag = artefact.manifest, artefact.blobs, ""
    else:
        manifest, blobs = with_attachments(None, [artefact])
        tag = artefact.tag
    digest = subject.digest
    return Delivery(wanted.repository, Artifact(digest, digest, wanted.repository, manifest, tag, made=blobs))


def _where(delivery: Delivery) -> Reference:
    artifact = delivery.artifact
    if artifact.tag:
        return Reference(delivery.destination, artifact.tag)
    return Reference(delivery.destination, digest=artifact.manifest.digest)
