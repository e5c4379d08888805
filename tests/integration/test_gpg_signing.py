"""Signing with GPG against real registries: where signatures go, whose keys sign, and that nothing is left behind."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest

from tests.action.runner import Runner
from tests.support.gpg import Gpg, gpg, stored
from tests.support.images import image, push
from tests.support.keeper import Keeper, keeping
from tests.support.notation import signing as signing_chain
from tests.support.peers import Peer
from tests.support.product import Product
from tests.support.recorder import recording
from tests.support.servers import Registry

PASSPHRASE = f"canary gpg passphrase {os.urandom(4).hex()}"
"""Another one in every process, since what all processes were started with is looked at."""
WRITERS = 12
ALICE, BOB, OLD = "alice <alice@example.com>", "bob <bob@example.com>", "old <old@example.com>"


@dataclass(frozen=True)
class Keys:
    """gpg with keys; alice's has a passphrase."""

    gpg: Gpg

    def private(self, name: str = ALICE) -> str:
        return self.gpg.private(name, PASSPHRASE if name == ALICE else "")

    def public(self, folder: Path, name: str = ALICE) -> Path:
        file = folder / f"{name[:3]}.gpg"
        file.write_bytes(self.gpg("--export", name))
        return file


@pytest.fixture(scope="module")
def keys() -> Iterator[Keys]:
    with gpg() as program:
        program.make_key(ALICE, passphrase=PASSPHRASE)
        program.make_key(BOB)
        program.make_key(OLD, expire="seconds=86400", when="20200101T000000")
        yield Keys(program)


@pytest.fixture
def signing(product: Product, keys: Keys) -> Product:
    product.environment |= {"GPG_PRIVATE_KEY": keys.private(), "GPG_PASSPHRASE": PASSPHRASE}
    return product


def spec(registry: Registry, repository: str, sign: str) -> str:
    made = [push(registry, repository, image(f"linux/{each}")) for each in ("amd64", "arm64")]
    listed = "".join(f"- {registry.host}/{repository}@{digest}\n" for digest in made)
    return f"image: {registry.host}/{repository}:1\nsign: {sign}\nverify: true\nsources:\n{listed}"


def in_lookaside(product: Product, **options: str) -> str:
    return json.dumps({"gpg": {"lookaside": lookaside(product).as_uri(), **options}})


def lookaside(product: Product) -> Path:
    return product.folder / "signatures"


