"""A signature policy as values: what is required of images, by transport and scope. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from manifest_action.model.reference import Reference
from manifest_action.signing.policy.identity import IdentityRule
from manifest_action.signing.policy.scopes import scopes


@dataclass(frozen=True, slots=True)
class AcceptAnything:
    """`insecureAcceptAnything`: nothing is required."""

    type_name = "insecureAcceptAnything"


@dataclass(frozen=True, slots=True)
class Reject:
    """`reject`: such images are not to be used."""

    type_name = "reject"


@dataclass(frozen=True, slots=True)
class Keys:
    """Public keys, as paths of files and as the bytes themselves; any of them will do."""

    paths: tuple[str, ...] = ()
    data: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class SignedBy:
    """`signedBy`: a simple signature by one of these GPG keys, for a name that fits."""

    type_name = "signedBy"

    keys: Keys
    identity: IdentityRule


@dataclass(frozen=True, slots=True)
class Certifier:
    """`fulcio`: certificates by these authorities, for one address that one OIDC issuer vouched for."""

    authorities: Keys
    issuer: str
    email: str


@dataclass(frozen=True, slots=True)
class SigstoreSigned:
    """`sigstoreSigned`: a sigstore signature for a name that fits.

    keys:      by one of these keys
    certifier: or, where there is one, by a key that it certified
    logs:      keys of the transparency logs one of which must have the signature; none are asked where there are none
    unchecked: what else it asks for that this version cannot check, by the names of the members
    """

    type_name = "sigstoreSigned"

    keys: Keys
    identity: IdentityRule
    certifier: Certifier | None = None
    logs: Keys = Keys()
    unchecked: tuple[str, ...] = ()


Requirement = AcceptAnything | Reject | SignedBy | SigstoreSigned
Requirements = tuple[Requirement, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """What is required where nothing else is said, and by transport and scope. All of a list must be met."""

    default: Requirements
    transports: Mapping[str, Mapping[str, Requirements]] = field(default_factory=dict, hash=False)

    def requirements(self, image: Reference, path: str) -> tuple[str, Requirements]:
        """The scope that decides about an image, and what it requires.

        image: as the user named it
        path:  for images in files, the absolute path that their links lead to
        """
        known = self.transports.get(image.repository.transport, {})
        for scope in (*scopes(image, path), ""):
            if scope in known:
                return f"transports.{image.repository.transport}[{scope!r}]", known[scope]
        return "default", self.default

    @property
    def is_open(self) -> bool:
        """Whether nothing is required of any image, and every scope can be read."""
        listed = (each for known in self.transports.values() for each in known.values())
        required = {type(requirement) for requirements in (self.default, *listed) for requirement in requirements}
        return required <= {AcceptAnything} and not any(map(self.unread_scopes, self.transports))

    def unread_scopes(self, transport: str) -> Sequence[str]:
        """The scopes of a transport whose images this program cannot tell apart."""
        known = self.transports.get(transport, {})
        return tuple(scope for scope in known if scope) if transport == "containers-storage" else ()
