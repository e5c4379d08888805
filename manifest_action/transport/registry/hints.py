"""What a user can do about a registry's refusal, registry by registry. Pure."""

from collections.abc import Callable
from dataclasses import dataclass

from manifest_action.transport.registry.message import Request

_GITHUB_REGISTRY = "ghcr.io"
_TOO_LARGE = ("too large", "entity too large", "request body too large")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: where the login in use came from (empty for none), and whether this is a GitHub Actions job."""

    login: str = ""
    in_actions: bool = False


@dataclass(frozen=True, slots=True)
class _Refusal:
    request: Request
    status: int
    codes: tuple[str, ...]
    said: str
    caller: Caller

    @property
    def host(self) -> str:
        return self.request.repository.registry

    @property
    def writes(self) -> bool:
        return self.request.method in ("POST", "PUT", "PATCH")


def hint_for(request: Request, status: int, codes: tuple[str, ...], said: str, caller: Caller) -> str:
    """The advice for a refusal, empty when there is none to give. `said` is the registry's text in lower case."""
    refusal = _Refusal(request, status, codes, said, caller)
    return next((advice(refusal) for applies, advice in _ADVICE if applies(refusal)), "")


def network_hint(host: str, *, no_tls: bool, certificate: bool) -> str:
    """The advice for a host that cannot be spoken to."""
    if no_tls:
        return f"if {host} really speaks plain HTTP, name it in insecure-registries"
    if certificate:
        return f"give the authority that signed the certificate of {host} in ca-certificates, as a PEM file"
    return f"check the spelling of {host}, and whether a proxy or firewall stands in the way; then run it again"


def login_hint(host: str, caller: Caller) -> str:
    """The advice when no login, or one that does not suffice, is known for a registry."""
    if caller.login:
        return (
            f"the login from {caller.login} was used; check that its user may do this, "
            "and that its password or token is right and has not expired"
        )
    if not caller.in_actions:
        return f"log in with `docker login {host}`, `podman login` or `skopeo login`, or name an auth file"
    token = ", or give it the job's token as `github-token`" if host == _GITHUB_REGISTRY else ""
    return (
        f"no login for {host} is known here. A login made by an earlier step is not visible inside a container "
        "action. Any of these makes it known:\n"
        f"- give this step `username` and `password`, or `registries` with an entry for {host}{token}\n"
        '- in a step before the login, run: echo "DOCKER_CONFIG=$RUNNER_TEMP/_github_home/.docker" >> "$GITHUB_ENV"\n'
        "- let the step say `uses: OWNER/manifest-action/host@...`: that is this action on the runner itself, where "
        "the logins of earlier steps and credential helpers are"
    )


def _login(refusal: _Refusal) -> str:
    return login_hint(refusal.host, refusal.caller)


def _says(*texts: str) -> Callable[[_Refusal], bool]:
    return lambda refusal: any(text in refusal.said for text in texts)


def _has_code(*codes: str) -> Callable[[_Refusal], bool]:
    return lambda refusal: any(code in refusal.codes for code in codes)


def _has_status(*statuses: int) -> Callable[[_Refusal], bool]:
    return lambda refusal: refusal.status in statuses


def _text(text: str) -> Callable[[_Refusal], str]:
    return lambda _: text


def _cannot_write_package(refusal: _Refusal) -> bool:
    return refusal.status == 403 and (
        "write_package" in refusal.said or (refusal.host == _GITHUB_REGISTRY and refusal.writes)
    )


def _is_immutable(refusal: _Refusal) -> bool:
    return (
        bool({"TAG_INVALID", "IMAGETAGALREADYEXISTSEXCEPTION"} & set(refusal.codes)) or "immutable" in refusal.said
    ) and refusal.writes


def _lacks_repository(refusal: _Refusal) -> bool:
    return refusal.writes and refusal.status == 404 and "NAME_UNKNOWN" in refusal.codes


_ADVICE: tuple[tuple[Callable[[_Refusal], bool], Callable[[_Refusal], str]], ...] = (
    (
        _cannot_write_package,
        _text(
            "the workflow needs `permissions: packages: write`; and for a package that another repository made, "
            'add this repository with the role "Write" under "Manage Actions access" in the package\'s settings'
        ),
    ),
    (_says("token has expired"), _text("the login has expired; log in again shortly before this step")),
    (_has_status(401, 403), _login),
    (
        _is_immutable,
        _text(
            "the tag may not be moved there (immutable tags); use a new tag, or `existing: keep-equal` "
            "to accept a tag that already points to the same digest"
        ),
    ),
    (
        _lacks_repository,
        _text("this registry makes no repositories by itself (Amazon ECR, for one); create the repository first"),
    ),
    (
        lambda refusal: refusal.status == 413 or _says(*_TOO_LARGE)(refusal),
        _text("it is larger than the registry takes; a proxy before it may have a limit of its own"),
    ),
    (
        _has_status(415),
        _text(
            "the registry does not take this media type; zot takes Docker types only with its `docker2s2` "
            "compatibility, so use images with OCI types and `format: oci`"
        ),
    ),
    (
        _has_code("MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN"),
        _text("the registry lacks something that the manifest refers to; run it again, so that it is sent again"),
    ),
    (
        _has_code("MANIFEST_INVALID"),
        _text("some registries take one kind of index only; try `format: docker` or `format: oci`"),
    ),
    (
        _has_code("DIGEST_INVALID"),
        _text("what arrived is not what was sent; something between here and the registry changes content"),
    ),
    (_has_status(429), _text("log in for a higher limit, lower `jobs`, or run it again later")),
    (_has_status(507), _text("the registry has no space left")),
    (
        lambda refusal: refusal.status >= 500,
        _text("the registry has trouble; look at its status page, and run it again"),
    ),
)
