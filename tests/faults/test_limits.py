"""A run under shared limits: one pause for all threads, an end in time, a clean stop, no space, a wrong clock."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults import acts
from tests.faults.bench import Loop, Rule
from tests.faults.product import push, quick
from tests.faults.profiles import Profile
from tests.faults.steps import Step
from tests.faults.wire import Act, Exchange, Response
from tests.faults.world import CANARY, NAME, OLD, TAGS, World, world
from tests.support.images import image, write_layout
from tests.support.product import Product


@pytest.fixture(scope="module")
def loop() -> Iterator[Loop]:
    with Loop() as running:
        yield running


@pytest.fixture
def place(loop: Loop, tmp_path: Path) -> Iterator[World]:
    with quick(), world(loop, tmp_path, Profile()) as made:
        yield made


@pytest.mark.parametrize("as_date", [False, True], ids=["seconds", "date"])
def test_no_thread_asks_a_host_that_wants_a_pause(as_date: bool, place: World) -> None:
    """Twelve sources at once; one answer asks for two seconds, and the gate is shut for all of them."""
    made = [image("linux/amd64", layers=1, seed=str(number)) for number in range(12)]
    sources = [f"{place.near.host}/acme/many@{place.registry.put('acme/many', each)}" for each in made]
    shut: list[float] = []

    async def slow_down(exchange: Exchange) -> None:
        await acts.retry_later(429, 2, as_date=as_date)(exchange)
        shut.append(time.monotonic())

    place.near.rules.append(Rule(Step.GET_MANIFEST, [*[acts.nothing] * 4, slow_down]))
    text = f"image: {place.near.host}/{NAME}:1\nsources: {json.dumps(sources)}\n"
    ran = push(place.folder, text)
    assert ran.code in (0, 4), ran.output[:2000]
    # A date has whole seconds, so it may ask for up to one less. What was under way when the answer came may arrive.
    least = 0.9 if as_date else 1.95
    assert shut
    after = [record.at for record in place.near.log if record.at > shut[0] + 0.15]
    assert min(after) - shut[0] >= least
    assert ran.seconds >= least


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("budget", [2, 6])
def test_a_budget_ends_a_run_in_time(status: int, budget: int, place: World) -> None:
    place.near.rules.append(Rule(Step.PUT_TAG, [acts.retry_later(status, 1)], forever=True))
    ran = push(place.folder, place.spec(), "--retry-budget", str(budget))
    assert ran.code == 8, ran.output[-2000:]
    assert ran.seconds <= budget * 1.1 + 2
    assert set(place.tags().values()) == {OLD.digest}
    assert CANARY not in ran.output


def test_tokens_that_end_all_the_time_are_renewed(place: World) -> None:
    """A token server whose tokens last for a moment: after every fifth request with a good one all of them end."""
    count = 0

    async def sometimes(exchange: Exchange) -> None:
        nonlocal count
        count += exchange.head.get("authorization").removeprefix("Bearer ") in place.registry.tokens
        if count == 5:
            count = 0
            await acts.expire(exchange)

    for step in (Step.HEAD_MANIFEST, Step.PUT_BLOB, Step.PUT_CHILD):
        place.near.rules.append(Rule(step, [sometimes], forever=True))
    ran = push(place.folder, place.spec())
    assert ran.code == 0, ran.output[:2000]
    assert 2 < place.registry.grants <= 12


@pytest.mark.parametrize(("times", "code"), [(3, 0), (4, 6)])
def test_a_token_may_end_before_it_is_used(times: int, code: int, place: World) -> None:
    """One request is refused again and again, each time with a newer token: three times at most."""
    place.near.rules.append(Rule(Step.PUT_TAG, [acts.expire] * times))
    ran = push(place.folder, place.spec().replace("tags: ['1.0', latest]", "tags: []"))
    assert ran.code == code, ran.output[:2000]
    assert place.registry.grants == 1 + min(times, 3)


@pytest.mark.parametrize("hours", [-48, 48, 24 * 365])
def test_the_clock_of_this_machine_may_be_wrong(hours: int, place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens are good for as long as they were said to be, from when they came; dates of servers do not matter."""
    real = time.time

    async def grant(exchange: Exchange) -> None:
        response = await exchange.forward()
        document = json.loads(response.body) | {"issued_at": "2001-01-01T00:00:00Z"}
        await exchange.send(Response(200, json.dumps(document).encode(), [("Date", "Mon, 01 Jan 2001 00:00:00 GMT")]))

    place.near.rules.append(Rule(Step.TOKEN, [grant], forever=True))
    monkeypatch.setattr(time, "time", lambda: real() + hours * 3600)
    ran = push(place.folder, place.spec())
    assert ran.code == 0, ran.output[:2000]
    assert place.registry.grants == 1


@pytest.mark.parametrize("step", [Step.HEAD_MANIFEST, Step.GET_BLOB, Step.PUT_BLOB, Step.PUT_CHILD, Step.PUT_TAG])
@pytest.mark.parametrize("how", [acts.stall, acts.retry_later(429, 60)], ids=["silence", "a long wait"])
def test_sigterm_ends_a_run_in_under_five_seconds(step: Step, how: Act, loop: Loop, tmp_path: Path) -> None:
    product = Product(tmp_path)
    with world(loop, tmp_path, Profile()) as place:
        bench = place.far if step is Step.GET_BLOB else place.near
        bench.rules.append(Rule(step, [how], forever=True))
        with product.start("push", product.spec(place.spec())) as process:
            deadline = time.monotonic() + 20
            while not bench.rules[0].used and time.monotonic() < deadline:
                time.sleep(0.01)
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=20)
        assert time.monotonic() - began < 5
        assert process.returncode == 143
        assert set(place.tags().values()) == {OLD.digest}
        assert CANARY.encode() not in out + err
        bench.rules.clear()
        assert product.push(place.spec())["success"]
        assert len(set(place.tags().values())) == 1


