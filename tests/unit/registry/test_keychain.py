import base64
import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from manifest_action.errors import AuthError, ConfigError
from manifest_action.model.credential import ANONYMOUS, Credential
from manifest_action.model.reference import Repository, parse_repository
from manifest_action.transport.registry.credential_program import CredentialPrograms
from manifest_action.transport.registry.keychain import Keychain
from manifest_action.transport.registry.options import RegistryOptions

APP = parse_repository("quay.io/acme/app")
GITHUB = parse_repository("ghcr.io/acme/app")


def login(path: Path, user: str, host: str = "quay.io", **more: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    entry = {"auth": base64.b64encode(f"{user}:secret".encode()).decode()}
    path.write_text(json.dumps({"auths": {host: entry}, **more}))
    return path


class Warnings(list[str]):
    def __call__(self, text: str) -> None:
        self.append(text)


def keychain(
    options: RegistryOptions, warnings: Warnings | None = None, programs: CredentialPrograms | None = None
) -> Keychain:
    return Keychain(options, Warnings() if warnings is None else warnings, programs)


def user(options: RegistryOptions, repository: Repository = APP) -> str:
    return keychain(options).resolve(repository).username


def test_nothing_known_is_anonymous() -> None:
    assert keychain(RegistryOptions()).resolve(APP) is ANONYMOUS


def test_the_environment_of_the_process_is_not_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    login(tmp_path / "config.json", "process")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert user(RegistryOptions()) == ""


def test_explicit_logins_go_by_the_most_specific_path() -> None:
    options = RegistryOptions(
        credentials={
            "https://quay.io": Credential("host", "x"),
            "quay.io/acme": Credential("namespace", "x"),
            "quay.io/acme/app": Credential("repository", "x"),
        }
    )
    assert user(options) == "repository"
    assert user(options, parse_repository("quay.io/acme/other")) == "namespace"
    assert user(options, parse_repository("quay.io/acmeapp")) == "host"
    assert user(options, parse_repository("quay.io:8443/acme/app")) == ""


def test_docker_hub_is_known_by_all_its_names() -> None:
    for name in ("docker.io", "index.docker.io", "https://index.docker.io/v1/", "registry-1.docker.io"):
        assert user(RegistryOptions(credentials={name: Credential("hub", "x")}), parse_repository("alpine")) == "hub"


def test_the_github_token_is_for_github_only() -> None:
    token = RegistryOptions(github_token="job-token", github_actor="octocat")
    found = keychain(token).resolve(GITHUB)
    assert (found.username, found.password, found.origin) == ("octocat", "job-token", "input github-token")
    assert keychain(RegistryOptions(github_token="job-token")).resolve(GITHUB).username
    assert user(token, APP) == ""
    assert user(token, parse_repository("ghcr.io.evil.example/acme/app")) == ""


def test_the_github_token_gives_way_to_every_other_login(tmp_path: Path) -> None:
    file = login(tmp_path / "config.json", "file", "ghcr.io")
    explicit = {"ghcr.io": Credential("explicit", "x")}
    places = (
        RegistryOptions(github_token="job-token", credentials=explicit),
        RegistryOptions(github_token="job-token", auth_file=str(file)),
        RegistryOptions(github_token="job-token", environment={"REGISTRY_AUTH_FILE": str(file)}),
        RegistryOptions(github_token="job-token", environment={"DOCKER_CONFIG": str(tmp_path)}),
    )
    assert [user(options, GITHUB) for options in places] == ["explicit", "file", "file", "file"]
    login(file, "file", "quay.io")
    assert [user(options, GITHUB) for options in places[1:]] == ["github-actions"] * 3


def test_what_a_job_has_gives_way_to_every_other_login_and_is_for_its_own_host(tmp_path: Path) -> None:
    job = {"quay.io": Credential("job", "x")}
    file = login(tmp_path / "config.json", "file", "quay.io")
    quay = parse_repository("quay.io/acme/app")
    assert user(RegistryOptions(job_credentials=job), quay) == "job"
    assert user(RegistryOptions(job_credentials=job), parse_repository("evil.example/quay.io/app")) == ""
    assert user(RegistryOptions(job_credentials=job, auth_file=str(file)), quay) == "file"
    assert user(RegistryOptions(job_credentials=job, credentials={"quay.io": Credential("me", "x")}), quay) == "me"


def test_the_files_are_looked_at_in_their_order(tmp_path: Path) -> None:
    places: Mapping[str, tuple[str, str]] = {
        "auth-file": ("named.json", ""),
        "REGISTRY_AUTH_FILE": ("registry.json", "registry.json"),
        "DOCKER_CONFIG": ("docker/config.json", "docker"),
        "HOME": ("home/.docker/config.json", "home"),
        "XDG_RUNTIME_DIR": ("runtime/containers/auth.json", "runtime"),
        "XDG_CONFIG_HOME": ("config/containers/auth.json", "config"),
    }
    files = {name: login(tmp_path / file, name) for name, (file, _) in places.items()}
    environment = {name: str(tmp_path / value) for name, (_, value) in places.items() if value}
    options = RegistryOptions(auth_file=str(files["auth-file"]), environment=environment)
    for name, file in files.items():
        found = keychain(options).resolve(APP)
        assert (found.username, found.origin) == (name, str(file))
        file.write_text("{}")
    assert user(options) == ""


def test_a_user_without_a_session_has_a_place_under_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manifest_action.transport.registry.keychain._RUN", str(tmp_path))
    assert user(RegistryOptions()) == ""
    login(tmp_path / str(os.getuid()) / "auth.json", "run")
    assert user(RegistryOptions()) == "run"
    assert user(RegistryOptions(environment={"XDG_RUNTIME_DIR": str(tmp_path / "session")})) == ""


def test_what_may_not_be_looked_at_under_run_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manifest_action.transport.registry.keychain._RUN", str(tmp_path / "file"))
    (tmp_path / "file").touch()
    assert user(RegistryOptions()) == ""


def test_the_configuration_folder_is_in_the_home_unless_it_is_said(tmp_path: Path) -> None:
    login(tmp_path / ".config/containers/auth.json", "home")
    assert user(RegistryOptions(environment={"HOME": str(tmp_path)})) == "home"
    elsewhere = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "elsewhere")}
    assert user(RegistryOptions(environment=elsewhere)) == ""


