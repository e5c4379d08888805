"""A source whose lists of referrers lead to ever more lists."""

import json
from dataclasses import dataclass, field

import pytest

from manifest_action.errors import ResolveError
from manifest_action.model import mediatype
from manifest_action.model.descriptor import Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import Repository, parse_reference
from manifest_action.ops import attached
from manifest_action.ops.attached import Trip, find
from manifest_action.ops.waves import Waves
from tests.unit.ops.memory import Recorder

FROM, TO = (parse_reference(f"{host}.test/app").repository for host in ("from", "to"))
ROOT = Digest.of(b"root")


@dataclass
class Endless:
    """Lists `width` artifacts about whatever is asked for, each an index of `parts` images if there are any."""

    width: int
    parts: int = 0
    manifests: dict[str, Manifest] = field(default_factory=dict)
    read: int = 0

    def source(self, _: Repository) -> "Endless":
        return self

    def resolve(self, selector: str) -> Manifest:
        if selector not in self.manifests:
            raise ResolveError("there is no such manifest")
        self.read += 1
        return self.manifests[selector]

    def referrers(self, subject: Digest, _: str) -> tuple[Descriptor, ...]:
        return tuple(self._made(subject, number).descriptor for number in range(self.width))

    def _made(self, subject: Digest, number: int) -> Manifest:
        document = {
            "schemaVersion": 2,
            "mediaType": mediatype.OCI_INDEX,
            "artifactType": "application/x",
            "manifests": [self._part(each) for each in range(self.parts)],
            "subject": {"mediaType": mediatype.OCI_MANIFEST, "digest": str(subject), "size": 1},
            "annotations": {"number": str(number)},
        }
        manifest = Manifest.parse(json.dumps(document).encode(), media_type=mediatype.OCI_INDEX)
        self.manifests[str(manifest.digest)] = manifest
        return manifest

    def _part(self, number: int) -> dict[str, object]:
        return {"mediaType": mediatype.OCI_MANIFEST, "digest": str(Digest.of(str(number).encode())), "size": 1}


@pytest.mark.parametrize(("width", "parts"), [(12, 0), (5, 30)])
def test_lists_of_lists_end(monkeypatch: pytest.MonkeyPatch, width: int, parts: int) -> None:
    monkeypatch.setattr(attached, "_MOST", 40)
    source = Endless(width, parts)
    with Waves(2) as waves, pytest.raises(ResolveError, match=r"leads to 1(44|50) manifests, more than 140"):
        find([Trip(TO, FROM, ROOT, signatures=True)], source, waves, Recorder())  # type: ignore[arg-type]
    assert source.read <= width


def test_what_is_within_the_limit_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attached, "_MOST", 40)
    with Waves(2) as waves:
        found = find([Trip(TO, FROM, ROOT, signatures=True)], Endless(5), waves, Recorder())  # type: ignore[arg-type]
    assert len(found) == 5 + 5**2 + 5**3
