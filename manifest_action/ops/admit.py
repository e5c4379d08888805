"""Letting in only what the signature policy allows: every source instance, before its content is used.

As containers/image does it, an image is checked under the name that the user gave for it, and each instance of an
index on its own: signatures of the index itself say nothing about what it lists.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from manifest_action.errors import Mark, PolicyError
from manifest_action.events import Reporter, SourcesAdmitted
from manifest_action.model.digest import Digest
from manifest_action.model.reference import Reference
from manifest_action.ops.evidence import StoredSignatures
from manifest_action.ops.instance import Instance, ResolvedIndex
from manifest_action.ops.waves import Waves
from manifest_action.signing.policy.identity import image_identity
from manifest_action.signing.policy.requirements import Policy
from manifest_action.signing.policy.verdict import Candidate, shortfall
from manifest_action.signing.registriesd import Registries
from manifest_action.signing.trust import Trust
from manifest_action.transport.base import Transport


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides about sources.

    policy:     None when there is none, and everything is accepted
    origin:     the file that the policy is from
    registries: where signatures are
    """

    policy: Policy | None = None
    origin: str = ""
    registries: Registries = field(default_factory=Registries)


@dataclass(frozen=True, slots=True)
class _Image:
    """An image to be checked, by the name that the user gave."""

    reference: Reference
    digest: Digest
    whole: bool
    is_attestation: bool
    mark: Mark | None = field(compare=False)


def admit(
    indexes: Sequence[ResolvedIndex], rules: Rules, transport: Transport, waves: Waves, reporter: Reporter
) -> None:
    """Check every image that the indexes take in, in one wave.

    Raises PolicyError that names the first image that is refused, the requirement and why; further ones are in its
    `others`. What finding signatures raises is raised too: what cannot be checked is not used.
    """
    policy = rules.policy
    images = list(dict.fromkeys(image for index in indexes for image in _images(index)))
    if policy is not None:
        with Trust() as trust:
            waves.map(lambda image: _check(image, policy, rules, trust, transport), images)
    reporter.emit(SourcesAdmitted(rules.origin, len(images)))


def _images(index: ResolvedIndex) -> Iterator[_Image]:
    for instance in index.instances:
        # What was converted has a digest of its own; signatures are about what was read.
        read = instance.source.digest if instance.converted else None
        digest = read or instance.descriptor.digest
        whole = digest == instance.source.digest
        for asked in _asked(index, instance):
            yield _Image(asked, digest, whole, instance.is_attestation, instance.mark)


def _asked(index: ResolvedIndex, instance: Instance) -> Sequence[Reference]:
    """The references under which the user asked for an instance; for what is there already, the destination."""
    for named in ([source.reference for source in index.spec.sources], [index.spec.main]):
        if found := [name for name in named if _leads_to(name, instance.source)]:
            return list(dict.fromkeys(found))
    return [instance.source]


def _leads_to(name: Reference, pinned: Reference) -> bool:
    return name.digest in (None, pinned.digest) and replace(name, digest=pinned.digest) == pinned


def _check(image: _Image, policy: Policy, rules: Rules, trust: Trust, transport: Transport) -> None:
    repository = image.reference.repository
    scope, requirements = policy.requirements(image.reference, os.path.realpath(repository.name))
    if unread := policy.unread_scopes(repository.transport):
        raise _refused(image, rules, f"scope {unread[0]!r}", "such scopes cannot be checked by this version")
    evidence = StoredSignatures(image.reference, image.digest, image.whole, rules.registries, trust, transport)
    candidate = Candidate(image.digest, image_identity(image.reference))
    for place, requirement in enumerate(requirements):
        try:
            why = shortfall(requirement, candidate, evidence)
        except PolicyError as error:
            raise _refused(image, rules, f"{scope}[{place}], {requirement.type_name}", str(error)) from None
        if why:
            raise _refused(image, rules, f"{scope}[{place}], {requirement.type_name}", why)


def _refused(image: _Image, rules: Rules, requirement: str, why: str) -> PolicyError:
    kind = "attestation" if image.is_attestation else "image"
    hint = "sign it for that policy, or take another source"
    if image.is_attestation:
        hint += "; `attestations: drop` leaves it behind"
    return PolicyError(
        f"the signature policy does not allow this {kind}",
        where=f"{image.reference.repository}@{image.digest}",
        why=f"{rules.origin}: {requirement}: {why}",
        hint=hint,
        mark=image.mark,
    )
