"""The built image, started as the runner starts it: what it does there, as whom, and what it leaves."""

import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from scripts import image as images
from tests.action.container import RUNNER, ContainerRunner
from tests.action.test_step import held
from tests.action.test_step_registry import pushed_sources
from tests.support.gpg import gpg
from tests.support.images import image, write_layout
from tests.support.keys import key_pair
from tests.support.loopback import LoopbackServer
from tests.support.notation import signing
from tests.support.peers import Peer
from tests.support.servers import ROOT, Registry

BOTH = "oci:amd64\noci:arm64\n"


@pytest.fixture
def layouts(container: ContainerRunner) -> ContainerRunner:
    """A runner whose workspace holds the layouts `amd64` and `arm64`."""
    write_layout(container.workspace / "amd64", {"": image("linux/amd64")})
    write_layout(container.workspace / "arm64", {"": image("linux/arm64")})
    return container


def test_the_main_job(container: ContainerRunner, registry: Registry, repository: str) -> None:
    name = f"{registry.host}/{repository}"
    sources = pushed_sources(registry, repository)
    result = container.run(image=f"{name}:1.0", tags="latest", sources=sources, expect="linux/amd64,linux/arm64")
    assert result.code == 0, result.log + result.errors
    assert result.errors == ""
    for tag in ("1.0", "latest"):
        served = registry.manifest_bytes(repository, tag)
        assert served is not None
        assert "sha256:" + hashlib.sha256(served).hexdigest() == result.outputs["digest"]
    assert result.outputs["report"] == ".manifest-action/report-__self.json"
    assert (container.workspace / result.outputs["report"]).is_file()
    assert result.summary.startswith(f"### `{name}:1.0`\n")
    assert container.owners() == {RUNNER}


@pytest.mark.parametrize("owner", [RUNNER, (0, 0)], ids=["runner", "root"])
@pytest.mark.parametrize("options", [(), ("--read-only", "--read-only-tmpfs=false")], ids=["plain", "read-only"])
def test_what_is_written_belongs_to_the_owner_of_the_workspace(
    layouts: ContainerRunner, owner: tuple[int, int], options: tuple[str, ...]
) -> None:
    layouts.owner, layouts.options = owner, options
    # Compressing needs room for temporary files.
    result = layouts.run(image="oci:out:1.0", tags="1.1", sources=BOTH, compression="add zstd")
    assert result.code == 0, result.log + result.errors
    index = json.loads((layouts.workspace / "out" / "index.json").read_text())
    assert {entry["digest"] for entry in index["manifests"]} == {result.outputs["digest"]}
    assert layouts.owners() == {owner}
    assert not list(layouts.temporary.glob("tmp*"))


@pytest.mark.parametrize("owner", [RUNNER, (0, 0)], ids=["runner", "root"])
def test_root_gives_up_its_rights(layouts: ContainerRunner, owner: tuple[int, int]) -> None:
    layouts.owner = owner
    layouts.run(image="oci:out:0", sources="oci:amd64")
    with running(layouts, layouts.workspace / "out") as status:
        user, group = (str(number) for number in owner)
        assert status["Uid"].split() == [user] * 4
        assert status["Gid"].split() == [group] * 4
        assert status["Groups"].split() == []
        assert status["NoNewPrivs"] == "1"
        assert {int(status[kind], 16) for kind in ("CapEff", "CapPrm", "CapInh", "CapAmb")} == {0}


@pytest.mark.parametrize("spec", ["named", "file"])
def test_the_engine_is_in_reach_only_for_steps_that_name_it(layouts: ContainerRunner, spec: str) -> None:
    layouts.run(image="oci:out:0", sources="oci:amd64")
    text = "image: oci:out:1\nsources: ['oci:amd64']\nannotations: {from: 'docker-daemon:app'}\n"
    (layouts.workspace / "spec.yml").write_text(text)
    with engine_socket(layouts, group=4242):
        with running(layouts, layouts.workspace / "out") as status:
            assert status["Groups"].split() == []
        with running(layouts, layouts.workspace / "out", spec=text if spec == "named" else "spec.yml") as status:
            assert status["Groups"].split() == ["4242"]


