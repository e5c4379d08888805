"""The action's inputs, as the runner passes them: `INPUT_` and the upper-cased id, hyphens kept."""

import re
from collections.abc import Iterator, Mapping

INPUTS = (
    "spec",
    "image",
    "tags",
    "sources",
    "images",
    "manifests",
    "digests",
    "metadata",
    "annotations",
    "index-annotations",
    "expect",
    "format",
    "lossy",
    "compression",
    "attestations",
    "existing",
    "artifact-type",
    "subject",
    "referrers",
    "remove-signatures",
    "attach",
    "provenance",
    "sign",
    "verify",
    "protect-children",
    "cleanup-tags",
    "push",
    "registries",
    "username",
    "password",
    "github-token",
    "auth-file",
    "insecure-registries",
    "ca-certificates",
    "policy",
    "jobs",
    "retry-budget",
    "shard",
    "working-directory",
)
"""Every input that `action.yml` declares."""

_SECRET_LINE = re.compile(r"""['"]?(?:password|token|identity-token|registry-token)['"]?\s*:\s*['"]?([^'",}\]\s]+)""")


def read_inputs(environment: Mapping[str, str], prefix: str = "INPUT_") -> dict[str, str]:
    """The inputs that were given, as they are; a blank one counts as not given, as the runner makes no difference.

    Hyphens in names may have become underscores, as systems other than GitHub's do it.
    """
    values = {name: _value(environment, name, prefix) for name in INPUTS}
    return {name: value for name, value in values.items() if value.strip()}


def secrets(inputs: Mapping[str, str]) -> Iterator[str]:
    """Everything in the inputs that is secret, or looks like it, before any of it is understood."""
    for name in ("password", "github-token"):
        if value := inputs.get(name, "").strip():
            yield value
    for match in _SECRET_LINE.finditer(inputs.get("registries", "")):
        yield match[1]


def _value(environment: Mapping[str, str], name: str, prefix: str) -> str:
    variable = f"{prefix}{name.upper()}"
    return environment.get(variable) or environment.get(variable.replace("-", "_"), "")
