"""What a run says about the registries it will talk to."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from manifest_action.model.credential import Credential
from manifest_action.transport.registry.authfile import registry_key

DEFAULT_JOBS = 16
DEFAULT_RETRY_BUDGET = 900.0


@dataclass(frozen=True, slots=True)
class RegistryOptions:
    """How to reach registries, and as whom.

    credentials:         registry host, or host/path, to the credential that was given for it
    github_token:        used for ghcr.io when nothing else is given for it
    github_actor:        the user name that goes with it; any name does
    job_credentials:     by registry host, what the CI system gives its jobs; used when nothing else is given
    auth_file:           path of a Docker or containers auth file, empty for the usual places
    insecure_registries: hosts (`host` or `host:port`) that may speak plain HTTP or have an unverified certificate
    ca_certificates:     path of a PEM file of further certificate authorities, empty for none
    jobs:                requests under way at once per host, at least 1
    retry_budget:        seconds of waiting and retrying that the whole run may use; one operation gets a third,
                         and 300 at most
    environment:         the environment variables to look at; nothing else is read from the process
    """

    credentials: Mapping[str, Credential] = field(default_factory=dict, hash=False)
    github_token: str = field(default="", repr=False)
    github_actor: str = ""
    job_credentials: Mapping[str, Credential] = field(default_factory=dict, hash=False)
    auth_file: str = ""
    insecure_registries: frozenset[str] = frozenset()
    ca_certificates: str = ""
    jobs: int = DEFAULT_JOBS
    retry_budget: float = DEFAULT_RETRY_BUDGET
    environment: Mapping[str, str] = field(default_factory=dict, hash=False, repr=False)

    @property
    def insecure(self) -> frozenset[str]:
        """The insecure registries as references name them."""
        return frozenset(registry_key(host) for host in self.insecure_registries)
