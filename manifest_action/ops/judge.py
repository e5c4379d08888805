"""Whether images may be used: what a policy requires of each, and the signatures that are there."""

import os
from collections.abc import Sequence

from manifest_action.errors import PolicyError
from manifest_action.ops.evidence import StoredSignatures
from manifest_action.ops.rules import Image, Rules
from manifest_action.ops.waves import Waves
from manifest_action.signing.policy.identity import image_identity
from manifest_action.signing.policy.requirements import Policy
from manifest_action.signing.policy.verdict import Candidate, shortfall
from manifest_action.signing.registriesd import Registries
from manifest_action.signing.trust import Trust
from manifest_action.transport.base import Transport


def judge(images: Sequence[Image], policy: Policy, rules: Rules, transport: Transport, waves: Waves) -> None:
    """Check images in one wave; errors as `ops.admit.admit`."""
    with Trust() as trust:
        waves.map(lambda image: _check(image, policy, rules, trust, transport), images)


def _check(image: Image, policy: Policy, rules: Rules, trust: Trust, transport: Transport) -> None:
    repository = image.reference.repository
    scope, requirements = policy.requirements(image.reference, os.path.realpath(repository.name))
    if unread := policy.unread_scopes(repository.transport):
        raise _refused(image, rules, f"scope {unread[0]!r}", "such scopes cannot be checked by this version")
    evidence = StoredSignatures(
        image.reference, image.digest, image.whole, rules.registries or Registries(), trust, transport
    )
    candidate = Candidate(image.digest, image_identity(image.reference))
    for place, requirement in enumerate(requirements):
        try:
            why = shortfall(requirement, candidate, evidence)
        except PolicyError as error:
            raise _refused(image, rules, f"{scope}[{place}], {requirement.type_name}", str(error)) from None
        if why:
            raise _refused(image, rules, f"{scope}[{place}], {requirement.type_name}", why)


def _refused(image: Image, rules: Rules, requirement: str, why: str) -> PolicyError:
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
