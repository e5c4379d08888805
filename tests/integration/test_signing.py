"""Signing against real registries: in place before any tag moves, kept when many sign at once, secrets kept secret."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support import signatures
from tests.support.images import image, push
from tests.support.keys import PASSPHRASE, key_pair
from tests.support.product import Product
from tests.support.recorder import recording
from tests.support.servers import Registry

WRITERS = 12
CANARY = "canary-5d1c9b"


def sources(registry: Registry, repository: str) -> str:
    made = (image(f"linux/{name}") for name in ("amd64", "arm64"))
    return "".join(f"- {registry.host}/{repository}@{push(registry, repository, each)}\n" for each in made)


def spec(registry: Registry, repository: str, sign: str = "cosign", tag: str = "1") -> str:
    return f"image: {registry.host}/{repository}:{tag}\nsign: {sign}\nsources:\n{sources(registry, repository)}"


@pytest.fixture
def signing(product: Product) -> Product:
    """The program with a key in its environment."""
    product.environment["COSIGN_PRIVATE_KEY"] = key_pair().private
    return product


@pytest.mark.parametrize("server", ["registry", "registry_v3"])
def test_twelve_jobs_that_sign_one_digest_at_once_lose_no_signature(
    server: str, request: pytest.FixtureRequest, repository: str, tmp_path: Path
) -> None:
    registry: Registry = request.getfixturevalue(server)
    products = [job(tmp_path / str(number)) for number in range(WRITERS)]
    text = spec(registry, repository, "{cosign: {recursive: false}}")
    started = [each.start("push", "--json", each.spec(text)) for each in products]
    finished = [process.communicate(timeout=300) for process in started]
    assert [process.returncode for process in started] == [0] * WRITERS, finished
    digest = json.loads(finished[0][0])["indexes"][0]["digest"]
    assert len(signatures.bundles(registry, repository, digest)) == WRITERS
    assert len(signatures.attached(registry, repository, digest)) == WRITERS
    for number, product in enumerate(products):
        public = key_pair(f"job {number}").write_public(product.folder)
        result = product.run(
            "verify", "--recursive", "false", "--key", public, f"{registry.host}/{repository}@{digest}"
        )
        assert result.returncode == 0, result.stdout


def job(folder: Path) -> Product:
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    return Product(folder, {"COSIGN_PRIVATE_KEY": key_pair(f"job {folder.name}").private})


def test_every_signature_is_in_place_before_any_tag_moves(
    registry: Registry, repository: str, signing: Product
) -> None:
    text = spec(registry, repository)
    with recording(registry) as recorder:
        signing.push(text.replace(registry.host, recorder.registry.host))
        puts = [
            each.path.rpartition("/")[2] for each in recorder.log if each.method == "PUT" and "/manifests/" in each.path
        ]
    assert puts[-1] == "1"
    assert sum(name.endswith(".sig") for name in puts) == 3
    assert puts.count("1") == 1


def test_a_second_run_recognises_its_signatures_and_writes_nothing(
    registry: Registry, repository: str, signing: Product
) -> None:
    text = f"verify: true\n{spec(registry, repository)}"
    first = signing.push(text)
    before = {tag: registry.manifest_bytes(repository, tag) for tag in registry.tags(repository)}
    second = signing.push(text)
    assert (first["changed"], second["changed"]) == (True, False)
    assert {each["added"] for each in first["indexes"][0]["signatures"]} == {True}
    assert {each["added"] for each in second["indexes"][0]["signatures"]} == {False}
    assert {tag: registry.manifest_bytes(repository, tag) for tag in registry.tags(repository)} == before


def test_a_further_tag_gets_its_own_layer_beside_those_that_are_there(
    registry: Registry, repository: str, signing: Product
) -> None:
    digest = signing.push(spec(registry, repository))["indexes"][0]["digest"]
    signing.push(spec(registry, repository, tag="2"))
    payloads = [json.loads(each.payload) for each in signatures.attached(registry, repository, digest)]
    names = [payload["critical"]["identity"]["docker-reference"] for payload in payloads]
    assert names == [f"{registry.host}/{repository}:{tag}" for tag in ("1", "2")]
    assert len(signatures.bundles(registry, repository, digest)) == 1


def test_signatures_go_to_every_repository(
    registry: Registry, other_registry: Registry, repository: str, signing: Product
) -> None:
    text = spec(registry, repository)
    report = signing.push(f"tags: ['{other_registry.host}/{repository}:x']\n{text}")
    digest = report["indexes"][0]["digest"]
    for place, tag in ((registry, "1"), (other_registry, "x")):
        (found,) = signatures.attached(place, repository, digest)
        assert f'"{place.host}/{repository}:{tag}"'.encode() in found.payload
        assert len(signatures.bundles(place, repository, digest)) == 1


def test_a_signature_tag_that_is_something_else_stops_the_run_before_any_tag(
    registry: Registry, repository: str, signing: Product
) -> None:
    text = spec(registry, repository)
    digest = signing.push(text.replace("sign: cosign\n", "existing: replace\n"))["indexes"][0]["digest"]
    other = registry.manifest_bytes(repository, digest)
    assert other is not None
    path = f"/v2/{repository}/manifests/{digest.replace(':', '-')}.sig"
    registry.request("PUT", path, headers={"Content-Type": signatures.OCI_INDEX}, body=other)
    report = signing.push(spec(registry, repository, tag="2"), code=5)
    assert "cannot be added to those that are there" in report["error"]["findings"][0]["what"]
    assert "2" not in registry.tags(repository)
    assert [each["state"] for each in report["indexes"][0]["tags"]] == ["pending"]


WRONG: Mapping[str, tuple[Mapping[str, str], str]] = {
    "no key": ({"COSIGN_PRIVATE_KEY": ""}, "the key is empty"),
    "key not set": ({}, "the variable COSIGN_PRIVATE_KEY is not set"),
    "no key at all": ({"COSIGN_PRIVATE_KEY": CANARY * 8}, "there is no private key in PEM form"),
    "damaged key": (
        {"COSIGN_PRIVATE_KEY": f"-----BEGIN PRIVATE KEY-----\n{CANARY * 8}\n-----END PRIVATE KEY-----\n"},
        "the private key cannot be read",
    ),
    "damaged box": (
        {
            "COSIGN_PRIVATE_KEY": "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n"
            f"{CANARY * 8}\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n"
        },
        "the encrypted private key cannot be used",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_key_that_cannot_be_used_stops_the_run_before_it_begins(
    name: str, registry: Registry, repository: str, product: Product
) -> None:
    environment, what = WRONG[name]
    product.environment |= environment
    result = product.run("push", product.spec(spec(registry, repository)))
    assert result.returncode == 11
    assert what in result.stderr.decode()
    assert "spec.yml:2:7" in result.stderr.decode()
    assert registry.tags(repository) == []
    assert CANARY.encode() not in result.stdout + result.stderr


@pytest.mark.parametrize("debug", ["", "1"])
def test_a_wrong_passphrase_is_shown_to_nobody(
    debug: str, registry: Registry, repository: str, product: Product
) -> None:
    product.environment |= {"COSIGN_PASSWORD": PASSPHRASE, "MANIFEST_ACTION_DEBUG": debug}
    assert product.run("keygen").returncode == 0
    key = (product.folder / "cosign.key").read_text()
    product.environment |= {"COSIGN_PRIVATE_KEY": key, "COSIGN_PASSWORD": CANARY}
    result = product.run("push", product.spec(spec(registry, repository)))
    assert result.returncode == 11
    assert "the passphrase does not open the private key" in result.stderr.decode()
    assert registry.tags(repository) == []
    shown = (result.stdout + result.stderr).decode()
    assert not [secret for secret in (CANARY, PASSPHRASE, *key.splitlines()[1:-1]) if secret in shown]


def test_no_secret_is_left_anywhere_after_a_success(registry: Registry, repository: str, product: Product) -> None:
    product.environment["COSIGN_PASSWORD"] = PASSPHRASE
    product.run("keygen")
    key = (product.folder / "cosign.key").read_text()
    product.environment["COSIGN_PRIVATE_KEY"] = key
    (product.folder / "cosign.key").unlink()
    result = product.run("push", "--json", product.spec(spec(registry, repository)))
    assert result.returncode == 0
    texts = [result.stdout, result.stderr, *(file.read_bytes() for file in product.folder.rglob("*") if file.is_file())]
    texts += [file.read_bytes() for file in registry.storage.rglob("*") if repository in str(file) and file.is_file()]
    for secret in (PASSPHRASE, *key.splitlines()[1:-1]):
        assert not [text for text in texts if secret.encode() in text]


def test_keygen_never_overwrites(product: Product) -> None:
    product.environment["COSIGN_PASSWORD"] = PASSPHRASE
    assert product.run("keygen").returncode == 0
    before = {file.name: file.read_bytes() for file in product.folder.iterdir()}
    assert product.run("keygen").returncode == 10
    (product.folder / "cosign.key").unlink()
    assert product.run("keygen").returncode == 10
    assert not (product.folder / "cosign.key").exists()
    assert (product.folder / "cosign.pub").read_bytes() == before["cosign.pub"]
    assert product.run("keygen", "--output-key-prefix", "other").returncode == 0
    assert (product.folder / "other.key").stat().st_mode & 0o077 == 0


def test_verify_says_what_is_missing_and_where(registry: Registry, repository: str, signing: Product) -> None:
    text = spec(registry, repository, "{cosign: {format: tag, recursive: false}}")
    digest = signing.push(text)["indexes"][0]["digest"]
    key = key_pair().write_public(signing.folder)
    result = signing.run("verify", "--json", "--key", key, f"{registry.host}/{repository}:1")
    assert result.returncode == 11
    checks = json.loads(result.stdout)["checks"]
    assert [(each["digest"] == digest, each["kind"], each["fault"]) for each in checks] == [
        (True, "cosign-bundle", "there is no signature"),
        (True, "cosign-tag", None),
        *[(False, kind, "there is no signature") for _ in range(2) for kind in ("cosign-bundle", "cosign-tag")],
    ]
    assert "5 of 6 checks failed" in result.stderr.decode()
