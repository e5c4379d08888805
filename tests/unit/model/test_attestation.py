"""BuildKit's attestation entries are told from images by their annotations."""

from collections.abc import Mapping

import pytest

from manifest_action.model.attestation import attested_digest, is_attestation, pointing_at
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest

SUBJECT = Digest.of(b"image")


def _entry(annotations: Mapping[str, str]) -> Descriptor:
    return Descriptor("application/vnd.oci.image.manifest.v1+json", Digest.of(b"x"), 1, annotations=annotations)


def test_an_attestation_names_its_subject() -> None:
    entry = _entry({"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": str(SUBJECT)})
    assert is_attestation(entry)
    assert attested_digest(entry) == SUBJECT


@pytest.mark.parametrize("annotations", [{}, {"vnd.docker.reference.type": "other"}])
def test_other_entries_are_none(annotations: Mapping[str, str]) -> None:
    assert not is_attestation(_entry(annotations))


@pytest.mark.parametrize("annotations", [{}, {"vnd.docker.reference.digest": "sha256:0"}])
def test_a_subject_that_is_not_named_is_none(annotations: Mapping[str, str]) -> None:
    assert attested_digest(_entry(annotations)) is None


def test_an_attestation_follows_its_subject() -> None:
    marks = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": str(SUBJECT), "a": "b"}
    successor = Digest.of(b"converted")
    moved = pointing_at(_entry(marks), {SUBJECT: successor})
    assert attested_digest(moved) == successor
    assert moved.annotations == marks | {"vnd.docker.reference.digest": str(successor)}


@pytest.mark.parametrize(
    ("annotations", "moved"),
    [
        ({}, {SUBJECT: Digest.of(b"y")}),
        ({"vnd.docker.reference.digest": str(SUBJECT)}, {SUBJECT: Digest.of(b"y")}),
        ({"vnd.docker.reference.type": "attestation-manifest"}, {SUBJECT: Digest.of(b"y")}),
        ({"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": str(SUBJECT)}, {}),
        (
            {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": str(SUBJECT)},
            {SUBJECT: SUBJECT},
        ),
    ],
)
def test_other_entries_stay_as_they_are(annotations: Mapping[str, str], moved: Mapping[Digest, Digest]) -> None:
    entry = _entry(annotations)
    assert pointing_at(entry, moved) is entry
