"""Every signer by the name that a spec calls it."""

from collections.abc import Callable, Mapping

from manifest_action.signing.base import Signer
from manifest_action.signing.cosign import open_cosign
from manifest_action.signing.gpg_signer import open_gpg
from manifest_action.signing.keyless import open_keyless
from manifest_action.signing.material import Material
from manifest_action.signing.notation import open_notation

SIGNERS: Mapping[str, Callable[[Mapping[str, str], Material], Signer]] = {
    "cosign": open_cosign,
    "keyless": open_keyless,
    "gpg": open_gpg,
    "notation": open_notation,
}


def open_signer(name: str, options: Mapping[str, str], material: Material) -> Signer:
    """The signer `name` with its keys read and ready. Raises SigningError."""
    return SIGNERS[name](options, material)
