"""Which redirects are followed, and where uploads may go on. Pure.

OCI distribution-spec 1.1 lets registries send clients elsewhere for blobs and uploads; credentials never go along.
"""

from manifest_action.transport.registry.address import Home, check_target
from manifest_action.transport.registry.message import Request
from manifest_action.transport.registry.url import Url

REDIRECT_LIMIT = 5
_FOLLOWED = frozenset({301, 302, 303, 307, 308})
_KEEPS_METHOD = frozenset({307, 308})
_READS = frozenset({"GET", "HEAD"})


def next_hop(request: Request, status: int, location: str, at: Url, home: Home) -> Url | None:
    """Where an answer sends the request, None when the answer itself is the result. `at` is where it came from.

    Reads follow every redirect, writes only those that keep the method, and only with a body that can be sent
    again. ValueError says why a redirect is not followed.
    """
    if status not in _FOLLOWED:
        return None
    if request.method not in _READS:
        if status not in _KEEPS_METHOD:
            raise ValueError(f"it answers a {request.method} with HTTP {status}, which would turn it into a GET")
        if not isinstance(request.body, bytes):
            return None
    target = allowed_target(at, location, home)
    return None if request.stay and target.origin != home.url.origin else target


def allowed_target(at: Url, location: str, home: Home) -> Url:
    """The address that a `Location` read at `at` names; ValueError when there is none or it must not be used."""
    if not location:
        raise ValueError("it sends us elsewhere without saying where")
    try:
        target = at.join(location)
    except ValueError as error:
        raise ValueError(f"it sends us to no valid address: {error}") from None
    if at.scheme == "https" and target.scheme == "http":
        raise ValueError(_downgraded(at, target))
    try:
        check_target(target, home)
    except ValueError as error:
        raise ValueError(f"it sends us to {target.origin}: {error}") from None
    return target


def _downgraded(at: Url, target: Url) -> str:
    if at.host == target.host:
        return "it sends us from https to http on itself; the proxy before it must pass X-Forwarded-Proto on"
    return f"it sends us from https to http, at {target.authority}"
