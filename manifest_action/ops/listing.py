"""Having artifacts found by their subjects, where a registry does not list them by itself."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.reference import Reference, Repository
from manifest_action.model.referrers import fallback_tag
from manifest_action.ops.merging import write_until_kept
from manifest_action.ops.waves import Waves
from manifest_action.transport.base import ReferrerKeeper, ReferrerRecorder, Transport


@dataclass(frozen=True, slots=True)
class _List:
    """What a repository shall list for one subject."""

    repository: Repository
    subject: Digest
    manifests: tuple[Manifest, ...]

    @property
    def tag(self) -> Reference:
        """Where it is kept when the registry keeps none."""
        return Reference(self.repository, fallback_tag(self.subject))


def list_referrers(
    pushed: Iterable[tuple[Repository, Manifest]],
    transport: Transport,
    waves: Waves,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """See that those of these manifests that have a subject can be found by it in their repositories.

    RegistryError when a list cannot have them, or others overwrite it again and again, and what transports raise.
    """
    by_place: dict[Repository, dict[Digest, list[Manifest]]] = {}
    for repository, manifest in pushed:
        if manifest.subject is not None:
            by_place.setdefault(repository, {}).setdefault(manifest.subject.digest, []).append(manifest)
    wanted = []
    for repository, by_subject in by_place.items():
        destination = transport.destination(repository)
        if isinstance(destination, ReferrerKeeper):
            destination.keep_referrers([manifest for manifests in by_subject.values() for manifest in manifests])
        elif isinstance(destination, ReferrerRecorder):
            wanted += [_List(repository, subject, tuple(manifests)) for subject, manifests in by_subject.items()]

    def write(listed: _List) -> tuple[Sequence[_List], float]:
        destination = transport.destination(listed.repository)
        recorder = destination if isinstance(destination, ReferrerRecorder) else None
        took = recorder.record_referrers(listed.subject, listed.manifests) if recorder else None
        return ([], 0.0) if took is None else ([listed], took)

    write_until_kept(wanted, write, lambda listed: listed.tag, waves, sleep)
