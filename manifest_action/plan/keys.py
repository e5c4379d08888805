"""Every key of a spec (design section 4.1): what the reader knows, what editors are told, in one table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from manifest_action.plan.spec import Attestations, Compression, Existing, Format, Protection, Referrers

SOURCES_LIMIT = 1000
INDEXES_LIMIT = 1000
TAGS_LIMIT = 100
ATTACHMENTS_LIMIT = 100

FORMATS: Mapping[str, Format] = {str(word): word for word in Format} | {"v2s2": Format.DOCKER}
COMPRESSIONS: Mapping[str, Compression] = {str(word): word for word in Compression} | {"zstd": Compression.ADD_ZSTD}
ATTESTATIONS: Mapping[str, Attestations] = {str(word): word for word in Attestations}
EXISTING: Mapping[str, Existing] = {str(word): word for word in Existing}
PROTECTIONS: Mapping[str, Protection] = {
    **{str(word): word for word in Protection},
    "true": Protection.DIGEST,
    "false": Protection.NO,
}
REFERRERS: Mapping[str, Referrers] = {str(word): word for word in Referrers}
SBOM_TYPES: Mapping[str, str] = {
    "spdx": "application/spdx+json",
    "cyclonedx": "application/vnd.cyclonedx+json",
}
"""Short names of media types that files are attached with."""
BOOLEANS: Mapping[str, bool] = {"true": True, "false": False, "yes": True, "no": False, "on": True, "off": False}


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a mapping: its names, and the JSON Schema (draft 2020-12) of its value."""

    name: str
    schema: Mapping[str, object] = field(hash=False)
    description: str = ""
    aliases: tuple[str, ...] = ()


def spellings(keys: Sequence[Key]) -> dict[str, str]:
    """Every accepted spelling of `keys` to the name it stands for."""
    return {spelling: key.name for key in keys for spelling in (key.name, *key.aliases)}


def _ref(name: str) -> Mapping[str, object]:
    return {"$ref": f"#/$defs/{name}"}


def _lines_or(item: str, **limits: int) -> Mapping[str, object]:
    return {"anyOf": [_ref("text"), {"type": "array", "items": _ref(item), **limits}]}


PLATFORM_KEYS = (
    Key("os", _ref("text"), "Operating system, as Go calls it: linux, windows, darwin."),
    Key("architecture", _ref("text"), "Processor architecture, as Go calls it: amd64, arm64, arm, 386."),
    Key("variant", _ref("text"), "Variant of the architecture: v7 of arm, v3 of amd64."),
    Key("os.version", _ref("text"), "Version of the operating system; Windows needs it.", ("osversion",)),
    Key("os.features", _lines_or("text"), "Features that the operating system must have.", ("osfeatures",)),
    Key("features", _lines_or("text"), "Processor features; they exist in Docker manifest lists only."),
)

SOURCE_KEYS = (
    Key("image", _ref("text"), "What to take: a reference, or a bare digest in the main destination's repository."),
    Key(
        "platform",
        _ref("platform"),
        "The platform of this entry, or the parts of it that the image does not say itself.",
    ),
    Key("platforms", _lines_or("platform"), "When the source is an index: take these platforms only."),
    Key("annotations", _ref("annotations"), "Annotations on the descriptor of every entry taken from here."),
    Key("override", _ref("boolean"), "Let `platform` win even where the image's own config contradicts it."),
)

ATTACH_KEYS = (
    Key("file", _ref("text"), "Path of the file."),
    Key("type", _ref("text"), "spdx, cyclonedx or a media type; SBOMs of both kinds are known by what is in them."),
    Key("to", _ref("platform"), "What it is about: index, which is the default, or the platform of an instance."),
)

