"""What is attached to images travels with them: written by cosign and oras, brought along by us, read by all."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import signatures
from tests.support.images import OCI_INDEX, image, index, push
from tests.support.keys import PASSPHRASE, key_pair
from tests.support.peers import Cosign, Peer
from tests.support.product import Product
from tests.support.recorder import Lull, recording, waves
from tests.support.servers import Registry
from tests.support.signatures import Signed

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SPDX = '{"spdxVersion":"SPDX-2.3"}'
WRITERS = 12
PAIRS = [("registry", "registry_v3"), ("registry_v3", "registry_referrers"), ("registry_referrers", "registry")]


@dataclass(frozen=True)
class Decorated:
    """An image with everything attached to it that there is.

    sbom: the digest of the SBOM's manifest, which is signed itself
    """

    registry: Registry
    repository: str
    digest: str
    sbom: str

    @property
    def reference(self) -> str:
        return f"{self.registry.host}/{self.repository}@{self.digest}"


@pytest.fixture
def keyed(product: Product) -> Product:
    """The program with cosign.key and cosign.pub in its folder, and the passphrase in its environment."""
    product.environment["COSIGN_PASSWORD"] = PASSPHRASE
    assert product.run("keygen").returncode == 0
    return product


def decorate(registry: Registry, repository: str, key: Path, cosign: Cosign, cosign2: Cosign, oras: Peer) -> Decorated:
    """Push an image, sign it in both forms, attest it in both, attach an SBOM in both ways, and sign one of those."""
    digest = push(registry, repository, image("linux/amd64", seed=repository))
    reference = f"{registry.host}/{repository}@{digest}"
    cosign2.sign(reference, key, bundle=False)
    for maker, form in ((cosign2, ("--tlog-upload=false",)), (cosign, ("--signing-config", signing_config(cosign)))):
        (maker.home / "predicate.json").write_text('{"passed":true}')
        attest = ("attest", "--yes", "--key", key, "--predicate", "predicate.json", "--type", "custom")
        maker(*attest, "--allow-http-registry", *form, reference)
    cosign.sign(reference, key, bundle=True)
    (oras.home / "sbom.spdx.json").write_text(SPDX)
    attach = ("attach", "--plain-http", "--format", "json", "--artifact-type", "application/spdx+json")
    sbom = json.loads(oras(*attach, reference, "sbom.spdx.json:application/spdx+json"))["digest"]
    cosign.sign(f"{registry.host}/{repository}@{sbom}", key, bundle=True)
    cosign2("attach", "sbom", "--sbom", oras.home / "sbom.spdx.json", "--allow-http-registry", reference)
    return Decorated(registry, repository, digest, sbom)


def signing_config(cosign: Cosign) -> Path:
    config = cosign.home / "signing_config.json"
    config.write_text(
        '{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json","rekorTlogConfig":{},"tsaConfig":{}}'
    )
    return config


def tree(oras: Peer, reference: str) -> Any:
    """What refers to a manifest, and what refers to that, as oras sees it: digests, each with those below it."""

    def stripped(node: Mapping[str, Any]) -> list[Any]:
        return sorted([each["digest"], stripped(each)] for each in node.get("referrers") or [])

    return stripped(json.loads(oras("discover", "--plain-http", "--format", "json", reference)))


def kinds(registry: Registry, repository: str, found: Any) -> list[str]:
    """The types of what `tree` gives at its top, as the manifests themselves say them, since not every list does."""
    raws = [registry.manifest_bytes(repository, digest) for digest, _ in found]
    return sorted(json.loads(raw)["artifactType"] for raw in raws if raw)


def tags_of(registry: Registry, repository: str, digest: str) -> dict[str, bytes]:
    """The images under cosign's tags of a digest, by the ends of the tags."""
    prefix = digest.replace(":", "-")
    found = {end: registry.manifest_bytes(repository, f"{prefix}.{end}") for end in ("sig", "att", "sbom")}
    return {end: raw for end, raw in found.items() if raw is not None}


def attestation_accepted(cosign: Cosign, reference: str, key: Path, kind: str = "custom") -> bool:
    options = ("--type", kind, "--key", key, "--insecure-ignore-tlog=true", "--allow-http-registry")
    return cosign.run("verify-attestation", *options, reference).returncode == 0


