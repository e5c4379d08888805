"""Putting indexes into their repositories under their digests; no tag is touched here."""

from collections.abc import Sequence

from manifest_action.events import ManifestPushed, Reporter
from manifest_action.model.digest import Digest
from manifest_action.model.reference import Repository
from manifest_action.ops.account import Account
from manifest_action.ops.instance import AssembledIndex
from manifest_action.ops.waves import Waves
from manifest_action.transport.base import Transport


def push(
    indexes: Sequence[AssembledIndex], transport: Transport, waves: Waves, reporter: Reporter, account: Account
) -> None:
    """See that every repository holds its indexes.

    A repository where a tag already points to the digest holds it, so nothing is asked or sent there.
    Raises what the transports raise.
    """
    wanted = {
        (repository, index.manifest.digest): index.manifest
        for index in indexes
        for repository in index.spec.repositories
    }
    known = {
        (tag.repository, digest) for index in indexes for tag, digest in index.current.items() if digest is not None
    }

    def put(place: tuple[Repository, Digest]) -> None:
        repository, digest = place
        destination = transport.destination(repository)
        tagged = any(repository == tag.repository for index in indexes for tag in index.spec.tags)
        present = place in known or (not tagged and destination.has_manifest(wanted[place].descriptor))
        if not present:
            destination.push_manifest(wanted[place])
        account.stored(repository, digest, present=present)
        reporter.emit(ManifestPushed(repository, digest, present=present))

    waves.map(put, wanted)
