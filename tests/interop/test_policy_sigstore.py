"""Policies about certificates and transparency logs are decided as containers/image decides them.

What is judged was made by cosign 2, which is the one that puts all of it beside signatures under `.sig` tags.
"""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.images import image, index, push, push_blob
from tests.support.keys import PASSPHRASE, key_pair
from tests.support.peers import Cosign, ImageCopy, find_cosign
from tests.support.product import Product
from tests.support.servers import Registry
from tests.support.sigstore import Sigstore, sigstore, token

EMAIL, ISSUER = "release@acme.example", "https://oauth2.sigstore.dev/auth"
IMAGES = [image("linux/amd64"), image("linux/arm64")]
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
PROMISE, CERTIFICATE, CHAIN = (f"dev.sigstore.cosign/{name}" for name in ("bundle", "certificate", "chain"))
SIGNATURE = "dev.cosignproject.cosign/signature"


@dataclass(frozen=True)
class World:
    """A registry with signed images under `run/`, and a folder with what to trust."""

    registry: Registry
    run: str
    folder: Path
    services: Sigstore

    def name(self, reference: str) -> str:
        return f"{self.registry.host}/{self.run}/{reference}"


@pytest.fixture(scope="module")
def world(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("policy")
    with sigstore() as services:
        made = World(registry, f"sigstore-{folder.name}-{services.server.server_port}", folder, services)
        _write(made)
        cosign = find_cosign("cosign2", tmp_path_factory.mktemp("cosign2"), PASSPHRASE)
        _sign(made, replace(cosign, variables=_variables(made)))
        _vary(made)
        yield made


def _variables(world: World) -> dict[str, str]:
    return {
        "SIGSTORE_ROOT_FILE": str(world.folder / "root.pem"),
        "SIGSTORE_REKOR_PUBLIC_KEY": str(world.folder / "log.pem"),
        "SIGSTORE_CT_LOG_PUBLIC_KEY_FILE": str(world.folder / "ct.pem"),
    }


def _write(world: World) -> None:
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    with sigstore() as stranger:
        files = {
            "root.pem": world.services.root_pem,
            "log.pem": world.services.log_pem,
            "ct.pem": world.services.transparency_pem,
            "other-root.pem": stranger.root_pem,
            "both-roots.pem": stranger.root_pem + world.services.root_pem,
            "other.pem": other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            "second.pub": key_pair("second").public.encode(),
        }
    for name, content in files.items():
        (world.folder / name).write_bytes(content)
    (world.folder / "token").write_text(token(EMAIL, ISSUER))


def _sign(world: World, cosign: Cosign) -> None:
    """`app` is signed by an identity, `key` by a key with an entry in the log, `quiet` by that key without one."""
    cosign("generate-key-pair")
    (world.folder / "cosign.pub").write_bytes((cosign.home / "cosign.pub").read_bytes())
    options = ("--yes", "--recursive", "--allow-http-registry", "--new-bundle-format=false")
    key = ("--key", cosign.home / "cosign.key")
    log = ("--rekor-url", world.services.url)
    whose = ("--fulcio-url", world.services.url, "--identity-token", world.folder / "token")
    for name, how in (("app", (*log, *whose)), ("key", (*log, *key)), ("quiet", (*key, "--tlog-upload=false"))):
        digest = push(world.registry, f"{world.run}/{name}", index(IMAGES), "v1")
        cosign("sign", *options, *how, world.name(f"{name}@{digest}"))


Annotations = dict[str, str]
Change = Callable[[Annotations, Annotations], Annotations]


def _promise(annotations: Annotations, change: Callable[[dict[str, Any]], None]) -> Annotations:
    document = json.loads(annotations[PROMISE])
    change(document)
    return annotations | {PROMISE: json.dumps(document)}


def _later(annotations: Annotations, _: Annotations) -> Annotations:
    return _promise(annotations, lambda document: document["Payload"].update(integratedTime=1))


def _more(annotations: Annotations, _: Annotations) -> Annotations:
    return _promise(annotations, lambda document: document.update(more=1))


def _flipped(annotations: Annotations, _: Annotations) -> Annotations:
    signature = bytearray(base64.b64decode(annotations[SIGNATURE]))
    signature[-1] ^= 1
    return annotations | {SIGNATURE: base64.b64encode(signature).decode()}


def _without(name: str) -> Change:
    return lambda annotations, _: {key: value for key, value in annotations.items() if key != name}


def _others(name: str) -> Change:
    """What another image's signature has there."""
    return lambda annotations, other: annotations | {name: other[name]}


def _twice(name: str) -> Change:
    return lambda annotations, _: annotations | {name: annotations[name] * 2}


VARIATIONS: dict[str, tuple[str, Change]] = {
    "app-flipped": ("app", _flipped),
    "app-later": ("app", _later),
    "app-more": ("app", _more),
    "app-no-promise": ("app", _without(PROMISE)),
    "app-no-certificate": ("app", _without(CERTIFICATE)),
    "app-no-chain": ("app", _without(CHAIN)),
    "app-others-promise": ("app", _others(PROMISE)),
    "app-others-certificate": ("app", _others(CERTIFICATE)),
    "app-two-certificates": ("app", _twice(CERTIFICATE)),
    "app-nonsense": ("app", lambda annotations, _: annotations | {PROMISE: "[]"}),
    "key-flipped": ("key", _flipped),
    "key-others-promise": ("key", _others(PROMISE)),
}


def _vary(world: World) -> None:
    """Copies whose signatures have something changed."""
    for name, (origin, change) in VARIATIONS.items():
        push(world.registry, f"{world.run}/{name}", index(IMAGES), "v1")
        manifests = [_signatures(world, origin, each.digest) for each in IMAGES]
        kept = [manifest["layers"][0]["annotations"] for manifest in manifests]
        for place, made in enumerate(IMAGES):
            layer = manifests[place]["layers"][0]
            layer["annotations"] = change(kept[place], kept[1 - place])
            for blob in (manifests[place]["config"], layer):
                content = world.registry.blob(f"{world.run}/{origin}", blob["digest"])
                push_blob(world.registry, f"{world.run}/{name}", blob["digest"], content)
            path = f"/v2/{world.run}/{name}/manifests/{made.digest.replace(':', '-')}.sig"
            body = json.dumps(manifests[place]).encode()
            assert world.registry.request("PUT", path, headers={"Content-Type": MANIFEST}, body=body).status == 201


def _signatures(world: World, name: str, digest: str) -> dict[str, Any]:
    raw = world.registry.manifest_bytes(f"{world.run}/{name}", f"{digest.replace(':', '-')}.sig")
    assert raw is not None
    found: dict[str, Any] = json.loads(raw)
    return found


def fulcio(**changes: str) -> dict[str, object]:
    certifier = {"caPath": "{folder}/root.pem", "oidcIssuer": ISSUER, "subjectEmail": EMAIL} | changes
    return {"fulcio": {name: value for name, value in certifier.items() if value}, "rekorPublicKeyPath": LOG}


LOG = "{folder}/log.pem"
KEY: dict[str, object] = {"keyPath": "{folder}/cosign.pub"}
LOGGED = KEY | {"rekorPublicKeyPath": LOG}
OTHER_LOG: dict[str, object] = {"rekorPublicKeyPath": "{folder}/other.pem"}

CASES: dict[str, tuple[Mapping[str, object], str, bool]] = {
    "an identity": (fulcio(), "app", True),
    "authority as data": (fulcio(caPath="", caData="{root}"), "app", True),
    "two authorities in a file": (fulcio(caPath="{folder}/both-roots.pem"), "app", True),
    "another authority": (fulcio(caPath="{folder}/other-root.pem"), "app", False),
    "no authority in the file": (fulcio(caPath="{folder}/log.pem"), "app", False),
    "another address": (fulcio(subjectEmail="somebody@acme.example"), "app", False),
    "part of the address": (fulcio(subjectEmail="acme.example"), "app", False),
    "another issuer": (fulcio(oidcIssuer="https://accounts.google.com"), "app", False),
    "another log": (fulcio() | OTHER_LOG, "app", False),
    "one of two logs": (
        {**fulcio(), "rekorPublicKeyPath": "", "rekorPublicKeyPaths": ["{folder}/other.pem", LOG]},
        "app",
        True,
    ),
    "log as data": ({**fulcio(), "rekorPublicKeyPath": "", "rekorPublicKeyData": "{log}"}, "app", True),
    "a key where an identity is asked for": (fulcio(), "key", False),
    "an identity where a key is asked for": (KEY, "app", False),
    "flipped": (fulcio(), "app-flipped", False),
    "promise for another time": (fulcio(), "app-later", False),
    "promise with more in it": (fulcio(), "app-more", False),
    "no promise": (fulcio(), "app-no-promise", False),
    "no certificate": (fulcio(), "app-no-certificate", False),
    "no chain": (fulcio(), "app-no-chain", True),
    "promise for another signature": (fulcio(), "app-others-promise", False),
    "certificate of another signature": (fulcio(), "app-others-certificate", False),
    "two certificates": (fulcio(), "app-two-certificates", False),
    "promise that is none": (fulcio(), "app-nonsense", False),
    "a key": (KEY, "key", True),
    "a key in a log": (LOGGED, "key", True),
    "a key in another log": (KEY | OTHER_LOG, "key", False),
    "one of two keys in a log": (
        {"keyPaths": ["{folder}/second.pub", "{folder}/cosign.pub"], "rekorPublicKeyPath": LOG},
        "key",
        True,
    ),
    "another key in a log": ({"keyPath": "{folder}/second.pub", "rekorPublicKeyPath": LOG}, "key", False),
    "a key in no log": (LOGGED, "quiet", False),
    "a key in no log, which nobody asks for": (KEY, "quiet", True),
    "a key in a log, flipped": (LOGGED, "key-flipped", False),
    "a key in a log with the promise for another": (LOGGED, "key-others-promise", False),
}


def policy(world: World, case: str) -> dict[str, Any]:
    members = {name: value for name, value in CASES[case][0].items() if value}
    requirement = {"type": "sigstoreSigned", "signedIdentity": {"type": "matchRepository"}, **members}
    if CASES[case][1] not in {"app", "key", "quiet"}:
        origin = world.name(VARIATIONS[CASES[case][1]][0])
        requirement["signedIdentity"] = {"type": "exactRepository", "dockerRepository": origin}
    text = json.dumps({"default": [requirement]}).replace("{folder}", str(world.folder))
    for name, content in (("root", world.services.root_pem), ("log", world.services.log_pem)):
        text = text.replace(f"{{{name}}}", base64.b64encode(content).decode())
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.mark.parametrize("case", CASES)
def test_we_decide_as_written(case: str, world: World, product: Product) -> None:
    _, name, allowed = CASES[case]
    (product.folder / "policy.json").write_text(json.dumps(policy(world, case)))
    spec = f"image: {world.name('out')}:1\nsources: ['{world.name(name)}:v1']\n"
    result = product.run("push", "--json", "--policy", "policy.json", product.spec(spec))
    assert (result.returncode == 0) is allowed, result.stderr
    assert result.returncode in (0, 12), result.stderr


@pytest.mark.parametrize("case", CASES)
def test_containers_image_decides_as_written(case: str, world: World, imagecopy: ImageCopy) -> None:
    _, name, allowed = CASES[case]
    assert imagecopy.allows(f"{world.name(name)}:v1", policy(world, case)) is allowed
