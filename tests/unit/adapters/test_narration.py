"""Events in plain words."""

import pytest

from manifest_action.adapters.narration import narrate
from manifest_action.errors import Mark
from manifest_action.events import (
    BlobTransferred,
    Event,
    IndexAssembled,
    InstanceCompressed,
    InstanceConverted,
    ManifestPushed,
    Retrying,
    SecretLearned,
    SignatureStored,
    SourceResolved,
    SourcesAdmitted,
    Stage,
    StageStarted,
    TagSettled,
    TagState,
    Transfer,
    Warned,
)
from manifest_action.model.digest import Digest
from manifest_action.model.platform import Platform
from manifest_action.model.reference import parse_reference

DIGEST = Digest.of(b"")
REFERENCE = parse_reference("localhost:5000/app:1")
REPOSITORY = REFERENCE.repository
LINUX = (Platform("linux", "amd64"), Platform("linux", "arm", "v7"))


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (StageStarted(Stage.COPY, "2 children"), "Copy 2 children"),
        (SourceResolved(REFERENCE, DIGEST, LINUX), f"localhost:5000/app:1 is {DIGEST}: linux/amd64, linux/arm/v7"),
        (SourceResolved(REFERENCE, DIGEST, ()), f"localhost:5000/app:1 is {DIGEST}: no platform"),
        (SourcesAdmitted("", 2), "no signature policy is given or installed; sources are accepted as they are"),
        (SourcesAdmitted("/p.json", 1), "1 image of the sources allowed by /p.json"),
        (
            InstanceCompressed(REFERENCE, DIGEST, DIGEST, "zstd"),
            f"{REFERENCE}: {DIGEST} is there with zstd too, as {DIGEST}",
        ),
        (IndexAssembled("app", DIGEST, "type", 2048), f"app becomes {DIGEST}, 2.0 KiB, type"),
        (
            BlobTransferred(REPOSITORY, DIGEST, 3, Transfer.MOUNTED),
            f"mounted {DIGEST} (3 bytes) to localhost:5000/app",
        ),
        (BlobTransferred(REPOSITORY, DIGEST, 3, Transfer.COPIED), f"copied {DIGEST} (3 bytes) to localhost:5000/app"),
        (BlobTransferred(REPOSITORY, DIGEST, 3, Transfer.PRESENT), ""),
        (ManifestPushed(REPOSITORY, DIGEST, present=False), f"pushed {DIGEST} to localhost:5000/app"),
        (ManifestPushed(REPOSITORY, DIGEST, present=True), ""),
        (SignatureStored(DIGEST, "x", REFERENCE, present=False), f"signed {DIGEST}, x at localhost:5000/app:1"),
        (SignatureStored(DIGEST, "x", REFERENCE, present=True), ""),
        (TagSettled(REFERENCE, DIGEST, TagState.CREATED), "localhost:5000/app:1 created"),
        (TagSettled(REFERENCE, DIGEST, TagState.MOVED, DIGEST), f"localhost:5000/app:1 moved from {DIGEST}"),
        (Retrying("ghcr.io", 2, 1.25, "429\n::error::x"), r"ghcr.io: try 2 failed, again in 1.2 s: 429\n::error::x"),
        (
            InstanceConverted(REFERENCE, DIGEST, DIGEST, "oci"),
            f"localhost:5000/app:1: {DIGEST} converted to oci, now {DIGEST}",
        ),
        (Warned("odd\x1b", Mark("a.yml", 1, 2)), r"a.yml:1:2: odd\x1b"),
        (Warned("odd"), "odd"),
        (SecretLearned("hunter22"), ""),
    ],
)
def test_every_event_is_one_printable_line(event: Event, line: str) -> None:
    assert narrate(event) == line
