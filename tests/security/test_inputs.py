"""Threats from inputs, to logs and outputs, and to this program itself: T11 to T16, T18, T21 and T23."""

import ast
import base64
import contextlib
import io
import json
import os
import re
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

import manifest_action
from manifest_action.adapters import program
from manifest_action.adapters.document import read_documents
from manifest_action.adapters.github.commands import Log, command, plain
from manifest_action.adapters.github.files import CommandFile, output_text
from manifest_action.adapters.text import printable
from manifest_action.errors import ManifestActionError
from manifest_action.model.reference import parse_reference
from manifest_action.transport.registry.challenge import parse_challenges
from manifest_action.transport.registry.credential_program import CredentialPrograms
from manifest_action.transport.registry.download import _CONTENT_RANGE
from manifest_action.transport.registry.referrers import _NEXT
from manifest_action.transport.registry.upload import _RANGE
from tests.action.runner import read_outputs
from tests.faults import acts
from tests.faults.bench import Rule
from tests.faults.product import push
from tests.faults.registry import PASSWORD, USER
from tests.faults.steps import Step
from tests.faults.wire import Exchange, Response
from tests.faults.world import CANARY, NAME, World
from tests.support.images import image, write_layout
from tests.support.servers import ROOT

SOURCES = Path(manifest_action.__file__).parent

TRICKS = {
    "alias bomb": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)),
    "python object": "image: !!python/object/apply:os.system ['echo pwned']\n",
    "a tag": "image: !custom x\n",
    "an anchor": "image: &x a.b/c:1\nsources: [a.b/c:2]\n",
    "merge key": "x: &x {a: 1}\nimage: {<<: *x}\n",
    "same key twice": "image: a.b/c:1\nimage: a.b/d:1\nsources: [a.b/c:2]\n",
    "deep": "[" * 20_000,
    "seventeen levels": "a: " + "[" * 17 + "]" * 17,
    "huge": "image: " + "x" * 300_000,
    "NUL": "image: a.b/c:1\0\n",
    "binary": "\udcff",
}


@pytest.mark.parametrize("name", TRICKS)
def test_t11_yaml_that_is_too_clever_is_refused_in_no_time(name: str) -> None:
    began = time.process_time()
    with pytest.raises(ManifestActionError):
        for document in read_documents(TRICKS[name], "spec.yml"):
            assert document is None
    assert time.process_time() - began < 3


@pytest.mark.parametrize("text", ["1.10", "012", "on", "22:22", "1e3", "~", "0x10", "1_000"])
def test_t11_a_tag_stays_the_text_it_was_written_as(text: str, place: World) -> None:
    job = f"image: {place.near.host}/{NAME}:{'x' if text == '~' else text.replace(':', '_')}\n"
    ran = push(place.folder, place.spec().replace(f"image: {place.near.host}/{NAME}:1\n", job))
    assert ran.code == 0, ran.output[:2000]
    assert (NAME, "x" if text == "~" else text.replace(":", "_")) in place.registry.manifests


VALUES = [
    "x\ndigest=evil",
    "x\r\ndigest<<E\nevil\nE",
    "x\0\ndigest=evil",
    "manifest-action-" + "0" * 32 + "\ndigest=evil",
    "<<",
    "=",
    "\u2028digest=evil",
    "\x85digest=evil",
    "\x0b\x0cdigest=evil",
]


@pytest.mark.parametrize("value", VALUES)
def test_t12_a_value_adds_no_output(value: str, tmp_path: Path) -> None:
    text = output_text({"image": value, "last": "1"})
    assert set(read_outputs(text)) == {"image", "last"}
    file = tmp_path / "output"
    file.write_text("")
    (tmp_path / "link").symlink_to(file)
    with pytest.raises(ManifestActionError):
        CommandFile(str(tmp_path / "link"))
    assert file.read_text() == ""


HARMFUL = [
    character
    for character in map(chr, range(0x110000))
    if unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp", "Cs") and character != "\t"
]
"""Every control, formatting and direction character, line and paragraph separator, and half of a pair."""


@pytest.mark.parametrize("prefix", ["", " ", "\t", "x", ":", "::", "##["])
def test_t13_no_character_makes_a_command_of_a_line(prefix: str) -> None:
    for character in HARMFUL:
        text = f"{prefix}{character}::set-output name=a::b{character}##[add-mask]c"
        for line in re.split(r"\r\n|\r|\n", plain(printable(text))):
            assert not line.strip().startswith("::")
            assert "##[" not in line
            assert not any(each in line for each in HARMFUL), repr(character)
        assert command("error", text, file=text).count("\n") == 0


