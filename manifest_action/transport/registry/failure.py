"""What an answer that is no success means: which error it is, and whether asking again can help. Pure.

OCI distribution-spec 1.1, "Error Codes". What a registry says is data: it is capped and escaped before it goes
into an error, and web pages are not quoted at all.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from manifest_action.errors import AuthError, NetworkError, RateLimited, RegistryError
from manifest_action.model.mediatype import essence
from manifest_action.model.strictjson import parse_object
from manifest_action.transport.registry.challenge import Challenge, parse_challenges
from manifest_action.transport.registry.hints import Caller, hint_for, network_hint
from manifest_action.transport.registry.message import Broken, NotTLS, Reply, Request

TEXT_LIMIT = 300
_CODE_LIMIT = 64
_PASSING = frozenset({408, 425, 429, 499, 500, 502, 503, 504, *range(520, 525)})
_TOO_MANY = "TOOMANYREQUESTS"

Redact = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Failure:
    """A try that did not succeed.

    error:       to raise when there is no further try
    retry:       whether the same request may succeed a little later
    reason:      in a few words, for the log
    status:      0 when there was no answer
    retry_after: the text of the answer's Retry-After
    throttled:   the host asks everyone to slow down
    challenges:  of a 401 that came from the registry itself
    authorization: what the request carried as Authorization
    """

    error: RegistryError
    retry: bool
    reason: str
    status: int = 0
    retry_after: str = ""
    throttled: bool = False
    challenges: tuple[Challenge, ...] = ()
    authorization: str = field(default="", repr=False)


def refused(request: Request, reply: Reply, caller: Caller, redact: Redact, authorization: str = "") -> Failure:
    """The failure that an answer with an unexpected status is."""
    codes, said = read_refusal(reply)
    too_many = reply.status == 429 or _TOO_MANY in codes
    why = f"HTTP {reply.status}{''.join(f' {code}' for code in codes)}{f': {redact(said)}' if said else ''}"
    kind = _kind(reply.status, too_many=too_many)
    hint = hint_for(request, reply.status, codes, said.lower(), caller)
    return Failure(
        error=kind(request.what, where=request.where, why=why, hint=hint, status=reply.status, codes=codes),
        retry=too_many or reply.status in _PASSING,
        reason=f"HTTP {reply.status}",
        status=reply.status,
        retry_after=reply.headers.get("Retry-After"),
        throttled=too_many or (reply.status == 503 and bool(reply.headers.get("Retry-After"))),
        challenges=parse_challenges(reply.headers.all("WWW-Authenticate")) if reply.status == 401 else (),
        authorization=authorization,
    )


def broken(request: Request, host: str, error: Broken) -> Failure:
    """The failure that an exchange without an end is."""
    hint = network_hint(
        host, no_tls=isinstance(error, NotTLS) and error.permanent, certificate="certificate" in error.reason
    )
    return Failure(
        error=NetworkError(request.what, where=request.where, why=f"{host}: {error.reason}", hint=hint),
        retry=not error.permanent,
        reason=error.reason,
    )


def read_refusal(reply: Reply) -> tuple[tuple[str, ...], str]:
    """The registry's error codes and what it says, safe to print (but not yet without secrets)."""
    try:
        document = parse_object(reply.body)
    except ValueError:
        return (), _plain_text(reply)
    errors = document.get("errors")
    entries = [entry for entry in errors if isinstance(entry, Mapping)] if isinstance(errors, list) else []
    codes = [printable(str(entry.get("code", "")), _CODE_LIMIT).upper() for entry in entries]
    said = (
        [entry.get("message") for entry in entries]
        if entries
        else [document.get(name) for name in ("message", "details", "error_description", "error")]
    )
    texts = dict.fromkeys(text for text in said if isinstance(text, str) and text)
    return tuple(dict.fromkeys(filter(None, codes))), printable("; ".join(texts), TEXT_LIMIT)


def printable(text: str, limit: int) -> str:
    """One line of at most `limit` characters, without control, formatting or direction characters."""
    line = " ".join(text[: 4 * limit].split())
    shown = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line)
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


def _plain_text(reply: Reply) -> str:
    content_type = essence(reply.headers.get("Content-Type"))
    text = reply.body.decode("utf-8", "replace").strip()
    if "html" in content_type or text.startswith("<"):
        return "a web page instead of a registry's answer"
    return printable(text, TEXT_LIMIT)


def _kind(status: int, *, too_many: bool) -> type[RegistryError]:
    if too_many:
        return RateLimited
    return AuthError if status in (401, 403) else RegistryError
