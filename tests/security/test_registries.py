"""Threats from registries and from what lies in them: T1 to T10, T17, T19, T20 and T22 of the threat list."""

import base64
import json
from pathlib import Path

import pytest

from tests.faults import acts
from tests.faults.bench import Loop, Rule
from tests.faults.product import push
from tests.faults.registry import PASSWORD
from tests.faults.steps import Step
from tests.faults.wire import Act, Exchange, Response
from tests.faults.world import FAR, NAME, NEAR, OLD, Ran, World
from tests.security.hostile import thief
from tests.support.images import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    SyntheticImage,
    digest_of,
    image,
    index,
)

KINDS = (OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST)


def untouched(place: World) -> bool:
    """Nothing was written, and the tags are where they were."""
    return not place.registry.moves and set(place.tags().values()) == {OLD.digest}


def run_with(place: World, raw: bytes, media_type: str = OCI_MANIFEST) -> Ran:
    """Run a job whose source is this manifest, served under its right digest."""
    place.registry.manifests["acme/evil", digest_of(raw)] = (raw, media_type)
    place.registry.manifests["acme/evil", "1"] = (raw, media_type)
    host = place.near.host
    return push(place.folder, f"image: {host}/{NAME}:1\ntags: ['1.0', latest]\nsources: ['{host}/acme/evil:1']\n")


def _document(**members: object) -> bytes:
    digest = f"sha256:{'0' * 64}"
    blob = {"mediaType": OCI_CONFIG, "digest": digest, "size": 2}
    return json.dumps({"schemaVersion": 2, "config": blob, "layers": []} | members).encode()


@pytest.mark.parametrize("step", [Step.GET_MANIFEST, Step.GET_CONFIG, Step.GET_BLOB])
@pytest.mark.parametrize(
    "change", [acts.flipped, lambda body: body[:-1], lambda body: body + b"\n"], ids=["flip", "cut", "add"]
)
def test_t01_other_bytes_for_a_digest_are_refused(place: World, step: Step, change: acts.Change) -> None:
    bench = place.far if step is Step.GET_BLOB else place.near
    bench.rules.append(Rule(step, [acts.altered(change)], forever=True, part="/sha256:"))
    ran = push(place.folder, place.spec())
    assert ran.code == 9, ran.output[:2000]
    assert untouched(place)
    assert not any(key[1] == FAR.digest for key in place.registry.manifests if key[0] == NAME)


