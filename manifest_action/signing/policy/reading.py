"""Reading policy.json as strictly as containers-policy.json(5) has it: what is not understood is an error. Pure."""

import base64
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NoReturn

from manifest_action.errors import ConfigError, Mark, Problem
from manifest_action.model.reference import DIRECTORY, OCI, OCI_ARCHIVE, Reference
from manifest_action.signing.policy.identity import (
    ExactReference,
    ExactRepository,
    IdentityRule,
    MatchExact,
    MatchRepoDigestOrExact,
    MatchRepository,
    RemapIdentity,
)
from manifest_action.signing.policy.requirements import (
    AcceptAnything,
    Certifier,
    Keys,
    Policy,
    Reject,
    Requirement,
    Requirements,
    SignedBy,
    SigstoreSigned,
)
from manifest_action.signing.simplesigning import docker_reference

_LOCAL_PATHS = frozenset({DIRECTORY, OCI, OCI_ARCHIVE})
_NO_SCOPES = frozenset({"docker-archive"})
_PLAIN_MEMBER = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = rf"(?:\[[0-9a-f:]+\]|{_LABEL}(?:\.{_LABEL})*)(?::[0-9]+)?"
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PREFIX = re.compile(rf"{_HOST}(?:/{_COMPONENT})*")
_GPG_SOURCES = ("keyPath", "keyPaths", "keyData")
_SIGSTORE_SOURCES = ("keyPath", "keyPaths", "keyData", "keyDatas", "fulcio", "pki")
_REKOR_SOURCES = ("rekorPublicKeyPath", "rekorPublicKeyPaths", "rekorPublicKeyData", "rekorPublicKeyDatas")
_PKI = (
    "caRootsPath",
    "caRootsData",
    "caIntermediatesPath",
    "caIntermediatesData",
    "subjectEmail",
    "subjectHostname",
)


def read_policy(raw: bytes, file: str) -> Policy:
    """Read a policy. `file` names it in errors.

    Raises ConfigError with the JSON path of what is wrong: no JSON, keys given twice, unknown members, values of
    another type, missing ones.
    """
    try:
        return _policy(_Value(_parsed(raw), "$"))
    except _Malformed as error:
        raise ConfigError([Problem(error.what, Mark(file, error.line, 1), error.path, error.hint)]) from None


class _Malformed(Exception):
    """What is wrong with a policy, and the JSON path at which it is."""

    def __init__(self, what: str, path: str, hint: str = "", line: int = 1) -> None:
        super().__init__(what)
        self.what = what
        self.path = path
        self.hint = hint
        self.line = line


class _Pairs(list[tuple[str, object]]):
    """The members of a JSON object as they were written, so that a key given twice can be told with its path."""


def _parsed(raw: bytes) -> object:
    try:
        return json.loads(raw.decode("utf-8"), object_pairs_hook=_Pairs)
    except json.JSONDecodeError as error:
        raise _Malformed(f"this is not JSON: {error.msg}", "$", line=error.lineno) from None
    except (RecursionError, ValueError):
        raise _Malformed("this is not JSON that can be read", "$") from None


@dataclass(frozen=True, slots=True)
class _Value:
    """A JSON value and its path."""

    value: object
    path: str

    def refuse(self, what: str, hint: str = "") -> NoReturn:
        raise _Malformed(what, self.path, hint)

    def members(self, known: Iterable[str] | None = None) -> Mapping[str, "_Value"]:
        """The members of an object; every one that is not `known` is an error, if anything is said about that."""
        if not isinstance(self.value, _Pairs):
            self.refuse("this must be an object")
        names = None if known is None else tuple(known)
        found: dict[str, _Value] = {}
        for name, value in self.value:
            member = _Value(value, self.path + _step(name))
            if name in found:
                member.refuse("this key is given twice")
            if names is not None and name not in names:
                member.refuse("this member is not known", f"known here are {', '.join(names)}")
            found[name] = member
        return found

    def items(self) -> tuple["_Value", ...]:
        """The items of a list that is not empty."""
        if isinstance(self.value, _Pairs) or not isinstance(self.value, list) or not self.value:
            self.refuse("this must be a list with at least one item")
        return tuple(_Value(item, f"{self.path}[{place}]") for place, item in enumerate(self.value))

    def text(self) -> str:
        if not isinstance(self.value, str) or not self.value:
            self.refuse("this must be a string that is not empty")
        return self.value

    def data(self) -> bytes:
        try:
            return base64.b64decode(self.text(), validate=True)
        except ValueError:
            self.refuse("this must be base64")

    def required(self, name: str, members: Mapping[str, "_Value"]) -> "_Value":
        if name not in members:
            self.refuse(f"the member {name!r} is missing")
        return members[name]


def _step(name: str) -> str:
    return f".{name}" if _PLAIN_MEMBER.fullmatch(name) else f"[{json.dumps(name[:200])}]"


def _policy(document: _Value) -> Policy:
    members = document.members(("default", "transports"))
    transports = members["transports"].members() if "transports" in members else {}
    return Policy(
        _requirements(document.required("default", members)),
        {name: _scopes(name, value) for name, value in transports.items()},
    )


def _scopes(transport: str, value: _Value) -> Mapping[str, Requirements]:
    found = value.members()
    for scope, requirements in found.items():
        if scope and transport in _NO_SCOPES:
            requirements.refuse(f"{transport} has no scope but the empty one")
        if scope and transport in _LOCAL_PATHS and not _is_absolute(scope):
            requirements.refuse(f"a scope of {transport} must be an absolute path without . and .., and not /")
    return {scope: _requirements(requirements) for scope, requirements in found.items()}


