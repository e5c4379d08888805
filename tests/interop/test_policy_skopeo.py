"""Policies are decided as skopeo decides them: the same images, signatures, policies and references for both."""

import base64
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from manifest_action.adapters.policyfiles import read_rules
from manifest_action.errors import PolicyError
from manifest_action.model.reference import parse_reference
from manifest_action.ops.admit import admit
from manifest_action.ops.resolve import resolve
from manifest_action.ops.waves import Waves
from manifest_action.plan.spec import IndexSpec, SourceSpec
from manifest_action.transport.registry.options import RegistryOptions
from manifest_action.transport.table import TransportTable
from tests.support.gpg import LONG_AGO, Gpg, gpg, payload, store
from tests.support.images import image, index, push, write_directory, write_layout
from tests.support.loopback import LoopbackServer
from tests.support.peers import Peer
from tests.support.servers import Registry
from tests.unit.ops.memory import Recorder

ACCEPT = [{"type": "insecureAcceptAnything"}]
REJECT = [{"type": "reject"}]


def by(key: str = "alice", identity: object = None, **members: object) -> dict[str, object]:
    keys = {} if {"keyPaths", "keyData"} & members.keys() else {"keyPath": f"{{folder}}/{key}.gpg"}
    rule = {"signedIdentity": identity} if identity else {}
    return {"type": "signedBy", "keyType": "GPGKeys"} | keys | rule | members


def rule(kind: str, **members: str) -> dict[str, str]:
    return {"type": kind, **members}


def docker(scopes: dict[str, object], default: object = REJECT) -> dict[str, object]:
    return {"default": default, "transports": {"docker": scopes}}


def remap(prefix: str, signed: str) -> dict[str, str]:
    return rule("remapIdentity", prefix=prefix, signedPrefix=signed)


ANY_TAG = rule("matchRepository")
EXACT = rule("matchExact")
DEFAULT = rule("matchRepoDigestOrExact")
UPSTREAM = "upstream.example/team/app"