@pytest.mark.parametrize(("start", "end"), PAIRS)
def test_everything_comes_along_and_verifies_where_it_goes(
    start: str,
    end: str,
    request: pytest.FixtureRequest,
    repository: str,
    keyed: Product,
    cosign: Cosign,
    cosign2: Cosign,
    oras: Peer,
) -> None:
    source: Registry = request.getfixturevalue(start)
    target: Registry = request.getfixturevalue(end)
    made = decorate(source, repository, keyed.folder / "cosign.key", cosign, cosign2, oras)
    before = tree(oras, made.reference)
    assert kinds(source, repository, before) == ["application/spdx+json", BUNDLE, BUNDLE]
    spec = f"image: {target.host}/{repository}-copy:1\nsources: ['{made.reference}']\n"
    report = keyed.push(spec)
    there = f"{target.host}/{repository}-copy@{made.digest}"
    assert tree(oras, there) == before
    assert len([below for _, below in before if below]) == 1
    tags = tags_of(target, f"{repository}-copy", made.digest)
    assert tags == tags_of(source, repository, made.digest)
    assert sorted(tags) == ["att", "sbom", "sig"]
    public = keyed.folder / "cosign.pub"
    assert cosign.verifies(there, public, bundle=True)
    assert cosign.verifies(there, public, bundle=False)
    assert cosign.verifies(f"{target.host}/{repository}-copy@{made.sbom}", public, bundle=True)
    assert attestation_accepted(cosign, there, public)
    assert cosign2("download", "sbom", "--allow-http-registry", there) == SPDX.encode()
    attached = report["indexes"][0]["attached"]
    assert {(each["added"], each["source"].partition("@")[0]) for each in attached} == {
        (True, f"{source.host}/{repository}")
    }
    assert len(attached) == 7
    with recording(target) as recorder:
        again = keyed.push(spec.replace(target.host, recorder.registry.host))
        writes = [each.path for each in recorder.log if each.method not in ("GET", "HEAD")]
    assert (again["changed"], writes) == (False, [])
    assert {each["added"] for each in again["indexes"][0]["attached"]} == {False}


def test_signatures_stay_behind_when_asked(
    registry: Registry, repository: str, keyed: Product, cosign: Cosign, cosign2: Cosign, oras: Peer
) -> None:
    made = decorate(registry, repository, keyed.folder / "cosign.key", cosign, cosign2, oras)
    spec = f"image: {registry.host}/{repository}-copy:1\nsources: ['{made.reference}']\nremove-signatures: true\n"
    keyed.push(spec)
    there = f"{registry.host}/{repository}-copy@{made.digest}"
    assert sorted(tags_of(registry, f"{repository}-copy", made.digest)) == ["att", "sbom"]
    found = tree(oras, there)
    assert kinds(registry, f"{repository}-copy", found) == ["application/spdx+json", BUNDLE]
    assert [below for _, below in found] == [[], []]
    assert attestation_accepted(cosign, there, keyed.folder / "cosign.pub")
    keyed.push(f"image: {registry.host}/{repository}-none:1\nsources: ['{made.reference}']\nreferrers: skip\n")
    assert registry.tags(f"{repository}-none") == ["1"]


@pytest.mark.parametrize("end", ["registry", "registry_referrers"])
def test_what_is_there_is_joined(
    end: str,
    request: pytest.FixtureRequest,
    registry_v3: Registry,
    repository: str,
    keyed: Product,
    cosign2: Cosign,
    oras: Peer,
) -> None:
    """An image is signed with one key where it comes from and with another where it goes to; so with SBOMs."""
    target: Registry = request.getfixturevalue(end)
    own, places = image("linux/amd64", seed=repository), [(registry_v3, "first"), (target, "second")]
    digest = own.digest
    found: list[tuple[bytes, bytes]] = []
    for place, name in places:
        push(place, repository, own)
        reference = f"{place.host}/{repository}@{digest}"
        (cosign2.home / name).mkdir()
        cosign2("generate-key-pair", "--output-key-prefix", f"{name}/cosign")
        cosign2.sign(reference, cosign2.home / name / "cosign.key", bundle=False)
        (oras.home / name).write_text(name)
        oras("attach", "--plain-http", "--artifact-type", "text/plain", reference, f"{name}:text/plain")
        found.append((json.dumps(tree(oras, reference)).encode(), tags_of(place, repository, digest)["sig"]))
    keyed.push(f"image: {target.host}/{repository}:1\nsources: ['{registry_v3.host}/{repository}@{digest}']\n")
    there = f"{target.host}/{repository}@{digest}"
    for _, name in places:
        assert cosign2.verifies(there, cosign2.home / name / "cosign.pub", bundle=False)
    assert sorted(tree(oras, there)) == sorted(json.loads(found[0][0]) + json.loads(found[1][0]))
    joined, layers = tags_of(target, repository, digest)["sig"], [json.loads(raw)["layers"] for _, raw in found]
    assert json.loads(joined)["layers"] == layers[1] + layers[0]


