"""The token with which a job says who it is: given by hand, or asked of the CI system (OpenID Connect Core 1.0)."""

import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from manifest_action.errors import SigningError
from manifest_action.signing.certified import reason
from manifest_action.signing.material import Material, unset

if TYPE_CHECKING:
    from sigstore.oidc import IdentityToken

GIVEN = "env://SIGSTORE_ID_TOKEN"
"""Where a token is looked for before the CI system is asked; GitLab puts it there, and cosign looks there too."""
_FRESH = 30.0
"""Seconds for which a token that the CI system gave is used; GitHub's last for five minutes."""


class Tokens:
    """Gives tokens that have just been issued, or the one that was given.

    reference: where a token is, as `Material` reads it
    audience:  whom the token must be for
    """

    def __init__(self, reference: str, audience: str, material: Material) -> None:
        self._reference = reference
        self._audience = audience
        self._material = material
        self._last: tuple[float, str] | None = None

    def current(self) -> "IdentityToken":
        """A token that is valid now. Raises SigningError."""
        from sigstore.oidc import IdentityToken  # noqa: PLC0415

        given = self._given()
        try:
            return IdentityToken(given or self._asked(), self._audience)
        except SigningError:
            raise
        except Exception as error:  # noqa: BLE001 - the library's own kind, and what it is made of
            raise SigningError(
                "the identity token is not acceptable",
                where=self._reference if given and "://" in self._reference else "",
                why=reason(error.__cause__ or error),
                hint=f"it must be a JWT for the audience {self._audience!r}, and not expired",
            ) from None

    def _given(self) -> str:
        text = self._material.secret(self._reference, "token")
        if text is None and self._reference != GIVEN:
            raise unset(self._reference, "token")
        return (text or b"").decode(errors="replace").strip()

    def _asked(self) -> str:
        if self._last and time.monotonic() - self._last[0] < _FRESH:
            return self._last[1]
        text = _detected(self._audience, os.environ)
        self._material.learned(text)
        self._last = (time.monotonic(), text)
        return text


def _detected(audience: str, environment: Mapping[str, str]) -> str:
    """What the CI system says to a request for a token. What it answers is not repeated, as a token may be in it."""
    from sigstore.oidc import detect_credential  # noqa: PLC0415

    try:
        found = detect_credential(audience)
    except Exception as error:  # noqa: BLE001 - as above
        raise _refused(environment, error) from None
    if not found:
        raise SigningError(
            "there is no identity to sign with: this is no CI system that gives out tokens",
            hint="give one with `token`, or sign with a key (`sign: cosign`)",
        )
    return found


def _refused(environment: Mapping[str, str], error: Exception) -> SigningError:
    what = "the CI system gives this job no identity token"
    if environment.get("GITHUB_ACTIONS"):
        asked = environment.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
        why = reason(error).partition(", body=")[0] if asked else "the job may not ask for one"
        return SigningError(
            what,
            why=why,
            hint="write `permissions: id-token: write` for the job; pull requests from forks never get it",
        )
    if environment.get("GITLAB_CI"):
        return SigningError(
            what,
            why="SIGSTORE_ID_TOKEN is not set",
            hint="write `id_tokens: {SIGSTORE_ID_TOKEN: {aud: sigstore}}` for the job",
        )
    return SigningError(what, why=type(error.__cause__ or error).__name__, hint="give a token with `token`")
