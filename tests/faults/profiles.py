"""How registries of the market differ from the specification, each quirk as a switch (facts as of 2026)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

KIB4096 = 4 * 1024 * 1024


@dataclass(frozen=True)
class Profile:
    """The quirks of one kind of registry. The defaults are a registry that keeps to OCI 1.1.

    token:            wants a bearer token from `/token`
    refuses_wide:     refuses a token when one of its scopes is not allowed to this user
    states_digest:    sends Docker-Content-Digest
    referrers:        `api`, `none` (404), `web` (303 elsewhere), `claims` (OCI-Subject, but no API), `refused` (400)
    largest_piece:    bytes that a PATCH may have; more is 416
    piece_status:     of an accepted PATCH
    minds_units:      refuses a Content-Range that begins with `bytes`
    mounts:           `yes`, `opens` (202, an upload session), or the status it refuses mounts with
    mounts_unnamed:   takes a mount without `from`
    auto_creates:     makes a repository by the first push; else 404 NAME_UNKNOWN unless it is there
    immutable:        a tag can be set once, whatever to; the status and code of refusing it again
    elsewhere:        serves blobs by a redirect to storage that refuses an Authorization
    collects:         how many blobs vanish between the answer that they are there and the first use of them
    settles:          how many PUTs of an index find their children unknown, though these are there
    missing:          status and code for an index whose child is missing
    blips:            how many good tokens are refused once
    hiccups:          how many requests in a row answer 502, once the first write has come
    hangs_up:         how many HEAD, PATCH and PUT end without an answer
    takes_index:      takes an OCI index; else 400 MANIFEST_INVALID
    same_kinds:       children must be of the index's own kind, and platforms have no empty members
    absolute:         gives locations with scheme and host
    largest_manifest: bytes; more is 413
    warns:            the text of a Warning with every answer
    hidden:           answers 404 with no body to requests without a login, where others answer 401
    """

    name: str = "oci"
    token: bool = True
    refuses_wide: bool = False
    states_digest: bool = True
    referrers: Literal["api", "none", "web", "claims", "refused"] = "api"
    largest_piece: int = 1 << 40
    piece_status: int = 202
    minds_units: bool = True
    mounts: Literal["yes", "opens"] | int = "yes"
    mounts_unnamed: bool = False
    auto_creates: bool = True
    immutable: tuple[int, str] | None = None
    elsewhere: bool = False
    collects: int = 0
    settles: int = 0
    missing: tuple[int, str] = (400, "MANIFEST_BLOB_UNKNOWN")
    blips: int = 0
    hiccups: int = 0
    hangs_up: int = 0
    takes_index: bool = True
    same_kinds: bool = False
    absolute: bool = False
    largest_manifest: int = KIB4096
    warns: str = ""


_ALL = (
    Profile(),
    Profile("docker-hub", refuses_wide=True, referrers="claims", absolute=True, elsewhere=True),
    Profile("ghcr", referrers="web", largest_piece=KIB4096, elsewhere=True),
    Profile(
        "ecr",
        auto_creates=False,
        mounts="opens",
        elsewhere=True,
        piece_status=201,
        states_digest=False,
        referrers="claims",
        absolute=True,
    ),
    Profile("gar", collects=1, elsewhere=True),
    Profile("acr", minds_units=True),
    Profile("quay", mounts_unnamed=False, same_kinds=True, referrers="none"),
    Profile("harbor", mounts=401, missing=(404, "NOT_FOUND"), blips=1),
    Profile("gitlab", hangs_up=3, referrers="none"),
    Profile("artifactory", hiccups=5, referrers="none"),
    Profile("nexus", token=False, settles=2, same_kinds=True, absolute=True, referrers="none"),
    Profile("gitea", referrers="none", mounts="opens", warns='299 - "this server is small"'),
)
PROFILES: Mapping[str, Profile] = {profile.name: profile for profile in _ALL}
