"""Simple signing with GPG, as containers/image does it (containers-signature(5)), for Podman, skopeo and CRI-O."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from manifest_action.errors import PolicyError, SigningError
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.reference import Repository
from manifest_action.signing.base import Author, Held, Kind, Signature, SignRequest, SimpleSignature, Verifier
from manifest_action.signing.gpg import Keyring
from manifest_action.signing.gpg_home import Answer, GpgHome
from manifest_action.signing.material import Material, unset
from manifest_action.signing.simplesigning import gpg_payload, read_gpg_payload

_BAD_PASSPHRASE = frozenset({11, 177})
_NO_PINENTRY = frozenset({67, 85, 86, 99, 131})
"""Codes of libgpg-error for when an agent cannot ask anybody for the passphrase."""
_UNUSABLE = {"e": "expired", "r": "revoked", "d": "disabled", "i": "invalid", "n": "not valid"}
_STRICT = "older versions of Podman and skopeo, such as Debian 12 has, accept signatures by its primary part only"
_TRIAL = b"This is signed to see whether the key works.\n"
_CAPABILITIES, _TOKEN = 11, 14
_OFFLINE = "#"


@dataclass(frozen=True, slots=True)
class GpgKey:
    """A private key that gpg has.

    fingerprint: of the primary key, by which verifiers know it
    signing:     of the part that signs, as `--local-user` takes it
    public:      the public key as gpg exports it, and `armored` the same as text
    """

    fingerprint: str
    signing: str
    public: bytes
    armored: str


@dataclass(frozen=True, slots=True)
class GpgVerifier:
    """See `base.Verifier`: simple signatures by one of the keys of a ring.

    lookaside: the base address of the signatures; empty for where they are by themselves
    """

    keyring: Keyring
    lookaside: str = ""

    @property
    def kind(self) -> Kind:
        """See `base.Verifier`."""
        return Kind.GPG

    def fault(self, held: Held, subject: Digest, repository: Repository, /) -> str:
        """See `base.Verifier`. The tag of its identity may be any."""
        try:
            statement = read_gpg_payload(self.keyring.opened(held.content))
        except ValueError as error:
            return str(error)
        if statement.digest != subject:
            return f"it is about another digest, {statement.digest}"
        if statement.identity.repository != repository:
            return f"it is for another name, {statement.identity}"
        return ""


class GpgSigner:
    """See `base.Signer`: one signature for each identity of a subject."""

    def __init__(self, home: GpgHome, key: GpgKey, passphrase: bytes | None, verifier: GpgVerifier) -> None:
        self._home = home
        self._key = key
        self._passphrase = passphrase
        self._verifier = verifier
        self._author = Author(public_key=key.armored, subject=key.fingerprint)

    def check(self) -> None:
        """Sign something that means nothing, so that what is wrong is known before anything else happens.

        Agents store a key that was imported anew when it is first used, and must not do so several times at once.
        Raises SigningError.
        """
        try:
            self._verifier.keyring.opened(self._signed(_TRIAL))
        except ValueError as error:
            raise SigningError(
                "what this GPG key signs is no good", where=self._key.fingerprint, why=str(error)
            ) from None

    def sign(self, request: SignRequest, /) -> Sequence[Signature]:
        """Every signature over the subject. Raises SigningError."""
        return [self._signature(request, identity) for identity in request.identities]

    def repeats(self, made: Signature, layer: Descriptor, content: bytes, /) -> bool:  # noqa: ARG002 - there is none
        """See `base.Signer`."""
        try:
            payload = self._verifier.keyring.opened(content)
        except ValueError:
            return False
        return payload == gpg_payload(made.identity, made.subject.digest)

    def verifiers(self) -> Sequence[Verifier]:
        """See `base.Signer`."""
        return [self._verifier]

    def _signature(self, request: SignRequest, identity: str) -> Signature:
        content = self._signed(gpg_payload(identity, request.subject.digest))
        artefact = SimpleSignature(content, self._verifier.lookaside)
        return Signature(Kind.GPG, request.subject, artefact, self._author, identity)

    def _signed(self, payload: bytes) -> bytes:
        """A signed message (RFC 4880, section 11.3), binary."""
        options = ("--no-armor", "--no-textmode", "--local-user", self._key.signing, "--output", "-", "--sign")
        answer = self._home.run(*options, given=payload, passphrase=self._passphrase)
        if answer.code or answer.said("SIG_CREATED") is None or not answer.output:
            raise _refused(answer, self._key, has_passphrase=bool(self._passphrase))
        return answer.output


def open_gpg(options: Mapping[str, str], material: Material) -> GpgSigner:
    """The signer of `sign: gpg`. options: key and passphrase as references, fingerprint and lookaside.

    Without a key where `key` says, and with a fingerprint, the key is one of the user's own keyring.
    Raises SigningError: gpg or the key is missing, or the key cannot sign.
    """
    wanted = options["fingerprint"].upper().replace(" ", "").removeprefix("0X")
    private = material.secret(options["key"], "key")
    passphrase = material.passphrase(options["passphrase"])
    if private is None:
        if not wanted:
            raise unset(options["key"], "key")
        home = GpgHome(None, material.environment)
    else:
        home = _laid_out(private, options["key"], material)
        passphrase = passphrase or b""
    key = _chosen(home, wanted)
    try:
        keyring = Keyring([key.public])
    except PolicyError as error:
        raise SigningError("the public GPG key cannot be used", why=error.what, hint=error.hint) from None
    material.at_the_end(keyring.close)
    signer = GpgSigner(home, key, passphrase, GpgVerifier(keyring, options["lookaside"]))
    signer.check()
    if key.signing != f"{key.fingerprint}!":
        material.warn(f"a subkey of the GPG key {key.fingerprint} signs; {_STRICT}")
    return signer


def _laid_out(private: bytes, reference: str, material: Material) -> GpgHome:
    """A private home that has the key in it."""
    where = reference if "://" in reference else "key"
    if not private.strip():
        raise SigningError("the key is empty", where=where, hint="does this job see the secret?")
    home = GpgHome.private(material.environment)
    material.at_the_end(home.remove)
    home.create()
    home.run("--import", given=private, passphrase=b"")
    if not _secret_keys(home, ""):
        raise SigningError(
            "there is no private GPG key", where=where, hint="export it with `gpg --armor --export-secret-keys`"
        )
    return home


def _chosen(home: GpgHome, wanted: str) -> GpgKey:
    """The one key to sign with. wanted: the last 16 hex digits or more of its fingerprint, empty for the only key."""
    keys = _secret_keys(home, wanted)
    if wanted:
        keys = [key for key in keys if any(part.fingerprint.endswith(wanted) for part in key)]
    if not keys:
        raise SigningError("there is no private GPG key with this fingerprint", where=wanted)
    if len(keys) > 1:
        names = ", ".join(key[0].fingerprint for key in keys[:5])
        raise SigningError(f"there are {len(keys)} private GPG keys", why=names, hint="give `fingerprint`")
    parts = keys[0]
    primary = parts[0].fingerprint
    if fault := _UNUSABLE.get(parts[0].validity):
        raise SigningError(f"the GPG key is {fault}", where=primary, hint="sign with another key")
    able = [part for part in parts if part.signs and part.validity not in _UNUSABLE]
    named = [part for part in able if wanted and part.fingerprint.endswith(wanted)]
    if not able:
        raise SigningError("no part of this GPG key can sign", where=primary, hint="give a key that can")
    # Some verifiers know a key by its primary part only, so that one signs where it can.
    signing = (named or able)[0].fingerprint
    public = home.run("--export", primary).output
    return GpgKey(primary, f"{signing}!", public, home.run("--armor", "--export", primary).output.decode())


@dataclass(frozen=True, slots=True)
class _Part:
    """A primary key or a subkey. validity: gpg's letter for it; signs: whether it can, and its private half is here."""

    fingerprint: str
    validity: str
    signs: bool