def test_nothing_is_asked_where_nothing_goes_elsewhere(registry: Registry, repository: str, product: Product) -> None:
    near = push(registry, repository, image("linux/amd64"))
    far = push(registry, f"{repository}-far", image("linux/arm64"))
    for origin, options in ((f"{repository}@{near}", ""), (f"{repository}-far@{far}", "referrers: skip\n")):
        with recording(registry) as recorder:
            host = recorder.registry.host
            product.push(f"image: {host}/{repository}:1\n{options}sources: ['{host}/{origin}']\n")
            assert recorder.log
            assert not [each.path for each in recorder.log if "/referrers/" in each.path or "sha256-" in each.path]


def test_looking_costs_nothing_while_images_are_on_their_way(
    registry: Registry, repository: str, product: Product
) -> None:
    """What is asked is asked beside what is sent: as many round trips follow one upon the other as without asking."""
    depths = []
    for name, options, questions in (("with", "", 10), ("without", "referrers: skip\n", 0)):
        images = [image(f"linux/{each}", seed=f"{repository}-{name}") for each in ("amd64", "arm64")]
        digests = [push(registry, f"{repository}-{name}-far", each) for each in images]
        with recording(registry) as recorder:
            recorder.intercept = Lull()
            where = f"{recorder.registry.host}/{repository}-{name}"
            listed = [f"{where}-far@{digest}" for digest in digests]
            product.push(f"image: {where}:1\n{options}sources: {listed}\n", "--jobs", "32")
            asked = [each for each in recorder.log if "/referrers/" in each.path or "sha256-" in each.path]
            assert len(asked) == questions
            depths.append(waves(recorder.log))
    assert depths[0] == depths[1]


@pytest.mark.slow
@pytest.mark.parametrize("end", ["registry", "registry_referrers"])
def test_twelve_jobs_that_bring_things_to_one_digest_lose_none(
    end: str, request: pytest.FixtureRequest, registry_v3: Registry, repository: str, tmp_path: Path, oras: Peer
) -> None:
    target: Registry = request.getfixturevalue(end)
    own, started = image("linux/amd64", seed=repository), []
    digest = own.digest
    for number in range(WRITERS):
        push(registry_v3, f"{repository}-{number}", own)
        signatures.attach(registry_v3, f"{repository}-{number}", digest, Signed(b"payload", bytes([number])))
        product = Product(tmp_path / str(number))
        product.folder.mkdir()
        (product.folder / "config.json").write_text("{}")
        (product.folder / "note.txt").write_text(str(number))
        source = f"{registry_v3.host}/{repository}-{number}@{digest}"
        attach = "attach: {file: note.txt, type: text/plain, to: linux/amd64}\n"
        spec = product.spec(f"image: {target.host}/{repository}:{number}\nsources: ['{source}']\n{attach}")
        started.append(product.start("push", spec))
    finished = [process.communicate(timeout=300) for process in started]
    assert [process.returncode for process in started] == [0] * WRITERS, finished
    assert len(tree(oras, f"{target.host}/{repository}@{digest}")) == WRITERS
    kept = {each.signature for each in signatures.attached(target, repository, digest)}
    assert kept == {bytes([number]) for number in range(WRITERS)}


@pytest.mark.parametrize("transport", ["oci", "oci-archive"])
def test_a_layout_keeps_what_is_attached_and_gives_it_back(
    transport: str,
    registry: Registry,
    registry_v3: Registry,
    repository: str,
    keyed: Product,
    cosign: Cosign,
    cosign2: Cosign,
    oras: Peer,
    regctl: Peer,
) -> None:
    made = decorate(registry, repository, keyed.folder / "cosign.key", cosign, cosign2, oras)
    keyed.push(f"image: {transport}:out:1\nsources: ['{made.reference}']\n")
    assert keyed.push(f"image: {transport}:out:1\nsources: ['{made.reference}']\n")["changed"] is False
    before = tree(oras, made.reference)
    if transport == "oci":
        listed = json.loads(
            regctl("artifact", "list", "--format", "{{json .}}", f"ocidir://{keyed.folder}/out@{made.digest}")
        )
        assert {each["digest"] for each in listed["descriptors"]} == {digest for digest, _ in before}
    keyed.push(f"image: {registry_v3.host}/{repository}:1\nsources: ['{transport}:out:1']\n")
    there = f"{registry_v3.host}/{repository}@{made.digest}"
    assert tree(oras, there) == before
    assert tags_of(registry_v3, repository, made.digest) == tags_of(registry, repository, made.digest)
    assert cosign.verifies(there, keyed.folder / "cosign.pub", bundle=True)


