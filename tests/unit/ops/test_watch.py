"""Large blobs on their way."""

from manifest_action.events import BlobProgress
from manifest_action.model import mediatype
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.reference import parse_reference
from manifest_action.ops.copy import MadeContent
from manifest_action.ops.watch import LARGE, STEP, watched
from tests.unit.ops.memory import Recorder

PLACE = parse_reference("ghcr.io/acme/app").repository


def blob(content: bytes) -> Descriptor:
    return Descriptor(mediatype.OCI_INDEX, Digest.of(content), len(content))


def test_a_large_blob_tells_how_far_it_is_and_keeps_its_bytes() -> None:
    content, recorder = b"x" * LARGE, Recorder()
    with watched(MadeContent(content), blob(content), PLACE, recorder).open(STEP) as stream:
        read = b"".join(iter(lambda: stream.read(1024 * 1024), b""))
    assert read == content[STEP:]
    done = [event.done for event in recorder.events if isinstance(event, BlobProgress)]
    assert done == [2 * STEP, 3 * STEP, 4 * STEP]


def test_a_small_blob_is_passed_on_as_it_is() -> None:
    content = MadeContent(b"x")
    assert watched(content, blob(b"x"), PLACE, Recorder()) is content