def homes() -> set[Path]:
    return {file for folder in ("/dev/shm", "/tmp") for file in Path(folder).glob("gpg-*") if len(file.name) == 20}


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """No home of a key is left behind, and no agent runs in one, whatever a test did.

    Homes of other tests that run beside this one come and go; what is left behind would stay.
    """
    before = homes()
    yield
    deadline = time.monotonic() + 60
    while (left := leftovers(before)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left


def leftovers(before: set[Path]) -> list[str]:
    new = homes() - before
    return [*map(str, new), *(command for command in commands() if any(str(home) in command for home in new))]


def commands() -> list[str]:
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return found


def test_a_second_run_recognises_its_signatures_and_a_further_tag_gets_its_own(
    registry: Registry, repository: str, signing: Product
) -> None:
    text = spec(registry, repository, in_lookaside(signing))
    first, second = signing.push(text), signing.push(text)
    third = signing.push(text.replace(f"{repository}:1", f"{repository}:2"))
    assert (first["changed"], second["changed"]) == (True, False)
    digest = first["indexes"][0]["digest"]
    added = [[each["added"] for each in report["indexes"][0]["signatures"]] for report in (first, second, third)]
    assert added == [[True] * 3, [False] * 3, [True] * 3]
    assert len(stored(lookaside(signing), repository, digest)) == 2
    place = f"{lookaside(signing).as_uri()}/{repository}@{digest.replace(':', '=')}/signature-1"
    assert place in [each["location"] for each in first["indexes"][0]["signatures"]]


@pytest.mark.slow
def test_signers_at_the_same_time_lose_nothing(
    registry: Registry, repository: str, keys: Keys, product: Product, tmp_path: Path
) -> None:
    text = spec(registry, repository, f"{{gpg: {{lookaside: '{lookaside(product).as_uri()}', recursive: false}}}}")
    products = []
    for number in range(WRITERS):
        name = f"job {number} <{number}@example.com>"
        keys.gpg.make_key(name, kind="ed25519")
        (tmp_path / str(number)).mkdir()
        products.append(Product(tmp_path / str(number), {"GPG_PRIVATE_KEY": keys.private(name)}))
    started = [each.start("push", "--json", each.spec(text)) for each in products]
    finished = [process.communicate(timeout=300) for process in started]
    assert [process.returncode for process in started] == [0] * WRITERS, finished
    digest = json.loads(finished[0][0])["indexes"][0]["digest"]
    assert len(stored(lookaside(product), repository, digest)) == WRITERS
    for number, each in enumerate(products):
        public = keys.public(each.folder, f"job {number} <{number}@example.com>")
        command = ("verify", "--recursive", "false", "--keyring", public, "--lookaside", lookaside(product).as_uri())
        assert each.run(*command, f"{registry.host}/{repository}@{digest}").returncode == 0


def test_registriesd_says_where_signatures_are_written_and_read(
    registry: Registry, repository: str, signing: Product, keys: Keys
) -> None:
    places = signing.folder / ".config/containers/registries.d"
    places.mkdir(parents=True)
    staging, published = signing.folder / "staging", signing.folder / "published"
    section = {"lookaside": published.as_uri(), "lookaside-staging": staging.as_uri()}
    (places / "x.yaml").write_text(json.dumps({"docker": {registry.host: section}}))
    digest = signing.push(spec(registry, repository, "gpg"))["indexes"][0]["digest"]
    assert len(stored(staging, repository, digest)) == 1
    reference = f"{registry.host}/{repository}:1"
    command = ("verify", "--keyring", keys.public(signing.folder), reference)
    assert signing.run(*command).returncode == 11
    staging.rename(published)
    assert signing.run(*command).returncode == 0
    (places / "x.yaml").write_text(json.dumps({"docker": {registry.host: {"lookaside": "https://a.example/b"}}}))
    result = signing.run("push", signing.spec(spec(registry, repository, "gpg")))
    assert result.returncode == 11
    assert "signatures are written to files only" in result.stderr.decode()


@pytest.fixture
def keeper(registry: Registry) -> Iterator[Keeper]:
    with keeping(registry) as running:
        yield running


def test_a_registry_with_the_extension_keeps_signatures_that_skopeo_and_we_read(
    keeper: Keeper, repository: str, signing: Product, keys: Keys, skopeo: Peer
) -> None:
    registry = keeper.registry
    text = spec(registry, repository, "gpg")
    (index,) = signing.push(text)["indexes"]
    assert {each["location"] for each in index["signatures"]} == {
        f"{registry.host}/{repository}@{digest}"
        for digest in (index["digest"], *(entry["digest"] for entry in index["entries"]))
    }
    assert [each["added"] for each in signing.push(text)["indexes"][0]["signatures"]] == [False] * 3
    reference = f"{registry.host}/{repository}:1"
    for name, accepted in ((ALICE, True), (BOB, False)):
        public = keys.public(signing.folder, name)
        rule = [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": str(public)}]
        policy = signing.folder / "policy.json"
        policy.write_text(json.dumps({"default": rule}))
        command = ("--policy", policy, "copy", "-q", "--src-tls-verify=false", f"docker://{reference}")
        assert (skopeo.run(*command, f"dir:{signing.folder / name[:3]}").returncode == 0) is accepted
        assert (signing.run("verify", "--keyring", public, reference).returncode == 0) is accepted
        taken = f"image: {registry.host}/{repository}-taken:1\nsources: ['{reference}']\n"
        result = signing.run("push", "--policy", policy, signing.spec(taken))
        assert (result.returncode == 0) is accepted, result.stderr


def test_we_read_what_skopeo_has_a_registry_keep(
    keeper: Keeper, registry: Registry, repository: str, product: Product, keys: Keys, skopeo: Peer
) -> None:
    push(registry, repository, image("linux/amd64"), "1")
    (skopeo.home / ".config/containers").mkdir(parents=True)
    (skopeo.home / ".config/containers/policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    with gpg(skopeo.home / ".gnupg") as ring:
        ring("--import", given=keys.private(BOB).encode())
        target = f"{keeper.registry.host}/{repository}-signed:1"
        options = ("--src-tls-verify=false", "--dest-tls-verify=false", "--sign-by", keys.gpg.fingerprint(BOB))
        skopeo("copy", *options, f"docker://{registry.host}/{repository}:1", f"docker://{target}")
    for name, code in ((BOB, 0), (ALICE, 11)):
        result = product.run("verify", "--keyring", keys.public(product.folder, name), target)
        assert result.returncode == code, result.stdout


def test_an_extension_that_fails_leaves_the_tags_alone(
    keeper: Keeper, registry: Registry, repository: str, signing: Product
) -> None:
    text = spec(keeper.registry, repository, "gpg")
    keeper.refusal = 405
    assert signing.run("push", signing.spec(text)).returncode == 5
    keeper.refusal, keeper.forgetful = 0, True
    result = signing.run("push", signing.spec(text))
    assert result.returncode == 11
    assert "the signature that was stored is not there" in result.stderr.decode()
    assert registry.tags(repository) == []


def test_a_key_of_the_users_own_keyring_signs_and_stays(
    registry: Registry, repository: str, product: Product, keys: Keys
) -> None:
    fingerprint = keys.gpg.fingerprint(BOB)
    with gpg(product.folder / ".gnupg") as ring:
        ring("--import", given=keys.private(BOB).encode())
        text = spec(registry, repository, in_lookaside(product, fingerprint=fingerprint[-16:]))
        assert product.push(text)["indexes"][0]["signatures"][0]["added"]
        assert fingerprint in ring("--with-colons", "--list-secret-keys").decode()
    trust = ("--keyring", keys.public(product.folder, BOB), "--lookaside", lookaside(product).as_uri())
    assert product.run("verify", *trust, f"{registry.host}/{repository}:1").returncode == 0


def test_the_primary_part_of_a_key_signs_so_that_skopeo_knows_it(
    registry: Registry, repository: str, product: Product, skopeo: Peer, keys: Keys
) -> None:
    with gpg() as ring:
        public = ring.make_key("team <team@example.com>")
        ring("--passphrase", "", "--quick-add-key", ring.fingerprint("team"), "rsa2048", "sign", "never")
        public = ring("--export", "team")
        product.environment["GPG_PRIVATE_KEY"] = ring.private("team")
    product.push(spec(registry, repository, in_lookaside(product)))
    (product.folder / "team.gpg").write_bytes(public)
    rule = [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": str(product.folder / "team.gpg")}]
    (product.folder / "policy.json").write_text(json.dumps({"default": rule}))
    (product.folder / "registries.d").mkdir()
    place = {"default-docker": {"lookaside": lookaside(product).as_uri()}}
    (product.folder / "registries.d/x.yaml").write_text(json.dumps(place))
    options = ("--policy", product.folder / "policy.json", "--registries.d", product.folder / "registries.d")
    source = f"docker://{registry.host}/{repository}:1"
    skopeo(*options, "copy", "-q", "--all", "--src-tls-verify=false", source, f"dir:{product.folder / 'out'}")


def two_keys(keys: Keys) -> dict[str, str]:
    both = keys.gpg("--passphrase", PASSPHRASE, "--armor", "--export-secret-keys", ALICE, BOB).decode()
    return {"GPG_PRIVATE_KEY": both, "GPG_PASSPHRASE": PASSPHRASE}


def armored(keys: Keys, **changes: str) -> dict[str, str]:
    return {"GPG_PRIVATE_KEY": keys.private(), "GPG_PASSPHRASE": PASSPHRASE} | changes


FINGERPRINT = "0123456789ABCDEF0123456789ABCDEF01234567"
WRONG: Mapping[str, tuple[Callable[[Keys], dict[str, str]], dict[str, str], str]] = {
    "no key": (lambda _: {}, {}, "the variable GPG_PRIVATE_KEY is not set"),
    "empty key": (lambda _: {"GPG_PRIVATE_KEY": " "}, {}, "the key is empty"),
    "no private key": (lambda _: {"GPG_PRIVATE_KEY": "canary-5d1c9b" * 9}, {}, "there is no private GPG key"),
    "damaged key": (
        lambda keys: armored(keys, GPG_PRIVATE_KEY=keys.private()[:900] + "canary5d1c9b\n" + keys.private()[960:]),
        {},
        "there is no private GPG key",
    ),
    "public key": (lambda keys: {"GPG_PRIVATE_KEY": keys.gpg.armored(ALICE).decode()}, {}, "no private GPG key"),
    "no passphrase": (lambda keys: {"GPG_PRIVATE_KEY": keys.private()}, {}, "the GPG key needs a passphrase"),
    "wrong passphrase": (lambda keys: armored(keys, GPG_PASSPHRASE="canary-5d1c9b"), {}, "does not open the GPG key"),
    "two lines": (lambda keys: armored(keys, GPG_PASSPHRASE="canary-5d1c9b\nx"), {}, "must be one line"),
    "another fingerprint": (armored, {"fingerprint": FINGERPRINT}, "no private GPG key with this fingerprint"),
    "not in the keyring": (lambda _: {}, {"fingerprint": FINGERPRINT}, "no private GPG key with this fingerprint"),
    "two keys": (two_keys, {}, "there are 2 private GPG keys"),
    "expired key": (lambda keys: {"GPG_PRIVATE_KEY": keys.private(OLD)}, {}, "the GPG key is expired"),
    "no gpg": (lambda keys: armored(keys, PATH="/nowhere"), {}, "gpg is needed to sign, and is not on this machine"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_key_that_cannot_be_used_stops_the_run_and_is_shown_to_nobody(
    name: str, registry: Registry, repository: str, product: Product, keys: Keys
) -> None:
    environment, options, what = WRONG[name]
    product.environment |= environment(keys) | {"MANIFEST_ACTION_DEBUG": "1"}
    result = product.run("push", product.spec(spec(registry, repository, in_lookaside(product, **options))))
    assert result.returncode == 11, result.stderr
    assert what in result.stderr.decode()
    assert "spec.yml:2:15" in result.stderr.decode()
    assert registry.tags(repository) == []
    assert not lookaside(product).exists()
    shown = (result.stdout + result.stderr).decode()
    secrets = [PASSPHRASE, "canary-5d1c9b", *keys.private().splitlines()[2:-1]]
    assert not [secret for secret in secrets if secret in shown]


def test_two_keys_and_a_fingerprint(registry: Registry, repository: str, product: Product, keys: Keys) -> None:
    product.environment |= two_keys(keys)
    options = {"fingerprint": f"0x{keys.gpg.fingerprint(BOB).lower()}"}
    product.push(spec(registry, repository, in_lookaside(product, **options)))
    trust = ("--keyring", keys.public(product.folder, BOB), "--lookaside", lookaside(product).as_uri())
    assert product.run("verify", *trust, f"{registry.host}/{repository}:1").returncode == 0


class Watch:
    """Looks at what every process was started with, again and again, until it is told to stop."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(0.005):
            self.seen.update(commands())


def test_no_secret_is_in_any_argument_or_file(
    registry: Registry, repository: str, signing: Product, keys: Keys
) -> None:
    with Watch() as watch:
        result = signing.run("push", "--json", signing.spec(spec(registry, repository, in_lookaside(signing))))
    assert result.returncode == 0
    assert any("gpg" in command and "--sign" in command for command in watch.seen)
    texts = [result.stdout, result.stderr, *(command.encode() for command in watch.seen)]
    texts += [file.read_bytes() for file in signing.folder.rglob("*") if file.is_file()]
    for secret in (PASSPHRASE, *keys.private().splitlines()[2:-1]):
        assert not [text for text in texts if secret.encode() in text]


def test_no_secret_is_in_what_a_step_leaves(registry: Registry, repository: str, tmp_path: Path, keys: Keys) -> None:
    made = signing_chain()
    secrets = {"GPG_PRIVATE_KEY": keys.private(), "GPG_PASSPHRASE": PASSPHRASE, "NOTATION_KEY": made.key}
    runner = Runner(tmp_path, {**secrets, "NOTATION_CERTIFICATES": made.certificates})
    here = f"{registry.host}/{repository}"
    digest = push(registry, repository, image("linux/amd64"))
    place = (runner.workspace / "signatures").as_uri()
    sign = f"[notation, {{gpg: {{lookaside: '{place}'}}}}]"
    result = runner.run(image=f"{here}:1", sources=f"{here}@{digest}", sign=sign, verify="true")
    assert result.code == 0, result.errors
    log = [line for line in result.log.splitlines() if not line.startswith("::add-mask::")]
    texts = [result.summary, result.errors, *result.outputs.values(), *log]
    texts += [file.read_bytes().decode(errors="replace") for file in tmp_path.rglob("*") if file.is_file()]
    for secret in (PASSPHRASE, *keys.private().splitlines()[2:-1], *made.key.splitlines()[1:-1]):
        assert not [text for text in texts if secret in text]


def starts_gpg(pid: int) -> bool:
    """Whether gpg runs as a child of a process (proc(5))."""
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = file.read_text().partition(") ")
        except OSError:
            continue
        if name.endswith("(gpg") and int(rest.split()[1]) == pid:
            return True
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("moment", ["importing", "signing", "storing"])
def test_a_run_that_is_stopped_leaves_no_key_and_no_tag(
    moment: str, number: int, registry: Registry, repository: str, signing: Product
) -> None:
    with recording(registry) as recorder:
        text = spec(registry, repository, in_lookaside(signing)).replace(registry.host, recorder.registry.host)
        process = signing.start("push", signing.spec(text))
        reached: dict[str, Callable[[], Any]] = {
            "importing": lambda: starts_gpg(process.pid),
            "signing": lambda: any(each.method == "PUT" for each in list(recorder.log)),
            "storing": lambda: lookaside(signing).exists(),
        }
        deadline = time.monotonic() + 60
        while not reached[moment]() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.001)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    is_late = moment == "storing" and process.returncode == 0
    assert is_late or process.returncode == 128 + number, err
    if not is_late:
        assert b"stopped by SIG" in err
        assert registry.tags(repository) == []
    assert PASSPHRASE.encode() not in out + err


@pytest.mark.parametrize("server", ["registry_tls", "registry_token"])
def test_registries_that_want_a_login_are_asked_for_the_extension_too(
    server: str, request: pytest.FixtureRequest, repository: str, signing: Product, keys: Keys
) -> None:
    registry: Registry = request.getfixturevalue(server)
    signing.login(registry)
    places = signing.folder / ".config/containers/registries.d"
    places.mkdir(parents=True)
    (places / "x.yaml").write_text(json.dumps({"default-docker": {"lookaside": lookaside(signing).as_uri()}}))
    (index,) = signing.push(spec(registry, repository, "gpg"))["indexes"]
    assert len(stored(lookaside(signing), repository, index["digest"])) == 1
    reference = f"{registry.host}/{repository}:1"
    assert signing.run("verify", "--keyring", keys.public(signing.folder), reference).returncode == 0
