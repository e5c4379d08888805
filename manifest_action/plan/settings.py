"""How a run behaves, whatever it assembles (design section 4.2)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from manifest_action.model.credential import Credential
from manifest_action.plan.shards import WHOLE, Shard

DEFAULT_JOBS = 16
SIGNING_JOBS = 48
"""A signature is a handful of small requests, and there are many of them."""
DEFAULT_RETRY_BUDGET = 900.0


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything beside the specs themselves.

    push:                false stops after assembling and prints what would be written
    credentials:         registry host, or host/path, to the credential given for it
    github_token:        used for ghcr.io when nothing else is given for it
    job_credentials:     by registry host, what the CI system gives its jobs; used when nothing else is given
    auth_file:           path of a Docker or containers auth file, empty for the usual places
    insecure_registries: hosts that may speak plain HTTP or have an unverified certificate
    ca_certificates:     path of a PEM file of further certificate authorities, empty for none
    jobs:                requests under way at once per host, 1 to 64
    retry_budget:        seconds of waiting and retrying that the whole run may use; one operation gets a third
    shard:               the part of the indexes that this run makes
    policy:              path of a signature policy for the sources, empty for the user's or the system's
    """

    push: bool = True
    credentials: Mapping[str, Credential] = field(default_factory=dict, hash=False)
    github_token: str = field(default="", repr=False)
    github_actor: str = ""
    job_credentials: Mapping[str, Credential] = field(default_factory=dict, hash=False)
    auth_file: str = ""
    insecure_registries: frozenset[str] = frozenset()
    ca_certificates: str = ""
    jobs: int = DEFAULT_JOBS
    retry_budget: float = DEFAULT_RETRY_BUDGET
    policy: str = ""
    shard: Shard = WHOLE
