"""Who we are to each registry: explicit logins first, then the auth files, in the order people expect."""

import os
import stat
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from manifest_action.errors import AuthError, ConfigError, Problem
from manifest_action.model.credential import ANONYMOUS, Credential
from manifest_action.model.reference import Repository
from manifest_action.transport.registry.authfile import AuthFile, candidate_keys, registry_key, server_name
from manifest_action.transport.registry.credential_program import CredentialPrograms, ProgramMissing
from manifest_action.transport.registry.options import RegistryOptions

_RUN = "/run/containers"
_FILE_LIMIT = 1024 * 1024
_GITHUB_REGISTRY = "ghcr.io"
_GITHUB_USER = "github-actions"


class Keychain:
    """Finds the credential for a repository. Everything is read when it is first needed, and once.

    Order: `options.credentials` (the most specific path first), `options.auth_file`, REGISTRY_AUTH_FILE,
    DOCKER_CONFIG, HOME, XDG_RUNTIME_DIR (or /run/containers/<uid>), XDG_CONFIG_HOME (or HOME/.config), and at last
    what the job itself has, `options.job_credentials` and the GitHub token for ghcr.io: it is always there, so it
    must not stand in the way of a login that somebody made.
    Within a file: credHelpers, credsStore, auths.

    warn: told, in one sentence, about a credential program that is not found
    """

    def __init__(
        self,
        options: RegistryOptions,
        warn: Callable[[str], None],
        programs: CredentialPrograms | None = None,
    ) -> None:
        self._options = options
        self._warn = warn
        self._programs = programs or CredentialPrograms(options.environment)
        self._explicit = {registry_key(key): credential for key, credential in options.credentials.items()}
        self._job = {registry_key(key): credential for key, credential in options.job_credentials.items()}
        self._lock = threading.RLock()
        self._found: dict[Repository, Credential] = {}
        self._files: dict[Path, AuthFile] = {}
        self._told: dict[tuple[str, str], Credential] = {}

    def resolve(self, repository: Repository) -> Credential:
        """The credential for a repository, ANONYMOUS when there is none.

        Raises AuthError when an auth file or credential program that decides cannot be used, ConfigError when
        the file named by `options.auth_file` does not exist.
        """
        with self._lock:
            if repository not in self._found:
                self._found[repository] = self._look_up(repository)
            return self._found[repository]

    def _look_up(self, repository: Repository) -> Credential:
        for key in candidate_keys(repository):
            if key in self._explicit:
                return self._explicit[key]
        for path in self._paths():
            credential = self._from_file(path, repository)
            if not credential.is_anonymous:
                return credential
        return self._of_the_job(repository.registry)

    def _of_the_job(self, registry: str) -> Credential:
        if registry != _GITHUB_REGISTRY:
            return self._job.get(registry, ANONYMOUS)
        token = self._options.github_token
        user = self._options.github_actor or _GITHUB_USER
        return Credential(user, token, origin="input github-token") if token else ANONYMOUS

    def _paths(self) -> Iterator[Path]:
        if self._options.auth_file:
            yield self._existing(Path(self._options.auth_file))
        yield from _usual_places(self._options.environment)

    def _existing(self, path: Path) -> Path:
        if not path.exists():
            raise ConfigError([Problem(f"there is no auth file {path}", path="auth-file")])
        return path

    def _from_file(self, path: Path, repository: Repository) -> Credential:
        if path not in self._files:
            self._files[path] = _read(path)
        file = self._files[path]
        if suffix := file.program_for(repository):
            told = self._from_program(suffix, repository.registry, path)
            if not told.is_anonymous:
                return told
        try:
            return file.credential(repository, str(path)) or ANONYMOUS
        except ValueError as error:
            raise _unusable(path, str(error)) from None

    def _from_program(self, suffix: str, registry: str, path: Path) -> Credential:
        key = (suffix, registry)
        if key not in self._told:
            try:
                self._told[key] = self._programs.get(suffix, server_name(registry)) or ANONYMOUS
            except ProgramMissing as error:
                self._told[key] = ANONYMOUS
                self._warn(f"{path} leaves the login for {registry} to {error}")
            except AuthError as error:
                error.where = str(path)
                raise
        return self._told[key]


def _usual_places(environment: Mapping[str, str]) -> Iterator[Path]:
    """Where docker and, as containers-auth.json(5) says, podman and its kin keep logins."""
    home = environment.get("HOME")
    if file := environment.get("REGISTRY_AUTH_FILE"):
        yield Path(file)
    if folder := environment.get("DOCKER_CONFIG"):
        yield Path(folder, "config.json")
    if home:
        yield Path(home, ".docker/config.json")
    if folder := environment.get("XDG_RUNTIME_DIR"):
        yield Path(folder, "containers/auth.json")
    else:
        yield from _without_session()
    if folder := environment.get("XDG_CONFIG_HOME") or (home and f"{home}/.config"):
        yield Path(folder, "containers/auth.json")


def _without_session() -> Iterator[Path]:
    """The runtime place of users without a login session, if they may look there: the folder is made by root."""
    folder = Path(_RUN, str(os.getuid()))
    if os.access(folder, os.X_OK):
        yield folder / "auth.json"


def _read(path: Path) -> AuthFile:
    """The file's content; an empty one when there is no such file."""
    try:
        raw = _content(path)
    except (FileNotFoundError, NotADirectoryError):
        return AuthFile()
    except OSError as error:
        raise _unusable(path, error.strerror or type(error).__name__) from None
    try:
        return AuthFile.parse(raw) if raw.strip() else AuthFile()
    except ValueError as error:
        raise _unusable(path, str(error)) from None


def _content(path: Path) -> bytes:
    """The bytes of a regular file; opened without waiting, so that a pipe in its place cannot hold us up."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "it is no regular file")
        raw = file.read(_FILE_LIMIT + 1)
    if len(raw) > _FILE_LIMIT:
        raise OSError(0, f"it has more than {_FILE_LIMIT} bytes")
    return raw


def _unusable(path: Path, why: str) -> AuthError:
    return AuthError(
        "the auth file cannot be used",
        where=str(path),
        why=why,
        hint="mend it, log in again, or name another one with auth-file",
    )
