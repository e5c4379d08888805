"""Reading how a run behaves: the inputs beside those that describe an index (design section 4.2)."""

import math
import re
from collections.abc import Mapping, Sequence

from manifest_action.model.reference import Reference
from manifest_action.plan.credentials import read_login, read_registries, registry_scope
from manifest_action.plan.part import Part
from manifest_action.plan.settings import DEFAULT_JOBS, DEFAULT_RETRY_BUDGET, Settings
from manifest_action.plan.shards import Shard

OPTIONS = (
    "push",
    "registries",
    "username",
    "password",
    "github-token",
    "github-actor",
    "auth-file",
    "insecure-registries",
    "ca-certificates",
    "jobs",
    "retry-budget",
    "policy",
    "shard",
)
JOBS_LIMIT = 64
RETRY_BUDGET_LIMIT = 24 * 3600.0
_HOSTS_LIMIT = 100
_NUMBER = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")


def read_settings(parts: Mapping[str, Part], references: Sequence[Reference], *, jobs: int = DEFAULT_JOBS) -> Settings:
    """The settings that the inputs make; paths are taken as they are.

    references: the destinations that `username` and `password` are for
    jobs:       how many, when nobody says
    """
    push = parts["push"].boolean() if "push" in parts else True
    login = read_login(parts.get("username"), parts.get("password"), references)
    registries = read_registries(parts["registries"]) if "registries" in parts else {}
    return Settings(
        push=push is not False,
        credentials=login | registries,
        github_token=_text(parts, "github-token"),
        github_actor=_text(parts, "github-actor"),
        auth_file=_text(parts, "auth-file"),
        insecure_registries=_hosts(parts.get("insecure-registries")),
        ca_certificates=_text(parts, "ca-certificates"),
        jobs=int(_number(parts.get("jobs"), jobs, 1, JOBS_LIMIT, whole=True)),
        policy=_text(parts, "policy"),
        retry_budget=_number(parts.get("retry-budget"), DEFAULT_RETRY_BUDGET, 0, RETRY_BUDGET_LIMIT),
        shard=_shard(parts.get("shard")),
    )


def _shard(part: Part | None) -> Shard:
    text = part.text() if part else None
    if part is None or text is None:
        return Shard()
    try:
        return Shard.parse(text)
    except ValueError as error:
        part.refuse(str(error), "write it as 1/4 for the first of four")
        return Shard()


def _text(parts: Mapping[str, Part], name: str) -> str:
    return (parts[name].text() or "") if name in parts else ""


def _hosts(part: Part | None) -> frozenset[str]:
    items = part.items(_HOSTS_LIMIT) if part else []
    return frozenset(host for item in items if (host := _host(item)))


def _host(part: Part) -> str:
    text = part.text()
    if text is None:
        return ""
    try:
        scope = registry_scope(text)
    except ValueError as error:
        part.refuse(str(error), "write it as host or host:port")
        return ""
    if "/" in scope:
        part.refuse("must be a host without a path", "write it as host or host:port")
    return scope


def _number(part: Part | None, default: float, low: float, high: float, *, whole: bool = False) -> float:
    text = part.text() if part else None
    if part is None or text is None:
        return default
    number = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not low <= number <= high or (whole and "." in text):
        kind = "a whole number" if whole else "a number of seconds"
        part.refuse(f"{text[:80]!r} is not {kind} from {low:g} to {high:g}")
        return default
    return number