# {host} is the registry's, {folder} that of the keys, {run} the namespace of the repositories.
CASES: dict[str, tuple[object, str, bool]] = {
    # What is required where
    "accept by default": ({"default": ACCEPT}, "none:v1", True),
    "reject by default": ({"default": REJECT}, "none:v1", False),
    "signed by default": ({"default": [by()]}, "app:v1", True),
    "signed by default, unsigned": ({"default": [by()]}, "none:v1", False),
    "the transport's own default": (docker({"": ACCEPT}), "none:v1", True),
    "another transport's default": ({"default": REJECT, "transports": {"dir": {"": ACCEPT}}}, "none:v1", False),
    "scope of the reference": (docker({"{host}/{run}/none:v1": ACCEPT, "{host}": REJECT}), "none:v1", True),
    "scope of another tag": (docker({"{host}/{run}/none:v2": ACCEPT}), "none:v1", False),
    "scope of the repository": (docker({"{host}/{run}/none": ACCEPT, "{host}": REJECT}), "none:v1", True),
    "scope of the namespace": (docker({"{host}/{run}": ACCEPT, "{host}": REJECT}), "none:v1", True),
    "scope of half a namespace": (docker({"{host}/test": ACCEPT}), "none:v1", False),
    "scope of the host": (docker({"{host}": ACCEPT}), "none:v1", True),
    "scope of the host without its port": (docker({"127.0.0.1": ACCEPT}), "none:v1", False),
    "wildcard, one label off": (docker({"*.0.0.1": ACCEPT}), "none:v1", True),
    "wildcard, two labels off": (docker({"*.0.1": ACCEPT, "*.1": REJECT}), "none:v1", True),
    "wildcard of everything": (docker({"*": ACCEPT}), "none:v1", False),
    "wildcard of the host itself": (docker({"*.127.0.0.1": ACCEPT}), "none:v1", False),
    "narrower reject": (docker({"{host}/{run}/app": REJECT, "{host}": ACCEPT}), "app:v1", False),
    "scope of the digest": (docker({"{host}/{run}/none@{digest}": ACCEPT}), "none@{digest}", True),
    "scope of the digest, asked by tag": (docker({"{host}/{run}/none@{digest}": ACCEPT}), "none:v1", False),
    "scope of the tag, asked by digest": (docker({"{host}/{run}/none:v1": ACCEPT}), "none@{digest}", False),
    "no tag is the tag latest": (docker({"{host}/{run}/none:latest": ACCEPT}), "none", True),
    # Several requirements
    "all must pass": ({"default": [by(), by("bob")]}, "app:v1", False),
    "all pass": ({"default": [by(), by("bob")]}, "both:v1", True),
    "accept and reject": ({"default": ACCEPT + REJECT}, "app:v1", False),
    # Keys
    "another key": ({"default": [by("bob")]}, "app:v1", False),
    "key as data": ({"default": [by(keyData="{alice}")]}, "app:v1", True),
    "another key as data": ({"default": [by(keyData="{bob}")]}, "app:v1", False),
    "armored key": ({"default": [by("armored")]}, "app:v1", True),
    "two keys in a file": ({"default": [by("team")]}, "app:v1", True),
    "no key in the file": ({"default": [by("empty")]}, "app:v1", False),
    "no such file": ({"default": [by("missing")]}, "app:v1", False),
    "expired key": ({"default": [by("old")]}, "old:v1", False),
    "Ed25519": ({"default": [by("curve")]}, "curve:v1", True),
    # Identity rules, by tag and by digest
    "default rule, tag": ({"default": [by(identity=DEFAULT)]}, "app:v1", True),
    "default rule, other tag": ({"default": [by()]}, "app:v2", False),
    "default rule, digest": ({"default": [by()]}, "app@{digest}", True),
    "default rule, other repository by digest": ({"default": [by()]}, "mirror@{digest}", False),
    "default rule, bare name signed": ({"default": [by()]}, "bare@{digest}", False),
    "default rule, digest signed": ({"default": [by()]}, "digested@{digest}", True),
    "default rule, digest signed, by tag": ({"default": [by()]}, "digested:v1", False),
    "matchExact, tag": ({"default": [by(identity=EXACT)]}, "app:v1", True),
    "matchExact, other tag": ({"default": [by(identity=EXACT)]}, "app:v2", False),
    "matchExact, digest": ({"default": [by(identity=EXACT)]}, "app@{digest}", False),
    "matchExact, digest signed": ({"default": [by(identity=EXACT)]}, "digested@{digest}", True),
    "matchRepository, other tag": ({"default": [by(identity=ANY_TAG)]}, "app:v2", True),
    "matchRepository, digest": ({"default": [by(identity=ANY_TAG)]}, "app@{digest}", True),
    "matchRepository, bare name signed": ({"default": [by(identity=ANY_TAG)]}, "bare:v1", True),
    "matchRepository, other repository": ({"default": [by(identity=ANY_TAG)]}, "mirror:v1", False),
    "exactReference": (
        {"default": [by(identity=rule("exactReference", dockerReference=f"{UPSTREAM}:v1"))]},
        "mirror:v1",
        True,
    ),
    "exactReference, other tag": (
        {"default": [by(identity=rule("exactReference", dockerReference=f"{UPSTREAM}:v2"))]},
        "mirror:v1",
        False,
    ),
    "exactReference, by digest": (
        {"default": [by(identity=rule("exactReference", dockerReference=f"{UPSTREAM}:v1"))]},
        "mirror@{digest}",
        True,
    ),
    "exactRepository": (
        {"default": [by(identity=rule("exactRepository", dockerRepository=UPSTREAM))]},
        "mirror:v1",
        True,
    ),
    "exactRepository, other": (
        {"default": [by(identity=rule("exactRepository", dockerRepository=f"{UPSTREAM}s"))]},
        "mirror:v1",
        False,
    ),
    "exactRepository, short name": (
        {"default": [by(identity=rule("exactRepository", dockerRepository="busybox"))]},
        "busybox:v1",
        True,
    ),
    "remapIdentity, repository": (
        {"default": [by(identity=remap("{host}/{run}/mirror", UPSTREAM))]},
        "mirror:v1",
        True,
    ),
    "remapIdentity, by digest": (
        {"default": [by(identity=remap("{host}/{run}/mirror", UPSTREAM))]},
        "mirror@{digest}",
        True,
    ),
    "remapIdentity, namespace": (
        {"default": [by(identity=remap("{host}/{run}", "upstream.example/team"))]},
        "app2:v1",
        True,
    ),
    "remapIdentity, host": ({"default": [by(identity=remap("{host}", "upstream.example"))]}, "moved:v1", True),
    "remapIdentity, half a component": (
        {"default": [by(identity=remap("{host}/{run}/mirr", "upstream.example/team/a"))]},
        "mirror:v1",
        False,
    ),
    "remapIdentity, does not apply": (
        {"default": [by(identity=remap("other.example", UPSTREAM))]},
        "app:v1",
        True,
    ),
    "remapIdentity, other tag": (
        {"default": [by(identity=remap("{host}/{run}/mirror", UPSTREAM))]},
        "mirror:v2",
        False,
    ),
    # What is stored
    "second signature is the good one": ({"default": [by()]}, "second:v1", True),
    "a gap hides what follows": ({"default": [by()]}, "gap:v1", False),
    "flipped bit": ({"default": [by()]}, "flipped:v1", False),
    "another digest": ({"default": [by()]}, "elsewhere:v1", False),
    "armored signature": ({"default": [by()]}, "armored:v1", False),
    "clear text signature": ({"default": [by()]}, "clear:v1", False),
    "detached signature": ({"default": [by()]}, "detached:v1", False),
    "uncompressed": ({"default": [by()]}, "plain:v1", True),
    "two signers of one message": ({"default": [by("team")]}, "twice:v1", False),
    "empty file": ({"default": [by()]}, "blank:v1", False),
    "no payload": ({"default": [by()]}, "garbage:v1", False),
    "unknown member in critical": ({"default": [by()]}, "critical:v1", False),
    "optional is null": ({"default": [by()]}, "null:v1", False),
    "optional has more": ({"default": [by()]}, "optional:v1", True),
    "timestamp is no whole number": ({"default": [by()]}, "timestamp:v1", False),
    "creator is no text": ({"default": [by()]}, "creator:v1", False),
    "cosign's type": ({"default": [by()]}, "cosign:v1", False),
    "expired signature": ({"default": [by("eve")]}, "stale:v1", False),
    # Indexes: every instance counts
    "index, all signed": ({"default": [by()]}, "list:v1", True),
    "index, only itself signed": ({"default": [by()]}, "listonly:v1", False),
    "index, one not signed": ({"default": [by()]}, "listpart:v1", False),
    "index, by digest": ({"default": [by()]}, "list@{digest}", True),
    # Places that are not registries
    "dir": ({"default": [by(identity=rule("exactRepository", dockerRepository=UPSTREAM))]}, "dir:{folder}/dir", True),
    "dir, index": (
        {"default": [by(identity=rule("exactRepository", dockerRepository=UPSTREAM))]},
        "dir:{folder}/dirlist",
        True,
    ),
    "dir has no name": ({"default": [by(identity=ANY_TAG)]}, "dir:{folder}/dir", False),
    "dir, scope": ({"default": REJECT, "transports": {"dir": {"{folder}/dir": ACCEPT}}}, "dir:{folder}/dir", True),
    "dir, scope above": ({"default": REJECT, "transports": {"dir": {"{folder}": ACCEPT}}}, "dir:{folder}/dir", True),
    "dir, scope of a link's target": (
        {"default": REJECT, "transports": {"dir": {"{folder}/dir": ACCEPT}}},
        "dir:{folder}/link",
        True,
    ),
    "oci, scope": ({"default": REJECT, "transports": {"oci": {"{folder}/oci": ACCEPT}}}, "oci:{folder}/oci:v1", True),
    "oci, scope with its name": (
        {"default": REJECT, "transports": {"oci": {"{folder}/oci:v1": ACCEPT}}},
        "oci:{folder}/oci:v1",
        False,
    ),
    "oci has no signatures": ({"default": [by(identity=ANY_TAG)]}, "oci:{folder}/oci:v1", False),
    "unknown transports do not matter": (
        {"default": ACCEPT, "transports": {"atomic": {"x": REJECT}, "docker-daemon": {"": ACCEPT}}},
        "none:v1",
        True,
    ),
}