def _secret_keys(home: GpgHome, wanted: str) -> list[list[_Part]]:
    """The private keys, each with its primary part first, by gpg's listing (doc/DETAILS of GnuPG)."""
    arguments = [wanted] if wanted else []
    listing = home.run("--with-colons", "--list-secret-keys", *arguments).output.decode("utf-8", "replace")
    keys: list[list[_Part]] = []
    for record, fingerprint in _records(listing):
        part = _Part(fingerprint, record[1], "s" in record[_CAPABILITIES] and record[_TOKEN] != _OFFLINE)
        if record[0] == "sec":
            keys.append([part])
        else:
            keys[-1].append(part)
    return keys


def _records(listing: str) -> Iterator[tuple[list[str], str]]:
    """The records of keys and subkeys, each with the fingerprint in the record behind it."""
    current: list[str] = []
    for line in listing.splitlines():
        fields = line.split(":")
        if fields[0] in ("sec", "ssb"):
            current = fields
        elif fields[0] == "fpr" and current:
            yield current, fields[9]
            current = []


def _refused(answer: Answer, key: GpgKey, *, has_passphrase: bool) -> SigningError:
    code = answer.failure
    if code in _BAD_PASSPHRASE or code in _NO_PINENTRY:
        if has_passphrase:
            what, hint = "the passphrase does not open the GPG key", "check `passphrase`"
        else:
            what, hint = "the GPG key needs a passphrase", "give `passphrase`"
        return SigningError(what, where=key.fingerprint, hint=hint)
    return SigningError("gpg does not sign", where=key.fingerprint, why=f"its error code is {code}")
