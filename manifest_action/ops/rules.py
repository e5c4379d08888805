"""What decides whether sources may be used, and what it is asked about."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from manifest_action.errors import Mark
from manifest_action.model.digest import Digest
from manifest_action.model.reference import Reference

if TYPE_CHECKING:
    from manifest_action.signing.policy.requirements import Policy
    from manifest_action.signing.registriesd import Registries


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides about sources.

    policy:     None when everything is accepted
    origin:     the file that says so; empty when there is none
    registries: where signatures are; None is where everything is by default
    """

    policy: "Policy | None" = None
    origin: str = ""
    registries: "Registries | None" = None


@dataclass(frozen=True, slots=True)
class Image:
    """An image to be checked, by the name that the user gave.

    whole: the name leads to the image, not to an index that lists it
    """

    reference: Reference
    digest: Digest
    whole: bool
    is_attestation: bool
    mark: Mark | None = field(compare=False)