@dataclass(frozen=True)
class World:
    """Images, signatures and keys."""

    host: str
    run: str
    folder: Path
    digests: dict[str, str]

    def filled(self, text: str, repository: str = "") -> str:
        values = {"host": self.host, "run": self.run, "folder": str(self.folder)}
        values["digest"] = self.digests.get(repository.partition(":")[0].partition("@")[0], "")
        for key in ("alice", "bob"):
            values[key] = base64.b64encode((self.folder / f"{key}.gpg").read_bytes()).decode()
        for name, value in values.items():
            text = text.replace(f"{{{name}}}", value)
        return text

    def policy(self, document: object, repository: str) -> Path:
        file = self.folder / "policy.json"
        file.write_text(self.filled(json.dumps(document), repository))
        return file

    def reference(self, reference: str) -> str:
        text = self.filled(reference, reference)
        return text if reference.startswith(("dir:", "oci:")) else f"docker://{self.host}/{self.run}/{text}"


@pytest.fixture(scope="module")
def world(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with gpg() as signer:
        yield World(registry.host, *_made(registry, signer, tmp_path_factory.mktemp("policy").resolve()))


def _made(registry: Registry, signer: Gpg, folder: Path) -> tuple[str, Path, dict[str, str]]:
    run = f"policy-{os.urandom(4).hex()}"
    _write_keys(signer, folder)
    (folder / "registries.d").mkdir()
    (folder / "registries.d" / "test.yaml").write_text(f"default-docker:\n  lookaside: file://{folder}/lookaside\n")
    digest = image(seed=run).digest
    names = {name: f"{registry.host}/{run}/{name}:v1" for name in (*_stored(signer, digest, "x"), "none")}
    for name, identity in names.items():
        for tag in ("v1", "v2", "latest"):
            push(registry, f"{run}/{name}", image(seed=run), tag)
        store(folder / "lookaside", f"{run}/{name}", digest, _stored(signer, digest, identity).get(name, {}))
    digests = dict.fromkeys(names, digest) | _push_indexes(registry, signer, folder, run)
    _write_files(signer, folder, run)
    return run, folder, digests


def _write_keys(signer: Gpg, folder: Path) -> None:
    keys = {name: signer.make_key(f"{name}@test.invalid") for name in ("alice", "bob", "eve")}
    keys["curve"] = signer.make_key("curve@test.invalid", kind="ed25519")
    keys["old"] = signer.make_key("old@test.invalid", expire="1d", when=LONG_AGO)
    keys |= {"armored": signer.armored("alice@test.invalid"), "team": keys["alice"] + keys["bob"], "empty": b"no key"}
    for name, key in keys.items():
        (folder / f"{name}.gpg").write_bytes(key)


def _stored(signer: Gpg, digest: str, identity: str) -> dict[str, dict[int, bytes]]:
    """What is stored for each repository, given the identity of its tag v1."""

    def signed(*options: str, by: str = "alice", about: str = digest, name: str = identity, **changes: Any) -> bytes:
        return signer.sign(f"{by}@test.invalid", payload(name, about, **changes), *options)

    name = identity.rpartition("/")[2].removesuffix(":v1")
    repository = identity.removesuffix(":v1")
    makers: dict[str, Any] = {
        "app": lambda: {1: signed()},
        "both": lambda: {1: signed(), 2: signed(by="bob")},
        "mirror": lambda: {1: signed(name=f"{UPSTREAM}:v1")},
        "app2": lambda: {1: signed(name="upstream.example/team/app2:v1")},
        "moved": lambda: {1: signed(name=f"upstream.example/{identity.partition('/')[2]}")},
        "busybox": lambda: {1: signed(name="busybox:v1")},
        "bare": lambda: {1: signed(name=repository)},
        "digested": lambda: {1: signed(name=f"{repository}@{digest}")},
        "second": lambda: {1: signed(by="bob"), 2: signed()},
        "gap": lambda: {2: signed()},
        "flipped": lambda: {1: _flipped(signed("--compress-algo", "none"))},
        "elsewhere": lambda: {1: signed(about=f"sha256:{'0' * 64}")},
        "armored": lambda: {1: signed("--armor")},
        "clear": lambda: {
            1: signer("-u", "alice@test.invalid", "--clear-sign", given=payload(identity, digest)),
        },
        "detached": lambda: {
            1: signer("-u", "alice@test.invalid", "--detach-sign", given=payload(identity, digest)),
        },
        "plain": lambda: {1: signed("--compress-algo", "none")},
        "twice": lambda: {1: signed("--local-user", "bob@test.invalid")},
        "blank": lambda: {1: b""},
        "garbage": lambda: {1: signer.sign("alice@test.invalid", b"{}")},
        "critical": lambda: {1: signed(more=1)},
        "null": lambda: {1: signed(optional=None)},
        "optional": lambda: {1: signed(optional={"creator": "x", "timestamp": 5, "a": {"b": [1.5]}})},
        "timestamp": lambda: {1: signed(optional={"timestamp": 5.5})},
        "creator": lambda: {1: signed(optional={"creator": 5})},
        "cosign": lambda: {1: signed(type="cosign container image signature")},
        "old": lambda: {1: signer.sign("old@test.invalid", payload(identity, digest), when=LONG_AGO)},
        "curve": lambda: {1: signed(by="curve")},
        "stale": lambda: {1: _stale(signer, payload(identity, digest))},
    }
    return {each: make() if each == name else {} for each, make in makers.items()}


def _stale(signer: Gpg, content: bytes) -> bytes:
    """A signature that has expired; a new key cannot have made one long ago, so it lasts a moment."""
    return signer.sign("eve@test.invalid", content, "--default-sig-expire", "seconds=1")


def _flipped(signed: bytes) -> bytes:
    place = signed.index(b"docker-reference")
    return signed[:place] + bytes([signed[place] ^ 1]) + signed[place + 1 :]


def _push_indexes(registry: Registry, signer: Gpg, folder: Path, run: str) -> dict[str, str]:
    children = [image(platform, seed=run) for platform in ("linux/amd64", "linux/arm64")]
    whole = index(children)
    own, first, second = whole.digest, children[0].digest, children[1].digest
    signed = {"list": [own, first, second], "listonly": [own], "listpart": [own, first]}
    for name, digests in signed.items():
        push(registry, f"{run}/{name}", whole, "v1")
        for digest in digests:
            content = payload(f"{registry.host}/{run}/{name}:v1", digest)
            store(folder / "lookaside", f"{run}/{name}", digest, {1: signer.sign("alice@test.invalid", content)})
    return dict.fromkeys(signed, whole.digest)


def _write_files(signer: Gpg, folder: Path, run: str) -> None:
    def signature(digest: str) -> bytes:
        return signer.sign("alice@test.invalid", payload(f"{UPSTREAM}:v1", digest))

    single, children = image(seed=run), [image(platform, seed=run) for platform in ("linux/amd64", "linux/arm64")]
    write_layout(folder / "oci", {"v1": single})
    (write_directory(folder / "dir", single) / "signature-1").write_bytes(signature(single.digest))
    (folder / "link").symlink_to(folder / "dir")
    listed = write_directory(folder / "dirlist", index(children))
    for child in children:
        (listed / f"{child.digest.partition(':')[2]}.signature-1").write_bytes(signature(child.digest))


# What registries.d says, and whether the signature of app:v1 is found by it. {site} serves the lookaside over HTTP.
PLACES: dict[str, tuple[str, bool]] = {
    "default": ("default-docker: {lookaside: 'file://{folder}/lookaside'}", True),
    "nothing": ("", False),
    "older name": ("default-docker: {sigstore: 'file://{folder}/lookaside'}", True),
    "a place that does not exist": ("default-docker: {lookaside: 'file://{folder}/nowhere'}", False),
    "slash at the end": ("default-docker: {lookaside: 'file://{folder}/lookaside/'}", True),
    "encoded": ("default-docker: {lookaside: 'file://{folder}/look%61side'}", True),
    "host": ("docker: {'{host}': {lookaside: 'file://{folder}/lookaside'}}", True),
    "wildcard": ("docker: {'*.0.0.1': {lookaside: 'file://{folder}/lookaside'}}", True),
    "reference": ("docker: {'{host}/{run}/app:v1': {lookaside: 'file://{folder}/lookaside'}}", True),
    "another tag": ("docker: {'{host}/{run}/app:v2': {lookaside: 'file://{folder}/lookaside'}}", False),
    "narrower wins": (
        "docker: {'{host}/{run}/app': {lookaside: 'file:///nowhere'}, '{host}': {lookaside: 'file://{folder}/lookaside'}}",
        False,
    ),
    "narrower without one": (
        "docker: {'{host}/{run}': {lookaside-staging: 'file:///x'}, '{host}': {lookaside: 'file://{folder}/lookaside'}}",
        True,
    ),
    "website": ("default-docker: {lookaside: '{site}/lookaside'}", True),
    "website without it": ("default-docker: {lookaside: '{site}/nowhere'}", False),
}


@pytest.fixture(scope="module")
def site(world: World) -> Iterator[str]:
    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(world.folder))

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = LoopbackServer(Handler)
    with server.running():
        yield server.url


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, world: World, site: str, tmp_path: Path) -> tuple[Path, bool]:
    """A folder with a policy and a registries.d, and whether the signature is found."""
    text, found = PLACES[request.param]
    (tmp_path / "registries.d").mkdir()
    (tmp_path / "registries.d" / "place.yaml").write_text(world.filled(text).replace("{site}", site))
    policy = world.policy({"default": [by()]}, "app:v1")
    (tmp_path / "policy.json").write_bytes(policy.read_bytes())
    return tmp_path, found