COSIGN_FORMATS = ("both", "bundle", "tag")
COSIGN_DEFAULTS: Mapping[str, str] = {
    "key": "env://COSIGN_PRIVATE_KEY",
    "passphrase": "env://COSIGN_PASSWORD",
    "format": "both",
}
COSIGN_KEYS = (
    Key(
        "key",
        _ref("seat"),
        "The private key: env://NAME, file://path or a path, or a key that stays elsewhere, such as hashivault://NAME. "
        "Default env://COSIGN_PRIVATE_KEY.",
    ),
    Key("passphrase", _ref("secret"), "The passphrase of the key, given likewise. Default env://COSIGN_PASSWORD."),
    Key(
        "format",
        {"enum": list(COSIGN_FORMATS)},
        "bundle for cosign from version 3 on, tag for Podman, skopeo and CRI-O; both is the default.",
    ),
    Key("recursive", _ref("boolean"), "Sign every instance too, since Podman looks at nothing else. Default true."),
)

KEYLESS_DEFAULTS: Mapping[str, str] = {"token": "env://SIGSTORE_ID_TOKEN", "audience": "sigstore", "trust-config": ""}
KEYLESS_KEYS = (
    Key(
        "token",
        _ref("secret"),
        "An identity token (OIDC): env://NAME, file://path or a path. Default env://SIGSTORE_ID_TOKEN, and where that "
        "is not set the CI system is asked.",
    ),
    Key("audience", _ref("text"), "Whom the identity token must be for. Default sigstore."),
    Key(
        "trust-config",
        _ref("secret"),
        "A Sigstore client trust configuration of a private instance, given likewise. Default: the public instance.",
    ),
    Key("recursive", _ref("boolean"), "Sign every instance too. Default true."),
)

KMS_SCHEMES = ("hashivault", "awskms", "gcpkms", "azurekms")
"""Of keys that never leave where they are; a request to sign goes there."""

GPG_DEFAULTS: Mapping[str, str] = {
    "key": "env://GPG_PRIVATE_KEY",
    "passphrase": "env://GPG_PASSPHRASE",
    "fingerprint": "",
    "lookaside": "",
}
GPG_KEYS = (
    Key(
        "key",
        _ref("secret"),
        "The private key as gpg exports it: env://NAME, file://path or a path. Default env://GPG_PRIVATE_KEY.",
    ),
    Key("passphrase", _ref("secret"), "The passphrase of the key, given likewise. Default env://GPG_PASSPHRASE."),
    Key(
        "fingerprint",
        {"type": "string", "pattern": "^(0x)?[0-9A-Fa-f ]{16,80}$"},
        "Which key: in the key material, or without any in your own GnuPG keyring. 16 hex digits or more.",
    ),
    Key(
        "lookaside",
        {"type": "string", "pattern": "^file:///"},
        "Where signatures are written: file:///path. Default: the registry itself where it keeps signatures, else "
        "what registries.d says.",
    ),
    Key("recursive", _ref("boolean"), "Sign every instance too, since Podman looks at nothing else. Default true."),
)

NOTATION_DEFAULTS: Mapping[str, str] = {
    "key": "env://NOTATION_KEY",
    "certificates": "env://NOTATION_CERTIFICATES",
    "passphrase": "env://NOTATION_PASSPHRASE",
}
NOTATION_KEYS = (
    Key("key", _ref("secret"), "The private key, PEM: env://NAME, file://path or a path. Default env://NOTATION_KEY."),
    Key(
        "certificates",
        _ref("secret"),
        "The certificate of the key and those above it up to the root, PEM, given likewise. "
        "Default env://NOTATION_CERTIFICATES.",
    ),
    Key("passphrase", _ref("secret"), "The passphrase of the key, given likewise. Default env://NOTATION_PASSPHRASE."),
    Key("recursive", _ref("boolean"), "Sign every instance too. Default true."),
)


@dataclass(frozen=True, slots=True)
class SignerKeys:
    """What a signer takes: its keys, and what holds where one is not written."""

    description: str
    keys: tuple[Key, ...]
    defaults: Mapping[str, str] = field(default_factory=dict, hash=False)


