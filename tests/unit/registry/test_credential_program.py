import time
from pathlib import Path

import pytest

from manifest_action.errors import AuthError
from manifest_action.transport.registry.credential_program import CredentialPrograms, ProgramMissing

JANE = '{"ServerURL": "ghcr.io", "Username": "jane", "Secret": "s3cret"}'


def install(folder: Path, script: str, suffix: str = "test") -> None:
    program = folder / f"docker-credential-{suffix}"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def programs(folder: Path, timeout: float = 30) -> CredentialPrograms:
    return CredentialPrograms({"HOME": "/nowhere", "PATH": "/evil"}, f"{folder}:/usr/bin:/bin", timeout)


def test_the_host_goes_in_and_the_credential_comes_out(tmp_path: Path) -> None:
    install(
        tmp_path,
        f"""test "$1" = get || exit 9
        read -r host; test "$host" = ghcr.io || exit 8
        test "$HOME" = /nowhere || exit 7
        case "$PATH" in */evil*) exit 6;; esac
        printf '%s' '{JANE}'""",
    )
    found = programs(tmp_path).get("test", "ghcr.io")
    assert found
    assert (found.username, found.password, found.origin) == ("jane", "s3cret", "docker-credential-test")
    assert "s3cret" not in repr(found)


def test_a_special_user_name_marks_an_identity_token(tmp_path: Path) -> None:
    install(tmp_path, """printf '{"Username": "<token>", "Secret": "identity"}'""")
    found = programs(tmp_path).get("test", "ghcr.io")
    assert found
    assert (found.username, found.password, found.identity_token) == ("", "", "identity")


@pytest.mark.parametrize(
    "script",
    [
        "echo 'credentials not found in native keychain'; exit 1",
        """printf '{"Username": "", "Secret": ""}'""",
    ],
)
def test_a_program_may_know_nothing(tmp_path: Path, script: str) -> None:
    install(tmp_path, script)
    assert programs(tmp_path).get("test", "ghcr.io") is None


@pytest.mark.parametrize(
    "script",
    [
        "echo canary; echo canary >&2; exit 1",
        "echo canary",
        'printf \'{"Username": "canary"}\'',
        "yes canary",
        "sleep 60",
        "sleep 60 & exec cat",
        "kill -9 $$",
    ],
)
def test_a_program_that_fails_is_an_error_that_quotes_nothing(tmp_path: Path, script: str) -> None:
    install(tmp_path, script)
    start = time.monotonic()
    with pytest.raises(AuthError) as caught:
        programs(tmp_path, timeout=1).get("test", "ghcr.io")
    assert time.monotonic() - start < 10
    assert "docker-credential-test" in str(caught.value)
    assert "canary" not in f"{caught.value!r} {caught.value} {caught.value.hint}"


@pytest.mark.parametrize("suffix", ["../../tmp/x", "a b", "a;b", "", "x" * 65, "a/b", "a\nb"])
def test_a_suffix_that_is_no_plain_name_is_refused(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(AuthError):
        programs(tmp_path).get(suffix, "ghcr.io")


def test_a_missing_program_is_told_apart_with_the_folders_that_do_not_have_it(tmp_path: Path) -> None:
    folders = f"{tmp_path}, /usr/bin, /bin"
    with pytest.raises(ProgramMissing, match=f"^docker-credential-desktop, which is in none of {folders}$"):
        programs(tmp_path).get("desktop", "ghcr.io")


def test_programs_are_not_looked_for_where_path_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, f"printf '%s' '{JANE}'")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ProgramMissing):
        CredentialPrograms({"PATH": str(tmp_path)}).get("test", "ghcr.io")