def test_we_find_signatures_where_registries_d_says(place: tuple[Path, bool], world: World) -> None:
    folder, found = place
    assert (refusal(world, "app:v1", folder / "policy.json") == "") is found


def test_skopeo_finds_signatures_where_registries_d_says(
    place: tuple[Path, bool], world: World, skopeo: Peer, tmp_path: Path
) -> None:
    folder, found = place
    options = ["--policy", f"{folder}/policy.json", "--registries.d", f"{folder}/registries.d"]
    copy = ["copy", "-q", "--src-tls-verify=false", world.reference("app:v1"), f"dir:{tmp_path}/out"]
    result = skopeo.run(*options, *copy)
    assert (result.returncode == 0) is found, result.stderr.decode()


def refusal(world: World, reference: str, policy: Path) -> str:
    """Why our policy engine refuses a reference, empty when it does not."""
    rules = read_rules(str(policy), {})
    assert rules is not None
    source = SourceSpec(parse_reference(world.reference(reference)))
    spec = IndexSpec((parse_reference(f"oci:{world.folder}/out:1"),), (source,))
    transport = TransportTable(RegistryOptions(), Recorder())
    try:
        with Waves(2) as waves:
            admit(resolve([spec], transport, waves, Recorder()), rules, transport, waves, Recorder())
    except PolicyError as error:
        return error.why
    finally:
        transport.close()
    return ""


@pytest.mark.parametrize("case", CASES)
def test_we_decide_as_written(case: str, world: World) -> None:
    document, reference, allowed = CASES[case]
    why = refusal(world, reference, world.policy(document, reference))
    assert (why == "") is allowed, why


@pytest.mark.parametrize("case", CASES)
def test_skopeo_decides_as_written(case: str, world: World, skopeo: Peer, tmp_path: Path) -> None:
    document, reference, allowed = CASES[case]
    options = ["--policy", str(world.policy(document, reference)), "--registries.d", f"{world.folder}/registries.d"]
    copy = ["copy", "-q", "--src-tls-verify=false"] + (["--all"] if "list" in reference else [])
    result = skopeo.run(*options, *copy, world.reference(reference), f"dir:{tmp_path}/out")
    said = result.stderr.decode()
    assert (result.returncode == 0) is allowed, said
    if not allowed:
        assert "Source image rejected" in said or "reading signatures" in said or "gpg" in said.lower(), said