def test_files_of_the_runner_that_cannot_be_opened_end_the_step_with_a_hint(layouts: ContainerRunner) -> None:
    layouts.options = ("--user", "65532:65532")
    result = layouts.run(image="oci:out:1", sources=BOTH)
    assert result.code == 10
    assert "a file of the runner cannot be written" in result.log
    assert "container actions have to run as root" in result.log
    assert not (layouts.workspace / "out").exists()


def test_the_runners_own_user_is_enough_where_the_files_are_its_own(layouts: ContainerRunner) -> None:
    layouts.options = ("--user", "1001:118")
    result = layouts.run(image="oci:out:1", sources=BOTH)
    assert result.code == 0, result.log
    assert layouts.owners() == {RUNNER}


def test_a_container_without_capabilities_is_enough_where_root_owns_the_files(layouts: ContainerRunner) -> None:
    layouts.owner, layouts.options = (0, 0), ("--cap-drop", "all")
    result = layouts.run(image="oci:out:1", sources=BOTH)
    assert result.code == 0, result.log
    assert layouts.owners() == {(0, 0)}


@pytest.mark.parametrize("place", ["/github/runner_temp/.docker", "/github/home/.docker", ""])
def test_a_login_is_found_where_docker_config_was_moved_to(
    container: ContainerRunner, registry_tls: Registry, repository: str, place: str
) -> None:
    folder = container.home / ".docker" if "home" in place or not place else container.temporary / ".docker"
    folder.mkdir(parents=True)
    # As docker/login-action leaves it: only its user can read it.
    registry_tls.write_login(folder).chmod(0o600)
    folder.chmod(0o700)
    if place:
        container.environment["DOCKER_CONFIG"] = place
    result = secure_step(container, registry_tls, repository)
    assert result[0] == 0, result[1]
    assert registry_tls.tags(repository) == ["1"]
    assert registry_tls.password not in shown(result[1])


def test_several_registries_each_with_its_own_login(
    container: ContainerRunner, registry_tls: Registry, registry_token: Registry, repository: str
) -> None:
    logins = {
        each.host: {"username": each.username, "password": each.password} for each in (registry_tls, registry_token)
    }
    code, log = secure_step(
        container,
        registry_tls,
        repository,
        registries=json.dumps(logins),
        tags=f"{registry_token.host}/{repository}:1",
    )
    assert code == 0, log
    assert registry_tls.tags(repository) == registry_token.tags(repository) == ["1"]
    assert registry_tls.password not in shown(log)


def test_a_missing_login_ends_with_the_ways_out(
    container: ContainerRunner, registry_tls: Registry, repository: str
) -> None:
    code, log = secure_step(container, registry_tls, repository)
    assert code == 6
    assert "not visible inside a container action" in log
    assert "DOCKER_CONFIG=$RUNNER_TEMP/_github_home/.docker" in log
    assert "manifest-action/host" in log
    assert registry_tls.tags(repository) == []


def shown(log: str) -> str:
    """What the runner prints of a log."""
    return "\n".join(line for line in log.splitlines() if not line.startswith("::add-mask::"))


def secure_step(runner: ContainerRunner, registry: Registry, repository: str, **inputs: str) -> tuple[int, str]:
    """A step that pushes to a registry with TLS and passwords; its exit code and log."""
    assert registry.ca_file is not None
    (runner.workspace / "ca.pem").write_bytes(registry.ca_file.read_bytes())
    sources = pushed_sources(registry, repository)
    result = runner.run(image=f"{registry.host}/{repository}:1", sources=sources, ca_certificates="ca.pem", **inputs)
    return result.code, result.log + result.errors


def test_secrets_are_masked_first_and_shown_nowhere(layouts: ContainerRunner) -> None:
    result = layouts.run(
        image="oci:out:1",
        sources=BOTH,
        username="canary-user",
        password="canary-password",
        registries="localhost:1: {username: u, password: canary-registry}",
    )
    lines = result.log.splitlines()
    masked = {line.removeprefix("::add-mask::") for line in lines if line.startswith("::add-mask::")}
    assert {"canary-password", "ghs_canary_job_token", "canary-registry"} <= masked
    assert all(line.startswith("::add-mask::") for line in lines[: len(masked)])
    rest = "\n".join(lines[len(masked) :])
    for text in (rest, result.errors, result.summary, "".join(result.outputs.values())):
        assert not re.search("canary-[pr]|ghs_", text)


