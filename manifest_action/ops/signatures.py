"""What is to be signed under which names, and signatures sorted by the form in which they are kept. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.reference import Repository
from manifest_action.ops.instance import AssembledIndex
from manifest_action.plan.spec import IndexSpec, SignerSpec
from manifest_action.signing.base import (
    Attachment,
    Referrer,
    Signature,
    Signer,
    SignRequest,
    SimpleSignature,
)

Signers = Mapping[SignerSpec, Signer]
Form = TypeVar("Form", Attachment, Referrer, SimpleSignature)


@dataclass(frozen=True, slots=True)
class Made(Generic[Form]):
    """A signature in the form in which a repository keeps it, and who made it."""

    repository: Repository
    signer: Signer
    signature: Signature
    artefact: Form


@dataclass(frozen=True, slots=True)
class Attached:
    """All layers for one `.sig` tag, which are about one subject."""

    repository: Repository
    tag: str
    made: tuple[Made[Attachment], ...]

    @property
    def subject(self) -> Digest:
        """What they are about."""
        return self.made[0].signature.subject.digest


@dataclass(frozen=True, slots=True)
class Forms:
    """Signatures by their form."""

    referrers: Sequence[Made[Referrer]]
    attached: Sequence[Attached]
    simple: Sequence[Sequence[Made[SimpleSignature]]]
    """Those over one image together, so that no two threads look for a free place at once."""


def signed_digests(index: AssembledIndex) -> frozenset[Digest]:
    """What is signed of an index: itself, and its instances if any of its signers is recursive."""
    return frozenset(subject.digest for signer in index.spec.sign for subject in _subjects(index, signer))


def new_subjects(indexes: Iterable[AssembledIndex]) -> frozenset[tuple[Repository, Digest]]:
    """What belongs to an index that its tags do not lead to yet, by repository: hardly any of it is signed there."""
    return frozenset(
        (repository, digest)
        for index in indexes
        for repository in index.spec.repositories
        if index.manifest.digest not in index.current.values()
        for digest in signed_digests(index)
    )


def requests(indexes: Iterable[AssembledIndex], signers: Signers) -> list[tuple[Signer, SignRequest]]:
    """One for each signer, repository and digest, with all the names that the digest has there through its tags."""
    found: dict[tuple[SignerSpec, Repository, Digest], SignRequest] = {}
    for index in indexes:
        for signer in index.spec.sign:
            for repository in index.spec.repositories:
                for subject in _subjects(index, signer):
                    new = SignRequest(repository, subject, _identities(index.spec, repository, subject.digest))
                    old = found.get((signer, repository, subject.digest), new)
                    names = tuple(dict.fromkeys((*old.identities, *new.identities)))
                    found[signer, repository, subject.digest] = replace(old, identities=names)
    return [(signers[signer], request) for (signer, _, _), request in found.items()]


def by_form(made: Iterable[tuple[Signer, SignRequest, Sequence[Signature]]]) -> Forms:
    """The signatures by their form; attachments by the tag they go under, so that no two threads write the same."""
    referrers: list[Made[Referrer]] = []
    places: dict[tuple[Repository, str], list[Made[Attachment]]] = {}
    simple: dict[tuple[Repository, Digest], list[Made[SimpleSignature]]] = {}
    for signer, request, signatures in made:
        for signature in signatures:
            artefact = signature.artefact
            if isinstance(artefact, Referrer):
                referrers.append(Made(request.repository, signer, signature, artefact))
            elif isinstance(artefact, SimpleSignature):
                aside = Made(request.repository, signer, signature, artefact)
                simple.setdefault((request.repository, request.subject.digest), []).append(aside)
            else:
                new = Made(request.repository, signer, signature, artefact)
                places.setdefault((request.repository, artefact.tag), []).append(new)
    attached = [Attached(*place, tuple(layers)) for place, layers in places.items()]
    return Forms(referrers, attached, list(simple.values()))


def _subjects(index: AssembledIndex, signer: SignerSpec) -> Iterator[Descriptor]:
    yield index.manifest.descriptor
    for instance in index.instances if signer.recursive else ():
        found = instance.descriptor
        yield Descriptor(found.media_type, found.digest, found.size)


def _identities(spec: IndexSpec, repository: Repository, digest: Digest) -> tuple[str, ...]:
    """`repository:tag` for every tag; without one the digest, since readers accept no bare repository."""
    names = tuple(f"{repository}:{tag.tag}" for tag in spec.tags if tag.repository == repository)
    return names or (f"{repository}@{digest}",)
