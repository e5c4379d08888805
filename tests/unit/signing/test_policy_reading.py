"""Reading policy.json: what is understood, and where what is not understood stands."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifest_action.errors import ConfigError, Mark
from manifest_action.signing.policy.identity import (
    ExactReference,
    ExactRepository,
    MatchExact,
    MatchRepoDigestOrExact,
    MatchRepository,
    RemapIdentity,
)
from manifest_action.signing.policy.reading import read_policy
from manifest_action.signing.policy.requirements import (
    AcceptAnything,
    Certifier,
    Keys,
    Policy,
    Reject,
    SignedBy,
    SigstoreSigned,
)
from manifest_action.signing.policy.shipped import accepts_everything
from manifest_action.signing.simplesigning import docker_reference

ACCEPT = {"type": "insecureAcceptAnything"}
KEY = base64.b64encode(b"key").decode()
GPG = {"type": "signedBy", "keyType": "GPGKeys", "keyPath": "a"}
SIGSTORE = {"type": "sigstoreSigned", "keyPath": "a"}


def read(document: object) -> Policy:
    return read_policy(json.dumps(document).encode(), "p.json")


def problem(raw: bytes) -> tuple[str, str]:
    """The JSON path of what is wrong, and what it is."""
    with pytest.raises(ConfigError) as caught:
        read_policy(raw, "p.json")
    (found,) = caught.value.problems
    assert found.mark is not None
    assert found.mark.file == "p.json"
    return found.path, found.what


@pytest.mark.parametrize(
    ("requirement", "expected"),
    [
        (ACCEPT, AcceptAnything()),
        ({"type": "reject"}, Reject()),
        (GPG, SignedBy(Keys(("a",)), MatchRepoDigestOrExact())),
        (
            {"type": "signedBy", "keyType": "GPGKeys", "keyPaths": ["a", "b"]},
            SignedBy(Keys(("a", "b")), MatchRepoDigestOrExact()),
        ),
        (
            {"type": "signedBy", "keyType": "GPGKeys", "keyData": KEY},
            SignedBy(Keys(data=(b"key",)), MatchRepoDigestOrExact()),
        ),
        (SIGSTORE, SigstoreSigned(Keys(("a",)), MatchRepoDigestOrExact())),
        (
            {"type": "sigstoreSigned", "keyDatas": [KEY, KEY]},
            SigstoreSigned(Keys(data=(b"key", b"key")), MatchRepoDigestOrExact()),
        ),
        (
            SIGSTORE | {"rekorPublicKeyDatas": [KEY]},
            SigstoreSigned(Keys(("a",)), MatchRepoDigestOrExact(), logs=Keys(data=(b"key",))),
        ),
        (
            {
                "type": "sigstoreSigned",
                "fulcio": {"caPath": "a", "oidcIssuer": "b", "subjectEmail": "c"},
                "rekorPublicKeyPath": "d",
            },
            SigstoreSigned(Keys(), MatchRepoDigestOrExact(), Certifier(Keys(("a",)), "b", "c"), Keys(("d",))),
        ),
        (
            {"type": "sigstoreSigned", "pki": {"caRootsPath": "a", "subjectHostname": "b"}},
            SigstoreSigned(Keys(), MatchRepoDigestOrExact(), unchecked=("pki",)),
        ),
    ],
)
def test_requirements(requirement: object, expected: object) -> None:
    assert read({"default": [requirement]}) == Policy((expected,))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("identity", "expected"),
    [
        ({"type": "matchExact"}, MatchExact()),
        ({"type": "matchRepoDigestOrExact"}, MatchRepoDigestOrExact()),
        ({"type": "matchRepository"}, MatchRepository()),
        ({"type": "exactReference", "dockerReference": "busybox:1"}, ExactReference(docker_reference("busybox:1"))),
        (
            {"type": "exactRepository", "dockerRepository": "busybox"},
            ExactRepository(docker_reference("docker.io/library/busybox").repository),
        ),
        (
            {"type": "remapIdentity", "prefix": "localhost:5000/a", "signedPrefix": "example.com"},
            RemapIdentity("localhost:5000/a", "example.com"),
        ),
    ],
)
def test_identities(identity: object, expected: object) -> None:
    for requirement in (GPG, SIGSTORE):
        (found,) = read({"default": [requirement | {"signedIdentity": identity}]}).default
        assert isinstance(found, SignedBy | SigstoreSigned)
        assert found.identity == expected


def _default(*requirements: object) -> dict[str, object]:
    return {"default": list(requirements)}


def _scoped(transport: str, scope: str) -> dict[str, object]:
    return _default(ACCEPT) | {"transports": {transport: {scope: [ACCEPT]}}}


WRONG: dict[str, tuple[Any, str, str]] = {
    "list": ([], "$", "must be an object"),
    "no default": ({}, "$", "'default' is missing"),
    "unknown member": (_default(ACCEPT) | {"defaults": []}, "$.defaults", "not known"),
    "default is an object": ({"default": ACCEPT}, "$.default", "must be a list"),
    "no requirement": ({"default": []}, "$.default", "at least one item"),
    "requirement is text": (_default("reject"), "$.default[0]", "must be an object"),
    "no type": (_default(ACCEPT, {}), "$.default[1]", "'type' is missing"),
    "type is a number": (_default({"type": 1}), "$.default[0].type", "must be a string"),
    "unknown type": (_default({"type": "Reject"}), "$.default[0].type", "not known"),
    "unknown member of accept": (_default(ACCEPT | {"x": 1}), "$.default[0].x", "not known"),
    "unknown member of reject": (_default({"type": "reject", "x": 1}), "$.default[0].x", "not known"),
    "unknown member of signedBy": (_default(GPG | {"keyDatas": []}), "$.default[0].keyDatas", "not known"),
    "unknown member of sigstoreSigned": (_default(SIGSTORE | {"keyType": "x"}), "$.default[0].keyType", "not known"),
    "no keyType": (_default({"type": "signedBy", "keyPath": "a"}), "$.default[0]", "'keyType' is missing"),
    "other keyType": (_default(GPG | {"keyType": "X509CAs"}), "$.default[0].keyType", "not known"),
    "no keys": (_default({"type": "sigstoreSigned"}), "$.default[0]", "exactly one of keyPath"),
    "two kinds of keys": (_default(GPG | {"keyData": KEY}), "$.default[0]", "exactly one of keyPath"),
    "keys and certificates": (_default(SIGSTORE | {"fulcio": {}}), "$.default[0]", "exactly one of keyPath"),
    "empty path": (_default(GPG | {"keyPath": ""}), "$.default[0].keyPath", "not empty"),
    "path in a list": (_default(GPG | {"keyPath": ["a"]}), "$.default[0].keyPath", "must be a string"),
    "data is no base64": (
        _default({"type": "sigstoreSigned", "keyData": "*"}),
        "$.default[0].keyData",
        "must be base64",
    ),
    "one of the data": (
        _default({"type": "sigstoreSigned", "keyDatas": [KEY, 5]}),
        "$.default[0].keyDatas[1]",
        "must be a string",
    ),
    "two Rekor keys": (
        _default(SIGSTORE | {"rekorPublicKeyPath": "a", "rekorPublicKeyData": KEY}),
        "$.default[0].rekorPublicKeyData",
        "rekorPublicKeyPath is given already",
    ),
    "fulcio without authorities": (
        _default({"type": "sigstoreSigned", "fulcio": {"oidcIssuer": "b"}}),
        "$.default[0].fulcio",
        "exactly one of caPath, caData",
    ),
    "fulcio without an address": (
        _default({"type": "sigstoreSigned", "fulcio": {"caPath": "a", "oidcIssuer": "b"}}),
        "$.default[0].fulcio",
        "'subjectEmail' is missing",
    ),
    "fulcio without a log": (
        _default({"type": "sigstoreSigned", "fulcio": {"caData": KEY, "oidcIssuer": "b", "subjectEmail": "c"}}),
        "$.default[0]",
        "with fulcio, one of rekorPublicKeyPath",
    ),
    "pki with a log": (
        _default({"type": "sigstoreSigned", "pki": {"caRootsPath": "a"}, "rekorPublicKeyPath": "b"}),
        "$.default[0].rekorPublicKeyPath",
        "cannot be given together with pki",
    ),
    "unknown member of fulcio": (
        _default({"type": "sigstoreSigned", "fulcio": {"ca": "x"}}),
        "$.default[0].fulcio.ca",
        "not known",
    ),
    "identity is text": (
        _default(GPG | {"signedIdentity": "matchExact"}),
        "$.default[0].signedIdentity",
        "must be an object",
    ),
    "unknown identity": (
        _default(GPG | {"signedIdentity": {"type": "match"}}),
        "$.default[0].signedIdentity.type",
        "not known",
    ),
    "identity without its member": (
        _default(GPG | {"signedIdentity": {"type": "exactReference"}}),
        "$.default[0].signedIdentity",
        "'dockerReference' is missing",
    ),
    "identity with another's member": (
        _default(GPG | {"signedIdentity": {"type": "matchExact", "prefix": "a"}}),
        "$.default[0].signedIdentity.prefix",
        "not known",
    ),
    "reference without a tag": (
        _default(GPG | {"signedIdentity": {"type": "exactReference", "dockerReference": "a/b"}}),
        "$.default[0].signedIdentity.dockerReference",
        "must have a tag or a digest",
    ),
    "repository with a tag": (
        _default(GPG | {"signedIdentity": {"type": "exactRepository", "dockerRepository": "a/b:c"}}),
        "$.default[0].signedIdentity.dockerRepository",
        "neither tag nor digest",
    ),
    "no reference": (
        _default(GPG | {"signedIdentity": {"type": "exactRepository", "dockerRepository": "A"}}),
        "$.default[0].signedIdentity.dockerRepository",
        "must be a reference",
    ),
    "no prefix": (
        _default(GPG | {"signedIdentity": {"type": "remapIdentity", "prefix": "a/", "signedPrefix": "b"}}),
        "$.default[0].signedIdentity.prefix",
        "must be a host",
    ),
    "no signed prefix": (
        _default(GPG | {"signedIdentity": {"type": "remapIdentity", "prefix": "a", "signedPrefix": "b:tag"}}),
        "$.default[0].signedIdentity.signedPrefix",
        "must be a host",
    ),
    "transports is a list": (_default(ACCEPT) | {"transports": []}, "$.transports", "must be an object"),
    "transport is a list": (_default(ACCEPT) | {"transports": {"docker": []}}, "$.transports.docker", "an object"),
    "nothing in a scope": (
        _default(ACCEPT) | {"transports": {"docker": {"ghcr.io/a": []}}},
        '$.transports.docker["ghcr.io/a"]',
        "at least one",
    ),
    "relative path": (_scoped("dir", "a"), "$.transports.dir.a", "absolute path"),
    "path with dots": (_scoped("oci", "/a/../b"), '$.transports.oci["/a/../b"]', "absolute path"),
    "root": (_scoped("oci-archive", "/"), '$.transports.oci-archive["/"]', "absolute path"),
    "scope of an archive": (_scoped("docker-archive", "/a"), '$.transports.docker-archive["/a"]', "no scope"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_found_in_its_place(case: str) -> None:
    document, path, what = WRONG[case]
    found = problem(json.dumps(document).encode())
    assert found[0] == path
    assert what in found[1]


@pytest.mark.parametrize(
    ("raw", "path", "what"),
    [
        (b'{"default": [{"type": "reject", "type": "reject"}]}', "$.default[0].type", "given twice"),
        (b'{"default": [], "default": []}', "$.default", "given twice"),
        (
            b'{"default": [{"type": "reject"}], "transports": {"docker": {}, "docker": {}}}',
            "$.transports.docker",
            "twice",
        ),
        (b"", "$", "not JSON"),
        (b'{"default": [}', "$", "not JSON"),
        (b"\xff", "$", "not JSON"),
        (b"[" * 100_000, "$", "not JSON"),
        (b'{"default": %s}' % (b"9" * 5000), "$", "not JSON"),
        (b'{"default": NaN}', "$.default", "must be a list"),
    ],
)
def test_text_that_is_no_policy(raw: bytes, path: str, what: str) -> None:
    found = problem(raw)
    assert found[0] == path
    assert what in found[1]


def test_the_line_of_bad_syntax_is_told() -> None:
    with pytest.raises(ConfigError) as caught:
        read_policy(b'{\n"default": [\n}', "p.json")
    assert caught.value.mark == Mark("p.json", 3, 1)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
REQUIREMENT = st.sampled_from([ACCEPT, {"type": "reject"}, GPG, SIGSTORE])


@given(st.binary(max_size=60))
def test_any_bytes_are_a_policy_or_a_problem(raw: bytes) -> None:
    try:
        read_policy(raw, "p.json")
    except ConfigError:
        return


@given(REQUIREMENT, st.text(max_size=12), JSON)
def test_a_member_more_is_never_accepted(requirement: dict[str, str], name: str, value: object) -> None:
    """However it is called: a word that is misspelt must not be a requirement that is left out."""
    if name in requirement or name == "signedIdentity":
        return
    with pytest.raises(ConfigError) as caught:
        read({"default": [requirement | {name: value}]})
    assert caught.value.problems[0].path.startswith("$.default[0]")


@given(
    st.lists(REQUIREMENT, min_size=1, max_size=3),
    st.dictionaries(st.text(), st.lists(REQUIREMENT, min_size=1, max_size=2)),
)
def test_every_scope_is_kept_with_all_its_requirements(default: list[object], scopes: dict[str, list[object]]) -> None:
    policy = read({"default": default, "transports": {"docker": scopes}})
    assert len(policy.default) == len(default)
    assert {scope: len(found) for scope, found in policy.transports["docker"].items()} == {
        scope: len(given) for scope, given in scopes.items()
    }


@pytest.mark.parametrize("transports", [None, {"docker-daemon": {"": [ACCEPT]}}])
def test_what_packages_ship_is_known_at_sight_and_accepts_everything(transports: object) -> None:
    document = {"default": [ACCEPT]} | ({} if transports is None else {"transports": transports})
    assert accepts_everything(json.dumps(document, indent=4).encode())
    assert read(document).is_open


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b'{"default": []}',
        b'{"default": [{"type": "reject"}]}',
        b'{"default": [{"type": "reject"}], "default": [{"type": "insecureAcceptAnything"}]}',
        b'{"default": [{"type": "insecureAcceptAnything"}], "transports": {"docker": {"": [{"type": "reject"}]}}}',
        b'{"default": [{"type": "insecureAcceptAnything", "more": 1}]}',
        b'[{"type": "insecureAcceptAnything"}]',
    ],
)
def test_any_other_policy_is_read(raw: bytes) -> None:
    assert not accepts_everything(raw)