def test_what_oras_put_into_a_layout_comes_out_of_it(
    registry: Registry, repository: str, product: Product, oras: Peer
) -> None:
    digest = push(registry, f"{repository}-far", image("linux/amd64"))
    far = f"{registry.host}/{repository}-far"
    (oras.home / "note.txt").write_text("note")
    oras("attach", "--plain-http", "--artifact-type", "text/plain", f"{far}@{digest}", "note.txt:text/plain")
    oras(
        "cp", "--recursive", "--from-plain-http", "--to-oci-layout", f"{far}@{digest}", f"{product.folder / 'laid'}:one"
    )
    product.push(f"image: {registry.host}/{repository}:1\nsources: ['oci:laid:one']\n")
    assert tree(oras, f"{registry.host}/{repository}@{digest}") == tree(oras, f"{far}@{digest}")


def test_what_is_about_a_whole_index_goes_with_its_bytes_only(
    registry: Registry, repository: str, product: Product, oras: Peer
) -> None:
    images = [image("linux/amd64"), image("linux/arm64")]
    digest = push(registry, repository, index(images))
    source = f"{registry.host}/{repository}@{digest}"
    (oras.home / "note.txt").write_text("note")
    oras("attach", "--plain-http", "--artifact-type", "text/plain", source, "note.txt:text/plain")
    (whole,) = product.push(f"image: {registry.host}/{repository}-same:1\nsources: ['{source}']\n")["indexes"]
    assert whole["digest"] == digest
    assert len(whole["attached"]) == 1
    other = f"image: {registry.host}/{repository}-other:1\nannotations: [a=b]\nsources: ['{source}']\n"
    assert product.push(other)["indexes"][0]["attached"] == []


def test_what_a_list_only_claims_stays_behind_with_a_warning(
    registry: Registry, repository: str, product: Product
) -> None:
    """A fallback tag may list what is gone, and what is about something else."""
    digest = push(registry, f"{repository}-far", image("linux/amd64"))
    other = push(registry, f"{repository}-far", image("linux/arm64"))
    entries = [
        {"mediaType": signatures.OCI_MANIFEST, "digest": other, "size": len(image("linux/arm64").manifest_bytes)},
        {"mediaType": signatures.OCI_MANIFEST, "digest": other, "size": len(image("linux/arm64").manifest_bytes)},
    ]
    raw = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()
    path = f"/v2/{repository}-far/manifests/{digest.replace(':', '-')}"
    assert registry.request("PUT", path, headers={"Content-Type": OCI_INDEX}, body=raw).status == 201
    source = f"{registry.host}/{repository}-far@{digest}"
    result = product.run("push", product.spec(f"image: {registry.host}/{repository}:1\nsources: ['{source}']\n"))
    assert result.returncode == 0
    assert f"listed as attached to {digest}, stays behind: it is about something else" in result.stderr.decode()
    assert registry.tags(repository) == ["1"]


def test_files_are_attached_and_found_by_others(
    registry: Registry, registry_referrers: Registry, repository: str, product: Product, oras: Peer, regctl: Peer
) -> None:
    digests = [push(registry, repository, image(f"linux/{name}")) for name in ("amd64", "arm64")]
    (product.folder / "a.json").write_text(SPDX)
    (product.folder / "b.xml").write_text('<bom xmlns="http://cyclonedx.org/schema/bom/1.5" version="1"/>')
    (product.folder / "c.txt").write_text("notes")
    attach = "[a.json, {file: b.xml, to: linux/arm64}, {file: c.txt, type: text/plain, to: index}]"
    spec = f"image: {registry.host}/{repository}:1\ntags: ['{registry_referrers.host}/{repository}:1']\n"
    spec += f"attach: {attach}\nsources: {[f'{registry.host}/{repository}@{digest}' for digest in digests]}\n"
    (first,) = product.push(spec)["indexes"]
    assert [each["source"] for each in first["attached"]] == [None] * 6
    for place in (registry, registry_referrers):
        top, arm = f"{place.host}/{repository}:1", f"{place.host}/{repository}@{digests[1]}"
        assert kinds(place, repository, tree(oras, top)) == ["application/spdx+json", "text/plain"]
        ((sbom, _),) = tree(oras, arm)
        assert kinds(place, repository, [(sbom, [])]) == ["application/vnd.cyclonedx+xml"]
        regctl("registry", "set", "--tls", "disabled", place.host)
        got = regctl("artifact", "get", f"{place.host}/{repository}@{sbom}")
        assert got == (product.folder / "b.xml").read_bytes()
        assert json.loads(place.manifest_bytes(repository, sbom) or b"")["subject"]["digest"] == digests[1]
    assert product.push(spec)["changed"] is False
    assert [tag for tag in registry_referrers.tags(repository) if tag.startswith("sha256-")] == []