@pytest.mark.parametrize("github", ["true", ""])
def test_t13_what_a_registry_says_is_no_command(github: str, place: World) -> None:
    said = "\\n::set-output name=digest::pwned\\r##[add-mask]x\\u001b[31m\\u202e\\u2066\\u200b\\u2028::error::x"
    place.near.rules.append(Rule(Step.PUT_TAG, [acts.refusal(400, "X", said)], forever=True))
    warning = acts.status(404, b"", {"Warning": '299 - "x\x1b[2J ::error::pwned"'})
    place.near.rules.append(Rule(Step.HEAD_MANIFEST, [acts.expire, warning]))
    ran = push(place.folder, place.spec(), environment={"GITHUB_ACTIONS": github, "CI": github})
    assert ran.code == 5
    for line in ran.output.split("\n"):
        assert not line.lstrip().startswith(("::set-output", "::error::pwned", "::error::x")), line
        assert not any(character in line for character in HARMFUL), repr(line)


def test_t13_an_annotation_is_one_line_however_long() -> None:
    stream = io.StringIO()
    Log(stream, obeyed=True).annotate("error", "\n::error::x\r" * 1000)
    assert stream.getvalue().count("\n") == 1


@pytest.mark.parametrize("step", list(Step)[1:14])
@pytest.mark.parametrize("status", [400, 401, 403, 404, 500])
def test_t14_no_failure_shows_a_secret(step: Step, status: int, place: World) -> None:
    """A registry that says back whatever it was told; and somebody looks at the details."""
    said = f"{USER}:{PASSWORD}"

    async def tell(exchange: Exchange) -> None:
        sent = exchange.head.get("authorization").replace('"', "'")
        body = json.dumps({"errors": [{"code": "X", "message": f"{said} {sent}"}]}).encode()
        await exchange.send(Response(status, body, [("Warning", f'299 - "{sent}"')]))

    for bench in (place.near, place.far):
        bench.rules.append(Rule(step, [tell], forever=True))
    signed = step in (Step.PUT_INDEX, Step.REFERRERS, Step.PUT_SIGNATURE)
    debug = {"MANIFEST_ACTION_DEBUG": "1", "RUNNER_DEBUG": "1"}
    ran = push(place.folder, place.spec(signed=signed), "--retry-budget", "1", environment=debug)
    assert CANARY not in ran.output, ran.output[:3000]
    assert base64.b64encode(said.encode()).decode() not in ran.output


