"""notation's trust policy: whose certificates are good for signatures in which repository. Pure.

The Notary Project's "Trust Store and Trust Policy" specification, version 1.0 of the document.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from manifest_action.model.reference import Repository
from manifest_action.model.strictjson import parse_object

if TYPE_CHECKING:
    from cryptography.x509 import Name

_ANY = "*"
_LEVELS = ("strict", "permissive")
_SUBJECT = "x509.subject:"
_STORE = "ca:"
_BETWEEN = re.compile(r"(?<!\\),")


@dataclass(frozen=True, slots=True)
class Statement:
    """What a policy says of a repository.

    stores:     names of trust stores
    identities: subjects of certificates as text; none when any will do
    """

    stores: tuple[str, ...]
    identities: tuple[str, ...]


def applicable(raw: bytes, repository: Repository) -> Statement:
    """The statement of a policy that is for a repository, by its name or else by `*`.

    ValueError: it is no policy, none of its statements applies, or it asks for something that is not done here.
    """
    document = parse_object(raw)
    if document.get("version") != "1.0":
        raise ValueError("it must be of version 1.0")
    policies = _objects(document.get("trustPolicies"))
    for scope in (str(repository), _ANY):
        found = [policy for policy in policies if scope in _texts(policy, "registryScopes")]
        if len(found) > 1:
            raise ValueError(f"two of its statements are about {scope}")
        if found:
            return _statement(found[0])
    raise ValueError(f"none of its statements is about {repository}")


def parse_subject(text: str) -> "Name":
    """A subject such as `C=US, O=Acme, CN=release`. ValueError when it is none."""
    from cryptography.x509 import Name, NameAttribute  # noqa: PLC0415
    from cryptography.x509.oid import NameOID  # noqa: PLC0415

    names = {"ST": NameOID.STATE_OR_PROVINCE_NAME, "S": NameOID.STATE_OR_PROVINCE_NAME}
    try:
        parts = Name.from_rfc4514_string(",".join(part.strip() for part in _BETWEEN.split(text)), names)
    except ValueError:
        raise ValueError(f"{text[:100]!r} is no subject of a certificate") from None
    return Name(NameAttribute(part.oid, part.value) for part in parts)


def _statement(policy: Mapping[str, object]) -> Statement:
    verification = policy.get("signatureVerification")
    level = verification.get("level") if isinstance(verification, Mapping) else None
    if level not in _LEVELS:
        raise ValueError(f"its verification level is {str(level)[:40]!r}, and must be {' or '.join(_LEVELS)} here")
    stores = _texts(policy, "trustStores")
    if not stores or not all(store.startswith(_STORE) for store in stores):
        raise ValueError("its trust stores must all be of the type ca")
    identities = _texts(policy, "trustedIdentities")
    if not identities:
        raise ValueError("it must name trusted identities, or *")
    if _ANY in identities:
        return Statement(tuple(store.removeprefix(_STORE) for store in stores), ())
    if not all(identity.startswith(_SUBJECT) for identity in identities):
        raise ValueError(f"its trusted identities must begin with {_SUBJECT}")
    subjects = tuple(identity.removeprefix(_SUBJECT).strip() for identity in identities)
    return Statement(tuple(store.removeprefix(_STORE) for store in stores), subjects)


def _objects(value: object) -> Sequence[Mapping[str, object]]:
    if not isinstance(value, list) or not all(isinstance(each, Mapping) for each in value):
        raise ValueError("trustPolicies must be a list of objects")
    return value


def _texts(policy: Mapping[str, object], name: str) -> Sequence[str]:
    value = policy.get(name, [])
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError(f"{name} must be a list of texts")
    return value