def _is_absolute(path: str) -> bool:
    return path.startswith("/") and path != "/" and not any(part in ("", ".", "..") for part in path[1:].split("/"))


def _requirements(value: _Value) -> Requirements:
    return tuple(_requirement(item) for item in value.items())


def _requirement(value: _Value) -> Requirement:
    kind = value.required("type", value.members())
    if kind.text() not in _READERS:
        kind.refuse("this type is not known", f"known are {', '.join(_READERS)}")
    return _READERS[kind.text()](value)


def _accept(value: _Value) -> Requirement:
    value.members(("type",))
    return AcceptAnything()


def _reject(value: _Value) -> Requirement:
    value.members(("type",))
    return Reject()


def _signed_by(value: _Value) -> Requirement:
    members = value.members(("type", "keyType", *_GPG_SOURCES, "signedIdentity"))
    kind = value.required("keyType", members)
    if kind.text() != "GPGKeys":
        kind.refuse("this type of keys is not known", "known is GPGKeys")
    _source(value, members, _GPG_SOURCES)
    return SignedBy(_keys(members), _identity(members.get("signedIdentity")))


def _sigstore_signed(value: _Value) -> Requirement:
    members = value.members(("type", *_SIGSTORE_SOURCES, *_REKOR_SOURCES, "signedIdentity"))
    source = _source(value, members, _SIGSTORE_SOURCES)
    certifier = _certifier(members["fulcio"]) if source == "fulcio" else None
    rekor = [name for name in _REKOR_SOURCES if name in members]
    if len(rekor) > 1:
        members[rekor[1]].refuse(f"{rekor[0]} is given already")
    logs = [_key_material(name.replace("rekorPublicKey", "key"), members[name]) for name in rekor]
    if source == "pki" and rekor:
        members[rekor[0]].refuse("this cannot be given together with pki")
    if source == "fulcio" and not rekor:
        value.refuse(f"with fulcio, one of {', '.join(_REKOR_SOURCES)} must be given")
    if source == "pki":
        for member in members["pki"].members(_PKI).values():
            member.text()
    identity = _identity(members.get("signedIdentity"))
    unchecked = ("pki",) if source == "pki" else ()
    return SigstoreSigned(_keys(members), identity, certifier, logs[0] if logs else Keys(), unchecked)


def _certifier(value: _Value) -> Certifier:
    members = value.members(("caPath", "caData", "oidcIssuer", "subjectEmail"))
    source = _source(value, members, ("caPath", "caData"))
    authorities = _key_material(source.replace("ca", "key"), members[source])
    issuer, email = (value.required(name, members).text() for name in ("oidcIssuer", "subjectEmail"))
    return Certifier(authorities, issuer, email)


_READERS: Mapping[str, Callable[[_Value], Requirement]] = {
    "insecureAcceptAnything": _accept,
    "reject": _reject,
    "signedBy": _signed_by,
    "sigstoreSigned": _sigstore_signed,
}


def _source(value: _Value, members: Mapping[str, _Value], names: tuple[str, ...]) -> str:
    """The one member that says where the keys are."""
    given = [name for name in names if name in members]
    if len(given) != 1:
        value.refuse(f"exactly one of {', '.join(names)} must be given")
    return given[0]


def _keys(members: Mapping[str, _Value]) -> Keys:
    found = [_key_material(name, members[name]) for name in _SIGSTORE_SOURCES[:4] if name in members]
    return found[0] if found else Keys()


def _key_material(name: str, value: _Value) -> Keys:
    match name:
        case "keyPath":
            return Keys(paths=(value.text(),))
        case "keyPaths":
            return Keys(paths=tuple(item.text() for item in value.items()))
        case "keyData":
            return Keys(data=(value.data(),))
        case _:
            return Keys(data=tuple(item.data() for item in value.items()))


def _identity(value: _Value | None) -> IdentityRule:
    if value is None:
        return MatchRepoDigestOrExact()
    kind = value.required("type", value.members())
    if kind.text() not in _IDENTITIES:
        kind.refuse("this rule is not known", f"known are {', '.join(_IDENTITIES)}")
    names, rule = _IDENTITIES[kind.text()]
    members = value.members(("type", *names))
    return rule(*(value.required(name, members) for name in names))


def _exact_reference(value: _Value) -> IdentityRule:
    reference = _reference(value)
    if not reference.tag and not reference.digest:
        value.refuse("this must have a tag or a digest")
    return ExactReference(reference)


def _exact_repository(value: _Value) -> IdentityRule:
    reference = _reference(value)
    if reference.tag or reference.digest:
        value.refuse("this must have neither tag nor digest")
    return ExactRepository(reference.repository)


def _remap(prefix: _Value, signed_prefix: _Value) -> IdentityRule:
    for value in (prefix, signed_prefix):
        if not _PREFIX.fullmatch(value.text()):
            value.refuse("this must be a host[:port], with namespaces or a repository behind it if need be")
    return RemapIdentity(prefix.text(), signed_prefix.text())


def _reference(value: _Value) -> Reference:
    try:
        return docker_reference(value.text())
    except ValueError as error:
        value.refuse(f"this must be a reference: {error}")


_IDENTITIES: Mapping[str, tuple[tuple[str, ...], Callable[..., IdentityRule]]] = {
    "matchExact": ((), MatchExact),
    "matchRepoDigestOrExact": ((), MatchRepoDigestOrExact),
    "matchRepository": ((), MatchRepository),
    "exactReference": (("dockerReference",), _exact_reference),
    "exactRepository": (("dockerRepository",), _exact_repository),
    "remapIdentity": (("prefix", "signedPrefix"), _remap),
}