SIGNERS: Mapping[str, SignerKeys] = {
    "cosign": SignerKeys("A key pair as cosign has it.", COSIGN_KEYS, COSIGN_DEFAULTS),
    "keyless": SignerKeys(
        "The identity of this CI job, certified and logged by Sigstore.", KEYLESS_KEYS, KEYLESS_DEFAULTS
    ),
    "gpg": SignerKeys("A GPG key, for Podman, skopeo and CRI-O.", GPG_KEYS, GPG_DEFAULTS),
    "notation": SignerKeys("A key with X.509 certificates, for notation and Ratify.", NOTATION_KEYS, NOTATION_DEFAULTS),
}
SIGNER_KEYS = tuple(Key(name, _ref(name), signer.description) for name, signer in SIGNERS.items())

INDEX_KEYS = (
    Key("image", _ref("text"), "The main destination, such as ghcr.io/acme/app:1.4.2 or oci:./out:1.4.2."),
    Key(
        "tags",
        _lines_or("text", maxItems=TAGS_LIMIT),
        "Further tags: a bare tag goes to the main destination's repository, a full reference anywhere.",
    ),
    Key("sources", _lines_or("source", maxItems=SOURCES_LIMIT), "What the index is made of, in order.", ("manifests",)),
    Key(
        "annotations",
        _ref("annotations"),
        "Annotations of the index, or with a prefix such as manifest-descriptor[linux/arm64]: of its entries.",
    ),
    Key("expect", _lines_or("platform", minItems=1), "Exactly these platforms must result, else nothing is written."),
    Key(
        "format",
        {"enum": list(FORMATS)},
        "Media types of the index and its images, which are converted where needed; auto converts nothing, and is "
        "docker only if every entry is.",
    ),
    Key("lossy", _ref("boolean"), "Leave out what the format cannot hold, such as attestations, instead of failing."),
    Key(
        "compression",
        {"enum": list(COMPRESSIONS)},
        "add zstd: each image a second time, with zstd layers, for systems that prefer them. OCI only.",
    ),
    Key("attestations", {"enum": list(ATTESTATIONS)}, "What happens to BuildKit's attestation entries."),
    Key("existing", {"enum": list(EXISTING)}, "What happens when a tag exists already."),
    Key("artifact-type", _ref("text"), "The artifact type of the index: a media type. OCI only."),
    Key("subject", _ref("text"), "What the index is about: a reference, or a tag or digest next to it. OCI only."),
    Key(
        "referrers",
        {"enum": list(REFERRERS)},
        "What happens to signatures, SBOMs and the like of images that go to another repository. Default copy.",
    ),
    Key("remove-signatures", _ref("boolean"), "Leave signatures behind when `referrers` are copied. Default false."),
    Key(
        "attach",
        {
            "anyOf": [
                _ref("text"),
                _ref("attachment"),
                {
                    "type": "array",
                    "items": {"anyOf": [_ref("text"), _ref("attachment")]},
                    "maxItems": ATTACHMENTS_LIMIT,
                },
            ]
        },
        "Files to attach before any tag moves, such as SBOMs: paths, or mappings with file, type and to.",
    ),
    Key("provenance", _ref("boolean"), "Attach a signed SLSA statement of how the index was made. Default false."),
    Key(
        "sign",
        {
            "anyOf": [
                _ref("text"),
                _ref("signers"),
                {"type": "array", "items": {"anyOf": [{"enum": list(SIGNERS)}, _ref("signers")]}, "maxItems": 10},
            ]
        },
        "How to sign the index and its instances before any tag moves: names, or names with options.",
    ),
    Key("verify", _ref("boolean"), "Read the signatures back and verify them before any tag moves. Default false."),
    Key(
        "protect-children",
        {"anyOf": [{"type": "boolean"}, {"enum": list(PROTECTIONS)}]},
        "Tags for the images of the index, so that nothing prunes them: by their digest, or by tag and platform.",
    ),
    Key(
        "cleanup-tags",
        {"anyOf": [_ref("text"), {"type": "array", "items": _ref("text"), "maxItems": TAGS_LIMIT}]},
        "Temporary tags to take away after success: true for those of the sources, or a list. Images stay.",
    ),
)

FILE_KEYS = (
    Key("indexes", {"type": "array", "items": _ref("index"), "minItems": 1, "maxItems": INDEXES_LIMIT}, "The indexes."),
    Key("defaults", _ref("index"), "Keys for every index that does not have them itself."),
)
