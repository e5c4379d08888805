"""Who we are to a registry."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Credential:
    """A user name with a password, an identity token (OAuth2 refresh token) or a registry token (sent as Bearer).

    Secrets never appear in the representation. All fields empty means anonymous.
    """

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)
    origin: str = ""
    """Where it came from, for error messages: `input registries`, `/github/home/.docker/config.json`…"""

    @property
    def is_anonymous(self) -> bool:
        """Whether nothing is known that would identify us."""
        return not (self.username or self.password or self.identity_token or self.registry_token)


ANONYMOUS = Credential()