AMBIGUOUS = {
    "index and image": _document(manifests=[]),
    "layers twice": b'{"schemaVersion":2,"config":{},"layers":[],"layers":[]}',
    "digest twice": b'{"schemaVersion":2,"manifests":[{"digest":"sha256:0","digest":"sha256:1"}]}',
    "other media type": _document(mediaType="application/vnd.oci.image.index.v1+json"),
    "fsLayers": _document(fsLayers=[], manifests=[]),
    "wrong version": _document(schemaVersion=3),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", AMBIGUOUS)
def test_t02_a_manifest_that_two_readers_read_differently_is_refused(place: World, name: str, kind: str) -> None:
    ran = run_with(place, AMBIGUOUS[name], kind)
    assert ran.code in (3, 4, 9), ran.output[:2000]
    assert untouched(place)


def test_t03_a_tag_that_moves_meanwhile_changes_nothing(place: World) -> None:
    other = image("linux/arm64", layers=1, seed="other")
    place.far_registry.put("acme/arm64", FAR, "1")
    place.far_registry.put("acme/arm64", other)

    async def move(exchange: Exchange) -> None:
        response = await exchange.forward()
        place.far_registry.put("acme/arm64", other, "1")
        await exchange.send(response)

    place.far.rules.append(Rule(Step.GET_MANIFEST, [acts.expire, move]))
    host = place.near.host
    ran = push(place.folder, f"image: {host}/{NAME}:1\nsources: ['{place.far.host}/acme/arm64:1']\n")
    assert ran.code == 0, ran.output[:2000]
    pushed = json.loads(place.registry.manifests[NAME, "1"][0])
    assert place.far_registry.tag_of("acme/arm64", "1") == other.digest
    assert [entry["digest"] for entry in pushed["manifests"]] == [FAR.digest]


def test_t04_addresses_of_foreign_layers_are_never_asked(place: World, loop: Loop) -> None:
    with thief(loop) as (made, host):
        base = json.loads(FAR.manifest_bytes)
        layer = base["layers"][0] | {
            "mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
            "urls": [f"http://{host}/layer"],
        }
        raw = json.dumps(base | {"layers": [layer]}).encode()
        blobs = {digest: blob for digest, blob in FAR.blobs.items() if digest != layer["digest"]}
        foreign = SyntheticImage(raw, OCI_MANIFEST, blobs, FAR.platform)
        place.far_registry.put("acme/foreign", foreign)
        text = f"image: {place.near.host}/{NAME}:1\nsources: ['{place.far.host}/acme/foreign@{foreign.digest}']\n"
        ran = push(place.folder, text)
        assert ran.code == 0, ran.output[:2000]
        assert made.asked == []
    assert place.registry.manifests[NAME, foreign.digest][0] == raw
    assert (NAME, layer["digest"]) not in place.registry.blobs


REALMS = (
    "http://169.254.169.254/latest",
    "http://2852039166/",
    "http://[fe80::1]/",
    "http://10.0.0.1/token",
    "http://0251.0376.0251.0376/",
    "file:///etc/passwd",
    "gopher://127.0.0.1/",
    "http://release:secret@127.0.0.1/",
    "//224.0.0.1/token",
    "http:///token",
)


@pytest.mark.parametrize("realm", REALMS)
def test_t05_an_evil_realm_is_not_asked(place: World, realm: str) -> None:
    challenge = acts.status(401, b"", {"WWW-Authenticate": f'Bearer realm="{realm}",service="x"'})
    for step in (Step.HEAD_MANIFEST, Step.GET_MANIFEST):
        place.near.rules.append(Rule(step, [challenge], forever=True))
    ran = push(place.folder, place.spec())
    assert ran.code == 6, ran.output[:2000]
    assert "must not be asked" in ran.output or "no valid token server" in ran.output
    assert PASSWORD not in ran.output


def test_t05_a_token_server_that_sends_us_on_is_not_followed_with_the_login(place: World, loop: Loop) -> None:
    with thief(loop) as (made, host):
        place.near.rules.append(Rule(Step.TOKEN, [acts.redirect(307, f"http://{host}/token")], forever=True))
        ran = push(place.folder, place.spec())
        assert ran.code == 6
        assert made.loot == []
    assert untouched(place)


def test_t05_a_challenge_of_another_host_gets_no_login(place: World, loop: Loop) -> None:
    with thief(loop) as (made, host):
        place.far.rules.append(Rule(Step.GET_BLOB, [acts.redirect(307, f"http://{host}/blob")], forever=True))
        ran = push(place.folder, place.spec())
        assert ran.code != 0
        assert made.asked
        assert made.loot == []
    assert untouched(place)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_t06_a_redirect_leaves_the_login_behind(place: World, loop: Loop, status: int) -> None:
    for step in (Step.GET_BLOB, Step.GET_MANIFEST, Step.HEAD_MANIFEST, Step.GET_CONFIG):
        with thief(loop) as (made, host):
            bench = place.far if step is Step.GET_BLOB else place.near
            bench.rules[:] = [Rule(step, [acts.redirect(status, f"http://{host}/x")], forever=True)]
            push(place.folder, place.spec())
            assert made.asked, step
            assert made.loot == [], step
            bench.rules.clear()


@pytest.mark.parametrize("status", [301, 302, 303])
def test_t06_a_write_is_never_turned_into_a_read(place: World, loop: Loop, status: int) -> None:
    with thief(loop) as (made, host):
        place.near.rules.append(Rule(Step.PUT_TAG, [acts.redirect(status, f"http://{host}/x")], forever=True))
        assert push(place.folder, place.spec()).code == 5
        assert made.asked == []
    assert untouched(place)


@pytest.mark.parametrize(
    "location", ["http://169.254.169.254/x", "http://10.1.2.3/x", "//[fe80::1]/x", "ftp://a/x", ""]
)
def test_t07_an_upload_goes_to_no_forbidden_place(place: World, location: str) -> None:
    fields = {"Location": location} if location else {}
    place.near.rules.append(Rule(Step.POST, [acts.status(202, b"", fields)], forever=True))
    assert push(place.folder, place.spec()).code == 5
    assert untouched(place)


def test_t07_an_upload_to_another_host_goes_without_the_login(place: World, loop: Loop) -> None:
    with thief(loop) as (made, host):
        act = acts.status(202, b"", {"Location": f"//{host}/upload?_state=x"})
        place.near.rules.append(Rule(Step.POST, [act], forever=True))
        assert push(place.folder, place.spec()).code == 5
        assert made.asked
        assert made.loot == []
    assert untouched(place)


def test_t08_a_netrc_changes_nothing(place: World) -> None:
    """The HTTP library below would replace the login by the one of a `.netrc`, unless it is kept from that."""
    file = place.folder / ".netrc"
    file.write_text("machine 127.0.0.1 login evil password netrc-password\n")
    file.chmod(0o600)
    ran = push(place.folder, place.spec(), environment={"NETRC": str(file)})
    assert ran.code == 0, ran.output[:2000]
    pair = base64.b64encode(b"evil:netrc-password").decode()
    assert not any(pair in record.head.get("authorization") for record in place.records())
    sent = {record.head.get("authorization")[:6] for record in place.near.log if record.step is not Step.TOKEN}
    assert sent == {"", "Bearer"}


def test_t08_proxies_of_the_environment_do_not_see_this_machine(place: World, loop: Loop) -> None:
    with thief(loop) as (made, host):
        proxy = f"http://{host}"
        ran = push(
            place.folder, place.spec(), environment={"HTTP_PROXY": proxy, "http_proxy": proxy, "ALL_PROXY": proxy}
        )
        assert ran.code == 0, ran.output[:2000]
        assert made.asked == []


async def endless(exchange: Exchange) -> None:
    """An answer with a body that has no end, but the client's patience."""
    status = 404 if exchange.head.method == "HEAD" else 200
    await exchange.write(f"HTTP/1.1 {status} OK\r\nContent-Type: {OCI_MANIFEST}\r\nConnection: close\r\n\r\n".encode())
    for _ in range(2000):
        await exchange.write(b"x" * 65536)


async def gzip_bomb(exchange: Exchange) -> None:
    """A small body that says it grows when it is decoded."""
    fields = [("Content-Type", OCI_MANIFEST), ("Content-Encoding", "gzip")]
    await exchange.send(Response(200, b"\x1f\x8b" + b"\0" * 1000, fields))


async def huge_head(exchange: Exchange) -> None:
    """A head of a megabyte."""
    await exchange.write(
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %b\r\n" % (n, b"y" * 9000) for n in range(120)) + b"\r\n"
    )


@pytest.mark.parametrize("step", [Step.GET_MANIFEST, Step.TOKEN])
@pytest.mark.parametrize("act", [endless, gzip_bomb, huge_head], ids=lambda act: str(act.__name__))
def test_t09_bombs_are_refused_in_no_time(place: World, step: Step, act: Act) -> None:
    place.near.rules.append(Rule(step, [act], forever=True))
    ran = push(place.folder, place.spec(), "--retry-budget", "1")
    assert ran.code in (5, 6, 7, 9), ran.output[:2000]
    assert ran.seconds < 10
    assert untouched(place)


@pytest.mark.parametrize("count", [1001, 5000])
def test_t09_an_index_of_too_many_is_refused(place: World, count: int) -> None:
    entry = {"mediaType": OCI_MANIFEST, "size": 1}
    entries = [entry | {"digest": f"sha256:{number:064x}"} for number in range(count)]
    raw = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()
    ran = run_with(place, raw, OCI_INDEX)
    assert ran.code in (3, 4, 9), ran.output[:2000]
    assert len(place.near.log) < 40
    assert untouched(place)


def test_t09_indexes_within_indexes_have_an_end(place: World) -> None:
    nested = index([NEAR])
    for _ in range(12):
        nested = index([nested])
    place.registry.put("acme/deep", nested, "1")
    ran = push(place.folder, f"image: {place.near.host}/{NAME}:1\nsources: ['{place.near.host}/acme/deep:1']\n")
    assert ran.code in (3, 4, 9), ran.output[:2000]
    assert place.near.count(Step.GET_MANIFEST) < 12
    assert untouched(place)


ODD = {
    "nested": b'{"schemaVersion":2,"config":' + b"[" * 100_000,
    "NaN": b'{"schemaVersion":NaN}',
    "infinity": b'{"schemaVersion":2,"config":{"size":1e999}}',
    "long integer": b'{"schemaVersion":2,"x":' + b"9" * 5000 + b"}",
    "byte order mark": b"\xef\xbb\xbf" + NEAR.manifest_bytes,
    "UTF-16": NEAR.manifest_bytes.decode().encode("utf-16"),
    "lone surrogate": _document(annotations={"a": "\ud800"}),
    "size as text": NEAR.manifest_bytes.replace(b'"size":', b'"size":"1","x":'),
    "size as float": NEAR.manifest_bytes.replace(b'"size":', b'"size":1.5,"x":'),
    "size as boolean": NEAR.manifest_bytes.replace(b'"size":', b'"size":true,"x":'),
    "size below zero": NEAR.manifest_bytes.replace(b'"size":', b'"size":-1,"x":'),
    "a list": b"[]",
    "null": b"null",
    "nothing": b"",
}


@pytest.mark.parametrize("name", ODD)
def test_t10_json_that_is_odd_is_refused(place: World, name: str) -> None:
    ran = run_with(place, ODD[name])
    assert ran.code in (3, 5, 9), ran.output[:2000]
    assert ran.seconds < 5
    assert untouched(place)


def test_t17_a_login_is_for_exactly_its_host_and_port(place: World, loop: Loop) -> None:
    """Same address, another port: another registry, that must not see the first one's login."""
    with thief(loop) as (made, host):
        text = place.spec().replace(f"{place.far.host}/acme/arm64@", f"{host}/acme/arm64@")
        assert push(place.folder, text).code != 0
        assert made.asked
        assert made.loot == []
    assert untouched(place)


def test_t19_what_is_signed_is_what_was_pushed_whatever_the_registry_shows(place: World) -> None:
    """The registry gives another index when the pushed one is read: the signature is not about that."""
    other = index([image("linux/amd64", layers=1, seed="evil")])
    place.registry.put("acme/evil", other)

    async def swap(exchange: Exchange) -> None:
        response = await exchange.forward()
        if response.status == 200 and b'"manifests"' in response.body:
            await exchange.send(Response(200, other.manifest_bytes, [("Content-Type", OCI_INDEX)]))

    place.near.rules.append(Rule(Step.GET_MANIFEST, [swap], forever=True, part=f"{NAME}/manifests"))
    push(place.folder, place.spec(signed=True))
    payloads = [
        json.loads(blob)["critical"]["image"]["docker-manifest-digest"]
        for (owner, _), blob in place.registry.blobs.items()
        if owner == NAME and b'"critical"' in blob and blob.startswith(b"{")
    ]
    subjects = [
        json.loads(raw)["subject"]["digest"]
        for (owner, _), (raw, _) in place.registry.manifests.items()
        if owner == NAME and b'"subject"' in raw
    ]
    assert payloads or subjects
    assert other.digest not in {*payloads, *subjects}
    pushed = {digest for (owner, digest) in place.registry.manifests if owner == NAME}
    assert {*payloads, *subjects} <= pushed


@pytest.mark.parametrize(("stated", "code"), [("linux/arm64", 0), ("linux/amd64", 3), ("windows/arm64", 3)])
def test_t20_a_platform_that_is_not_the_configs_is_refused(place: World, stated: str, code: int) -> None:
    source = f"{{image: '{place.far.host}/acme/arm64@{FAR.digest}', platform: {stated}}}"
    ran = push(place.folder, f"image: {place.near.host}/{NAME}:1\nsources: [{source}]\n")
    assert ran.code == code, ran.output[:2000]
    assert not code or untouched(place)


def raw_answer(head: str, body: bytes = b"{}") -> Act:
    """Exactly these bytes, and the end of the connection."""

    async def act(exchange: Exchange) -> None:
        await exchange.write(f"HTTP/1.1 {head}\r\n\r\n".replace("\n", "\r\n").replace("\r\r", "\r").encode() + body)
        exchange.hang_up()

    return act


DESYNC = {
    "two lengths": "200 OK\nContent-Length: 2\nContent-Length: 3",
    "a list of lengths": "200 OK\nContent-Length: 2, 3",
    "a length below zero": "200 OK\nContent-Length: -1",
    "length and chunks": "200 OK\nContent-Length: 2\nTransfer-Encoding: chunked",
    "an interim answer": "103 Early Hints\nLink: </x>",
    "no length, cut short": "200 OK",
    "no status": "OK",
}


@pytest.mark.parametrize("name", DESYNC)
def test_t22_answers_that_two_readers_end_differently_are_refused(place: World, name: str) -> None:
    act = raw_answer(DESYNC[name], NEAR.manifest_bytes[:-5])
    place.near.rules.append(Rule(Step.GET_MANIFEST, [act], forever=True, part="acme/amd64"))
    ran = push(place.folder, place.spec(), "--retry-budget", "1")
    assert ran.code in (5, 7, 9), ran.output[:2000]
    assert untouched(place)


def test_t22_a_body_without_a_length_counts_by_its_digest(place: World, tmp_path: Path) -> None:
    act = raw_answer(f"200 OK\nContent-Type: {OCI_MANIFEST}", NEAR.manifest_bytes)
    place.near.rules.append(Rule(Step.GET_MANIFEST, [acts.expire, act], part="acme/amd64"))
    ran = push(tmp_path, place.spec())
    assert ran.code == 0, ran.output[:2000]
