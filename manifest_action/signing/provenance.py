"""How an index was made, as a SLSA provenance v1 predicate (slsa.dev/spec/v1.0/provenance); pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from manifest_action.model.strictjson import parse_object

PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:manifest-action:buildtypes:index:v1"
"""Indexes made of images; what its parameters mean is in docs/attached.md."""


@dataclass(frozen=True, slots=True)
class Build:
    """Who makes an index, and on whose behalf, as the CI system says; what it does not say is empty.

    builder:    URI of what is trusted to run it, such as a workflow file at a revision
    invocation: URI of this very run
    source:     URI of the repository and revision that say what to do, such as `git+https://host/path@refs/heads/main`
    commit:     of that revision
    workflow:   where in the source it is said
    """

    builder: str = "urn:manifest-action:builders:unknown"
    invocation: str = ""
    source: str = ""
    commit: str = ""
    workflow: Mapping[str, str] = field(default_factory=dict, hash=False)


UNKNOWN_BUILD = Build()
"""Somewhere that says nothing about itself."""


@dataclass(frozen=True, slots=True)
class Dependency:
    """Something that went into it. digest: of a manifest, `algorithm:hex`; name: its platform, if it is an instance."""

    uri: str
    digest: str
    name: str = ""

    def to_document(self) -> dict[str, object]:
        """A resource descriptor of in-toto."""
        algorithm, _, encoded = self.digest.partition(":")
        named = {"name": self.name} if self.name else {}
        return {**named, "uri": self.uri, "digest": {algorithm: encoded}}


def predicate(
    build: Build, parameters: Mapping[str, object], dependencies: Sequence[Dependency], version: str
) -> dict[str, object]:
    """The predicate. It has no time in it; only `runDetails.metadata` differs between runs of the same thing.

    parameters: what the user asked for
    version:    of this program
    """
    source = [{"uri": build.source, "digest": {"gitCommit": build.commit}}] if build.source and build.commit else []
    workflow = {"workflow": dict(build.workflow)} if build.workflow else {}
    details: dict[str, object] = {"builder": {"id": build.builder, "version": {"manifest-action": version}}}
    if build.invocation:
        details["metadata"] = {"invocationId": build.invocation}
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {**parameters, **workflow},
            "resolvedDependencies": [*source, *(each.to_document() for each in dependencies)],
        },
        "runDetails": details,
    }


def restates(there: bytes, new: bytes) -> bool:
    """Whether a statement that is there says the same; the run that said it and the program's version do not count."""
    try:
        return _essence(parse_object(there)) == _essence(parse_object(new))
    except ValueError:
        return False


def _essence(statement: Mapping[str, object]) -> tuple[object, ...]:
    said = statement.get("predicate")
    if statement.get("predicateType") != PREDICATE_TYPE or not isinstance(said, Mapping):
        raise ValueError("it is no provenance")
    details = said.get("runDetails")
    builder = details.get("builder") if isinstance(details, Mapping) else None
    identity = builder.get("id") if isinstance(builder, Mapping) else None
    return statement.get("subject"), said.get("buildDefinition"), identity