def test_t14_not_even_a_bug_shows_one(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(f"Authorization: Basic {PASSWORD}")

    monkeypatch.setattr(program, "run", broken)
    for debug in ("", "1"):
        ran = push(place.folder, place.spec(), "--username", "u", environment={"MANIFEST_ACTION_DEBUG": debug})
        assert ran.code in (2, 70)
    monkeypatch.setattr(program, "run", broken)
    ran = push(place.folder, place.spec())
    assert ran.code == 70
    assert PASSWORD not in ran.output
    assert "RuntimeError" in ran.output


def _link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(10 * 1024**3)


@pytest.mark.parametrize("what", ["index.json", "oci-layout", "manifest", "config", "layer"])
@pytest.mark.parametrize("change", [_link, _pipe, _huge], ids=["link", "pipe", "10 GiB"])
def test_t15_a_layout_leads_nowhere_else(what: str, change: Callable[[Path], None], place: World) -> None:
    made = image("linux/s390x", layers=1)
    layout = write_layout(place.folder / "layout", {"": made})
    manifest = json.loads(made.manifest_bytes)
    digests = {
        "manifest": made.digest,
        "config": manifest["config"]["digest"],
        "layer": manifest["layers"][0]["digest"],
    }
    file = layout / "blobs" / "sha256" / digests[what][7:] if what in digests else layout / what
    change(file)
    ran = push(place.folder, f"image: {place.near.host}/{NAME}:1\nsources: ['oci:{layout}']\n")
    assert ran.code in (3, 9, 10), ran.output[:2000]
    assert ran.seconds < 10
    assert place.registry.moves == []
    assert "root:" not in ran.output


@pytest.mark.parametrize("change", [_pipe, _huge], ids=["pipe", "10 GiB"])
def test_t15_an_auth_file_that_is_none_is_not_read(change: Callable[[Path], None], place: World) -> None:
    change(place.folder / "config.json")
    ran = push(place.folder, place.spec())
    assert ran.code == 6, ran.output[:2000]
    assert ran.seconds < 10
    assert "no regular file" in ran.output or "more than" in ran.output, ran.output[:2500]


def _calls(tree: ast.AST) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def _dotted(node: ast.expr) -> str:
    return f"{_dotted(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def test_t16_programs_are_started_without_a_shell_and_with_an_environment_of_their_own() -> None:
    """The container runs as root beside the engine's socket and the job's tokens: nothing of that is handed on."""
    started = []
    for file in sorted(SOURCES.rglob("*.py")):
        for call in _calls(ast.parse(file.read_text())):
            name = _dotted(call.func)
            keywords = {keyword.arg: keyword.value for keyword in call.keywords}
            assert name not in ("os.system", "os.popen", "os.execv", "os.execve", "eval", "exec", "os.fork"), file
            if name in ("subprocess.run", "subprocess.Popen", "subprocess.call", "subprocess.check_output"):
                started.append(file.name)
                assert "shell" not in keywords, file
                assert "env" in keywords, file
                # What it is given is no copy of this process's environment.
                assert _dotted(keywords["env"]) != "os.environ", file
    assert started


def test_t16_the_container_begins_isolated() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert re.search(r'^ENTRYPOINT \[.*"-I"', text, re.MULTILINE)
    assert "docker" not in re.sub(r"docker\.io", "", " ".join(re.findall(r"apt-get install[^&]*", text)))


@pytest.mark.parametrize("suffix", ["../../x", "/bin/sh", "x;touch pwned", "x y", "x\n", "x/y", "..", "\0"])
def test_t18_a_credential_helper_is_a_plain_name(suffix: str, place: World) -> None:
    evil = place.folder / "docker-credential-x"
    evil.write_text("#!/bin/sh\ntouch pwned\n")
    evil.chmod(0o755)
    (place.folder / "config.json").write_text(json.dumps({"credsStore": suffix}))
    ran = push(place.folder, place.spec(), environment={"PATH": f"{place.folder}:{os.environ['PATH']}"})
    assert ran.code == 6, ran.output[:2000]
    assert not list(place.folder.rglob("pwned"))


def test_t18_a_credential_helper_sees_no_inputs_and_no_tokens_of_the_job(tmp_path: Path) -> None:
    helper = tmp_path / "docker-credential-spy"
    helper.write_text(f'#!/bin/sh\nenv > {tmp_path}/seen\necho \'{{"Username":"u","Secret":"s"}}\'\n')
    helper.chmod(0o755)
    environment = {"INPUT_PASSWORD": "canary", "ACTIONS_RUNTIME_TOKEN": "canary", "AWS_REGION": "x", "PATH": "/evil"}
    path = f"{tmp_path}:/usr/bin:/bin"
    found = CredentialPrograms(environment, path).get("spy", "a.b")
    assert found
    seen = (tmp_path / "seen").read_text()
    assert CANARY not in seen
    assert "AWS_REGION=x" in seen
    assert "/evil" not in seen


_LONG = 64 * 1024
ADVERSARIAL = {
    "commas": "," * _LONG,
    "quotes": '"' * _LONG,
    "open quote": 'Bearer realm="' + "\\" * _LONG,
    "spaces": "Bearer" + " " * _LONG + "=",
    "names": "a=b," * (_LONG // 4),
    "tokens": "a " * (_LONG // 2),
    "slashes": "/" * _LONG,
    "dashes": "a" + "-" * _LONG,
    "dots and underscores": "a" + "._" * (_LONG // 2),
    "angles": "<" * _LONG,
    "links": "<x>; rel=prev, " * (_LONG // 15),
    "link and spaces": "<x>;" + " " * _LONG,
    "digits": "0-" + "9" * _LONG,
    "range": "bytes 0-" + "1" * _LONG,
    "colons": "a:" * (_LONG // 2),
    "ats": "a@" * (_LONG // 2),
}


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_t21_no_text_takes_long_to_read(name: str) -> None:
    text = ADVERSARIAL[name]
    began = time.process_time()
    parse_challenges([text[: 16 * 1024], text])
    for pattern in (_NEXT, _RANGE, _CONTENT_RANGE):
        pattern.search(text)
    with contextlib.suppress(ValueError):
        parse_reference(text)
    # 50 ms for each on a quiet machine; other programs may share this one.
    assert time.process_time() - began < 0.3


def test_t23_everything_that_is_installed_is_pinned_by_hash() -> None:
    for file in (
        ROOT / "Dockerfile",
        *(ROOT / ".github" / "workflows").glob("*.yml"),
        *(ROOT / "scripts").glob("*.py"),
    ):
        for line in file.read_text().replace("\\\n", " ").splitlines():
            if re.search(r"\bpip\b.*\binstall\b.*(-r\b|requirements)", line):
                assert "--require-hashes" in line, f"{file.name}: {line.strip()}"
    for file in (ROOT / ".github" / "workflows").glob("*.yml"):
        for use in re.findall(r"uses:\s*(\S+)", file.read_text()):
            assert use.startswith("./") or re.search(r"@[0-9a-f]{40}$", use), f"{file.name}: {use}"


def test_t23_nothing_is_installed_at_run_time() -> None:
    for file in sorted(SOURCES.rglob("*.py")):
        assert not re.search(r"[\"'](pip|uv|ensurepip)[\"']|__import__", file.read_text()), file