WRONG_FILES = {
    "missing": ("attach: [none.json]", 2, "none.json' does not exist"),
    "unknown": ("attach: [{file: c.txt}]", 2, "c.txt' is neither SPDX nor CycloneDX"),
    "empty": ("attach: [{file: empty, type: text/plain}]", 2, "empty' is empty"),
    "outside": ("attach: [{file: ../x, type: text/plain}]", 2, "x' "),
    "platform": ("attach: [{file: c.txt, type: text/plain, to: linux/s390x}]", 4, "there is no linux/s390x to attach"),
}


@pytest.mark.parametrize("name", WRONG_FILES)
def test_what_cannot_be_attached_stops_the_run_before_any_write(
    name: str, registry: Registry, repository: str, product: Product
) -> None:
    attach, code, what = WRONG_FILES[name]
    (product.folder / "c.txt").write_text("notes")
    (product.folder / "empty").touch()
    digest = push(registry, f"{repository}-far", image("linux/amd64"))
    spec = f"{attach}\nimage: {registry.host}/{repository}:1\nsources: ['{registry.host}/{repository}-far@{digest}']\n"
    for command in ("push", "plan"):
        result = product.run(command, product.spec(spec))
        assert result.returncode == code, result.stderr
        assert what in result.stderr.decode()
        assert "spec.yml:1:" in result.stderr.decode()
    assert registry.tags(repository) == []


@pytest.mark.parametrize("form", ["both", "bundle", "tag"])
@pytest.mark.parametrize("server", ["registry", "registry_referrers"])
def test_cosign_accepts_the_provenance_and_a_second_run_adds_none(
    server: str,
    form: str,
    request: pytest.FixtureRequest,
    repository: str,
    product: Product,
    cosign: Cosign,
    cosign2: Cosign,
) -> None:
    registry: Registry = request.getfixturevalue(server)
    digest = push(registry, repository, image("linux/amd64"), "amd64")
    product.environment |= {"GITLAB_CI": "true", "CI_PROJECT_URL": "https://lab.test/a", "CI_JOB_URL": "job/1"}
    spec = f"image: {registry.host}/{repository}:1\nsources: ['{registry.host}/{repository}:amd64']\n"
    spec += f"provenance: true\nverify: true\nsign: {{cosign: {{format: {form}}}}}\n"
    product.environment["COSIGN_PRIVATE_KEY"] = key_pair().private
    key = key_pair().write_public(product.folder)
    product.push(spec)
    product.environment["CI_JOB_URL"] = "job/2"
    assert product.push(spec)["changed"] is False
    there = f"{registry.host}/{repository}:1"
    assert attestation_accepted(cosign, there, key, "slsaprovenance1")
    assert not attestation_accepted(cosign, there, key, "slsaprovenance02")
    assert not attestation_accepted(cosign, there, key_pair("other").write_public(cosign.home), "slsaprovenance1")
    if form == "tag":
        assert attestation_accepted(cosign2, there, key, "slsaprovenance1")
    else:
        root = ("--new-bundle-format=true", "--trusted-root", empty_root(cosign2))
        options = ("--type", "slsaprovenance1", "--key", key, "--insecure-ignore-tlog=true", *root)
        cosign2("verify-attestation", "--allow-http-registry", *options, there)
    plain = ("--type", "slsaprovenance1", "--key", key, "--insecure-ignore-tlog=true")
    lines = cosign("verify-attestation", "--allow-http-registry", *plain, there).splitlines()
    (statement,) = {base64.b64decode(json.loads(line)["payload"]) for line in lines}
    predicate = json.loads(statement)["predicate"]
    assert {"uri": f"docker://{registry.host}/{repository}:amd64", "digest": {"sha256": digest[7:]}} in predicate[
        "buildDefinition"
    ]["resolvedDependencies"]
    assert predicate["runDetails"]["metadata"] == {"invocationId": "job/1"}
    assert product.push(spec.replace(":1\n", ":2\n"))["changed"] is True


def empty_root(cosign: Cosign) -> Path:
    file = cosign.home / "root.json"
    kinds = ("tlogs", "certificateAuthorities", "ctlogs", "timestampAuthorities")
    kind = {"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"}
    file.write_text(json.dumps(kind | {name: [] for name in kinds}))
    return file