def test_text_of_others_is_never_a_command(layouts: ContainerRunner) -> None:
    evil = "x\n::stop-commands::pwned\n::error::pwned\r\n##[add-mask]x\n\x1b[31mpwned"
    write_layout(layouts.workspace / "evil", {"": image("linux/s390x")})
    (layouts.workspace / "evil" / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": evil}))
    failed = layouts.run(image="oci:out:1", sources="oci:evil", annotations=json.dumps({"a": evil.replace("\r", "")}))
    assert failed.code != 0
    for line in failed.log.splitlines():
        assert not line.lstrip().startswith("::") or re.match(r"::(add-mask|group|endgroup|error title=)", line)
        assert not {"##[", "\x1b"} & {line[at : at + 3] for at in range(len(line))}


def test_a_summary_stays_below_what_the_runner_takes(layouts: ContainerRunner) -> None:
    for name in "abcd":
        specs = [
            {"image": f"oci:{name}:{number}", "tags": [f"{number}-{each}{'x' * 110}" for each in range(6)]}
            for number in range(240)
        ]
        (layouts.workspace / f"{name}.yml").write_text(
            json.dumps({"defaults": {"sources": ["oci:amd64"]}, "indexes": specs})
        )
    result = layouts.run(spec="a.yml\nb.yml\nc.yml\nd.yml", push="false")
    assert result.code == 0, result.log[-2000:]
    assert 900_000 < len(result.summary.encode()) <= 1024 * 1024
    assert re.search(r"\n_\d+ more not shown; the report has them all._\n$", result.summary)


def test_nothing_is_imported_from_the_workspace(layouts: ContainerRunner) -> None:
    for name in ("json.py", "yaml.py", "manifest_action.py", "sitecustomize.py", "usercustomize.py"):
        (layouts.workspace / name).write_text("raise SystemExit('imported from the workspace')\n")
    layouts.environment |= {"PYTHONPATH": "/github/workspace", "PYTHONSTARTUP": "/github/workspace/json.py"}
    result = layouts.run(image="oci:out:1", sources=BOTH)
    assert result.code == 0, result.log + result.errors


def test_a_step_that_is_stopped_ends_at_once_with_what_it_knows(layouts: ContainerRunner) -> None:
    layouts.run(image="oci:out:0", sources="oci:amd64")
    layouts.options = ("--name", layouts.folder.name)
    with held(layouts.workspace / "out"):
        process = layouts.start(image="oci:out:1", sources=BOTH)
        wait_for_copying(process)
        start = time.monotonic()
        subprocess.run(images.command("podman", "stop", layouts.folder.name), env=images.environment(), check=True)
        result = layouts.finish(process)
    assert time.monotonic() - start < 5
    assert result.code == 143
    assert result.outputs["digest"].startswith("sha256:")
    assert "stopped by SIGTERM" in result.log


def test_gpg_verifies_without_rights_and_without_a_writable_root(container: ContainerRunner, tmp_path: Path) -> None:
    with gpg() as keys:
        key = keys.make_key("release@acme.example")
        signed = keys.sign("release@acme.example", b"payload")
    (container.workspace / "key").write_bytes(key)
    (container.workspace / "signed").write_bytes(signed)
    program = (
        "import sys; sys.path.insert(0, '/app')\n"
        "from pathlib import Path\n"
        "from manifest_action.adapters.privileges import give_up\n"
        "from manifest_action.signing.gpg import Keyring\n"
        "here = Path('/workspace'); give_up(here)\n"
        "with Keyring([(here / 'key').read_bytes()]) as keys:\n"
        "    print(keys.opened((here / 'signed').read_bytes()).decode())\n"
    )
    container.give(container.workspace)
    mount = f"{container.workspace}:/workspace"
    result = podman(
        "run", "--rm", "--read-only", "--volume", mount, "--entrypoint=python3", container.image, "-Ic", program
    )
    assert result.stdout == "payload\n", result.stderr


@pytest.mark.parametrize("owner", [RUNNER, (0, 0)], ids=["runner", "root"])
def test_what_can_sign_there_does_and_reads_it_back(
    container: ContainerRunner, owner: tuple[int, int], registry: Registry, repository: str, skopeo: Peer
) -> None:
    with gpg() as keys:
        keys.make_key("acme")
        container.environment["GPG_PRIVATE_KEY"] = keys.private("acme")
        (skopeo.home / "key.pub").write_bytes(keys.armored("acme"))
    made_up = signing()
    container.environment |= {"NOTATION_KEY": made_up.key, "NOTATION_CERTIFICATES": made_up.certificates}
    container.environment["COSIGN_PRIVATE_KEY"] = key_pair().private
    container.owner = owner
    name = f"{registry.host}/{repository}"
    result = container.run(
        image=f"{name}:1",
        sources=pushed_sources(registry, repository),
        sign="[cosign, notation, {gpg: {lookaside: 'file:///github/workspace/sigstore'}}]",
        verify="true",
    )
    assert result.code == 0, result.log + result.errors
    assert container.owners() == {owner}
    requirement = {"type": "signedBy", "keyType": "GPGKeys", "keyPath": str(skopeo.home / "key.pub")}
    (skopeo.home / "policy.json").write_text(json.dumps({"default": [requirement]}))
    places = skopeo.home / "registries.d"
    places.mkdir()
    (places / "here.yaml").write_text(f"docker: {{{name}: {{lookaside: '{container.workspace.as_uri()}/sigstore'}}}}")
    options = ("--policy", skopeo.home / "policy.json", "--registries.d", places, "copy", "-q", "--all")
    copied = skopeo.run(*options, "--src-tls-verify=false", f"docker://{name}:1", f"dir:{skopeo.home / 'out'}")
    assert copied.returncode == 0, copied.stderr


def test_keyless_signing_can_be_loaded(built_image: str) -> None:
    result = podman("run", "--rm", "--entrypoint=python3", built_image, "-Ic", "import sigstore.sign, tuf.ngclient")
    assert result.returncode == 0, result.stderr


def test_the_release_tries_it_on_the_examples(built_image: str) -> None:
    command = [sys.executable, str(ROOT / "scripts/smoke.py"), built_image]
    engine = [sys.executable, str(ROOT / "scripts/image.py"), "podman"]
    result = subprocess.run([*command, *engine], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    broken = subprocess.run([*command, "true"], capture_output=True, text=True, check=False)
    assert (broken.returncode, broken.stdout[:26]) == (1, "error: the digest is not s")


def test_there_is_nothing_in_it_but_what_runs(built_image: str) -> None:
    with mounted(built_image) as root:
        programs = {path.name for path in root.rglob("*bin/*")}
        assert programs == {"python", "python3", programs_python(root), "gpg", "gpg-agent", "gpgconf"}
        assert not [*root.rglob("pip"), *root.rglob("ensurepip")]
        listed = {path.name for path in (root / "var/lib/dpkg/status.d").iterdir()}
        assert {"gpg", "libc6", "ca-certificates"} <= listed
        assert all((root / "usr/share/doc" / name / "copyright").exists() for name in listed)
        assert not [path for path in root.rglob("*") if path.lstat().st_uid or path.lstat().st_mode & 0o6000]


def test_all_code_is_compiled_and_never_checked_again(built_image: str) -> None:
    with mounted(built_image) as root:
        sources = [path for path in root.rglob("*.py") if "site-packages" not in path.parts]
        assert len(sources) > 500
        for source in sources:
            (compiled,) = source.parent.glob(f"__pycache__/{source.stem}.cpython-*.pyc")
            # PEP 552: the second word is 1 for bytecode with a hash of its source that is not looked at.
            assert int.from_bytes(compiled.read_bytes()[4:8], "little") == 1, source


def test_its_configuration_says_only_how_it_begins(built_image: str) -> None:
    told = podman("image", "inspect", built_image)
    config = json.loads(told.stdout)[0]["Config"]
    assert config["Entrypoint"] == ["/usr/local/bin/python3", "-I", "/app/entrypoint.py"]
    assert not {"User", "WorkingDir", "Cmd", "ExposedPorts", "Volumes"} & {name for name in config if config[name]}


def test_it_is_small(built_image: str) -> None:
    with mounted(built_image) as root:
        packed = subprocess.run(["tar", "-C", root, "-czf", "-", "."], capture_output=True, check=True).stdout
    assert len(packed) < 40_000_000


def test_it_starts_fast(layouts: ContainerRunner) -> None:
    """In seconds of the processor; other work on the machine lengthens those that `benchmarks/image.py` takes."""
    layouts.options = ("--entrypoint", "python3")
    code = (
        "import runpy, sys, time\n"
        "try: runpy.run_path('/app/entrypoint.py', run_name='__main__')\n"
        "except SystemExit as end: print('seconds', time.process_time()); raise\n"
    )
    results = [layouts.run("-Ic", code, image="oci:out:1", sources=BOTH) for _ in range(3)]
    assert {result.code for result in results} == {0}, results[0].errors
    assert min(float(result.log.rpartition("seconds ")[2]) for result in results) < 0.4


@contextmanager
def mounted(name: str) -> Iterator[Path]:
    """The root of an image's files."""
    container = buildah("from", "--pull-never", name)
    try:
        yield Path(buildah("mount", container))
    finally:
        buildah("rm", container)


def buildah(*arguments: str) -> str:
    """What it says."""
    command = ["buildah", *arguments]
    done = subprocess.run(command, env=images.environment(), capture_output=True, text=True, check=True)
    return done.stdout.strip()


def programs_python(root: Path) -> str:
    """The real name of the interpreter, such as python3.13."""
    return (root / "usr/local/bin/python3").readlink().name


def test_who_the_job_is_can_be_asked_by_keyless_signing_alone(
    layouts: ContainerRunner, registry: Registry, repository: str
) -> None:
    asked: list[str] = []

    class Issuer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers["Authorization"])
            self.send_response(403)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = LoopbackServer(Issuer)
    with server.running():
        layouts.environment |= {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{server.url}/token?api-version=2",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "canary-identity",
        }
        signed = layouts.run(image=f"{registry.host}/{repository}:1", sources=BOTH, sign="keyless")
    assert registry.tags(repository) == []
    assert (signed.code, signed.outputs["error-code"]) == (11, "signing"), signed.log
    assert asked
    assert {each.lower() for each in asked} == {"bearer canary-identity"}
    assert "canary-identity" not in signed.log + signed.errors


def podman(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run podman in the store of the image."""
    command = images.command("podman", *arguments)
    return subprocess.run(command, env=images.environment(), capture_output=True, text=True, check=False)


@contextmanager
def running(runner: ContainerRunner, layout: Path, **inputs: str) -> Iterator[Mapping[str, str]]:
    """What the kernel says of a step's process while it waits for `layout`; it is let go at the end."""
    pid = runner.folder / "pid"
    given = inputs or {"image": "oci:out:1", "sources": BOTH}
    before = runner.options
    runner.options = (*before, "--pidfile", str(pid))
    try:
        with held(layout):
            process = runner.start(**given)
            wait_for_copying(process)
            lines = Path("/proc", pid.read_text(), "status").read_text().splitlines()
            yield dict(line.split(":\t", 1) for line in lines)
        result = runner.finish(process)
        assert result.code == 0, result.log
    finally:
        runner.options = before


@contextmanager
def engine_socket(runner: ContainerRunner, group: int) -> Iterator[None]:
    """A socket where the runner mounts the one of its engine."""
    path = runner.folder / "docker.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(path))
        os.chown(path, 0, group)
        path.chmod(0o660)
        before = runner.options
        runner.options = (*before, "--volume", f"{path}:/var/run/docker.sock")
        yield
        runner.options = before


def wait_for_copying(process: "subprocess.Popen[str]") -> None:
    """Read the log up to where layouts are written."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("::group::Copy"):
            return
    raise AssertionError("the step ended before it copied anything")