@pytest.mark.parametrize("answer", [acts.nothing, acts.status(401), acts.reset, acts.stall])
def test_sigterm_in_an_upload_cancels_it_and_waits_for_no_answer(answer: Act, loop: Loop, tmp_path: Path) -> None:
    product = Product(tmp_path)
    with world(loop, tmp_path, Profile()) as place:
        sending, cancelling = Rule(Step.PUT_BLOB, [acts.stall], forever=True), Rule(Step.CANCEL, [answer], forever=True)
        place.near.rules += [sending, cancelling]
        with product.start("push", product.spec(place.spec())) as process:
            deadline = time.monotonic() + 20
            while not sending.used and time.monotonic() < deadline:
                time.sleep(0.01)
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=20)
        assert time.monotonic() - began < 3.5
        assert process.returncode == 143
        assert CANARY.encode() not in out + err
        assert cancelling.used
        assert bool(place.registry.uploads) == (answer is not acts.nothing)
        grants = [record for record in place.near.log if record.step is Step.TOKEN]
        assert len(grants) == 1, "no login is asked for to cancel something"


def test_a_run_that_succeeds_cancels_nothing(place: World) -> None:
    assert push(place.folder, place.spec()).code == 0
    assert Step.POST in {record.step for record in place.near.log}
    assert Step.CANCEL not in {record.step for record in place.near.log}


_NO_SPACE = """
import resource, signal, sys
from manifest_action.adapters.cli import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
sys.exit(main(sys.argv[1:]))
"""
"""The program, with no file that may grow beyond 100 kB; a write that would is an error, not the end."""


@pytest.mark.parametrize("target", ["oci:{}/out:1", "oci-archive:{}/out.tar:1", "dir:{}/out"])
def test_a_disk_that_is_full_is_an_error_and_leaves_nothing_half(target: str, tmp_path: Path) -> None:
    source = write_layout(tmp_path / "in", {"1": image("linux/amd64", layers=1, layer_size=300_000)})
    product = Product(tmp_path)
    place = target.format(tmp_path)
    text = f"image: {place}\nsources: ['oci:{source}:1']\n"
    command = [sys.executable, "-c", _NO_SPACE, "push", str(product.spec(text))]
    environment = product._environment()
    done = subprocess.run(command, capture_output=True, cwd=tmp_path, env=environment, check=False, timeout=60)
    assert done.returncode == 10, done.stderr.decode()
    assert b"bug" not in done.stderr
    assert b"File too large" in done.stderr or b"space" in done.stderr
    left = [file for file in (tmp_path / "out").rglob("*") if file.is_file() and file.name == "index.json"]
    assert not any(b"manifests" in file.read_bytes() and json.loads(file.read_bytes())["manifests"] for file in left)
    assert not (tmp_path / "out.tar").exists()
    assert product.push(text)["success"]


@pytest.mark.parametrize("source", ["registry", "archive"])
def test_a_machine_without_a_place_for_temporary_files_pushes_all_the_same(
    source: str, place: World, tmp_path: Path
) -> None:
    """Nothing between two registries is ever put on this machine's disk."""
    gone = str(tmp_path / "gone")
    text = place.spec()
    if source == "archive":
        layout = write_layout(tmp_path / "in", {"1": image("linux/amd64", layers=1)})
        text = f"image: {place.near.host}/{NAME}:1\nsources: ['oci:{layout}:1']\n"
    ran = push(tmp_path, text, environment={"TMPDIR": gone, "TEMP": gone, "TMP": gone})
    assert ran.code == 0, ran.output[:2000]


def test_standard_streams_may_be_full(place: World) -> None:
    """`/dev/full` in their place: the work is done, and the exit code says that it could not be told."""
    product = Product(place.folder)
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "manifest_action", "push", "--json", str(product.spec(place.spec()))]
        done = subprocess.run(
            command,
            stdout=full,
            stderr=subprocess.PIPE,
            cwd=place.folder,
            env=product._environment(),
            check=False,
            timeout=60,
        )
    assert done.returncode not in (0, 70), done.stderr.decode()
    assert len(set(place.tags().values())) == 1


def test_many_runs_at_once_share_one_registry(place: World) -> None:
    """Eight of them, with twenty-four tags in all: each tag ends on the one digest, and nothing is left open."""
    before = threading.active_count()
    products = []
    for number in range(8):
        folder = place.folder / str(number)
        folder.mkdir()
        place.write_login(folder)
        products.append(Product(folder))
    texts = [place.spec().replace(f"{NAME}:1", f"{NAME}:run{n}").replace("'1.0'", f"'1.0.{n}'") for n in range(8)]
    started = [product.start("push", product.spec(text)) for product, text in zip(products, texts, strict=True)]
    for process in started:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err.decode()
    digests = {place.registry.tag_of(NAME, tag) for n in range(8) for tag in (f"run{n}", f"1.0.{n}", TAGS[2])}
    assert len(digests) == 1
    assert place.complete(digests.pop())
    assert threading.active_count() <= before


def test_a_registry_that_hiccups_without_end_in_sight_is_outlasted(loop: Loop, tmp_path: Path) -> None:
    with quick(), world(loop, tmp_path, replace(Profile(), hiccups=5)) as place:
        assert push(tmp_path, place.spec()).code == 0