def test_a_file_is_read_once_and_only_when_needed(tmp_path: Path) -> None:
    file = login(tmp_path / "config.json", "first")
    options = RegistryOptions(
        credentials={"ghcr.io": Credential("explicit", "x")}, environment={"DOCKER_CONFIG": str(tmp_path)}
    )
    chain = keychain(options)
    file.write_text("broken")
    assert chain.resolve(GITHUB).username == "explicit"
    login(file, "second")
    assert chain.resolve(APP).username == "second"
    login(file, "third")
    assert chain.resolve(parse_repository("quay.io/acme/other")).username == "second"


def test_a_missing_named_file_is_an_error_and_a_missing_usual_one_is_not(tmp_path: Path) -> None:
    assert user(RegistryOptions(environment={"REGISTRY_AUTH_FILE": str(tmp_path / "none.json")})) == ""
    with pytest.raises(ConfigError, match=r"none\.json"):
        user(RegistryOptions(auth_file=str(tmp_path / "none.json")))


def test_an_empty_file_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("\n")
    assert user(RegistryOptions(environment={"DOCKER_CONFIG": str(tmp_path)})) == ""


@pytest.mark.parametrize("content", ["canary", '{"auths": {"quay.io": {"auth": "canary"}}}', "[" * 100_000])
def test_a_broken_file_is_an_error_with_its_path_and_without_its_content(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(AuthError) as caught:
        user(RegistryOptions(environment={"DOCKER_CONFIG": str(tmp_path)}))
    assert caught.value.where == str(tmp_path / "config.json")
    assert "canary" not in f"{caught.value!r} {caught.value} {caught.value.hint}"


def test_what_is_no_regular_file_or_too_large_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(2 * 1024 * 1024)
    for path in (tmp_path / "pipe", Path("/dev/zero"), large, tmp_path):
        with pytest.raises(AuthError):
            user(RegistryOptions(auth_file=str(path)))


class TestPrograms:
    def program(self, folder: Path, answers: Mapping[str, str]) -> CredentialPrograms:
        """A credential program that notes what it is asked."""
        cases = "".join(f"{host}) printf '%s' '{answer}';;\n" for host, answer in answers.items())
        file = folder / "docker-credential-test"
        file.write_text(f"""#!/bin/sh
read -r host; echo "$host" >> {folder}/asked
case "$host" in
{cases}*) echo 'credentials not found in native keychain'; exit 1;;
esac
""")
        file.chmod(0o755)
        return CredentialPrograms({}, f"{folder}:/usr/bin:/bin")

    def test_a_program_is_asked_once_for_each_host(self, tmp_path: Path) -> None:
        programs = self.program(tmp_path, {"quay.io": '{"Username": "program", "Secret": "x"}'})
        login(tmp_path / "config.json", "file", credsStore="test")
        chain = keychain(RegistryOptions(environment={"DOCKER_CONFIG": str(tmp_path)}), programs=programs)
        for name in ("a", "b"):
            assert chain.resolve(parse_repository(f"quay.io/acme/{name}")).username == "program"
        assert chain.resolve(parse_repository("alpine")).is_anonymous
        assert (tmp_path / "asked").read_text().split() == ["quay.io", "https://index.docker.io/v1/"]

    def test_what_it_does_not_know_is_looked_for_in_the_file(self, tmp_path: Path) -> None:
        login(tmp_path / "config.json", "file", credHelpers={"quay.io": "test"})
        chain = keychain(
            RegistryOptions(environment={"DOCKER_CONFIG": str(tmp_path)}), programs=self.program(tmp_path, {})
        )
        assert chain.resolve(APP).username == "file"

    def test_one_that_is_missing_is_a_warning(self, tmp_path: Path) -> None:
        login(tmp_path / "config.json", "file", credsStore="no-such-program")
        warnings = Warnings()
        chain = keychain(RegistryOptions(environment={"DOCKER_CONFIG": str(tmp_path)}), warnings)
        assert chain.resolve(APP).username == "file"
        assert chain.resolve(parse_repository("quay.io/acme/other")).username == "file"
        (text,) = warnings
        assert "docker-credential-no-such-program, which is in none of /usr/local/sbin, /usr/local/bin" in text
        assert str(tmp_path / "config.json") in text

    def test_one_that_fails_is_an_error_with_the_files_path(self, tmp_path: Path) -> None:
        programs = self.program(tmp_path, {"quay.io": "canary"})
        login(tmp_path / "config.json", "file", credsStore="test")
        with pytest.raises(AuthError) as caught:
            keychain(RegistryOptions(environment={"DOCKER_CONFIG": str(tmp_path)}), programs=programs).resolve(APP)
        assert caught.value.where == str(tmp_path / "config.json")
        assert "canary" not in str(caught.value)
