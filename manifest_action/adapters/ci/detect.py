"""Which CI system this is, by the variables it sets."""

from collections.abc import Callable, Mapping

from manifest_action.adapters.ci.azure import AzurePipelines
from manifest_action.adapters.ci.base import System
from manifest_action.adapters.ci.gitlab import GitLab
from manifest_action.adapters.ci.plain import PlainSystem
from manifest_action.adapters.ci.plugins import Buildkite, Drone
from manifest_action.adapters.ci.shells import CircleCI, Jenkins, Tekton
from manifest_action.adapters.github.system import Gitea, GitHub
from manifest_action.errors import ConfigError, Problem

_CHOICE = "MANIFEST_ACTION_SYSTEM"

SYSTEMS: Mapping[str, Callable[[Mapping[str, str]], System]] = {
    "github": GitHub,
    "gitea": Gitea,
    "gitlab": GitLab,
    "azure": AzurePipelines,
    "circleci": CircleCI,
    "jenkins": Jenkins,
    "tekton": Tekton,
    "drone": Drone,
    "woodpecker": Drone,
    "buildkite": Buildkite,
    "plain": PlainSystem,
}
"""Every adapter, by the name that MANIFEST_ACTION_SYSTEM may give."""


def find_system(environment: Mapping[str, str]) -> System:
    """The adapter of the system that the variables tell of, or that MANIFEST_ACTION_SYSTEM names.

    Raises ConfigError when that one is not known.
    """
    choice = environment.get(_CHOICE, "").strip().lower()
    if choice and choice not in SYSTEMS:
        raise ConfigError([Problem(f"unknown CI system {choice[:40]!r}", hint=f"known are {', '.join(SYSTEMS)}")])
    return SYSTEMS[choice or _detected(environment)](environment)


def _detected(environment: Mapping[str, str]) -> str:
    """Forges that speak GitHub's language come before it, as they set its variables too."""

    def says(name: str, *values: str) -> bool:
        return environment.get(name, "").lower() in (values or ("true", "1"))

    signs = (
        ("gitea", says("GITEA_ACTIONS") or says("FORGEJO_ACTIONS")),
        ("github", says("GITHUB_ACTIONS")),
        ("gitlab", says("GITLAB_CI")),
        ("azure", says("TF_BUILD")),
        ("circleci", says("CIRCLECI")),
        ("buildkite", says("BUILDKITE")),
        ("drone", says("DRONE") or says("CI", "woodpecker") or says("CI_SYSTEM_NAME", "woodpecker")),
        ("jenkins", bool(environment.get("JENKINS_URL"))),
    )
    return next((name for name, seen in signs if seen), "plain")
