"""Reading who we are to which registry. What is read here is secret: no message quotes any of it."""

from collections.abc import Sequence

from manifest_action.model.credential import ANONYMOUS, Credential
from manifest_action.model.reference import DOCKER, Reference, parse_repository
from manifest_action.plan import node
from manifest_action.plan.keys import Key
from manifest_action.plan.part import Part

_TEXT = {"type": "string"}
CREDENTIAL_KEYS = (
    Key("username", _TEXT, "User name."),
    Key("password", _TEXT, "Password or access token that goes with the user name."),
    Key("token", _TEXT, "A registry token, sent as it is (Bearer)."),
)


def registry_scope(text: str) -> str:
    """A registry host, or host/path, spelled as repositories spell it; ValueError when it is none."""
    host, _, path = text.partition("/")
    probe = parse_repository("/".join(filter(None, (host, path, "x/y"))))
    if probe.name != "/".join(filter(None, (path, "x/y"))):
        raise ValueError("a registry host has a dot or a port, or is localhost")
    return "/".join(filter(None, (probe.registry, path)))


def read_registries(part: Part) -> dict[str, Credential]:
    """The credentials of a mapping from host (or host/path) to username and password, or token."""
    if not isinstance(part.node, node.Mapping):
        part.refuse("must be a mapping from registry hosts to their credentials", "a line looks like  ghcr.io:")
        return {}
    found: dict[str, Credential] = {}
    for key, value in part.node.entries:
        credential = _credential(part.child(value, part.path))
        try:
            scope = registry_scope(key.text)
        except ValueError:
            part.problems.add(
                "this is no registry host",
                key.mark,
                path=part.path,
                hint="write a host such as ghcr.io, without https://",
            )
            continue
        if scope in found:
            part.problems.add("this registry has credentials already", key.mark, path=part.path)
        found[scope] = credential
    return found


def read_login(username: Part | None, password: Part | None, references: Sequence[Reference]) -> dict[str, Credential]:
    """The credential of the inputs `username` and `password`, for the one registry among `references`."""
    given = username or password
    if given is None:
        return {}
    if username is None or password is None:
        given.refuse(f"{'username' if username is None else 'password'} is missing", "give both or neither")
        return {}
    hosts = list(dict.fromkeys(each.repository.registry for each in references if each.repository.transport == DOCKER))
    if len(hosts) > 1:
        username.refuse(
            f"one username is for one registry, not for {' and '.join(hosts[:3])}", "use the input registries"
        )
    credential = Credential(username.text() or "", password.text() or "", origin="input username")
    return dict.fromkeys(hosts, credential)


def _credential(part: Part) -> Credential:
    fields = part.fields(CREDENTIAL_KEYS)
    if fields is None:
        return ANONYMOUS
    texts = {name: field.text() or "" for name, field in fields.items()}
    if texts.keys() not in ({"username", "password"}, {"token"}):
        part.refuse("needs username and password, or token alone", "an access token is a password")
    return Credential(
        texts.get("username", ""),
        texts.get("password", ""),
        registry_token=texts.get("token", ""),
        origin="input registries",
    )
